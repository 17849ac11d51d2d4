/* SPDX-License-Identifier: MIT */
/* What the operations that programs are made of cost: bench/core.py times them beside Go's
 * (bench/peers/core.go has the same ones), bench/instructions.py counts their instructions.
 *
 *     core_ops OPERATION SCHEDULER COUNT        prints nanoseconds per operation
 *
 * One worker, so that nothing but the operation is seen: no stealing, no contended cache line.  A
 * run does COUNT operations and nothing else that depends on COUNT.
 *
 * Threads: tasks of one worker under `tasks`, of one thread under `loop`. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

#define BUFFER_ELEMS 128
#define CONTENDERS 4
#define COUNT_MAX 1000000000L

/* What the two sides of an operation share. */
struct pair {
    weir_chan *there;
    weir_chan *back;
    weir_mutex *mutex;
    long count;
    bool timed; /* each wait has a deadline, so a timer is set and stopped */
};

static _Noreturn void fail(const char *what, int code)
{
    fprintf(stderr, "core_ops: %s: %s\n", what, weir_err_text(code));
    exit(1);
}

static void need(const char *what, int code)
{
    if (code < 0)
        fail(what, code);
}

static weir_time deadline_of(const struct pair *pair)
{
    return pair->timed ? weir_in_ms(60000) : WEIR_NO_DEADLINE;
}

static weir_chan *channel(size_t cap_elems)
{
    weir_chan *ch;
    need("channel", weir_chan_create(&ch, &(struct weir_chan_opts){ .elem_bytes = sizeof(long),
                                                                    .cap_elems = cap_elems }));
    return ch;
}

static void beside(weir_task_fn *fn, struct pair *pair, weir_task **out)
{
    need("start", weir_task_start(out, fn, pair));
}

static void join(weir_task *task)
{
    need("join", weir_task_join(task, NULL, WEIR_NO_DEADLINE));
}

/* -- the operations: each does `count` of them ------------------------------------------------ */

static int yields(void *arg)
{
    const struct pair *pair = arg;
    for (long i = 0; i < pair->count / 2; i++)
        need("yield", weir_yield());
    return 0;
}

