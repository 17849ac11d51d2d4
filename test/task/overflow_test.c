/* SPDX-License-Identifier: MIT */
/* The report of a stack overflow by kind of stack: its own bytes for a task's, the thread's for a
 * task on a thread; other faults are not called overflows. */
#include "task/overflow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

static char text[8192];

static bool cannot_run(void)
{
    if (!built_with_address_sanitizer() && !built_with_thread_sanitizer())
        return false;
    printf("SKIP: the sanitizer handles faults itself\n");
    return true;
}

__attribute__((noinline)) static int go_deep(int depth)
{
    volatile char room[1024];
    room[0] = (char)depth;
    const int below = depth < 1 << 20 ? go_deep(depth + 1) : 0;
    return below + room[0];
}

static int dig(void *arg)
{
    (void)arg;
    return go_deep(0) & 1;
}

static int touch_nothing(void *arg)
{
    *(volatile int *)arg = 1;
    return 0;
}

static void run_alone(weir_task_fn *fn, void *arg, const struct weir_task_opts *opts)
{
    const struct weir_opts runtime = { .scheduler = WEIR_SCHEDULER_LOOP, .report_faults = true };
    weir_task *task;
    CHECK_EQ(weir_open(&runtime), 0);
    CHECK_EQ(weir_task_start_with(&task, fn, arg, opts), 0);
    IGNORE(weir_task_join(task, NULL, WEIR_NO_DEADLINE));
}

static void overflow_a_stack(void)
{
    run_alone(dig, NULL, &(struct weir_task_opts){ .name = "digger", .stack_bytes = 32768 });
}

static void overflow_a_thread(void)
{
    run_alone(dig, NULL, &(struct weir_task_opts){ .name = "miner", .blocking = true });
}

static void fault_elsewhere(void)
{
    run_alone(touch_nothing, (void *)64, &(struct weir_task_opts){ .name = "innocent" });
}

static void a_task_is_named_with_the_bytes_it_had(void **state)
{
    (void)state;
    if (cannot_run())
        skip();
    assert_int_equal(run_in_child(overflow_a_stack, text, sizeof(text)), 128 + 11);
    assert_non_null(strstr(text, "\"digger\""));
    assert_non_null(strstr(text, "its stack has 32768 bytes; ask for more with .stack_bytes"));
}

static void a_task_on_a_thread_is_named_too(void **state)
{
    (void)state;
    if (cannot_run())
        skip();
    assert_int_equal(run_in_child(overflow_a_thread, text, sizeof(text)), 128 + 11);
    assert_non_null(strstr(text, "\"miner\""));
    assert_non_null(strstr(text, "as every task on a thread of its own"));
}

static void another_fault_is_no_overflow(void **state)
{
    (void)state;
    if (cannot_run())
        skip();
    assert_int_equal(run_in_child(fault_elsewhere, text, sizeof(text)), 128 + 11);
    assert_null(strstr(text, "overflow"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_is_named_with_the_bytes_it_had),
        cmocka_unit_test(a_task_on_a_thread_is_named_too),
        cmocka_unit_test(another_fault_is_no_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
