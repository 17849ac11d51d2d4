/* SPDX-License-Identifier: MIT */
/* A virtual queue by hand: what is taken, drains, is corrected and reined in; and threads that take
 * from one at once. */
#include "load/vqueue.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MS WEIR_NS_PER_MS
#define NOW (1000 * WEIR_NS_PER_S)

enum {
    RANK = WI_RANKS - 1
};

static struct wi_vqueue queue;

static int set_up(void **state)
{
    (void)state;
    wi_vqueue_init(&queue, 1.0, NOW);
    return 0;
}

/* Takes `ms` of cost until it is refused. */
static int fill(int64_t ms, weir_time now, weir_time since)
{
    int taken = 0;
    while (taken < 1000 && wi_vqueue_take(&queue, RANK, ms * MS, now, since) >= 0)
        taken++;
    return taken;
}

static void offer_for_five_seconds(double load, int64_t cost_ns)
{
    for (int tick = 0; tick < 1000; tick++) {
        for (double cost = 0; cost < load * 5e6; cost += (double)cost_ns)
            wi_vqueue_offer(&queue, RANK, cost_ns);
        wi_vqueue_tick(&queue, 0.005, 1.0, 1.0);
    }
}

static void a_fresh_queue_takes_a_tenth_of_a_second(void **state)
{
    (void)state;
    assert_int_equal(fill(10, NOW, NOW), 11); /* the last one finds exactly the depth before it */
    assert_int_equal(wi_vqueue_backlog(&queue, NOW), 110 * MS);
}

static void what_was_taken_drains(void **state)
{
    (void)state;
    (void)fill(10, NOW, NOW);
    assert_int_equal(wi_vqueue_backlog(&queue, NOW + 60 * MS), 50 * MS);
    assert_int_equal(wi_vqueue_backlog(&queue, NOW + 600 * MS), 0);
    assert_int_equal(fill(10, NOW + 60 * MS, NOW + 60 * MS), 6);
}

static void two_servers_drain_twice_as_fast(void **state)
{
    (void)state;
    wi_vqueue_init(&queue, 2.0, NOW);
    assert_true(wi_vqueue_take(&queue, RANK, 10 * MS, NOW, NOW) >= 0);
    assert_int_equal(wi_vqueue_backlog(&queue, NOW), 5 * MS);
}

static void a_million_servers_drain_as_fast_as_they_are(void **state)
{
    (void)state;
    wi_vqueue_init(&queue, 900000.0, NOW);
    for (int i = 0; i < 9000; i++)
        assert_true(wi_vqueue_take(&queue, RANK, 500 * MS, NOW, NOW) >= 0);
    assert_in_range(wi_vqueue_backlog(&queue, NOW), 4950 * WEIR_NS_PER_US, 5050 * WEIR_NS_PER_US);
    /* Nor is anything lost at the other end: a braked server that was charged all that one may. */
    wi_vqueue_init(&queue, 0.25, NOW);
    assert_true(wi_vqueue_take(&queue, RANK, WEIR_NS_PER_S, NOW, NOW) >= 0);
    assert_int_equal(wi_vqueue_backlog(&queue, NOW), 4000 * MS);
}

static void many_that_hold_a_slot_for_a_minute_are_counted(void **state)
{
    (void)state;
    const double slots = 1e6;
    wi_vqueue_init(&queue, slots, NOW);
    for (int tick = 0; tick < 2000; tick++) {
        for (int i = 0; i < 2000; i++)
            wi_vqueue_offer(&queue, RANK, 60 * WEIR_NS_PER_S);
        wi_vqueue_tick(&queue, 0.005, slots, slots);
    }
    /* 400,000 requests a second, each for a minute, of a million. */
    assert_in_range(wi_load_relaxed(&queue.load_m[RANK]), 23900, 24000);
}

static void the_verdict_does_not_depend_on_the_cost(void **state)
{
    (void)state;
    assert_true(wi_vqueue_take(&queue, RANK, 99 * MS, NOW, NOW) >= 0);
    assert_true(wi_vqueue_take(&queue, RANK, WEIR_NS_PER_S, NOW, NOW) >= 0);
    assert_int_equal(wi_vqueue_take(&queue, RANK, 0, NOW, NOW), -1);
}

static void a_pause_is_not_taken_for_a_surge(void **state)
{
    (void)state;
    /* 200 ms of requests at half the capacity, all read at the end of a pause. */
    for (int i = 0; i < 10; i++)
        assert_true(wi_vqueue_take(&queue, RANK, 10 * MS, NOW + 200 * MS, NOW + i * 20 * MS) >= 0);
    assert_int_equal(wi_vqueue_backlog(&queue, NOW + 200 * MS), 0);
}

