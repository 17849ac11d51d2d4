/* SPDX-License-Identifier: MIT */
/* Blocking calls, under every model: weir_blocking() and .blocking tasks run beside the rest,
 * within bounds, and return only when the function has. */
#include <dirent.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/run.h"

/* A function that blocks its thread until the test lets it go. */
struct job {
    int gate[2]; /* a pipe */
    int began;
    int ended;
    int tid; /* of the one that began last */
};

static void job_init(struct job *job)
{
    *job = (struct job){ .began = 0 };
    CHECK_EQ(pipe(job->gate), 0);
}

static void job_let_go(struct job *job)
{
    CHECK_EQ(write(job->gate[1], "x", 1), 1);
}

static void job_fini(struct job *job)
{
    close(job->gate[0]);
    close(job->gate[1]);
}

static void block(void *arg)
{
    struct job *job = arg;
    char byte;
    post(&job->tid, gettid());
    bump(&job->began);
    CHECK_EQ(read(job->gate[0], &byte, 1), 1);
    bump(&job->ended);
}

static void count(void *arg)
{
    bump(arg);
}

/* A task that calls weir_blocking() and keeps what it said. */
struct caller {
    weir_pool *pool;
    void (*fn)(void *arg);
    void *arg;
    weir_time deadline;
    int began;
    int rc;
    int cause;
};

static int call(void *arg)
{
    struct caller *caller = arg;
    bump(&caller->began);
    do {
        caller->rc = weir_blocking(caller->pool, caller->fn, caller->arg, caller->deadline);
    } while (caller->rc == WEIR_EOVERFLOW && weir_yield() == 0);
    caller->cause = weir_cancel_cause();
    return 0;
}

static weir_task *start(struct caller *caller)
{
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, call, caller), 0);
    return task;
}

static void join(weir_task *task)
{
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
}

static weir_pool *make_pool(int threads_max, int waiting_max)
{
    weir_pool *pool;
    CHECK_EQ(weir_pool_create(&pool, &(struct weir_pool_opts){ .name = "test",
                                                               .threads_max = threads_max,
                                                               .waiting_max = waiting_max }),
             0);
    return pool;
}

/* -- beside everything else -------------------------------------------------------------------- */

