/* SPDX-License-Identifier: MIT */
/* The clocks: that each counts what it says. */
#include "os/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <time.h>
#include <unistd.h>

static void the_monotonic_clock_is_positive_and_never_goes_back(void **state)
{
    (void)state;
    weir_time before = wi_clock_now();
    assert_true(before > 0);
    for (int i = 0; i < 10000; i++) {
        const weir_time now = wi_clock_now();
        assert_true(now >= before);
        before = now;
    }
}

static void the_wall_clock_agrees_with_the_c_library(void **state)
{
    (void)state;
    const int64_t before = (int64_t)time(NULL);
    const int64_t wall_s = wi_clock_wall() / WEIR_NS_PER_S;
    assert_in_range((uint64_t)wall_s, (uint64_t)before - 1, (uint64_t)before + 2);
}

static void cpu_clocks_count_work_and_not_sleep(void **state)
{
    (void)state;
    const int64_t process = wi_clock_process_cpu();
    const int64_t thread = wi_clock_thread_cpu();
    while (wi_clock_thread_cpu() - thread < 5 * WEIR_NS_PER_MS) {
    }
    assert_true(wi_clock_process_cpu() - process >= 5 * WEIR_NS_PER_MS);

    const int64_t before = wi_clock_thread_cpu();
    const weir_time start = wi_clock_now();
    usleep(50000); /* the thing under test, not a wait for something */
    assert_true(wi_clock_now() - start >= 50 * WEIR_NS_PER_MS);
    assert_true(wi_clock_thread_cpu() - before < 25 * WEIR_NS_PER_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_monotonic_clock_is_positive_and_never_goes_back),
        cmocka_unit_test(the_wall_clock_agrees_with_the_c_library),
        cmocka_unit_test(cpu_clocks_count_work_and_not_sleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