static void what_is_given_back_can_be_taken_again(void **state)
{
    (void)state;
    (void)fill(10, NOW, NOW);
    assert_int_equal(wi_vqueue_take(&queue, RANK, 10 * MS, NOW, NOW), -1);
    wi_vqueue_correct(&queue, -10 * MS);
    assert_true(wi_vqueue_take(&queue, RANK, 10 * MS, NOW, NOW) >= 0);
}

static void an_idle_past_gives_no_credit(void **state)
{
    (void)state;
    wi_vqueue_correct(&queue, -10 * WEIR_NS_PER_S);
    assert_int_equal(fill(10, NOW, NOW), 11);
}

static void who_leaves_room_for_others_is_taken_where_two_like_it_fit(void **state)
{
    (void)state;
    assert_true(wi_vqueue_take(&queue, RANK, 20 * MS, NOW, NOW) >= 0);
    assert_int_equal(wi_vqueue_take_sparing(&queue, RANK, 41 * MS, NOW, NOW), -1);
    assert_int_equal(wi_vqueue_take_sparing(&queue, RANK, 40 * MS, NOW, NOW), 20 * MS);
    /* What fits nowhere is taken where nothing waits. */
    assert_int_equal(wi_vqueue_take_sparing(&queue, RANK, 90 * MS, NOW + 59 * MS, NOW), -1);
    assert_int_equal(wi_vqueue_take_sparing(&queue, RANK, 90 * MS, NOW + 60 * MS, NOW), 0);
}

/* One of 200 ms a second, and a hundred of 1 ms: who finds another at work mostly finds that. */
static void few_dear_requests_make_the_queue_long(void **state)
{
    (void)state;
    for (int tick = 0; tick < 4000; tick++) {
        const int64_t cost = tick % 200 == 0 ? 200 * MS : tick % 2 == 0 ? MS : 0;
        if (cost > 0) {
            wi_vqueue_offer(&queue, RANK, cost);
            wi_vqueue_offer_dear(&queue, cost);
        }
        wi_vqueue_tick(&queue, 0.005, 1.0, 1.0);
    }
    assert_true(wi_vqueue_cost_s(&queue) < 0.01);
    assert_int_equal(wi_load_relaxed(&queue.depth[RANK]), 500 * MS);
    assert_int_equal(wi_load_relaxed(&queue.cost_max), 500 * MS);
}

static void overload_makes_the_queue_short(void **state)
{
    (void)state;
    offer_for_five_seconds(5.0, MS);
    assert_in_range(wi_load_relaxed(&queue.depth[RANK]), 4 * MS, 5 * MS);
    assert_in_range(wi_load_relaxed(&queue.load_m[RANK]), 4900, 5100);
    offer_for_five_seconds(0.4, MS);
    assert_int_equal(wi_load_relaxed(&queue.depth[RANK]), 100 * MS);
}

static void a_bunch_of_requests_is_no_overload(void **state)
{
    (void)state;
    offer_for_five_seconds(0.4, MS);
    for (int i = 0; i < 50; i++)
        wi_vqueue_offer(&queue, RANK, MS);
    wi_vqueue_tick(&queue, 0.005, 1.0, 1.0);
    assert_int_equal(wi_load_relaxed(&queue.depth[RANK]), 100 * MS);
}

static void a_tally_keeps_count_and_sum_of_both_signs(void **state)
{
    (void)state;
    uint64_t tally = 0;
    for (int i = 0; i < 1000; i++) {
        tally += wi_tally(-3 * MS);
        tally += wi_tally(MS);
    }
    assert_true(wi_tally_count(tally) == 2000.0);
    assert_true(wi_tally_s(tally) < -1.999);
    assert_true(wi_tally_s(tally) > -2.001);
    assert_true(wi_tally_count(0) == 0.0);
    assert_true(wi_tally_s(0) == 0.0);
}

static void a_rank_pays_for_those_above_alone(void **state)
{
    (void)state;
    for (int tick = 0; tick < 1000; tick++) {
        wi_vqueue_offer(&queue, RANK, 2 * MS);
        for (int i = 0; i < 8; i++)
            wi_vqueue_offer(&queue, 0, 2 * MS);
        wi_vqueue_tick(&queue, 0.005, 1.0, 1.0);
    }
    assert_int_equal(wi_load_relaxed(&queue.depth[RANK]), 100 * MS);
    assert_true(wi_load_relaxed(&queue.depth[0]) < 12 * MS);
}

