/* SPDX-License-Identifier: MIT */
/* The fork hook: runs in the child before fork() returns, and never in the parent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "os/process.h"

static int calls;

static void count_call(void)
{
    calls++;
}

static void the_child_hears_of_the_fork_and_the_parent_does_not(void **state)
{
    (void)state;
    wi_process_on_fork(count_call);
    const int child = wi_process_fork();
    assert_true(child >= 0);
    if (child == 0)
        wi_process_exit(calls == 1 ? 0 : 1);
    struct wi_process_end end;
    assert_int_equal(wi_process_reap_one(child, true, &end), 1);
    assert_false(end.signaled);
    assert_int_equal(end.code, 0);
    assert_int_equal(calls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_child_hears_of_the_fork_and_the_parent_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
