/* SPDX-License-Identifier: MIT */
/* The learned timeout on a virtual clock: what it learns, what a stall does not teach it, and that
 * a destination which is slower for good is not lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "load/patience.h"

#define START (1000 * WEIR_NS_PER_S)
#define MS WEIR_NS_PER_MS

/* For `seconds`, 50 attempts a second, each of which would take took_ns. */
static void run(struct wi_patience *patience, weir_time *now, int seconds, int64_t took_ns)
{
    for (int i = 0; i < seconds * 50; i++) {
        *now += 20 * MS;
        if (took_ns <= wi_patience_ns(patience, *now))
            wi_patience_note(patience, took_ns, *now);
        else
            wi_patience_ran_out(patience, *now);
    }
}

static void it_is_a_second_until_a_hundred_are_known(void **state)
{
    (void)state;
    struct wi_patience patience;
    wi_patience_init(&patience, START);
    for (int i = 0; i < 99; i++)
        wi_patience_note(&patience, 30 * MS, START);
    assert_int_equal(wi_patience_ns(&patience, START), WEIR_NS_PER_S);
    assert_false(wi_patience_knows(&patience, START));
    wi_patience_note(&patience, 30 * MS, START);
    assert_true(wi_patience_knows(&patience, START));
    const int64_t timeout_ns = wi_patience_ns(&patience, START);
    assert_true(timeout_ns >= 90 * MS && timeout_ns <= 102 * MS);
}

static void it_stays_within_50_ms_and_10_s(void **state)
{
    (void)state;
    struct wi_patience patience;
    weir_time now = START;
    wi_patience_init(&patience, now);
    run(&patience, &now, 30, MS);
    assert_int_equal(wi_patience_ns(&patience, now), 50 * MS);
    for (int i = 0; i < 100; i++) {
        now += WEIR_NS_PER_S;
        for (int j = 0; j < 100; j++)
            wi_patience_note(&patience, 60 * WEIR_NS_PER_S, now);
    }
    assert_int_equal(wi_patience_ns(&patience, now), 10 * WEIR_NS_PER_S);
}

static void it_at_most_doubles_in_ten_seconds(void **state)
{
    (void)state;
    struct wi_patience patience;
    weir_time now = START;
    wi_patience_init(&patience, now);
    run(&patience, &now, 30, 20 * MS);
    int64_t before = wi_patience_ns(&patience, now);
    for (int i = 0; i < 6; i++) {
        /* They complete all the same, as those do that are read slowly. */
        for (int j = 0; j < 1000; j++)
            wi_patience_note(&patience, 5 * WEIR_NS_PER_S, now + j * 9 * MS);
        now += 10 * WEIR_NS_PER_S;
        const int64_t after = wi_patience_ns(&patience, now);
        assert_true(after <= 4 * before); /* two periods may touch ten seconds */
        before = after;
    }
    assert_true(before > WEIR_NS_PER_S);
}

static void a_stall_of_ten_seconds_teaches_no_patience(void **state)
{
    (void)state;
    struct wi_patience patience;
    weir_time now = START;
    wi_patience_init(&patience, now);
    run(&patience, &now, 60, 50 * MS);
    const int64_t before = wi_patience_ns(&patience, now);
    run(&patience, &now, 10, 5 * WEIR_NS_PER_S);
    assert_true(wi_patience_ns(&patience, now) <= 2 * before);
    run(&patience, &now, 20, 50 * MS);
    assert_int_equal(wi_patience_ns(&patience, now), before);
}

static void a_destination_that_is_slower_for_good_completes_again(void **state)
{
    (void)state;
    struct wi_patience patience;
    weir_time now = START;
    wi_patience_init(&patience, now);
    run(&patience, &now, 60, 20 * MS);
    run(&patience, &now, 60, 800 * MS);
    assert_true(wi_patience_ns(&patience, now) >= 800 * MS);
    run(&patience, &now, 60, 800 * MS);
    assert_true(wi_patience_ns(&patience, now) >= 2400 * MS);
}

static void nothing_known_and_everything_slow_gets_more_time(void **state)
{
    (void)state;
    struct wi_patience patience;
    weir_time now = START;
    wi_patience_init(&patience, now);
    run(&patience, &now, 11, 1500 * MS);
    assert_int_equal(wi_patience_ns(&patience, now), 2 * WEIR_NS_PER_S);
}

static void clock_steps_keep_the_bounds(void **state)
{
    (void)state;
    struct wi_patience patience;
    wi_patience_init(&patience, START);
    static const weir_time clocks[] = { START + 1, 0, INT64_MAX, 7, INT64_MAX / 2, START };
    for (int round = 0; round < 100; round++) {
        for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
            wi_patience_note(&patience, (int64_t)i << (round % 40), clocks[i]);
            wi_patience_ran_out(&patience, clocks[i]);
            const int64_t timeout_ns = wi_patience_ns(&patience, clocks[i]);
            assert_true(timeout_ns >= 50 * MS && timeout_ns <= 10 * WEIR_NS_PER_S);
        }
    }
}

static void quantiles_follow_within_a_tenth_of_a_second(void **state)
{
    (void)state;
    struct wi_patience patience;
    wi_patience_init(&patience, START);
    for (int i = 0; i < 1000; i++)
        wi_patience_note(&patience, i < 500 ? 10 * MS : 100 * MS, START);
    const struct wi_patience_quantiles now = wi_patience_quantiles(&patience, START + 100 * MS);
    assert_true(now.p10_ns >= 10 * MS && now.p10_ns < 12 * MS);
    assert_true(now.p50_ns >= 10 * MS && now.p50_ns < 12 * MS);
    assert_true(now.p99_ns >= 100 * MS && now.p99_ns < 115 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_a_second_until_a_hundred_are_known),
        cmocka_unit_test(it_stays_within_50_ms_and_10_s),
        cmocka_unit_test(it_at_most_doubles_in_ten_seconds),
        cmocka_unit_test(a_stall_of_ten_seconds_teaches_no_patience),
        cmocka_unit_test(a_destination_that_is_slower_for_good_completes_again),
        cmocka_unit_test(nothing_known_and_everything_slow_gets_more_time),
        cmocka_unit_test(clock_steps_keep_the_bounds),
        cmocka_unit_test(quantiles_follow_within_a_tenth_of_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
