/* SPDX-License-Identifier: MIT */
/* Places that requests hold: who is let in, in a small model of a pool of threads in virtual time
 * where arrivals are random and each holds its thread for 50 ms in the mean. */
#include "load/places.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"

#define MS WEIR_NS_PER_MS
#define NOW (1000 * WEIR_NS_PER_S)
#define HELD_NS (50 * MS)

enum {
    THREADS = 32,
    JOBS_MAX = 200000
};

static struct wi_places places;

struct job {
    struct wi_gate_ticket ticket;
    weir_time began, ends;
};

/* A pool: its threads, by when each is free next, and the line, in the order of arrival. */
static struct {
    weir_time free_at[THREADS];
    struct job jobs[JOBS_MAX];
    int count, ended;
} pool;

struct outcome {
    int asked, admitted, refused;
    double goodput;    /* of what the threads can do */
    int64_t wait_most; /* for a thread, of those who were let in, once half of the time is over */
};

static int by_end(const void *left, const void *right)
{
    const weir_time a = ((const struct job *)left)->ends, b = ((const struct job *)right)->ends;
    return a < b ? -1 : a > b;
}

static int first_free(void)
{
    int first = 0;
    for (int i = 1; i < THREADS; i++)
        first = pool.free_at[i] < pool.free_at[first] ? i : first;
    return first;
}

/* Tells of all that have ended by `now`. */
static void tell_ends(weir_time now)
{
    qsort(pool.jobs + pool.ended, (size_t)(pool.count - pool.ended), sizeof(struct job), by_end);
    while (pool.ended < pool.count && pool.jobs[pool.ended].ends <= now) {
        const struct job *job = &pool.jobs[pool.ended++];
        wi_places_ended(&places, &job->ticket, job->ends - job->began);
    }
}

/* Ten seconds of a load in multiples of what the threads can do. */
static struct outcome offer(double load)
{
    struct outcome outcome = { 0 };
    struct wi_rng rng;
    wi_rng_init(&rng, 7);
    const weir_time end = NOW + 10 * WEIR_NS_PER_S;
    const double mean_ns = (double)HELD_NS / (load * THREADS);
    weir_time tick = NOW;
    int64_t held_sum = 0;
    pool.count = pool.ended = 0;
    wi_places_init(&places, THREADS, NOW);
    for (int i = 0; i < THREADS; i++)
        pool.free_at[i] = NOW;
    for (weir_time now = NOW; now < end;
         now += (int64_t)(mean_ns * 2.0 * (double)wi_rng_below(&rng, 1000) / 1000.0)) {
        for (; tick <= now; tick += WI_GATE_TICK_NS)
            wi_places_tick(&places, tick);
        tell_ends(now);
        const int thread = first_free();
        const bool is_free = pool.free_at[thread] <= now;
        struct job job = { .ticket = { .route = 1 } };
        const struct wi_gate_ask ask = { .now = now,
                                         .arrived = now,
                                         .route = 1,
                                         .deadline = WEIR_NO_DEADLINE,
                                         .class = WI_GATE_INTERACTIVE };
        outcome.asked++;
        if (wi_places_ask(&places, &ask, is_free, &job.ticket) != WI_GATE_ADMIT) {
            assert_false(is_free);
            outcome.refused++;
            continue;
        }
        outcome.admitted++;
        job.began = is_free ? now : pool.free_at[thread];
        job.ends = job.began + HELD_NS / 2 + (int64_t)wi_rng_below(&rng, HELD_NS);
        pool.free_at[thread] = job.ends;
        if (job.ends < end)
            held_sum += job.ends - job.began;
        if (now > NOW + (end - NOW) / 2 && job.began - now > outcome.wait_most)
            outcome.wait_most = job.began - now;
        assert_true(pool.count < JOBS_MAX);
        pool.jobs[pool.count++] = job;
    }
    outcome.goodput = (double)held_sum / ((double)(end - NOW) * THREADS);
    return outcome;
}