static void a_clock_that_stepped_back_spoils_two_seconds_at_most(void **state)
{
    (void)state;
    const weir_time then = NOW - 7200 * WEIR_NS_PER_S;
    assert_int_equal(wi_vqueue_take(&queue, RANK, MS, then, then), -1);
    assert_true(wi_vqueue_backlog(&queue, then) <= WI_VQUEUE_AHEAD_MAX_NS);
    const weir_time later = then + WI_VQUEUE_AHEAD_MAX_NS;
    assert_true(wi_vqueue_take(&queue, RANK, MS, later, later) >= 0);
}

static void a_clock_that_jumps_ahead_finds_an_empty_queue(void **state)
{
    (void)state;
    (void)fill(10, NOW, NOW);
    const weir_time later = NOW + 86400 * WEIR_NS_PER_S;
    assert_int_equal(wi_vqueue_backlog(&queue, later), 0);
    assert_int_equal(fill(10, later, later), 11);
}

static void sums_that_ran_away_are_reined_in(void **state)
{
    (void)state;
    for (int i = 0; i < 100000; i++)
        wi_vqueue_correct(&queue, INT64_C(1) << 36);
    assert_int_equal(wi_vqueue_take(&queue, RANK, MS, NOW, NOW), -1);
    assert_int_equal(wi_vqueue_backlog(&queue, NOW), WI_VQUEUE_AHEAD_MAX_NS);
}

static void counts_beyond_the_tally_do_no_harm(void **state)
{
    (void)state;
    for (int i = 0; i < (1 << 20) + 5; i++)
        wi_vqueue_offer(&queue, RANK, 0);
    wi_vqueue_offer(&queue, RANK, INT64_C(1) << 36);
    wi_vqueue_tick(&queue, 0.005, 1.0, 1.0);
    const int64_t depth = wi_load_relaxed(&queue.depth[RANK]);
    assert_in_range(depth, 2 * MS, 600 * MS);
}

/* -- threads ---------------------------------------------------------------------------------- */

enum {
    THREADS = 4,
    ROUNDS = 20000
};

static void *take_and_give(void *arg)
{
    int64_t *taken = arg;
    for (int i = 0; i < ROUNDS; i++) {
        if (wi_vqueue_take(&queue, RANK, 1000, NOW, NOW) >= 0)
            *taken += 1000;
        wi_vqueue_correct(&queue, 300);
        *taken += 300;
        if (i % 3 == 0) {
            wi_vqueue_correct(&queue, -700);
            *taken -= 700;
        }
    }
    return NULL;
}

static void no_charge_is_lost_between_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    int64_t taken[THREADS] = { 0 };
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &taken[i]), 0);
    int64_t sum = 0;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        sum += taken[i];
    }
    assert_int_equal(wi_vqueue_backlog(&queue, NOW), sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_fresh_queue_takes_a_tenth_of_a_second, set_up),
        cmocka_unit_test_setup(what_was_taken_drains, set_up),
        cmocka_unit_test_setup(two_servers_drain_twice_as_fast, set_up),
        cmocka_unit_test_setup(a_million_servers_drain_as_fast_as_they_are, set_up),
        cmocka_unit_test_setup(many_that_hold_a_slot_for_a_minute_are_counted, set_up),
        cmocka_unit_test_setup(the_verdict_does_not_depend_on_the_cost, set_up),
        cmocka_unit_test_setup(a_pause_is_not_taken_for_a_surge, set_up),
        cmocka_unit_test_setup(what_is_given_back_can_be_taken_again, set_up),
        cmocka_unit_test_setup(an_idle_past_gives_no_credit, set_up),
        cmocka_unit_test_setup(who_leaves_room_for_others_is_taken_where_two_like_it_fit, set_up),
        cmocka_unit_test_setup(few_dear_requests_make_the_queue_long, set_up),
        cmocka_unit_test_setup(overload_makes_the_queue_short, set_up),
        cmocka_unit_test_setup(a_bunch_of_requests_is_no_overload, set_up),
        cmocka_unit_test(a_tally_keeps_count_and_sum_of_both_signs),
        cmocka_unit_test_setup(a_rank_pays_for_those_above_alone, set_up),
        cmocka_unit_test_setup(a_clock_that_stepped_back_spoils_two_seconds_at_most, set_up),
        cmocka_unit_test_setup(a_clock_that_jumps_ahead_finds_an_empty_queue, set_up),
        cmocka_unit_test_setup(sums_that_ran_away_are_reined_in, set_up),
        cmocka_unit_test_setup(counts_beyond_the_tally_do_no_harm, set_up),
        cmocka_unit_test_setup(no_charge_is_lost_between_threads, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
