/* SPDX-License-Identifier: MIT */
/* The histogram against sorted arrays: percentiles within 1.6 %, sums exact. */
#include "base/hist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"

static struct wi_hist hist;
static struct wi_hist other;

static void expect_near(int64_t got, int64_t wanted)
{
    const double error = (double)(got > wanted ? got - wanted : wanted - got);
    assert_true(error <= 0.016 * (double)wanted);
}

static void an_empty_histogram_is_zero(void **state)
{
    (void)state;
    wi_hist_init(&hist);
    assert_true(wi_hist_valid(&hist));
    assert_int_equal(wi_hist_count(&hist), 0);
    assert_int_equal(wi_hist_percentile(&hist, 50.0), 0);
    assert_int_equal(wi_hist_min(&hist), 0);
    assert_int_equal(wi_hist_max(&hist), 0);
    assert_true(wi_hist_mean(&hist) == 0.0);
}

static void every_magnitude_is_within_its_error(void **state)
{
    (void)state;
    for (int bit = 0; bit < 63; bit++) {
        const int64_t base = (int64_t)1 << bit;
        const int64_t values[] = { base - 1, base, base + 1, base + base / 3, base + (base - 1) };
        for (size_t i = 0; i < 5; i++) {
            wi_hist_init(&hist);
            wi_hist_record(&hist, values[i]);
            wi_hist_record(&hist, INT64_MAX); /* or the exact maximum would hide the bucket */
            wi_hist_record(&hist, 0);
            expect_near(wi_hist_percentile(&hist, 60.0), values[i]);
            assert_true(wi_hist_valid(&hist));
        }
    }
}

static void small_values_are_exact_and_negative_ones_are_zero(void **state)
{
    (void)state;
    for (int64_t value = 0; value < 64; value++) {
        wi_hist_init(&hist);
        wi_hist_record(&hist, value);
        wi_hist_record(&hist, 1000);
        assert_int_equal(wi_hist_percentile(&hist, 50.0), value);
    }
    wi_hist_init(&hist);
    wi_hist_record(&hist, -5);
    assert_int_equal(wi_hist_max(&hist), 0);
    assert_int_equal(wi_hist_count_to(&hist, 0), 1);
}

static int compare(const void *a, const void *b)
{
    const int64_t left = *(const int64_t *)a;
    const int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void percentiles_agree_with_a_sorted_array(void **state)
{
    (void)state;
    enum {
        COUNT = 20000
    };
    static int64_t values[COUNT];
    struct wi_rng rng;
    wi_rng_init(&rng, 99);
    wi_hist_init(&hist);
    double sum = 0.0;
    for (int i = 0; i < COUNT; i++) {
        /* Spread over 30 powers of two. */
        values[i] = (int64_t)(wi_rng_next(&rng) >> (34 + wi_rng_below(&rng, 30)));
        sum += (double)values[i];
        wi_hist_record(&hist, values[i]);
    }
    qsort(values, COUNT, sizeof(values[0]), compare);
    const double percents[] = { 0.0, 1.0, 10.0, 50.0, 90.0, 99.0, 99.9, 99.99, 100.0 };
    for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
        const int rank = (int)(COUNT * percents[i] / 100.0 + 0.999999);
        expect_near(wi_hist_percentile(&hist, percents[i]), values[rank < 1 ? 0 : rank - 1]);
    }
    assert_int_equal(wi_hist_percentile(&hist, 100.0), values[COUNT - 1]);
    assert_int_equal(wi_hist_min(&hist), values[0]);
    assert_true(wi_hist_mean(&hist) == sum / COUNT);
    assert_true(wi_hist_valid(&hist));
}

static void a_merge_equals_recording_both(void **state)
{
    (void)state;
    struct wi_hist both;
    struct wi_rng rng;
    wi_rng_init(&rng, 3);
    wi_hist_init(&hist);
    wi_hist_init(&other);
    wi_hist_init(&both);
    for (int i = 0; i < 5000; i++) {
        const int64_t value = (int64_t)(wi_rng_next(&rng) >> 30);
        wi_hist_record(i % 3 == 0 ? &hist : &other, value);
        wi_hist_record(&both, value);
    }
    wi_hist_merge(&hist, &other);
    assert_memory_equal(hist.count, both.count, sizeof(both.count));
    assert_int_equal(hist.total, both.total);
    assert_int_equal(hist.min, both.min);
    assert_int_equal(hist.max, both.max);
    assert_true(wi_hist_valid(&hist));
}

static void counts_to_a_value_are_cumulative(void **state)
{
    (void)state;
    wi_hist_init(&hist);
    wi_hist_record_times(&hist, 10, 3);
    wi_hist_record_times(&hist, 1000000, 4);
    wi_hist_record_times(&hist, 5, 0);
    assert_int_equal(wi_hist_count_to(&hist, 9), 0);
    assert_int_equal(wi_hist_count_to(&hist, 10), 3);
    assert_int_equal(wi_hist_count_to(&hist, 900000), 3);
    assert_int_equal(wi_hist_count_to(&hist, 1100000), 7);
    assert_int_equal(wi_hist_count(&hist), 7);
}

static void buckets_meet_end_to_end(void **state)
{
    (void)state;
    assert_int_equal(wi_hist_lowest(0), 0);
    for (uint32_t i = 0; i + 1 < WI_HIST_BUCKETS; i++) {
        assert_int_equal(wi_hist_highest(i) + 1, wi_hist_lowest(i + 1));
        assert_int_equal(wi_hist_bucket(wi_hist_lowest(i)), i);
        assert_int_equal(wi_hist_bucket(wi_hist_highest(i)), i);
    }
    assert_true(wi_hist_highest(WI_HIST_BUCKETS - 1) == INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_histogram_is_zero),
        cmocka_unit_test(every_magnitude_is_within_its_error),
        cmocka_unit_test(small_values_are_exact_and_negative_ones_are_zero),
        cmocka_unit_test(percentiles_agree_with_a_sorted_array),
        cmocka_unit_test(a_merge_equals_recording_both),
        cmocka_unit_test(counts_to_a_value_are_cumulative),
        cmocka_unit_test(buckets_meet_end_to_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