static void below_capacity_nobody_is_refused(void **state)
{
    (void)state;
    assert_int_equal(offer(0.5).refused, 0);
    assert_int_equal(offer(0.9).refused, 0);
}

static void above_it_the_places_stay_busy_and_nobody_waits_for_long(void **state)
{
    (void)state;
    static const double loads[] = { 1.5, 2.0, 5.0, 10.0 };
    for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
        const struct outcome outcome = offer(loads[i]);
        assert_true(outcome.goodput >= 0.95);
        assert_true(outcome.wait_most <= 100 * MS);
        assert_in_range(wi_places_patience(&places), 100 * MS, WEIR_NS_PER_S / 2);
    }
}

static const struct wi_gate_ask asks_now = { .now = NOW,
                                             .arrived = NOW,
                                             .route = 1,
                                             .deadline = WEIR_NO_DEADLINE,
                                             .class = WI_GATE_INTERACTIVE };

/* Those who find a place free, though the queue is as long as it can be. */
static void a_free_place_is_never_refused(void **state)
{
    (void)state;
    struct wi_gate_ticket ticket = { .route = 1 };
    wi_places_init(&places, 1, NOW);
    wi_places_ended(&places, &ticket, WEIR_NS_PER_S);
    assert_int_equal(wi_places_ask(&places, &asks_now, true, &ticket), WI_GATE_ADMIT);
    assert_int_equal(wi_places_ask(&places, &asks_now, false, &ticket), WI_GATE_SHED_SLOTS);
    assert_int_equal(wi_places_ask(&places, &asks_now, true, &ticket), WI_GATE_ADMIT);
}

static void who_would_get_a_place_too_late_is_told_so(void **state)
{
    (void)state;
    struct wi_gate_ticket ticket = { .route = 1 };
    struct wi_gate_ask ask = asks_now;
    wi_places_init(&places, 1, NOW);
    for (int i = 0; i < 80; i++)
        assert_int_equal(wi_places_ask(&places, &ask, true, &ticket), WI_GATE_ADMIT);
    ask.deadline = NOW + 79 * MS; /* each is taken for 1 ms while nobody has ended */
    assert_int_equal(wi_places_ask(&places, &ask, false, &ticket), WI_GATE_SHED_LATE);
    ask.deadline = NOW + 81 * MS;
    assert_int_equal(wi_places_ask(&places, &ask, false, &ticket), WI_GATE_ADMIT);
}

static void what_never_begins_is_given_back(void **state)
{
    (void)state;
    struct wi_gate_ticket ticket = { .route = 1 };
    wi_places_init(&places, 1, NOW);
    for (int i = 0; i < 500; i++) {
        assert_int_equal(wi_places_ask(&places, &asks_now, false, &ticket), WI_GATE_ADMIT);
        wi_places_dropped(&places, &ticket);
    }
    assert_int_equal(wi_vqueue_backlog(&places.queue, NOW), 0);
}

static void batch_is_refused_before_interactive(void **state)
{
    (void)state;
    struct wi_gate_ticket ticket = { .route = 1 };
    const weir_time now = NOW + WI_GATE_TICK_NS;
    struct wi_gate_ask ask = {
        .now = now, .arrived = now, .route = 1, .deadline = WEIR_NO_DEADLINE, .class = WI_GATE_BATCH
    };
    wi_places_init(&places, 1, NOW);
    wi_places_tick(&places, now);
    while (wi_places_ask(&places, &ask, false, &ticket) == WI_GATE_ADMIT)
        ;
    ask.class = WI_GATE_INTERACTIVE;
    assert_int_equal(wi_places_ask(&places, &ask, false, &ticket), WI_GATE_ADMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(below_capacity_nobody_is_refused),
        cmocka_unit_test(above_it_the_places_stay_busy_and_nobody_waits_for_long),
        cmocka_unit_test(a_free_place_is_never_refused),
        cmocka_unit_test(who_would_get_a_place_too_late_is_told_so),
        cmocka_unit_test(what_never_begins_is_given_back),
        cmocka_unit_test(batch_is_refused_before_interactive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
