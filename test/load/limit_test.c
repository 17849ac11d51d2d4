/* SPDX-License-Identifier: MIT */
/* The adaptive limit on a virtual clock: no limit without evidence, cut, growth, lift, clock steps,
 * and what a backend that becomes a hundred times slower may hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "load/limit.h"

#define START (1000 * WEIR_NS_PER_S)
#define MS WEIR_NS_PER_MS

enum {
    LEAST = 4,
    MOST = 1000,
};

static struct wi_limit made(void)
{
    struct wi_limit limit;
    wi_limit_init(&limit, LEAST, MOST, START);
    return limit;
}

/* Fills the limit; how many began. */
static int64_t fill(struct wi_limit *limit, int64_t wanted, weir_time now)
{
    int64_t began = 0;
    while (began < wanted && wi_limit_begin(limit, now))
        began++;
    return began;
}

static void end_all(struct wi_limit *limit, enum wi_limit_end how, int64_t took_ns, weir_time now)
{
    while (limit->running > 0)
        wi_limit_end(limit, how, took_ns, now);
}

/* Evidence at `running` calls: afterwards none runs. */
static void overload_at(struct wi_limit *limit, int64_t running, weir_time now)
{
    (void)fill(limit, running, now);
    end_all(limit, WI_LIMIT_OVERLOAD, 100 * MS, now + 100 * MS);
}

static void without_evidence_only_the_hard_bound_holds(void **state)
{
    (void)state;
    struct wi_limit limit = made();
    weir_time now = START;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(fill(&limit, 2000, now), MOST);
        assert_false(wi_limit_holds(&limit));
        now += 500 * MS; /* however slow they are */
        end_all(&limit, WI_LIMIT_GOOD, 500 * MS, now);
    }
}

static void one_in_twenty_refused_is_no_evidence_and_more_is(void **state)
{
    (void)state;
    for (int refused = 5; refused <= 6; refused++) {
        struct wi_limit limit = made();
        (void)fill(&limit, 100, START);
        for (int i = 0; i < 100; i++)
            wi_limit_end(&limit, i < refused ? WI_LIMIT_OVERLOAD : WI_LIMIT_GOOD, MS, START + MS);
        (void)wi_limit_begin(&limit, START + 101 * MS);
        assert_int_equal(wi_limit_holds(&limit), refused > 5);
    }
}

static void evidence_cuts_to_seven_tenths_of_what_ran(void **state)
{
    (void)state;
    struct wi_limit limit = made();
    overload_at(&limit, 100, START);
    assert_int_equal(limit.allowed, 70);
    overload_at(&limit, 100, START + 200 * MS);
    assert_int_equal(limit.allowed, 49);
}

static void it_never_cuts_below_the_least(void **state)
{
    (void)state;
    struct wi_limit limit = made();
    for (int i = 0; i < 50; i++)
        overload_at(&limit, 100, START + i * 200 * MS);
    assert_int_equal(limit.allowed, LEAST);
    assert_int_equal(fill(&limit, 100, START + 10100 * MS), LEAST);
}

static void clean_rounds_grow_it_by_a_twentieth_and_at_least_one(void **state)
{
    (void)state;
    struct wi_limit limit = made();
    overload_at(&limit, 100, START);
    weir_time now = START + 100 * MS;
    for (int i = 1; i <= 5; i++) {
        now += 10 * MS; /* a round is 1 ms still */
        assert_int_equal(fill(&limit, 1, now), 1);
        end_all(&limit, WI_LIMIT_GOOD, MS, now);
    }
    /* 70, 73, 76, 79, 82, 86 */
    assert_int_equal(limit.allowed, 86);
}

static void it_grows_at_most_once_a_round(void **state)
{
    (void)state;
    struct wi_limit limit = made();
    for (int i = 0; i < 200; i++) {
        assert_int_equal(fill(&limit, 1, START), 1);
        end_all(&limit, WI_LIMIT_GOOD, 400 * MS, START);
    }
    overload_at(&limit, 100, START);
    const int64_t cut = limit.allowed;
    weir_time now = START + 100 * MS;
    for (int i = 0; i < 390; i++) {
        now += MS;
        (void)fill(&limit, 1, now);
        end_all(&limit, WI_LIMIT_GOOD, 400 * MS, now);
    }
    assert_int_equal(limit.allowed, cut);
    now += 20 * MS;
    (void)fill(&limit, 1, now);
    end_all(&limit, WI_LIMIT_GOOD, 400 * MS, now);
    assert_int_equal(limit.allowed, cut + 3);
}

