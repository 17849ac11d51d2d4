/* SPDX-License-Identifier: MIT */
/* What the operations that programs are made of cost: bench/core.py times them beside Go's
 * (bench/peers/core.go has the same ones), bench/instructions.py counts their instructions.
 *
 *     core_ops OPERATION SCHEDULER COUNT [WORKERS]      prints nanoseconds per operation
 *
 * On one worker, the default, nothing but the operation is seen: no stealing, no contended cache
 * line.  A run does COUNT operations and nothing else that depends on COUNT.  The operations:
 *
 *     yield       two tasks yield in turn; one yield
 *     spawn       a task is started, runs, ends and is joined, before the next
 *     group       the same, 1,000 at a time in a scope, whose end joins them; one task
 *     rendezvous  a message there and one back over channels without a buffer
 *     buffered    a message from one task to another over a channel that holds 128
 *     select      a message over one of two channels without a buffer, received by a select
 *     mutex       a lock and an unlock by one task alone
 *     contended   a lock, an increment and an unlock, by four tasks that do nothing else.  They
 *                 never wait while they hold it, so on one worker each would run to its end; but
 *                 the monitor relieves a worker of a task that runs long while others are ready,
 *                 and Go preempts, so both have it contended now and then
 *     handover    the same by four that yield while they hold it, so each lock has to wait
 *     deadline    rendezvous, where each wait has a deadline: four timers are set and stopped
 *     skynet      a tree of tasks with ten children each, which send the sums of their leaves'
 *                 numbers up over channels without a buffer; one leaf.  COUNT: a power of ten
 *     sieve       a task for each prime, which passes on what its prime does not divide, over
 *                 channels without a buffer; one prime.  Taking the chain down is not timed, for Go
 *                 leaves its own standing
 *     timers      a timer is made and set, a minute ahead or more; when all are set each is stopped
 *                 and freed.  Two tasks have a half each, and the other one's when they stop them;
 *                 they yield now and then, so that neither is taken for a hog
 *
 * Threads: tasks of the workers under `tasks`, of one thread under `loop`. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

#define BUFFER_ELEMS 128
#define CONTENDERS 4
#define GROUP_TASKS 1000
#define FAN_OUT 10
#define TIMERS_PER_YIELD 1000
#define TIMER_MS_LEAST 60000
#define TIMER_MS_RANGE 60000
#define COUNT_MAX 1000000000L
#define WORKERS_MAX 64

/* What the two sides of an operation share. */
struct pair {
    weir_chan *there;
    weir_chan *back;
    weir_mutex *mutex;
    long count;
    long locked;     /* guarded by mutex */
    bool timed;      /* each wait has a deadline, so a timer is set and stopped */
    bool yields;     /* whoever holds the mutex */
    weir_time ended; /* when the operations were done, if something comes after; else 0 */
};

static void need(const char *what, int code)
{
    if (code >= 0)
        return;
    fprintf(stderr, "core_ops: %s: %s\n", what, weir_err_text(code));
    exit(1);
}

