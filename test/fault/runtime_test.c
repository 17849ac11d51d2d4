/* SPDX-License-Identifier: MIT */
/* A runtime whose n-th system call fails, for every n and every scheduler: opening and starting
 * report it in an orderly code or do without, nothing is leaked, and the next attempt works. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fault/every.h"

enum {
    TASKS = 12
};

struct work {
    weir_chan *ch;
    int sum;
};

static int send_one(void *arg)
{
    struct work *work = arg;
    const int one = 1;
    CHECK_EQ(weir_sleep(weir_in_ns(1000)), 0);
    CHECK_EQ(weir_chan_send(work->ch, &one, WEIR_NO_DEADLINE), 0);
    return 0;
}

static void add_one(void *arg)
{
    bump(arg);
}

/* What runs inside: some kinds of tasks, and a job of a pool.  0 or the code of what failed. */
static int body(void *arg)
{
    (void)arg;
    struct work work = { .sum = 0 };
    weir_scope *scope;
    int rc = weir_chan_create(&work.ch, &(struct weir_chan_opts){ .elem_bytes = sizeof(int) });
    if (rc != 0)
        return rc;
    rc = weir_scope_open(&scope, NULL);
    if (rc != 0)
        goto undo_chan;
    int started = 0;
    for (int i = 0; i < TASKS && rc == 0; i++) {
        rc = weir_go(send_one, &work, .pinned = i % 4 == 1, .blocking = i % 4 == 2,
                     .stack_bytes = i % 4 == 3 ? 262144 : 0);
        started += rc == 0;
    }
    for (int i = 0; i < started; i++) {
        int item = 0;
        CHECK_EQ(weir_chan_recv(work.ch, &item, WEIR_NO_DEADLINE), 0);
        work.sum += item;
    }
    CHECK_EQ(work.sum, started);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);

    weir_pool *pool;
    int done = 0;
    const int made = weir_pool_create(&pool, &(struct weir_pool_opts){ .threads_max = 2 });
    if (made == 0) {
        const int called = weir_blocking(pool, add_one, &done, WEIR_NO_DEADLINE);
        CHECK_EQ(done, called == 0 ? 1 : 0);
        weir_pool_destroy(pool);
        rc = rc != 0 ? rc : called;
    }
    rc = rc != 0 ? rc : made;

undo_chan:
    weir_chan_destroy(work.ch);
    return rc;
}

static void ignore_line(void *user, const char *line)
{
    (void)user;
    (void)line;
}

static bool open_work_and_close(void *arg)
{
    const struct weir_opts *opts = arg;
    int rc = weir_open(opts);
    if (rc != 0) {
        CHECK(every_orderly(rc));
        CHECK(!weir_is_open());
        return false;
    }
    int result = 0;
    rc = weir_run(body, NULL, &result);
    CHECK(rc == 0 || every_orderly(rc));
    CHECK(result == 0 || every_orderly(result));
    CHECK_EQ(weir_close(WEIR_NO_DEADLINE), 0);
    CHECK(!weir_is_open());
    return rc == 0 && result == 0;
}

static void try_with(enum weir_scheduler scheduler, bool watch)
{
    struct weir_opts opts = {
        .scheduler = scheduler,
        .workers = scheduler == WEIR_SCHEDULER_TASKS ? 2 : 0,
        .watch_handlers = watch,
        .log = ignore_line,
    };
    every_call_fails(open_work_and_close, &opts);
}

static void loop_survives_every_failing_call(void **state)
{
    (void)state;
    try_with(WEIR_SCHEDULER_LOOP, false);
    try_with(WEIR_SCHEDULER_LOOP, true);
}

static void tasks_survive_every_failing_call(void **state)
{
    (void)state;
    try_with(WEIR_SCHEDULER_TASKS, false);
}

static void threads_survive_every_failing_call(void **state)
{
    (void)state;
    try_with(WEIR_SCHEDULER_THREADS, false);
}

/* -- a task that finds no memory for its stack ------------------------------------------------- */

static int do_nothing(void *arg)
{
    (void)arg;
    return 3;
}

/* The worker has been busy before, so that it looks at its poller only now and then. */
static int start_without_a_stack(void *arg)
{
    weir_task *task;
    int result = 0;
    (void)arg;
    for (int i = 0; i < 2000; i++)
        CHECK_EQ(weir_yield(), 0);
    wi_fault_arm_named("wi_vm_map", 1, WEIR_ENOMEM);
    CHECK_EQ(weir_task_start(&task, do_nothing, NULL, .stack_bytes = 1 << 20), 0);
    CHECK_EQ(weir_task_join(task, &result, weir_in_ms(30000)), 0);
    CHECK_EQ(result, 3);
    CHECK(wi_fault_fired());
    wi_fault_disarm();
    return 0;
}

static void a_task_without_memory_for_its_stack_starts_a_little_later(void **state)
{
    (void)state;
    /* Under loop no other thread runs while the fault is armed. */
    const struct weir_opts opts = { .scheduler = WEIR_SCHEDULER_LOOP };
    run_body_with(&opts, start_without_a_stack, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loop_survives_every_failing_call),
        cmocka_unit_test(tasks_survive_every_failing_call),
        cmocka_unit_test(threads_survive_every_failing_call),
        cmocka_unit_test(a_task_without_memory_for_its_stack_starts_a_little_later),
    };
    return cmocka_run_group_tests_name("fault/runtime", tests, NULL, NULL);
}