static void without_a_good_call_it_does_not_grow(void **state)
{
    (void)state;
    struct wi_limit limit = made();
    overload_at(&limit, 100, START);
    for (int64_t ms = 100; ms < 10000; ms += 10) {
        (void)fill(&limit, 1, START + ms * MS);
        end_all(&limit, WI_LIMIT_UNKNOWN, -1, START + ms * MS);
    }
    assert_int_equal(limit.allowed, 70);
}

static void what_ran_at_the_cut_is_no_new_evidence(void **state)
{
    (void)state;
    struct wi_limit limit = made();
    (void)fill(&limit, 100, START);
    for (int i = 0; i < 50; i++)
        wi_limit_end(&limit, WI_LIMIT_OVERLOAD, 100 * MS, START + 100 * MS);
    assert_int_equal(limit.allowed, 70);
    end_all(&limit, WI_LIMIT_OVERLOAD, 200 * MS, START + 200 * MS);
    (void)fill(&limit, 1, START + 400 * MS);
    assert_int_equal(limit.allowed, 70);
}

static void ten_clean_seconds_lift_it(void **state)
{
    (void)state;
    struct wi_limit limit = made();
    overload_at(&limit, 100, START);
    assert_true(wi_limit_holds(&limit));
    assert_true(wi_limit_begin(&limit, START + 100 * MS + 10 * WEIR_NS_PER_S));
    assert_false(wi_limit_holds(&limit));
}

static void what_was_canceled_is_no_evidence(void **state)
{
    (void)state;
    struct wi_limit limit = made();
    for (int i = 0; i < 20; i++) {
        (void)fill(&limit, 100, START + i * 100 * MS);
        end_all(&limit, WI_LIMIT_UNKNOWN, -1, START + i * 100 * MS);
    }
    assert_false(wi_limit_holds(&limit));
}

static void a_line_before_calls_that_fail_slowly_moves_slowly(void **state)
{
    (void)state;
    struct wi_limit limit = made();
    for (int i = 0; i < 200; i++) {
        (void)fill(&limit, 1, START);
        end_all(&limit, WI_LIMIT_GOOD, MS, START);
    }
    const int64_t before_ns = wi_limit_wait_ns(&limit, MOST);
    assert_true(before_ns < 2 * MS);
    for (int i = 0; i < 200; i++) {
        (void)fill(&limit, 1, START + i * 100 * MS);
        end_all(&limit, WI_LIMIT_OVERLOAD, 100 * MS, START + i * 100 * MS + 100 * MS);
    }
    assert_int_equal(limit.allowed, LEAST);
    assert_true(wi_limit_wait_ns(&limit, LEAST) > 90 * MS);
    assert_int_equal(limit.round_ns, MS); /* which only good calls teach */
}

static void the_predicted_wait_is_rounds_of_the_line(void **state)
{
    (void)state;
    struct wi_limit limit = made();
    assert_int_equal(wi_limit_wait_ns(&limit, 1), 0);
    for (int i = 0; i < 200; i++) {
        (void)fill(&limit, 1, START);
        end_all(&limit, WI_LIMIT_GOOD, 80 * MS, START);
    }
    for (int i = 0; i < 50; i++)
        overload_at(&limit, 100, START + i * 200 * MS);
    for (int i = 0; i < 200; i++) {
        (void)fill(&limit, 1, START + 10100 * MS);
        end_all(&limit, i % 2 == 0 ? WI_LIMIT_OVERLOAD : WI_LIMIT_GOOD, 80 * MS,
                START + 10100 * MS);
    }
    const int64_t wait_ns = wi_limit_wait_ns(&limit, 8);
    assert_true(wait_ns > 150 * MS && wait_ns < 170 * MS); /* two rounds of 80 ms */
    assert_true(wi_limit_wait_ns(&limit, INT64_MAX) > 0);
}

/* 1,000 calls a second that take 5 ms, then 500 ms while each gives up after 50: what runs at once
 * settles near the least, instead of 50. */
