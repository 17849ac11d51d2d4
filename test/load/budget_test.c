/* SPDX-License-Identifier: MIT */
/* The retry budget on a virtual clock: what flows in, the cap, and the amplification that it allows
 * in the two bad cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "load/budget.h"

#define START (1000 * WEIR_NS_PER_S)
#define KEEP_NS (10 * WEIR_NS_PER_S)

static struct wi_budget made(void)
{
    struct wi_budget budget;
    wi_budget_init(&budget, 10, 1, KEEP_NS, START);
    return budget;
}

static int64_t drain(struct wi_budget *budget, weir_time now)
{
    int64_t taken = 0;
    while (wi_budget_withdraw(budget, 1, now))
        taken++;
    return taken;
}

static void it_begins_with_what_the_floor_brings(void **state)
{
    (void)state;
    struct wi_budget budget = made();
    assert_int_equal(drain(&budget, START), 10);
}

static void the_floor_brings_one_token_a_second_whatever_happens(void **state)
{
    (void)state;
    struct wi_budget budget = made();
    (void)drain(&budget, START);
    assert_false(wi_budget_withdraw(&budget, 1, START + WEIR_NS_PER_S - 1));
    assert_true(wi_budget_withdraw(&budget, 1, START + WEIR_NS_PER_S));
    assert_int_equal(drain(&budget, START + 4 * WEIR_NS_PER_S), 3);
}

static void ten_accepted_attempts_pay_for_one_retry(void **state)
{
    (void)state;
    struct wi_budget budget = made();
    (void)drain(&budget, START);
    for (int i = 0; i < 100; i++)
        wi_budget_deposit(&budget, START);
    assert_int_equal(drain(&budget, START), 10);
}

static void a_retry_after_a_timeout_costs_two(void **state)
{
    (void)state;
    struct wi_budget budget = made();
    assert_int_equal(wi_budget_tokens(&budget, START), 10 * WI_BUDGET_TOKEN);
    for (int i = 0; i < 5; i++)
        assert_true(wi_budget_withdraw(&budget, 2, START));
    assert_false(wi_budget_withdraw(&budget, 2, START));
    /* One is not enough, and is not taken. */
    assert_false(wi_budget_withdraw(&budget, 2, START + WEIR_NS_PER_S));
    assert_true(wi_budget_withdraw(&budget, 1, START + WEIR_NS_PER_S));
}

static void what_was_saved_is_at_most_ten_seconds_of_deposits(void **state)
{
    (void)state;
    struct wi_budget budget = made();
    weir_time now = START;
    /* 1,000 accepted attempts a second for a minute: 100 tokens a second. */
    for (int i = 0; i < 60000; i++)
        wi_budget_deposit(&budget, now += WEIR_NS_PER_MS);
    const int64_t saved = drain(&budget, now);
    assert_true(saved > 900 && saved <= 1011);
}

static void savings_are_forgotten_after_ten_quiet_seconds(void **state)
{
    (void)state;
    struct wi_budget budget = made();
    for (int i = 0; i < 10000; i++)
        wi_budget_deposit(&budget, START);
    assert_int_equal(drain(&budget, START + KEEP_NS), 10);
}

/* Offered 200 calls a second for a minute, of which a share fails; each failure wants a retry,
 * which fails with the same probability.  Attempts per call. */
static double amplification(int failing_percent)
{
    struct wi_budget budget = made();
    weir_time now = START;
    int64_t calls = 0;
    int64_t attempts = 0;
    int64_t step = 0;
    for (int i = 0; i < 200 * 60; i++) {
        now += 5 * WEIR_NS_PER_MS;
        calls++;
        for (int attempt = 1; attempt <= 3; attempt++) {
            attempts++;
            const bool failed = step++ % 100 < failing_percent;
            if (!failed && attempt == 1)
                wi_budget_deposit(&budget, now);
            if (!failed || !wi_budget_withdraw(&budget, 1, now))
                break;
        }
    }
    return (double)attempts / (double)calls;
}

static void amplification_stays_below_1_12(void **state)
{
    (void)state;
    assert_true(amplification(50) <= 1.12);
    assert_true(amplification(50) > 1.03); /* and it does retry */
    assert_true(amplification(100) <= 1.02);
    assert_true(amplification(5) > 1.04);
}

static void clock_steps_neither_fill_nor_stop_it(void **state)
{
    (void)state;
    struct wi_budget budget = made();
    (void)drain(&budget, START);
    /* Back: nothing is gained, and the floor goes on from there. */
    assert_int_equal(drain(&budget, START - 500 * WEIR_NS_PER_S), 0);
    assert_int_equal(drain(&budget, START - 498 * WEIR_NS_PER_S), 2);
    /* Far ahead: no more than the bucket holds. */
    assert_int_equal(drain(&budget, INT64_MAX), 10);
    assert_int_equal(drain(&budget, 0), 0);
}

static void the_largest_numbers_do_not_overflow(void **state)
{
    (void)state;
    struct wi_budget budget;
    wi_budget_init(&budget, 1000, 1000000, 3600 * WEIR_NS_PER_S, INT64_MIN + 1);
    assert_int_equal(wi_budget_tokens(&budget, INT64_MAX), WI_BUDGET_TOKENS_MAX);
    for (int i = 0; i < 1000; i++)
        wi_budget_deposit(&budget, INT64_MAX);
    assert_int_equal(wi_budget_tokens(&budget, INT64_MAX), WI_BUDGET_TOKENS_MAX);
    assert_true(wi_budget_withdraw(&budget, 1000000000, INT64_MAX));
    assert_int_equal(wi_budget_tokens(&budget, INT64_MAX), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_begins_with_what_the_floor_brings),
        cmocka_unit_test(the_floor_brings_one_token_a_second_whatever_happens),
        cmocka_unit_test(ten_accepted_attempts_pay_for_one_retry),
        cmocka_unit_test(a_retry_after_a_timeout_costs_two),
        cmocka_unit_test(what_was_saved_is_at_most_ten_seconds_of_deposits),
        cmocka_unit_test(savings_are_forgotten_after_ten_quiet_seconds),
        cmocka_unit_test(amplification_stays_below_1_12),
        cmocka_unit_test(clock_steps_neither_fill_nor_stop_it),
        cmocka_unit_test(the_largest_numbers_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
