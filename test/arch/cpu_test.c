/* SPDX-License-Identifier: MIT */
/* What the CPU says of itself: the hint changes nothing, and shadow stacks are told as the kernel
 * tells them, since stackful tasks are refused under them. */
#include "arch/cpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

static void the_spin_hint_returns(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++)
        wi_cpu_relax();
}

/* /proc/self/status names what is on ("x86_Thread_features: shstk wrss") where the kernel knows. */
static bool kernel_says_shadow_stack(void)
{
    char line[256];
    bool on = false;
    FILE *file = fopen("/proc/thread-self/status", "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL)
        on =
            on || (strncmp(line, "x86_Thread_features:", 20) == 0 && strstr(line, "shstk") != NULL);
    (void)fclose(file);
    return on;
}

static void shadow_stacks_are_seen_as_the_kernel_sees_them(void **state)
{
    (void)state;
    assert_int_equal(wi_cpu_shadow_stack_on(), kernel_says_shadow_stack());
}

static void a_loop_opens_exactly_where_there_are_none(void **state)
{
    (void)state;
    const struct weir_opts opts = { .scheduler = WEIR_SCHEDULER_LOOP };
    const int rc = weir_open(&opts);
    assert_int_equal(rc, wi_cpu_shadow_stack_on() ? WEIR_ENOTSUP : 0);
    if (rc == 0)
        runtime_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_spin_hint_returns),
        cmocka_unit_test(shadow_stacks_are_seen_as_the_kernel_sees_them),
        cmocka_unit_test(a_loop_opens_exactly_where_there_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
