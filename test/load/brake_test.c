/* SPDX-License-Identifier: MIT */
/* The brake by hand: slack, proportion, bounds, and that a pause does not touch it. */
#include "load/brake.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "load/vqueue.h"

#define MS WEIR_NS_PER_MS

/* What comes of requests that wait `excess_ns` longer than foretold, for `ticks` of 5 ms. */
static double brake_for(struct wi_brake *brake, int ticks, int64_t excess_ns)
{
    double by = 1.0;
    for (int i = 0; i < ticks; i++) {
        const struct wi_brake_sample sample = {
            .dt_s = 0.005,
            .starts = wi_tally(excess_ns) + wi_tally(excess_ns),
            .depth_s = 0.01,
        };
        by = wi_brake_tick(brake, &sample);
    }
    return by;
}

static void what_was_foretold_is_no_reason(void **state)
{
    (void)state;
    struct wi_brake brake = { 0 };
    assert_true(brake_for(&brake, 1000, 0) == 1.0);
    assert_true(brake_for(&brake, 1000, 45 * MS) == 1.0);
    assert_true(brake_for(&brake, 1000, -500 * MS) == 1.0);
}

static void excess_slows_in_proportion(void **state)
{
    (void)state;
    struct wi_brake brake = { 0 };
    const double by = brake_for(&brake, 1000, 70 * MS);
    assert_true(fabs(by - 0.94) < 0.001);
}

static void half_of_the_rate_always_remains(void **state)
{
    (void)state;
    struct wi_brake brake = { 0 };
    assert_true(brake_for(&brake, 1000, INT64_C(1) << 36) == 0.5);
}

static void a_pause_is_no_reason(void **state)
{
    (void)state;
    struct wi_brake brake = { 0 };
    (void)brake_for(&brake, 1000, 0);
    assert_true(brake_for(&brake, 8, 180 * MS) == 1.0);
}

static void a_tick_without_starts_changes_nothing(void **state)
{
    (void)state;
    struct wi_brake brake = { 0 };
    const double before = brake_for(&brake, 1000, 100 * MS);
    const struct wi_brake_sample nothing = { .dt_s = 0.005, .depth_s = 0.01 };
    assert_true(wi_brake_tick(&brake, &nothing) == before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_foretold_is_no_reason),
        cmocka_unit_test(excess_slows_in_proportion),
        cmocka_unit_test(half_of_the_rate_always_remains),
        cmocka_unit_test(a_pause_is_no_reason),
        cmocka_unit_test(a_tick_without_starts_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
