/* SPDX-License-Identifier: MIT */
/* The delay before a dead worker's successor: a table, and what must hold for any history. */
#include "cluster/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "weir/time.h"

#define MS WEIR_NS_PER_MS
#define S WEIR_NS_PER_S

static void the_first_death_of_a_worker_that_served_costs_nothing(void **state)
{
    (void)state;
    struct wi_backoff backoff = { 0 };
    assert_int_equal(wi_backoff_next(&backoff, 1 * S), 0);
    assert_int_equal(wi_backoff_next(&backoff, 1 * S), 100 * MS);
    assert_int_equal(wi_backoff_next(&backoff, 5 * S), 150 * MS);
    assert_int_equal(wi_backoff_next(&backoff, 0), 225 * MS);
}

static void a_worker_that_hardly_served_waits_at_once(void **state)
{
    (void)state;
    struct wi_backoff backoff = { 0 };
    assert_int_equal(wi_backoff_next(&backoff, 1 * S - 1), 100 * MS);
    assert_int_equal(wi_backoff_next(&backoff, 0), 150 * MS);
}

static void the_delay_grows_to_its_cap_and_no_further(void **state)
{
    (void)state;
    struct wi_backoff backoff = { 0 };
    int64_t before = 0;
    int64_t delay = 0;
    for (int i = 0; i < 100; i++) {
        delay = wi_backoff_next(&backoff, 0);
        assert_true(delay > before || delay == 15 * S);
        assert_true(delay <= 15 * S);
        before = delay;
    }
    assert_int_equal(delay, 15 * S);
}

static void thirty_seconds_of_service_forgive_everything(void **state)
{
    (void)state;
    struct wi_backoff backoff = { 0 };
    for (int i = 0; i < 100; i++)
        (void)wi_backoff_next(&backoff, 0);
    assert_int_equal(wi_backoff_next(&backoff, 30 * S - 1), 15 * S);
    assert_int_equal(wi_backoff_next(&backoff, 30 * S), 0);
    assert_int_equal(wi_backoff_next(&backoff, 0), 100 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_death_of_a_worker_that_served_costs_nothing),
        cmocka_unit_test(a_worker_that_hardly_served_waits_at_once),
        cmocka_unit_test(the_delay_grows_to_its_cap_and_no_further),
        cmocka_unit_test(thirty_seconds_of_service_forgive_everything),
    };
    return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
