/* SPDX-License-Identifier: MIT */
/* Quantiles of recent durations on a virtual clock, against the exact ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "load/latency.h"

#define START (1000 * WEIR_NS_PER_S)

static int compare(const void *left, const void *right)
{
    const int64_t a = *(const int64_t *)left;
    const int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static void quantiles_are_at_most_an_eighth_too_long_and_never_too_short(void **state)
{
    (void)state;
    enum {
        COUNT = 5000
    };
    static int64_t values[COUNT];
    struct wi_latency latency;
    struct wi_rng rng;
    wi_rng_init(&rng, 6);
    wi_latency_init(&latency, START);
    for (int i = 0; i < COUNT; i++) {
        values[i] = INT64_C(2000) << wi_rng_below(&rng, 20);
        values[i] += (int64_t)wi_rng_below(&rng, 1000000);
        wi_latency_note(&latency, values[i], START);
    }
    qsort(values, COUNT, sizeof(values[0]), compare);
    for (int percent = 1; percent <= 100; percent++) {
        const int64_t exact = values[(COUNT * percent + 99) / 100 - 1];
        const int64_t told = wi_latency_quantile(&latency, percent, START);
        assert_true(told >= exact);
        assert_true(told <= exact + exact / 8 + 1);
    }
}

static void values_out_of_range_count_as_the_least_and_the_most(void **state)
{
    (void)state;
    struct wi_latency latency;
    wi_latency_init(&latency, START);
    wi_latency_note(&latency, INT64_MIN, START);
    wi_latency_note(&latency, 0, START);
    wi_latency_note(&latency, INT64_MAX, START);
    assert_int_equal(wi_latency_count(&latency, START), 3);
    assert_true(wi_latency_quantile(&latency, 50, START) < 2000);
    assert_true(wi_latency_quantile(&latency, 100, START) > 60 * WEIR_NS_PER_S);
}

static void what_is_older_than_two_halves_is_forgotten(void **state)
{
    (void)state;
    struct wi_latency latency;
    wi_latency_init(&latency, START);
    wi_latency_note(&latency, WEIR_NS_PER_MS, START);
    assert_int_equal(wi_latency_count(&latency, START + 59 * WEIR_NS_PER_S), 1);
    wi_latency_note(&latency, WEIR_NS_PER_MS, START + 59 * WEIR_NS_PER_S);
    assert_int_equal(wi_latency_count(&latency, START + 89 * WEIR_NS_PER_S), 1);
    assert_int_equal(wi_latency_count(&latency, START + 189 * WEIR_NS_PER_S), 0);
    assert_int_equal(wi_latency_quantile(&latency, 99, START + 189 * WEIR_NS_PER_S), 0);
}

static void clock_steps_lose_at_most_what_is_old(void **state)
{
    (void)state;
    struct wi_latency latency;
    wi_latency_init(&latency, START);
    wi_latency_note(&latency, WEIR_NS_PER_MS, START);
    assert_int_equal(wi_latency_count(&latency, 5), 1);
    assert_int_equal(wi_latency_count(&latency, 5 + WI_LATENCY_HALF_NS), 1);
    assert_int_equal(wi_latency_count(&latency, INT64_MAX), 0);
    wi_latency_note(&latency, WEIR_NS_PER_MS, INT64_MIN + 1);
    assert_int_equal(wi_latency_count(&latency, INT64_MIN + 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_at_most_an_eighth_too_long_and_never_too_short),
        cmocka_unit_test(values_out_of_range_count_as_the_least_and_the_most),
        cmocka_unit_test(what_is_older_than_two_halves_is_forgotten),
        cmocka_unit_test(clock_steps_lose_at_most_what_is_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