static void a_backend_a_hundred_times_slower_holds_few(void **state)
{
    (void)state;
    enum {
        TIMEOUT_MS = 50,
        SLOW_MS = 4000,
    };
    struct wi_limit limit = made();
    int64_t ends[TIMEOUT_MS + 1] = { 0 }; /* calls that end in so many ms, a ring */
    int64_t most = 0;
    for (int64_t ms = 0; ms < SLOW_MS; ms++) {
        const weir_time now = START + ms * MS;
        int64_t *due = &ends[ms % (TIMEOUT_MS + 1)];
        for (; *due > 0; --*due)
            wi_limit_end(&limit, WI_LIMIT_OVERLOAD, TIMEOUT_MS * MS, now);
        if (wi_limit_begin(&limit, now))
            ends[(ms + TIMEOUT_MS) % (TIMEOUT_MS + 1)]++;
        if (ms >= 2000 && limit.running > most)
            most = limit.running;
    }
    assert_true(most <= LEAST);
}

static void clock_steps_neither_freeze_it_nor_break_the_bounds(void **state)
{
    (void)state;
    struct wi_limit limit = made();
    struct wi_rng rng;
    wi_rng_init(&rng, 5);
    weir_time now = START;
    for (int i = 0; i < 100000; i++) {
        const uint32_t step = wi_rng_below(&rng, 100);
        if (step == 0)
            now = (weir_time)(wi_rng_next(&rng) >> 2);
        else
            now += (int64_t)wi_rng_below(&rng, 20) * MS;
        if (wi_rng_below(&rng, 2) == 0)
            (void)wi_limit_begin(&limit, now);
        else if (limit.running > 0)
            wi_limit_end(&limit, (enum wi_limit_end)wi_rng_below(&rng, 3),
                         (int64_t)(wi_rng_next(&rng) >> 1), now);
        assert_true(limit.allowed >= LEAST && limit.allowed <= MOST);
        assert_true(limit.running >= 0 && limit.running <= MOST);
        assert_true(limit.round_ns >= MS && limit.round_ns <= 10 * WEIR_NS_PER_S);
    }
    /* Set back: a limit that holds is lifted 10 s later by the new clock. */
    end_all(&limit, WI_LIMIT_UNKNOWN, -1, now);
    overload_at(&limit, 10, now);
    overload_at(&limit, 10, now + 200 * MS);
    assert_true(wi_limit_begin(&limit, START));
    assert_true(wi_limit_begin(&limit, START + 10 * WEIR_NS_PER_S));
    assert_false(wi_limit_holds(&limit));
}

/* Callers read the clock before they have the lock around the law. */
static void readings_that_overtake_each_other_leave_the_evidence(void **state)
{
    (void)state;
    struct wi_limit limit = made();
    for (int ms = 0; ms < 300; ms++) {
        const weir_time now = START + ms * MS;
        assert_int_equal(fill(&limit, 1, now), 1);
        wi_limit_end(&limit, WI_LIMIT_OVERLOAD, -1, now - MS / 100);
    }
    assert_true(wi_limit_holds(&limit));
    /* Nor do they put off that it is lifted. */
    for (int ms = 300; ms < 300 + 10000; ms++) {
        const weir_time now = START + ms * MS;
        assert_int_equal(fill(&limit, 1, now), 1);
        wi_limit_end(&limit, WI_LIMIT_UNKNOWN, -1, now - MS / 100);
    }
    assert_false(wi_limit_holds(&limit));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_evidence_only_the_hard_bound_holds),
        cmocka_unit_test(one_in_twenty_refused_is_no_evidence_and_more_is),
        cmocka_unit_test(evidence_cuts_to_seven_tenths_of_what_ran),
        cmocka_unit_test(it_never_cuts_below_the_least),
        cmocka_unit_test(clean_rounds_grow_it_by_a_twentieth_and_at_least_one),
        cmocka_unit_test(it_grows_at_most_once_a_round),
        cmocka_unit_test(without_a_good_call_it_does_not_grow),
        cmocka_unit_test(what_ran_at_the_cut_is_no_new_evidence),
        cmocka_unit_test(ten_clean_seconds_lift_it),
        cmocka_unit_test(what_was_canceled_is_no_evidence),
        cmocka_unit_test(a_line_before_calls_that_fail_slowly_moves_slowly),
        cmocka_unit_test(the_predicted_wait_is_rounds_of_the_line),
        cmocka_unit_test(a_backend_a_hundred_times_slower_holds_few),
        cmocka_unit_test(readings_that_overtake_each_other_leave_the_evidence),
        cmocka_unit_test(clock_steps_neither_freeze_it_nor_break_the_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
