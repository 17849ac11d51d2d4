/* SPDX-License-Identifier: MIT */
/* Tasks on OS threads: threads are used again, bounded, and every task of the line is served. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"
#include "task/rt.h"
#include "task/runtime.h"
#include "weir/memory.h"

static int count_run(void *arg)
{
    bump(arg);
    return 0;
}

static int wait_for(void *arg)
{
    await(arg, 1);
    return 0;
}

static void one_thread_serves_many_tasks_in_turn(void **state)
{
    (void)state;
    const struct weir_opts opts = { .scheduler = WEIR_SCHEDULER_LOOP, .threads_max = 1 };
    int ran = 0;
    runtime_open(&opts);
    assert_int_equal(wi_vehicle_count(), 0);
    for (int i = 0; i < 500; i++) {
        weir_task *task;
        assert_int_equal(weir_task_start(&task, count_run, &ran, .blocking = true), 0);
        assert_int_equal(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
        assert_int_equal(wi_vehicle_count(), 1);
    }
    runtime_close();
    assert_int_equal(ran, 500);
}

static void the_line_is_served_in_order_beyond_the_bound(void **state)
{
    (void)state;
    const struct weir_opts opts = { .workers = 1, .threads_max = 2 };
    int ran = 0;
    int released = 0;
    weir_scope *scope;
    runtime_open(&opts);
    assert_int_equal(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(weir_go(wait_for, &released, .blocking = true), 0);
    for (int i = 0; i < 200; i++)
        assert_int_equal(weir_go(count_run, &ran, .blocking = true), 0);
    assert_int_equal(wi_vehicle_count(), 2);
    assert_int_equal(peek(&ran), 0);
    /* A pinned task does not wait in the line: what it waits for may stand behind it. */
    assert_int_equal(weir_go(count_run, &ran, .pinned = true), WEIR_EOVERFLOW);
    post(&released, 1);
    assert_int_equal(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    assert_int_equal(ran, 200);
    runtime_close();
}

/* Waits with deadlines on a thread's own parker, beside tasks on stacks that take over its records:
 * late wakes must stay harmless. */
struct ring {
    weir_chan *ch;
    int over;
};

static int receive_briefly(void *arg)
{
    struct ring *ring = arg;
    int value;
    const int rc = weir_chan_recv(ring->ch, &value, weir_in_ns(20000));
    CHECK(rc == 0 || rc == WEIR_ETIMEDOUT);
    return 0;
}

static int send_until_over(void *arg)
{
    struct ring *ring = arg;
    int value = 0;
    while (peek(&ring->over) == 0) {
        const int rc = weir_chan_send(ring->ch, &value, weir_in_ns(20000));
        CHECK(rc == 0 || rc == WEIR_ETIMEDOUT);
    }
    return 0;
}

static void records_change_between_threads_and_stacks(void **state)
{
    (void)state;
    const struct weir_opts opts = { .workers = 2 };
    struct ring ring = { .over = 0 };
    weir_scope *scope;
    weir_task *sender;
    runtime_open(&opts);
    const struct weir_chan_opts chan_opts = { .elem_bytes = sizeof(int) };
    assert_int_equal(weir_chan_create(&ring.ch, &chan_opts), 0);
    assert_int_equal(weir_task_start(&sender, send_until_over, &ring, .blocking = true), 0);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(weir_scope_open(&scope, NULL), 0);
        for (int k = 0; k < 4; k++)
            assert_int_equal(weir_go(receive_briefly, &ring, .blocking = (i + k) % 2 == 0), 0);
        assert_int_equal(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    }
    post(&ring.over, 1);
    assert_int_equal(weir_task_join(sender, NULL, WEIR_NO_DEADLINE), 0);
    weir_chan_destroy(ring.ch);
    runtime_close();
}

/* Allocations of so many bytes or more fail. */
static size_t memory_left = SIZE_MAX;

static void *allocate(void *user, size_t bytes)
{
    (void)user;
    return bytes < memory_left ? malloc(bytes) : NULL;
}

static void release(void *user, void *memory)
{
    (void)user;
    free(memory);
}

static void without_memory_no_thread_is_counted(void **state)
{
    (void)state;
    static const size_t left[] = { 0, WI_SCRATCH_BYTES };
    const struct weir_opts opts = { .scheduler = WEIR_SCHEDULER_LOOP, .threads_max = 1 };
    int ran = 0;
    runtime_open(&opts);
    for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
        weir_task *task;
        memory_left = left[i];
        const int rc = weir_task_start(&task, count_run, &ran, .blocking = true);
        memory_left = SIZE_MAX;
        assert_int_equal(rc, WEIR_ENOMEM);
        assert_int_equal(wi_vehicle_count(), 0);
    }
    weir_task *task;
    assert_int_equal(weir_task_start(&task, count_run, &ran, .blocking = true), 0);
    assert_int_equal(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    runtime_close();
    assert_int_equal(ran, 1);
}

static int see_nice(void *arg)
{
    *(int *)arg = wi_os_thread_nice();
    return 0;
}

/* Its child's, too: a thread inherits what its starter has. */
static int see_both(void *arg)
{
    int *seen = arg;
    weir_task *child;
    (void)see_nice(&seen[0]);
    int rc = weir_task_start(&child, see_nice, &seen[1], .blocking = true);
    if (rc == 0)
        rc = weir_task_join(child, NULL, WEIR_NO_DEADLINE);
    return rc;
}

static void tasks_step_back_where_handlers_are_threads(void **state)
{
    (void)state;
    static const struct {
        enum weir_scheduler scheduler;
        int steps;
    } cases[] = { { WEIR_SCHEDULER_THREADS, 5 }, { WEIR_SCHEDULER_LOOP, 0 } };
    const int mine = wi_os_thread_nice();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct weir_opts opts = { .scheduler = cases[i].scheduler };
        const int wanted = mine + cases[i].steps < 19 ? mine + cases[i].steps : 19;
        int seen[2] = { -100, -100 };
        int status = -1;
        runtime_open(&opts);
        assert_int_equal(weir_run(see_both, seen, &status), 0);
        assert_int_equal(status, 0);
        runtime_close();
        if (cases[i].scheduler == WEIR_SCHEDULER_THREADS)
            assert_int_equal(seen[0], wanted);
        assert_int_equal(seen[1], wanted);
        assert_int_equal(wi_os_thread_nice(), mine);
    }
}

int main(void)
{
    const struct weir_allocator allocator = { .allocate = allocate, .release = release };
    if (weir_allocator_set(&allocator) != 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_serves_many_tasks_in_turn),
        cmocka_unit_test(the_line_is_served_in_order_beyond_the_bound),
        cmocka_unit_test(records_change_between_threads_and_stacks),
        cmocka_unit_test(without_memory_no_thread_is_counted),
        cmocka_unit_test(tasks_step_back_where_handlers_are_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
