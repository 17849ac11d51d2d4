/* SPDX-License-Identifier: MIT */
/* Learned costs: the first request tells, means settle, samples are bounded. */
#include "load/cost.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct wi_cost cost;

static int set_up(void **state)
{
    (void)state;
    wi_cost_init(&cost);
    return 0;
}

static void learn(int times, int64_t ns)
{
    for (int i = 0; i < times; i++)
        (void)wi_cost_learn(&cost, ns);
}

static void nothing_is_known_at_first(void **state)
{
    (void)state;
    assert_true(wi_cost_mean(&cost) < 0);
}

static void the_first_request_tells(void **state)
{
    (void)state;
    learn(1, 2000000);
    assert_int_equal(wi_cost_mean(&cost), 2000000);
}

static void a_cost_of_nothing_is_known_too(void **state)
{
    (void)state;
    learn(1, 0);
    assert_int_equal(wi_cost_mean(&cost), 0);
    learn(1000, 0);
    assert_int_equal(wi_cost_mean(&cost), 0);
}

static void the_mean_settles_on_what_requests_take(void **state)
{
    (void)state;
    for (int i = 0; i < 4000; i++)
        learn(1, i % 2 == 0 ? 1000 : 3000);
    assert_in_range(wi_cost_mean(&cost), 1990, 2010);
}

static void a_change_is_followed_within_a_thousand_requests(void **state)
{
    (void)state;
    learn(1000, 1000000);
    learn(1000, 100000);
    assert_in_range(wi_cost_mean(&cost), 100000, 120000);
    learn(1000, 1000000);
    assert_in_range(wi_cost_mean(&cost), 980000, 1000000);
}

static void one_request_moves_the_mean_by_an_eighth_at_most(void **state)
{
    (void)state;
    learn(1000, 10000000);
    assert_int_equal(wi_cost_learn(&cost, 60 * INT64_C(1000000000)), 321000000);
    assert_in_range(wi_cost_mean(&cost), 10000000, 11250000);
}

static void nonsense_is_bounded(void **state)
{
    (void)state;
    for (int i = 0; i < 10000; i++)
        assert_true(wi_cost_learn(&cost, INT64_MAX) <= WI_COST_MAX_NS);
    assert_true(wi_cost_mean(&cost) <= WI_COST_MAX_NS);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(wi_cost_learn(&cost, INT64_MIN), 0);
    assert_in_range(wi_cost_mean(&cost), 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_known_at_first, set_up),
        cmocka_unit_test_setup(the_first_request_tells, set_up),
        cmocka_unit_test_setup(a_cost_of_nothing_is_known_too, set_up),
        cmocka_unit_test_setup(the_mean_settles_on_what_requests_take, set_up),
        cmocka_unit_test_setup(a_change_is_followed_within_a_thousand_requests, set_up),
        cmocka_unit_test_setup(one_request_moves_the_mean_by_an_eighth_at_most, set_up),
        cmocka_unit_test_setup(nonsense_is_bounded, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
