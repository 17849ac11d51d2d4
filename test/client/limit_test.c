/* SPDX-License-Identifier: MIT */
/* The adaptive limit as an object: its options, its numbers, and misuse.  How tasks wait at it is
 * in test/behaviour/limit_test.c. */
#include "weir/limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

static struct weir_limit_stats stats_of(weir_limit *limit)
{
    struct weir_limit_stats stats = { .size = sizeof(stats) };
    weir_limit_stats_read(limit, &stats);
    return stats;
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    weir_limit *limit = NULL;
    static const struct weir_limit_opts wrong[] = {
        { .running_min = -1 },
        { .running_max = -1 },
        { .running_max = WEIR_LIMIT_RUNNING_MAX + 1 },
        { .running_min = 9, .running_max = 8 },
        { .size = 1 << 20 },
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(weir_limit_create(&limit, &wrong[i]), WEIR_EINVAL);
}

static void a_maximum_below_the_default_minimum_is_the_minimum(void **state)
{
    (void)state;
    weir_limit *limit;
    const struct weir_limit_opts opts = { .running_max = 2 };
    assert_int_equal(weir_limit_create(&limit, &opts), 0);
    assert_int_equal(weir_limit_acquire(limit, WEIR_DONT_WAIT), 0);
    assert_int_equal(weir_limit_acquire(limit, WEIR_DONT_WAIT), 0);
    assert_int_equal(weir_limit_acquire(limit, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    weir_limit_release(limit, WEIR_LIMIT_GOOD, 0);
    weir_limit_release(limit, WEIR_LIMIT_GOOD, -1);
    weir_limit_destroy(limit);
}

static void nobody_waits_where_no_line_is_allowed(void **state)
{
    (void)state;
    weir_limit *limit;
    const struct weir_limit_opts opts = { .running_max = 1, .waiting_max = -1 };
    assert_int_equal(weir_limit_create(&limit, &opts), 0);
    assert_int_equal(weir_limit_acquire(limit, WEIR_NO_DEADLINE), 0);
    assert_int_equal(weir_limit_acquire(limit, WEIR_NO_DEADLINE), WEIR_ESHED);
    const struct weir_limit_stats stats = stats_of(limit);
    assert_int_equal(stats.shed, 1);
    assert_int_equal(stats.begun, 1);
    assert_int_equal(stats.running, 1);
    weir_limit_release(limit, WEIR_LIMIT_UNKNOWN, -1);
    weir_limit_destroy(limit);
}

/* Ends up to `calls` calls with a sign of overload, and begins one a window after that, which is
 * when the law judges.  How many ended so: where the machine takes away the processor meanwhile,
 * the law has judged before, and allows fewer. */
static int overload(weir_limit *limit, int calls)
{
    int begun = 0;
    while (begun < calls && weir_limit_acquire(limit, WEIR_DONT_WAIT) == 0)
        begun++;
    for (int i = 0; i < begun; i++)
        weir_limit_release(limit, WEIR_LIMIT_OVERLOAD, -1);
    burn_ms(110);
    assert_int_equal(weir_limit_acquire(limit, WEIR_DONT_WAIT), 0);
    weir_limit_release(limit, WEIR_LIMIT_UNKNOWN, -1);
    return begun;
}

static void signs_of_overload_bring_it_down(void **state)
{
    (void)state;
    weir_limit *limit;
    const struct weir_limit_opts opts = { .running_max = 100 };
    assert_int_equal(weir_limit_create(&limit, &opts), 0);
    struct weir_limit_stats stats;
    int ended = 0;
    do { /* what was brought down long ago may have been lifted again */
        ended += overload(limit, 50);
        stats = stats_of(limit);
        assert_int_equal(stats.overload, ended);
    } while (stats.allowed == 100);
    assert_true(stats.allowed >= 4);
    weir_limit_destroy(limit);
}

static void a_fixed_one_stays(void **state)
{
    (void)state;
    weir_limit *limit;
    const struct weir_limit_opts opts = { .running_max = 100, .fixed = true };
    assert_int_equal(weir_limit_create(&limit, &opts), 0);
    assert_int_equal(overload(limit, 50), 50);
    assert_int_equal(overload(limit, 50), 50);
    assert_int_equal(stats_of(limit).allowed, 100);
    weir_limit_destroy(limit);
}

static void release_what_was_not_acquired(void)
{
    weir_limit *limit = NULL;
    IGNORE(weir_limit_create(&limit, NULL));
    weir_limit_release(limit, WEIR_LIMIT_GOOD, 0);
}

static void destroy_while_calls_are_under_way(void)
{
    weir_limit *limit = NULL;
    IGNORE(weir_limit_create(&limit, NULL));
    IGNORE(weir_limit_acquire(limit, WEIR_DONT_WAIT));
    weir_limit_destroy(limit);
}

static void release_with_no_end_that_there_is(void)
{
    weir_limit *limit = NULL;
    IGNORE(weir_limit_create(&limit, NULL));
    IGNORE(weir_limit_acquire(limit, WEIR_DONT_WAIT));
    weir_limit_release(limit, (enum weir_limit_end)3, 0);
}

static void misuse_aborts_with_the_values(void **state)
{
    (void)state;
    char text[2048];
    assert_int_equal(run_in_child(release_what_was_not_acquired, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "weir_limit_release"));
    assert_int_equal(run_in_child(destroy_while_calls_are_under_way, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "weir_limit_destroy"));
    assert_non_null(strstr(text, "calls under way 1"));
    assert_int_equal(run_in_child(release_with_no_end_that_there_is, text, sizeof(text)), 128 + 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(a_maximum_below_the_default_minimum_is_the_minimum),
        cmocka_unit_test(nobody_waits_where_no_line_is_allowed),
        cmocka_unit_test(signs_of_overload_bring_it_down),
        cmocka_unit_test(a_fixed_one_stays),
        cmocka_unit_test(misuse_aborts_with_the_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
