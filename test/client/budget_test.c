/* SPDX-License-Identifier: MIT */
/* The retry budget as an object: its options, its numbers, and threads that share it. */
#include "weir/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "weir/time.h"

static struct weir_budget_stats stats_of(weir_budget *budget)
{
    struct weir_budget_stats stats = { .size = sizeof(stats) };
    weir_budget_stats_read(budget, &stats);
    return stats;
}

static void ten_deposits_pay_for_one_retry(void **state)
{
    (void)state;
    weir_budget *budget;
    const struct weir_budget_opts opts = { .floor_per_s = -1, .keep_ns = 3600 * WEIR_NS_PER_S };
    assert_int_equal(weir_budget_create(&budget, &opts), 0);
    assert_int_equal(weir_budget_withdraw(budget, 1), WEIR_ESHED);
    /* What is kept fades a little while this runs, so fifteen are one whole token, not two. */
    for (int i = 0; i < 15; i++)
        weir_budget_deposit(budget);
    assert_int_equal(weir_budget_withdraw(budget, 2), WEIR_ESHED);
    assert_int_equal(weir_budget_withdraw(budget, 1), 0);
    const struct weir_budget_stats stats = stats_of(budget);
    assert_int_equal(stats.deposits, 15);
    assert_int_equal(stats.granted, 1);
    assert_int_equal(stats.denied, 2);
    weir_budget_destroy(budget);
}

static void defaults_allow_ten_at_once_from_the_floor(void **state)
{
    (void)state;
    weir_budget *budget;
    assert_int_equal(weir_budget_create(&budget, NULL), 0);
    assert_int_equal(stats_of(budget).tokens, 10);
    for (int i = 0; i < 5; i++)
        assert_int_equal(weir_budget_withdraw(budget, 2), 0);
    weir_budget_destroy(budget);
}

static void options_and_costs_out_of_range_are_refused(void **state)
{
    (void)state;
    weir_budget *budget = NULL;
    static const struct weir_budget_opts wrong[] = {
        { .ratio_percent = 1001 },
        { .floor_per_s = 1000001 },
        { .keep_ns = WEIR_NS_PER_MS - 1 },
        { .keep_ns = 3600 * WEIR_NS_PER_S + 1 },
        { .keep_ns = -1 },
        { .size = 1 << 20 },
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(weir_budget_create(&budget, &wrong[i]), WEIR_EINVAL);
    assert_int_equal(weir_budget_create(&budget, NULL), 0);
    assert_int_equal(weir_budget_withdraw(budget, -1), WEIR_EINVAL);
    assert_int_equal(weir_budget_withdraw(budget, 1000001), WEIR_EINVAL);
    assert_int_equal(weir_budget_withdraw(budget, 0), 0);
    weir_budget_destroy(budget);
}

enum {
    THREADS = 4,
    TRIES = 5000
};

struct sharer {
    weir_budget *budget;
    int granted;
};

static void *withdraw_many(void *arg)
{
    struct sharer *sharer = arg;
    for (int i = 0; i < TRIES; i++)
        sharer->granted += weir_budget_withdraw(sharer->budget, 1) == 0;
    return NULL;
}

static void threads_never_share_a_token(void **state)
{
    (void)state;
    weir_budget *budget;
    const struct weir_budget_opts opts = { .floor_per_s = 1000, .keep_ns = 3600 * WEIR_NS_PER_S };
    assert_int_equal(weir_budget_create(&budget, &opts), 0);
    /* 3.6 million tokens: more than they can ask for. */
    struct sharer sharers[THREADS];
    pthread_t threads[THREADS];
    const int64_t before = stats_of(budget).tokens;
    for (int i = 0; i < THREADS; i++) {
        sharers[i] = (struct sharer){ .budget = budget };
        assert_int_equal(pthread_create(&threads[i], NULL, withdraw_many, &sharers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(sharers[i].granted, TRIES);
    }
    const struct weir_budget_stats stats = stats_of(budget);
    assert_int_equal(stats.granted, THREADS * TRIES);
    assert_true(stats.tokens >= before - THREADS * TRIES);
    assert_true(stats.tokens <= before);
    weir_budget_destroy(budget);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_deposits_pay_for_one_retry),
        cmocka_unit_test(defaults_allow_ten_at_once_from_the_floor),
        cmocka_unit_test(options_and_costs_out_of_range_are_refused),
        cmocka_unit_test(threads_never_share_a_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
