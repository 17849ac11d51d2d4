/* SPDX-License-Identifier: MIT */
/* The depth against the formula that it interpolates, and its bounds. */
#include "load/depth.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void the_table_follows_the_formula(void **state)
{
    (void)state;
    for (double load = 1.02; load < 20.0; load *= 1.01) {
        const double exact = log(1.0 + (load - 1.0) / 0.005) / log(load);
        const double got = wi_depth_requests(load);
        assert_true(fabs(got - exact) <= 0.1 * exact);
    }
}

static void more_load_never_gets_a_longer_queue(void **state)
{
    (void)state;
    double last = wi_depth_requests(0.0);
    for (double load = 0.0; load < 1000.0; load = load * 1.003 + 0.001) {
        const double got = wi_depth_requests(load);
        assert_true(got <= last);
        assert_true(got > 0.0);
        last = got;
    }
}

static void the_depth_is_bounded_on_both_sides(void **state)
{
    (void)state;
    const double loads[] = { 0.0, 0.5, 1.0, 1.001, 1.5, 10.0, 1e9 };
    const double costs[] = { 0.0, 1e-9, 1e-6, 1e-3, 0.05, 1.0, 70.0 };
    for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++) {
        for (size_t j = 0; j < sizeof costs / sizeof costs[0]; j++) {
            for (double servers = 1.0; servers < 5000.0; servers *= 7.0) {
                const double depth = wi_depth_s(loads[i], costs[j], servers);
                assert_true(depth >= 0.002);
                assert_true(depth <= 0.6);
                assert_true(loads[i] > 1.0 || depth >= 0.1);
            }
        }
    }
}

static void twice_the_capacity_leaves_eight_requests(void **state)
{
    (void)state;
    assert_true(fabs(wi_depth_s(2.0, 0.002, 1.0) - 0.0153) < 0.0005);
    assert_true(fabs(wi_depth_s(2.0, 0.002, 2.0) - 0.0153 / 2) < 0.0005);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_follows_the_formula),
        cmocka_unit_test(more_load_never_gets_a_longer_queue),
        cmocka_unit_test(the_depth_is_bounded_on_both_sides),
        cmocka_unit_test(twice_the_capacity_leaves_eight_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
