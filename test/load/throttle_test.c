/* SPDX-License-Identifier: MIT */
/* The client's throttle on a virtual clock: when it turns away, how much gets through, how it
 * recovers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "load/throttle.h"

#define START (1000 * WEIR_NS_PER_S)
#define STEP_NS (WEIR_NS_PER_S / 200)

/* Wants 200 requests a second for `seconds`, of which the destination takes `percent`; how many it
 * saw. */
static int64_t offer(struct wi_throttle *throttle, struct wi_rng *rng, weir_time *now, int seconds,
                     int percent)
{
    int64_t seen = 0;
    for (int i = 0; i < 200 * seconds; i++) {
        *now += STEP_NS;
        if (!wi_throttle_admit(throttle, wi_rng_unit(rng), *now))
            continue;
        seen++;
        wi_throttle_end(throttle, wi_rng_below(rng, 100) < (uint32_t)percent, *now);
    }
    return seen;
}

static void nothing_is_turned_away_while_more_than_half_is_accepted(void **state)
{
    (void)state;
    struct wi_throttle throttle;
    weir_time now = START;
    wi_throttle_init(&throttle, now);
    for (int i = 0; i < 10000; i++) {
        assert_true(wi_throttle_admit(&throttle, 1e-9, now += STEP_NS));
        wi_throttle_end(&throttle, i % 20 < 11, now);
    }
}

static void below_ten_requests_nothing_is_turned_away(void **state)
{
    (void)state;
    struct wi_throttle throttle;
    wi_throttle_init(&throttle, START);
    for (int i = 0; i < 10; i++) {
        assert_true(wi_throttle_admit(&throttle, 0, START));
        wi_throttle_end(&throttle, false, START);
    }
    assert_false(wi_throttle_admit(&throttle, 0, START));
}

static void one_in_twenty_still_goes_to_a_destination_that_refuses_all(void **state)
{
    (void)state;
    struct wi_throttle throttle;
    struct wi_rng rng;
    weir_time now = START;
    wi_rng_init(&rng, 1);
    wi_throttle_init(&throttle, now);
    (void)offer(&throttle, &rng, &now, 60, 0);
    assert_true(wi_throttle_probability(&throttle, now) <= 0.95);
    const int64_t seen = offer(&throttle, &rng, &now, 60, 0);
    assert_true(seen > 200 * 60 / 25 && seen < 200 * 60 / 15);
}

static void a_destination_that_takes_a_tenth_is_offered_about_a_fifth(void **state)
{
    (void)state;
    struct wi_throttle throttle;
    struct wi_rng rng;
    weir_time now = START;
    wi_rng_init(&rng, 2);
    wi_throttle_init(&throttle, now);
    /* It takes 20 of 200 a second, whichever come first. */
    int64_t seen = 0;
    for (int second = 0; second < 120; second++) {
        int room = 20;
        for (int i = 0; i < 200; i++) {
            now += STEP_NS;
            if (!wi_throttle_admit(&throttle, wi_rng_unit(&rng), now))
                continue;
            seen += second >= 60;
            wi_throttle_end(&throttle, room-- > 0, now);
        }
    }
    assert_true(seen > 60 * 30 && seen < 60 * 50);
}

static void it_lets_all_through_again_after_the_repair(void **state)
{
    (void)state;
    struct wi_throttle throttle;
    struct wi_rng rng;
    weir_time now = START;
    wi_rng_init(&rng, 3);
    wi_throttle_init(&throttle, now);
    (void)offer(&throttle, &rng, &now, 60, 0);
    (void)offer(&throttle, &rng, &now, 120, 100);
    assert_int_equal(offer(&throttle, &rng, &now, 10, 100), 2000);
}

static void thirty_quiet_seconds_forget_everything(void **state)
{
    (void)state;
    struct wi_throttle throttle;
    wi_throttle_init(&throttle, START);
    for (int i = 0; i < 1000; i++)
        wi_throttle_end(&throttle, false, START);
    assert_false(wi_throttle_admit(&throttle, 0, START));
    assert_true(wi_throttle_admit(&throttle, 0, START + 30 * WEIR_NS_PER_S));
}

static void a_burst_under_way_proves_nothing(void **state)
{
    (void)state;
    struct wi_throttle throttle;
    wi_throttle_init(&throttle, START);
    for (int i = 0; i < 1000; i++)
        assert_true(wi_throttle_admit(&throttle, 0, START));
}

static void clock_steps_keep_the_counts_in_order(void **state)
{
    (void)state;
    struct wi_throttle throttle;
    struct wi_rng rng;
    wi_rng_init(&rng, 4);
    wi_throttle_init(&throttle, START);
    for (int i = 0; i < 10000; i++) {
        const weir_time now = (weir_time)(wi_rng_next(&rng) >> 1);
        if (wi_throttle_admit(&throttle, wi_rng_unit(&rng), now))
            wi_throttle_end(&throttle, wi_rng_below(&rng, 2) == 0, now + wi_rng_below(&rng, 5));
        assert_true(throttle.accepts >= 0);
        assert_true(throttle.accepts <= throttle.requests);
        const double probability = wi_throttle_probability(&throttle, now);
        assert_true(probability >= 0 && probability <= 0.95);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_turned_away_while_more_than_half_is_accepted),
        cmocka_unit_test(below_ten_requests_nothing_is_turned_away),
        cmocka_unit_test(one_in_twenty_still_goes_to_a_destination_that_refuses_all),
        cmocka_unit_test(a_destination_that_takes_a_tenth_is_offered_about_a_fifth),
        cmocka_unit_test(it_lets_all_through_again_after_the_repair),
        cmocka_unit_test(thirty_quiet_seconds_forget_everything),
        cmocka_unit_test(a_burst_under_way_proves_nothing),
        cmocka_unit_test(clock_steps_keep_the_counts_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