static void need_result(const char *what, bool right)
{
    if (right)
        return;
    fprintf(stderr, "core_ops: %s: a wrong result\n", what);
    exit(1);
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

static void group(struct pair *pair)
{
    for (long left = pair->count; left > 0; left -= GROUP_TASKS) {
        weir_scope *scope;
        need("scope", weir_scope_open(&scope, NULL));
        for (long i = 0; i < left && i < GROUP_TASKS; i++)
            need("start", weir_go(nothing, NULL));
        need("close", weir_scope_close(scope, WEIR_NO_DEADLINE));
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

static void rendezvous(struct pair *pair)
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

static void deadline(struct pair *pair)
{
    pair->timed = true;
    rendezvous(pair);
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

/* One task: the cost of a lock that nobody else wants. */
static void mutex(struct pair *pair)
{
    need("mutex", weir_mutex_create(&pair->mutex));
    for (long i = 0; i < pair->count; i++) {
        need("lock", weir_mutex_lock(pair->mutex, WEIR_NO_DEADLINE));
        weir_mutex_unlock(pair->mutex);
    }
    weir_mutex_destroy(pair->mutex);
}

/* A holder that yields lets the others run, so that each lock but the first has to wait. */
static int increments(void *arg)
{
    struct pair *pair = arg;
    for (long i = 0; i < pair->count / CONTENDERS; i++) {
        need("lock", weir_mutex_lock(pair->mutex, WEIR_NO_DEADLINE));
        pair->locked++;
        if (pair->yields)
            need("yield", weir_yield());
        weir_mutex_unlock(pair->mutex);
    }
    return 0;
}

static void contended(struct pair *pair)
{
    need("mutex", weir_mutex_create(&pair->mutex));
    weir_task *tasks[CONTENDERS];
    for (int i = 0; i < CONTENDERS; i++)
        beside(increments, pair, &tasks[i]);
    for (int i = 0; i < CONTENDERS; i++)
        join(tasks[i]);
    weir_mutex_destroy(pair->mutex);
    need_result("mutex", pair->locked == pair->count);
}

static void handover(struct pair *pair)
{
    pair->yields = true;
    contended(pair);
}

/* -- skynet: a tree of tasks ------------------------------------------------------------------- */

/* A subtree; it lies in the frame of its parent, who stays until it has every sum. */
struct node {
    weir_chan *out;
    long first; /* the number of its first leaf */
    long leaves;
};

static int sends_sum(void *arg)
{
    const struct node *node = arg;
    long sum = node->first;
    if (node->leaves > 1) {
        weir_chan *sums = channel(0);
        struct node children[FAN_OUT];
        const long each = node->leaves / FAN_OUT;
        for (long i = 0; i < FAN_OUT; i++) {
            children[i] = (struct node){ sums, node->first + i * each, each };
            need("start", weir_go(sends_sum, &children[i]));
        }
        sum = 0;
        for (int i = 0; i < FAN_OUT; i++) {
            long part;
            need("receive", weir_chan_recv(sums, &part, WEIR_NO_DEADLINE));
            sum += part;
        }
        weir_chan_destroy(sums);
    }
    need("send", weir_chan_send(node->out, &sum, WEIR_NO_DEADLINE));
    return 0;
}

static void skynet(struct pair *pair)
{
    pair->there = channel(0);
    struct node root = { pair->there, 0, pair->count };
    weir_task *task;
    need("start", weir_task_start(&task, sends_sum, &root));
    long sum;
    need("receive", weir_chan_recv(pair->there, &sum, WEIR_NO_DEADLINE));
    join(task);
    weir_chan_destroy(pair->there);
    need_result("skynet", sum == pair->count * (pair->count - 1) / 2);
}

/* -- the sieve: a chain of tasks --------------------------------------------------------------- */

struct filter {
    weir_chan *in;
    weir_chan *out;
    long prime;
};

static int generates(void *arg)
{
    const struct filter *filter = arg;
    for (long number = 2;; number++)
        if (weir_chan_send(filter->out, &number, WEIR_NO_DEADLINE) < 0)
            return 0;
}

static int filters(void *arg)
{
    const struct filter *filter = arg;
    for (;;) {
        long number;
        if (weir_chan_recv(filter->in, &number, WEIR_NO_DEADLINE) < 0)
            return 0;
        if (number % filter->prime != 0 &&
            weir_chan_send(filter->out, &number, WEIR_NO_DEADLINE) < 0)
            return 0;
    }
}

static bool is_prime(long number)
{
    for (long i = 2; i * i <= number; i++)
        if (number % i == 0)
            return false;
    return number > 1;
}

static void sieve(struct pair *pair)
{
    struct filter *chain = calloc((size_t)pair->count, sizeof *chain);
    need("sieve", chain == NULL ? WEIR_ENOMEM : 0);
    weir_scope *scope;
    need("scope", weir_scope_open(&scope, NULL));
    chain[0].out = channel(0);
    need("start", weir_go(generates, &chain[0]));
    long prime = 0;
    for (long i = 1;; i++) {
        need("receive", weir_chan_recv(chain[i - 1].out, &prime, WEIR_NO_DEADLINE));
        if (i == pair->count)
            break;
        chain[i] = (struct filter){ chain[i - 1].out, channel(0), prime };
        need("start", weir_go(filters, &chain[i]));
    }
    pair->ended = weir_now();
    weir_scope_cancel(scope, WEIR_ECANCELED);
    const bool canceled = weir_scope_close(scope, WEIR_NO_DEADLINE) == WEIR_ECANCELED;
    for (long i = 0; i < pair->count; i++)
        weir_chan_destroy(chain[i].out);
    free(chain);
    need_result("sieve", canceled && is_prime(prime));
}

/* -- timers ------------------------------------------------------------------------------------ */

struct timers {
    weir_timer **some;
    long count;
};

static void yield_at_times(long timers_done)
{
    if (timers_done % TIMERS_PER_YIELD == 0)
        need("yield", weir_yield());
}

static int sets_timers(void *arg)
{
    const struct timers *timers = arg;
    for (long i = 0; i < timers->count; i++) {
        const weir_time at = weir_in_ms(TIMER_MS_LEAST + i * 7919 % TIMER_MS_RANGE);
        need("timer", weir_timer_create(&timers->some[i], NULL));
        need("timer", weir_timer_start(timers->some[i], at, 0));
        yield_at_times(i);
    }
    return 0;
}

static int stops_timers(void *arg)
{
    const struct timers *timers = arg;
    for (long i = 0; i < timers->count; i++) {
        need_result("timers", weir_timer_stop(timers->some[i]));
        weir_timer_destroy(timers->some[i]);
        yield_at_times(i);
    }
    return 0;
}

static void timers(struct pair *pair)
{
    const long half = pair->count / 2;
    weir_timer **all = calloc((size_t)pair->count, sizeof(weir_timer *));
    need("timers", all == NULL ? WEIR_ENOMEM : 0);
    struct timers halves[] = { { all, half }, { all + half, pair->count - half } };
    for (int phase = 0; phase < 2; phase++) {
        weir_task *other;
        weir_task_fn *fn = phase == 0 ? sets_timers : stops_timers;
        need("start", weir_task_start(&other, fn, &halves[1 - phase]));
        (void)fn(&halves[phase]);
        join(other);
    }
    free(all);
}

/* -- choosing and timing ---------------------------------------------------------------------- */

static const struct operation {
    const char *name;
    void (*run)(struct pair *pair);
} operations[] = {
    { "yield", yield },           { "spawn", spawn },         { "group", group },
    { "rendezvous", rendezvous }, { "buffered", buffered },   { "select", selects },
    { "mutex", mutex },           { "contended", contended }, { "handover", handover },
    { "deadline", deadline },     { "skynet", skynet },       { "sieve", sieve },
    { "timers", timers },
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
    const weir_time end = pair.ended != 0 ? pair.ended : weir_now();
    job->ns_each = (double)(end - begin) / (double)job->count;
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
    fprintf(stderr, "usage: core_ops OPERATION tasks|loop COUNT [WORKERS]\noperations:");
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        fprintf(stderr, " %s", operations[i].name);
    fprintf(stderr, "\nCOUNT: a multiple of 4, at most %ld; WORKERS: of `tasks`, 1 to %d\n",
            COUNT_MAX, WORKERS_MAX);
    return 2;
}

int main(int argc, char **argv)
{
    if (argc != 4 && argc != 5)
        return usage();
    struct job job = { .operation = find(argv[1]), .count = strtol(argv[3], NULL, 10) };
    const bool loop = strcmp(argv[2], "loop") == 0;
    const long workers = argc == 5 ? strtol(argv[4], NULL, 10) : 1;
    if (job.operation == NULL || (!loop && strcmp(argv[2], "tasks") != 0))
        return usage();
    if (job.count < CONTENDERS || job.count > COUNT_MAX || job.count % CONTENDERS != 0 ||
        workers < 1 || workers > WORKERS_MAX || (loop && workers != 1))
        return usage();

    need("open", weir_open(&(struct weir_opts){
                     .scheduler = loop ? WEIR_SCHEDULER_LOOP : WEIR_SCHEDULER_TASKS,
                     .workers = loop ? 0 : (int)workers,
                 }));
    need("run", weir_run(timed, &job, NULL));
    need("close", weir_close(weir_in_ms(10000)));
    printf("%.2f\n", job.ns_each);
    return 0;
}
