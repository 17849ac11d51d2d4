/* SPDX-License-Identifier: MIT */
/* Counts that forget, on made-up clocks: fading, and clocks that are set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "load/decay.h"

static void a_clock_set_back_counts_as_no_time_and_goes_on(void **state)
{
    (void)state;
    weir_time last = 1000;
    assert_int_equal(wi_elapsed(&last, 1500, 10000), 500);
    assert_int_equal(wi_elapsed(&last, 200, 10000), 0);
    assert_int_equal(wi_elapsed(&last, 300, 10000), 100);
}

static void a_clock_set_far_ahead_counts_as_the_most(void **state)
{
    (void)state;
    weir_time last = INT64_MIN + 1;
    assert_int_equal(wi_elapsed(&last, INT64_MAX, 77), 77);
    assert_int_equal(last, INT64_MAX);
}

static void many_steps_fade_like_an_exponential_and_one_big_one_forgets_all(void **state)
{
    (void)state;
    double sum = 1000;
    for (int i = 0; i < 1000; i++)
        sum = wi_decay(sum, 10, 10000);
    assert_true(sum > 366 && sum < 369); /* 1000 / e */
    assert_true(wi_decay(1000, 10000, 10000) == 0);
    assert_true(wi_decay(1000, INT64_MAX, 10000) == 0);
    assert_true(wi_decay(1000, 0, 10000) == 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_set_back_counts_as_no_time_and_goes_on),
        cmocka_unit_test(a_clock_set_far_ahead_counts_as_the_most),
        cmocka_unit_test(many_steps_fade_like_an_exponential_and_one_big_one_forgets_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
