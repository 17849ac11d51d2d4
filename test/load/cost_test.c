/* SPDX-License-Identifier: MIT */
/* Learned costs: the first request tells, means settle, samples are bounded. */
#include "load/cost.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void nothing_is_known_at_first(void **state)
{
    (void)state;
    struct wi_cost cost = { 0 };
    assert_int_equal(wi_cost_work(&cost), -1);
    assert_int_equal(wi_cost_held(&cost), -1);
}

static void the_first_request_tells(void **state)
{
    (void)state;
    struct wi_cost cost = { 0 };
    wi_cost_learn(&cost, 2000000, 50000000);
    assert_int_equal(wi_cost_work(&cost), 2000000);
    assert_int_equal(wi_cost_held(&cost), 50000000);
}

static void a_cost_of_nothing_is_known_too(void **state)
{
    (void)state;
    struct wi_cost cost = { 0 };
    wi_cost_learn(&cost, 0, 0);
    assert_int_equal(wi_cost_work(&cost), 0);
}

static void the_mean_settles_on_what_requests_take(void **state)
{
    (void)state;
    struct wi_cost cost = { 0 };
    for (int i = 0; i < 4000; i++)
        wi_cost_learn(&cost, i % 2 == 0 ? 1000 : 3000, 7);
    assert_in_range(wi_cost_work(&cost), 1990, 2010);
    assert_in_range(wi_cost_held(&cost), 6, 7);
}

static void a_change_is_followed_within_a_thousand_requests(void **state)
{
    (void)state;
    struct wi_cost cost = { 0 };
    for (int i = 0; i < 1000; i++)
        wi_cost_learn(&cost, 1000000, 0);
    for (int i = 0; i < 1000; i++)
        wi_cost_learn(&cost, 100000, 0);
    assert_in_range(wi_cost_work(&cost), 100000, 120000);
}

static void the_largest_cost_does_not_overflow(void **state)
{
    (void)state;
    struct wi_cost cost = { 0 };
    for (int i = 0; i < 1000; i++)
        wi_cost_learn(&cost, wi_cost_bound(INT64_MAX), wi_cost_bound(INT64_MIN));
    assert_true(wi_cost_work(&cost) == WI_COST_MAX_NS);
    assert_int_equal(wi_cost_held(&cost), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_at_first),
        cmocka_unit_test(the_first_request_tells),
        cmocka_unit_test(a_cost_of_nothing_is_known_too),
        cmocka_unit_test(the_mean_settles_on_what_requests_take),
        cmocka_unit_test(a_change_is_followed_within_a_thousand_requests),
        cmocka_unit_test(the_largest_cost_does_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
