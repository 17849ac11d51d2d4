/* SPDX-License-Identifier: MIT */
/* weir_thread: a function in an OS thread, joined by threads and tasks. */
#include "weir/proc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "os/clock.h"
#include "os/thread.h"
#include "weir/runtime.h"
#include "weir/task.h"

static int give(void *arg)
{
    return *(int *)arg;
}

static int wait_for_flag(void *arg)
{
    wi_atomic_u32 *flag = arg;
    while (wi_load_acquire(flag) == 0)
        wi_os_thread_yield();
    return 9;
}

static void a_join_gives_the_result(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        weir_thread *thread;
        int given = -i;
        int result = 1;
        assert_int_equal(weir_thread_start(&thread, give, &given), 0);
        assert_int_equal(weir_thread_join(thread, &result, WEIR_NO_DEADLINE), 0);
        assert_int_equal(result, -i);
    }
}

static void a_join_gives_up_at_its_deadline_and_may_be_repeated(void **state)
{
    (void)state;
    weir_thread *thread;
    wi_atomic_u32 flag = { 0 };
    int result = 0;
    assert_int_equal(weir_thread_start(&thread, wait_for_flag, &flag), 0);
    const weir_time deadline = weir_in_ms(20);
    assert_int_equal(weir_thread_join(thread, &result, deadline), WEIR_ETIMEDOUT);
    assert_true(wi_clock_now() >= deadline);
    assert_int_equal(weir_thread_join(thread, &result, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    wi_store_release(&flag, 1);
    assert_int_equal(weir_thread_join(thread, &result, weir_in_ms(10000)), 0);
    assert_int_equal(result, 9);
}

static void threads_share_memory(void **state)
{
    (void)state;
    weir_thread *thread;
    wi_atomic_u32 flag = { 0 };
    assert_int_equal(weir_thread_start(&thread, wait_for_flag, &flag), 0);
    wi_store_release(&flag, 1);
    assert_int_equal(weir_thread_join(thread, NULL, weir_in_ms(10000)), 0);
}

static int raise_flag(void *arg)
{
    wi_store_release((wi_atomic_u32 *)arg, 1);
    return 0;
}

/* On one thread: the flag can only be raised while the joining task is parked. */
static int join_in_task(void *arg)
{
    weir_thread *thread;
    int result = 0;
    if (weir_thread_start(&thread, wait_for_flag, arg) != 0)
        return -1;
    if (weir_go(raise_flag, arg) != 0)
        return -1;
    if (weir_thread_join(thread, &result, weir_in_ms(10000)) != 0)
        return -1;
    return result;
}

static void a_task_parks_in_join(void **state)
{
    (void)state;
    wi_atomic_u32 flag = { 0 };
    int result = 0;
    assert_int_equal(weir_open(&(struct weir_opts){ .scheduler = WEIR_SCHEDULER_LOOP }), 0);
    assert_int_equal(weir_run(join_in_task, &flag, &result), 0);
    assert_int_equal(result, 9);
    assert_int_equal(weir_close(weir_in_ms(10000)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_join_gives_the_result),
        cmocka_unit_test(a_join_gives_up_at_its_deadline_and_may_be_repeated),
        cmocka_unit_test(threads_share_memory),
        cmocka_unit_test(a_task_parks_in_join),
    };
    return cmocka_run_group_tests_name("thread", tests, NULL, NULL);
}