static void yield(struct pair *pair)
{
    weir_task *other;
    beside(yields, pair, &other);
    (void)yields(pair);
    join(other);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void spawn(struct pair *pair)
{
    for (long i = 0; i < pair->count; i++) {
        weir_task *task;
        beside(nothing, pair, &task);
        join(task);
    }
}

static int echoes(void *arg)
{
    struct pair *pair = arg;
    for (long i = 0; i < pair->count; i++) {
        long value;
        need("receive", weir_chan_recv(pair->there, &value, deadline_of(pair)));
        need("send", weir_chan_send(pair->back, &value, deadline_of(pair)));
    }
    return 0;
}

static void round_trips(struct pair *pair)
{
    pair->there = channel(0);
    pair->back = channel(0);
    weir_task *other;
    beside(echoes, pair, &other);
    for (long i = 0; i < pair->count; i++) {
        long value;
        need("send", weir_chan_send(pair->there, &i, deadline_of(pair)));
        need("receive", weir_chan_recv(pair->back, &value, deadline_of(pair)));
    }
    join(other);
    weir_chan_destroy(pair->there);
    weir_chan_destroy(pair->back);
}

static void rendezvous(struct pair *pair)
{
    round_trips(pair);
}

static void deadline(struct pair *pair)
{
    pair->timed = true;
    round_trips(pair);
}

static int produces(void *arg)
{
    struct pair *pair = arg;
    for (long i = 0; i < pair->count; i++)
        need("send", weir_chan_send(pair->there, &i, WEIR_NO_DEADLINE));
    return 0;
}

static void buffered(struct pair *pair)
{
    pair->there = channel(BUFFER_ELEMS);
    weir_task *other;
    beside(produces, pair, &other);
    for (long i = 0; i < pair->count; i++) {
        long value;
        need("receive", weir_chan_recv(pair->there, &value, WEIR_NO_DEADLINE));
    }
    join(other);
    weir_chan_destroy(pair->there);
}

static int alternates(void *arg)
{
    struct pair *pair = arg;
    for (long i = 0; i < pair->count; i++)
        need("send", weir_chan_send(i % 2 == 0 ? pair->there : pair->back, &i, WEIR_NO_DEADLINE));
    return 0;
}

static void selects(struct pair *pair)
{
    pair->there = channel(0);
    pair->back = channel(0);
    weir_task *other;
    beside(alternates, pair, &other);
    for (long i = 0; i < pair->count; i++) {
        long value;
        struct weir_select_case cases[] = {
            { .op = WEIR_SELECT_RECV, .ch = pair->there, .msg = &value },
            { .op = WEIR_SELECT_RECV, .ch = pair->back, .msg = &value },
        };
        need("select", weir_select(cases, 2, WEIR_NO_DEADLINE));
    }
    join(other);
    weir_chan_destroy(pair->there);
    weir_chan_destroy(pair->back);
}

/* The holder lets the others run, so that each lock but the first has to wait. */
static int hands_over(void *arg)
{
    struct pair *pair = arg;
    for (long i = 0; i < pair->count / CONTENDERS; i++) {
        need("lock", weir_mutex_lock(pair->mutex, WEIR_NO_DEADLINE));
        need("yield", weir_yield());
        weir_mutex_unlock(pair->mutex);
    }
    return 0;
}

/* By one task: others that are ready would have the monitor relieve the worker of this one, which
 * waits for nothing, and then they would run beside it. */
static void mutex(struct pair *pair)
{
    need("mutex", weir_mutex_create(&pair->mutex));
    for (long i = 0; i < pair->count; i++) {
        need("lock", weir_mutex_lock(pair->mutex, WEIR_NO_DEADLINE));
        weir_mutex_unlock(pair->mutex);
    }
    weir_mutex_destroy(pair->mutex);
}

static void handover(struct pair *pair)
{
    need("mutex", weir_mutex_create(&pair->mutex));
    weir_task *tasks[CONTENDERS];
    for (int i = 0; i < CONTENDERS; i++)
        beside(hands_over, pair, &tasks[i]);
    for (int i = 0; i < CONTENDERS; i++)
        join(tasks[i]);
    weir_mutex_destroy(pair->mutex);
}

/* -- choosing and timing ---------------------------------------------------------------------- */

static const struct operation {
    const char *name;
    void (*run)(struct pair *pair);
} operations[] = {
    { "yield", yield },       { "spawn", spawn },       { "rendezvous", rendezvous },
    { "buffered", buffered }, { "select", selects },    { "mutex", mutex },
    { "handover", handover }, { "deadline", deadline },
};

struct job {
    const struct operation *operation;
    long count;
    double ns_each;
};

static int timed(void *arg)
{
    struct job *job = arg;
    struct pair pair = { .count = job->count };
    const weir_time begin = weir_now();
    job->operation->run(&pair);
    job->ns_each = (double)(weir_now() - begin) / (double)job->count;
    return 0;
}

static const struct operation *find(const char *name)
{
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        if (strcmp(operations[i].name, name) == 0)
            return &operations[i];
    return NULL;
}

static int usage(void)
{
    fprintf(stderr, "usage: core_ops OPERATION tasks|loop COUNT\noperations:");
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        fprintf(stderr, " %s", operations[i].name);
    fprintf(stderr, "\nCOUNT: a multiple of 4, at most %ld\n", COUNT_MAX);
    return 2;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return usage();
    struct job job = { .operation = find(argv[1]), .count = strtol(argv[3], NULL, 10) };
    const bool loop = strcmp(argv[2], "loop") == 0;
    if (job.operation == NULL || (!loop && strcmp(argv[2], "tasks") != 0))
        return usage();
    if (job.count < CONTENDERS || job.count > COUNT_MAX || job.count % CONTENDERS != 0)
        return usage();

    need("open", weir_open(&(struct weir_opts){
                     .scheduler = loop ? WEIR_SCHEDULER_LOOP : WEIR_SCHEDULER_TASKS,
                     .workers = loop ? 0 : 1,
                 }));
    need("run", weir_run(timed, &job, NULL));
    need("close", weir_close(weir_in_ms(10000)));
    printf("%.2f\n", job.ns_each);
    return 0;
}