/* The function waits for what only another task can do. */
RUN(others_advance_while_a_function_blocks)
{
    struct job job;
    job_init(&job);
    struct caller caller = { .fn = block, .arg = &job, .deadline = WEIR_NO_DEADLINE };
    weir_task *task = start(&caller);
    await(&job.began, 1);
    CHECK_EQ(weir_sleep(weir_in_ms(1)), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    CHECK_EQ(peek(&job.ended), 0);
    CHECK(peek(&job.tid) != gettid());
    job_let_go(&job);
    join(task);
    CHECK_EQ(caller.rc, 0);
    CHECK_EQ(job.ended, 1);
    job_fini(&job);
    return 0;
}

RUN(the_call_returns_only_when_the_function_has)
{
    for (int i = 0; i < 300; i++) {
        int word = 0;
        CHECK_EQ(weir_blocking(NULL, count, &word, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(word, 1);
    }
    return 0;
}

RUN(neither_cancellation_nor_the_deadline_cuts_it_short)
{
    struct job job;
    job_init(&job);
    struct caller caller = { .fn = block, .arg = &job, .deadline = weir_in_ms(5000) };
    weir_task *task = start(&caller);
    await(&job.began, 1);
    weir_task_cancel(task, WEIR_EBROKEN);
    CHECK_EQ(weir_task_join(task, NULL, weir_in_ms(10)), WEIR_ETIMEDOUT);
    CHECK_EQ(peek(&job.ended), 0);
    job_let_go(&job);
    join(task);
    CHECK_EQ(caller.rc, 0);
    CHECK_EQ(job.ended, 1);
    CHECK_EQ(caller.cause, WEIR_EBROKEN);

    /* The deadline is for the wait in line; the function began long before. */
    caller = (struct caller){ .fn = block, .arg = &job };
    weir_pool *pool = make_pool(1, 1);
    caller.pool = pool;
    caller.deadline = weir_in_ms(1000);
    task = start(&caller);
    await(&job.began, 2);
    CHECK_EQ(weir_sleep(caller.deadline), 0);
    CHECK_EQ(weir_task_join(task, NULL, weir_in_ms(2)), WEIR_ETIMEDOUT);
    job_let_go(&job);
    join(task);
    CHECK_EQ(caller.rc, 0);
    CHECK_EQ(job.ended, 2);
    weir_pool_destroy(pool);
    job_fini(&job);
    return 0;
}

struct letter {
    weir_chan *ch;
    int value;
};

static void send_from_the_pool(void *arg)
{
    struct letter *letter = arg;
    CHECK_EQ(weir_task_id(), 0);
    CHECK_EQ(weir_chan_send(letter->ch, &letter->value, WEIR_NO_DEADLINE), 0);
}

struct waits {
    weir_time deadline; /* as fn sees it */
    int result;         /* of its wait */
    int cause;
};

static void wait_in_pool(void *arg)
{
    struct waits *waits = arg;
    waits->deadline = weir_deadline();
    waits->result = weir_sleep(weir_in_ms(waits->deadline == WEIR_NO_DEADLINE ? 1 : 60000));
    waits->cause = weir_cancel_cause();
}

static int call_by_a_deadline(void *arg)
{
    return weir_blocking(NULL, wait_in_pool, arg, WEIR_NO_DEADLINE);
}

/* The threads of the pool serve one after the other, and keep nothing of who came before. */
RUN(a_function_waits_until_its_callers_deadline_at_most)
{
    for (int i = 0; i < 3; i++) {
        struct waits bound = { 0 }, free = { 0 };
        weir_task *task = NULL;
        const weir_time deadline = weir_in_ms(20);
        CHECK_EQ(weir_task_start(&task, call_by_a_deadline, &bound, .deadline = deadline), 0);
        CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
        if (bound.deadline != 0) { /* else the deadline came before a thread did */
            CHECK_EQ(bound.deadline, deadline);
            CHECK_EQ(bound.result, WEIR_ECANCELED);
            CHECK_EQ(bound.cause, WEIR_ETIMEDOUT);
        }
        CHECK_EQ(weir_blocking(NULL, wait_in_pool, &free, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(free.deadline, WEIR_NO_DEADLINE);
        CHECK_EQ(free.result, 0);
        CHECK_EQ(free.cause, 0);
    }
    return 0;
}

RUN(a_function_may_call_weir)
{
    struct letter letter = { .value = 31 };
    int value = 0;
    CHECK_EQ(weir_chan_create(&letter.ch, &(struct weir_chan_opts){ .elem_bytes = sizeof(int) }),
             0);
    struct caller caller = { .fn = send_from_the_pool,
                             .arg = &letter,
                             .deadline = WEIR_NO_DEADLINE };
    weir_task *task = start(&caller);
    CHECK_EQ(weir_chan_recv(letter.ch, &value, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(value, 31);
    join(task);
    CHECK_EQ(caller.rc, 0);
    weir_chan_destroy(letter.ch);
    return 0;
}

static void a_plain_thread_may_call_it_too(void **state)
{
    (void)state;
    int word = 0;
    runtime_open(NULL);
    for (int i = 0; i < 50; i++)
        assert_int_equal(weir_blocking(NULL, count, &word, WEIR_NO_DEADLINE), 0);
    assert_int_equal(word, 50);
    runtime_close();
}

enum {
    CROWD = 64
};

RUN(more_calls_than_threads_all_end)
{
    struct caller callers[CROWD];
    weir_task *tasks[CROWD];
    int word = 0;
    for (int i = 0; i < CROWD; i++) {
        callers[i] = (struct caller){ .fn = count, .arg = &word, .deadline = WEIR_NO_DEADLINE };
        tasks[i] = start(&callers[i]);
    }
    for (int i = 0; i < CROWD; i++) {
        join(tasks[i]);
        CHECK_EQ(callers[i].rc, 0);
    }
    CHECK_EQ(word, CROWD);
    return 0;
}

/* -- bounds ------------------------------------------------------------------------------------ */

/* A pool whose one thread is taken. */
struct full {
    weir_pool *pool;
    struct job job;
    struct caller running;
    weir_task *task;
};

static void full_open(struct full *full, int waiting_max)
{
    full->pool = make_pool(1, waiting_max);
    job_init(&full->job);
    full->running = (struct caller){
        .pool = full->pool, .fn = block, .arg = &full->job, .deadline = WEIR_NO_DEADLINE
    };
    full->task = start(&full->running);
    await(&full->job.began, 1);
}

static void full_close(struct full *full, weir_task *also)
{
    job_let_go(&full->job);
    join(full->task);
    CHECK_EQ(full->running.rc, 0);
    if (also != NULL)
        join(also);
    weir_pool_destroy(full->pool);
    job_fini(&full->job);
}

RUN(beyond_its_line_a_pool_refuses)
{
    struct full full;
    int word = 0;
    full_open(&full, 1);
    struct caller waiting = {
        .pool = full.pool, .fn = count, .arg = &word, .deadline = WEIR_NO_DEADLINE
    };
    weir_task *task = start(&waiting);
    /* Until the one place in line is taken, a call that does not wait finds room and gives up. */
    int rc;
    while ((rc = weir_blocking(full.pool, count, &word, WEIR_DONT_WAIT)) == WEIR_ETIMEDOUT)
        CHECK_EQ(weir_yield(), 0);
    CHECK_EQ(rc, WEIR_EOVERFLOW);
    CHECK_EQ(peek(&word), 0);
    full_close(&full, task);
    CHECK_EQ(waiting.rc, 0);
    CHECK_EQ(word, 1);
    return 0;
}

RUN(a_wait_in_line_ends_at_its_deadline_and_the_function_never_runs)
{
    struct full full;
    int word = 0;
    full_open(&full, 8);
    const weir_time until = weir_in_ms(10);
    CHECK_EQ(weir_blocking(full.pool, count, &word, until), WEIR_ETIMEDOUT);
    CHECK(weir_now() >= until);

    struct caller canceled = {
        .pool = full.pool, .fn = count, .arg = &word, .deadline = WEIR_NO_DEADLINE
    };
    weir_task *task = start(&canceled);
    await(&canceled.began, 1);
    weir_task_cancel(task, WEIR_EBROKEN);
    join(task);
    CHECK_EQ(canceled.rc, WEIR_ECANCELED);
    full_close(&full, NULL);
    CHECK_EQ(word, 0);
    return 0;
}

RUN(options_of_a_pool_are_checked)
{
    weir_pool *pool;
    CHECK_EQ(weir_pool_create(&pool, &(struct weir_pool_opts){ .threads_max = -1 }), WEIR_EINVAL);
    CHECK_EQ(weir_pool_create(&pool, &(struct weir_pool_opts){ .waiting_max = -1 }), WEIR_EINVAL);
    CHECK_EQ(weir_pool_create(&pool, &(struct weir_pool_opts){ .idle_ns = -1 }), WEIR_EINVAL);
    CHECK_EQ(weir_pool_create(&pool, NULL), 0);
    weir_pool_destroy(pool);
    return 0;
}

/* -- a pool's threads -------------------------------------------------------------------------- */

/* Threads of this process with that name. */
static int threads_named(const char *name)
{
    int found = 0;
    DIR *folder = opendir("/proc/self/task");
    CHECK(folder != NULL);
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        char path[320];
        char text[64] = "";
        (void)snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
        FILE *file = fopen(path, "r");
        if (file == NULL)
            continue;
        if (fgets(text, sizeof(text), file) != NULL) {
            text[strcspn(text, "\n")] = '\0';
            found += strcmp(text, name) == 0;
        }
        CHECK_EQ(fclose(file), 0);
    }
    CHECK_EQ(closedir(folder), 0);
    return found;
}

/* A joined thread has let go of everything that is ours, yet the kernel wakes its joiner before it
 * takes the name off this list: so "none" is waited for, and what stays longer is a thread. */
static int threads_left(const char *name)
{
    const weir_time patience = weir_in_ms(5000);
    int left;
    while ((left = threads_named(name)) > 0 && weir_now() < patience)
        CHECK_EQ(weir_sleep(weir_in_ms(1)), 0);
    return left;
}

RUN(a_pool_has_no_more_threads_than_it_may_and_none_when_it_is_gone)
{
    for (int round = 0; round < 10; round++) {
        weir_pool *pool;
        struct job job;
        struct caller callers[6];
        weir_task *tasks[6];
        CHECK_EQ(weir_pool_create(
                     &pool, &(struct weir_pool_opts){ .name = "test-bound", .threads_max = 3 }),
                 0);
        job_init(&job);
        CHECK_EQ(threads_named("test-bound"), 0); /* they start on demand */
        for (int i = 0; i < 6; i++) {
            callers[i] = (struct caller){
                .pool = pool, .fn = block, .arg = &job, .deadline = WEIR_NO_DEADLINE
            };
            tasks[i] = start(&callers[i]);
        }
        await(&job.began, 3);
        CHECK_EQ(threads_named("test-bound"), 3);
        CHECK_EQ(peek(&job.began), 3);
        for (int i = 0; i < 6; i++)
            job_let_go(&job);
        for (int i = 0; i < 6; i++) {
            join(tasks[i]);
            CHECK_EQ(callers[i].rc, 0);
        }
        weir_pool_destroy(pool);
        CHECK_EQ(threads_left("test-bound"), 0);
        job_fini(&job);
    }
    return 0;
}

/* -- .blocking tasks --------------------------------------------------------------------------- */

static int block_as_a_task(void *arg)
{
    struct job *job = arg;
    CHECK(weir_task_id() != 0);
    block(job);
    /* It is a task as any other. */
    CHECK_EQ(weir_sleep(weir_in_ms(1)), 0);
    return 9;
}

RUN(a_blocking_task_blocks_nobody_else)
{
    struct job job;
    weir_task *tasks[20];
    job_init(&job);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(weir_task_start(&tasks[i], block_as_a_task, &job, .blocking = true), 0);
    await(&job.began, 20);
    CHECK(peek(&job.tid) != gettid());
    for (int i = 0; i < 50; i++)
        CHECK_EQ(weir_sleep(weir_in_ns(10000)), 0);
    CHECK_EQ(peek(&job.ended), 0);
    for (int i = 0; i < 20; i++)
        job_let_go(&job);
    for (int i = 0; i < 20; i++) {
        int result = 0;
        CHECK_EQ(weir_task_join(tasks[i], &result, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(result, 9);
    }
    job_fini(&job);
    return 0;
}

struct crowd {
    int running;
    int most;
};

static int run_beside_others(void *arg)
{
    struct crowd *crowd = arg;
    const int now = bump(&crowd->running);
    int most = peek(&crowd->most);
    while (now > most && !__atomic_compare_exchange_n(&crowd->most, &most, now, false,
                                                      __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    }
    (void)poll(NULL, 0, 1);
    (void)__atomic_sub_fetch(&crowd->running, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static int crowd_the_threads(void *arg)
{
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < 40; i++)
        CHECK_EQ(weir_go(run_beside_others, arg, .blocking = true), 0);
    return weir_scope_close(scope, WEIR_NO_DEADLINE);
}

static void blocking_tasks_beyond_threads_max_wait_in_line(void **state)
{
    (void)state;
    if (model_scheduler() == WEIR_SCHEDULER_THREADS) {
        printf("SKIP: under threads every task has a thread, and beyond them it is refused\n");
        skip();
    }
    struct crowd crowd = { .running = 0 };
    struct weir_opts opts = model_opts();
    opts.threads_max = 3;
    run_body_with(&opts, crowd_the_threads, &crowd);
    assert_int_equal(crowd.running, 0);
    assert_true(crowd.most >= 1);
    assert_true(crowd.most <= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_advance_while_a_function_blocks),
        cmocka_unit_test(the_call_returns_only_when_the_function_has),
        cmocka_unit_test(neither_cancellation_nor_the_deadline_cuts_it_short),
        cmocka_unit_test(a_function_waits_until_its_callers_deadline_at_most),
        cmocka_unit_test(a_function_may_call_weir),
        cmocka_unit_test(a_plain_thread_may_call_it_too),
        cmocka_unit_test(more_calls_than_threads_all_end),
        cmocka_unit_test(beyond_its_line_a_pool_refuses),
        cmocka_unit_test(a_wait_in_line_ends_at_its_deadline_and_the_function_never_runs),
        cmocka_unit_test(options_of_a_pool_are_checked),
        cmocka_unit_test(a_pool_has_no_more_threads_than_it_may_and_none_when_it_is_gone),
        cmocka_unit_test(a_blocking_task_blocks_nobody_else),
        cmocka_unit_test(blocking_tasks_beyond_threads_max_wait_in_line),
    };
    return cmocka_run_group_tests_name("blocking", tests, NULL, NULL);
}
