/* SPDX-License-Identifier: MIT */
/* The gate by hand: verdicts, tickets, ticks, misuse; and threads that pass it at once.  How it
 * controls a service is gate_model_test.c's. */
#include "load/gate.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MS WEIR_NS_PER_MS
#define NOW (1000 * WEIR_NS_PER_S)

static struct wi_gate gate;

static void open_gate(int workers, int64_t slots)
{
    wi_gate_init(&gate, &(struct wi_gate_opts){ .workers = workers, .slots = slots }, NOW);
}

static int set_up(void **state)
{
    (void)state;
    open_gate(1, 0);
    return 0;
}

static enum wi_gate_verdict ask_at(weir_time now, uint32_t route, struct wi_gate_ticket *ticket)
{
    const struct wi_gate_ask ask = {
        .now = now,
        .arrived = now,
        .deadline = WEIR_NO_DEADLINE,
        .route = route,
        .class = WI_GATE_INTERACTIVE,
    };
    return wi_gate_ask(&gate, &ask, ticket);
}

static void teach(uint32_t route, int64_t work_ns, int64_t held_ns)
{
    for (int i = 0; i < 300; i++)
        wi_gate_route_learn(&gate, route, work_ns, held_ns);
}

static int64_t backlog(weir_time now)
{
    struct wi_gate_view view;
    wi_gate_read(&gate, now, &view);
    return view.backlog_ns;
}

static void a_request_is_charged_what_its_route_takes(void **state)
{
    (void)state;
    struct wi_gate_ticket ticket;
    teach(3, 2 * MS, 0);
    assert_int_equal(ask_at(NOW, 3, &ticket), WI_GATE_ADMIT);
    assert_int_equal(backlog(NOW), 2 * MS);
    assert_int_equal(wi_gate_route_cost(&gate, 3), 2 * MS);
}

static void an_unknown_route_is_charged_a_little(void **state)
{
    (void)state;
    struct wi_gate_ticket ticket;
    assert_int_equal(wi_gate_route_cost(&gate, 3), 0);
    assert_int_equal(ask_at(NOW, 3, &ticket), WI_GATE_ADMIT);
    assert_int_equal(backlog(NOW), 100000);
}

static void what_it_took_in_the_end_corrects_the_charge(void **state)
{
    (void)state;
    struct wi_gate_ticket ticket;
    assert_int_equal(ask_at(NOW, 3, &ticket), WI_GATE_ADMIT);
    wi_gate_ended(&gate, &ticket, 7 * MS, 7 * MS);
    assert_int_equal(backlog(NOW), 7 * MS);

    teach(4, 9 * MS, 0);
    assert_int_equal(ask_at(NOW, 4, &ticket), WI_GATE_ADMIT);
    wi_gate_ended(&gate, &ticket, MS, MS);
    assert_int_equal(backlog(NOW), 8 * MS);
}

/* By what a request that ends has moved the queue beyond its charge. */
static int64_t correction(int64_t work_ns)
{
    struct wi_gate_ticket ticket;
    /* Late enough for an empty queue. */
    static weir_time now = NOW;
    now += WEIR_NS_PER_S;
    assert_int_equal(ask_at(now, 1, &ticket), WI_GATE_ADMIT);
    ticket.measure = WI_GATE_MEASURE;
    const int64_t before = wi_load_relaxed(&gate.work.done_at);
    wi_gate_ended(&gate, &ticket, work_ns, work_ns);
    return wi_load_relaxed(&gate.work.done_at) - before;
}

static void where_processors_are_shared_a_known_route_costs_its_mean(void **state)
{
    (void)state;
    wi_gate_init(&gate, &(struct wi_gate_opts){ .workers = 1, .shared = true }, NOW);
    for (int i = 0; i < WI_GATE_ENDS_KNOWN - 1; i++)
        (void)correction(1 * MS);
    assert_in_range(correction(5 * MS), 3990000, 4010000);
    assert_in_range(correction(5 * MS) + 1000, 0, 100000);
    assert_in_range(correction(MS / 5) + 100000, 0, 110000);
    /* Then all of them take ten times what they did. */
    for (int i = 0; i < 15; i++)
        (void)correction(10 * MS);
    assert_in_range(correction(10 * MS), 8 * MS, 10 * MS);
}

static void a_dropped_request_leaves_nothing(void **state)
{
    (void)state;
    struct wi_gate_ticket ticket;
    open_gate(2, 5);
    teach(3, 2 * MS, 50 * MS);
    assert_int_equal(ask_at(NOW, 3, &ticket), WI_GATE_ADMIT);
    wi_gate_dropped(&gate, &ticket);
    struct wi_gate_view view;
    wi_gate_read(&gate, NOW, &view);
    assert_int_equal(view.backlog_ns, 0);
    assert_int_equal(view.slots_backlog_ns, 0);
    assert_int_equal(wi_gate_route_cost(&gate, 3), 2 * MS);
}

static void a_full_queue_sheds_for_want_of_work(void **state)
{
    (void)state;
    struct wi_gate_ticket ticket;
    teach(3, 10 * MS, 0);
    int admitted = 0;
    while (admitted < 1000 && ask_at(NOW, 3, &ticket) == WI_GATE_ADMIT)
        admitted++;
    assert_in_range(admitted, 10, 12);
    assert_int_equal(ask_at(NOW, 3, &ticket), WI_GATE_SHED_WORK);
    const struct wi_gate_ask alone = { .now = NOW,
                                       .arrived = NOW,
                                       .deadline = WEIR_NO_DEADLINE,
                                       .route = 3,
                                       .class = WI_GATE_INTERACTIVE,
                                       .idle = true };
    assert_int_equal(wi_gate_ask(&gate, &alone, &ticket), WI_GATE_ADMIT);
    assert_int_equal(ticket.wait_ns, 0);
    wi_gate_dropped(&gate, &ticket);
}

static void full_slots_shed_and_charge_no_work(void **state)
{
    (void)state;
    struct wi_gate_ticket ticket;
    open_gate(1, 1);
    teach(3, 1000, 50 * MS);
    int admitted = 0;
    while (admitted < 1000 && ask_at(NOW, 3, &ticket) == WI_GATE_ADMIT)
        admitted++;
    assert_in_range(admitted, 2, 4); /* a fresh gate's depth is 100 ms */
    const int64_t before = backlog(NOW);
    assert_int_equal(ask_at(NOW, 3, &ticket), WI_GATE_SHED_SLOTS);
    assert_int_equal(backlog(NOW), before);
}

static void a_free_slot_refuses_nobody(void **state)
{
    (void)state;
    struct wi_gate_ticket ticket;
    open_gate(1, 2);
    teach(3, 1000, 2 * WEIR_NS_PER_S);
    struct wi_gate_ask ask = {
        .now = NOW,
        .arrived = NOW,
        .deadline = NOW + WEIR_NS_PER_S,
        .route = 3,
        .class = WI_GATE_BATCH,
        .room = true,
    };
    for (int i = 0; i < 20; i++) /* charged all the same */
        assert_int_equal(wi_gate_ask(&gate, &ask, &ticket), WI_GATE_ADMIT);
    ask.room = false;
    ask.deadline = WEIR_NO_DEADLINE;
    assert_int_equal(wi_gate_ask(&gate, &ask, &ticket), WI_GATE_SHED_SLOTS);
}

static void who_would_be_late_is_told_at_once(void **state)
{
    (void)state;
    struct wi_gate_ticket ticket;
    teach(3, 10 * MS, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask_at(NOW, 3, &ticket), WI_GATE_ADMIT);
    struct wi_gate_ask ask = {
        .now = NOW,
        .arrived = NOW,
        .deadline = NOW + 39 * MS,
        .route = 3,
        .class = WI_GATE_INTERACTIVE,
    };
    assert_int_equal(wi_gate_ask(&gate, &ask, &ticket), WI_GATE_SHED_LATE);
    ask.deadline = NOW + 41 * MS;
    assert_int_equal(wi_gate_ask(&gate, &ask, &ticket), WI_GATE_ADMIT);
    ask.deadline = NOW - WEIR_NS_PER_S;
    assert_int_equal(wi_gate_ask(&gate, &ask, &ticket), WI_GATE_SHED_LATE);
    ask.deadline = INT64_MIN / 2; /* a lying client */
    assert_int_equal(wi_gate_ask(&gate, &ask, &ticket), WI_GATE_SHED_LATE);
}

/* How many get in at once, each with that deadline; none of them would be late. */
static int let_in(int64_t work_ns, weir_time deadline)
{
    open_gate(1, 0);
    teach(3, work_ns, 0);
    const struct wi_gate_ask ask = {
        .now = NOW,
        .arrived = NOW,
        .deadline = deadline,
        .route = 3,
        .class = WI_GATE_INTERACTIVE,
    };
    struct wi_gate_ticket ticket;
    int admitted = 0;
    while (admitted < 1000 && wi_gate_ask(&gate, &ask, &ticket) == WI_GATE_ADMIT) {
        admitted++;
        assert_true(ticket.wait_ns <= (deadline - NOW) / 2);
    }
    return admitted;
}

static void a_far_deadline_refuses_as_many_as_none(void **state)
{
    (void)state;
    const int64_t works[] = { MS / 8, 10 * MS, 90 * MS, 20 * WEIR_NS_PER_S };
    for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
        const int admitted = let_in(works[i], WEIR_NO_DEADLINE);
        for (int64_t left = WEIR_NS_PER_S - MS; left <= WEIR_NS_PER_S + MS; left += MS)
            assert_int_equal(let_in(works[i], NOW + left), admitted);
        assert_int_equal(let_in(works[i], NOW + 30 * WEIR_NS_PER_S), admitted);
    }
}

/* -- what is measured ------------------------------------------------------------------------- */

enum {
    CHEAP_NS = 5000,
    ASKS = 8000
};

static int64_t tickets[3]; /* by enum wi_gate_measure */

/* Counts the tickets of so many requests, one each `step_ns`. */
static void count_measured(uint32_t route, int64_t step_ns)
{
    tickets[WI_GATE_BELIEVE] = tickets[WI_GATE_MEASURE_SAMPLE] = tickets[WI_GATE_MEASURE] = 0;
    for (int i = 1; i <= ASKS; i++) {
        struct wi_gate_ticket ticket;
        assert_int_equal(ask_at(NOW + i * step_ns, route, &ticket), WI_GATE_ADMIT);
        tickets[ticket.measure]++;
    }
}

static void of_cheap_requests_few_are_measured(void **state)
{
    (void)state;
    const int64_t steps[] = { 6007, 10000, 8192, 1000000 };
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        open_gate(1, 0);
        teach(3, CHEAP_NS, 0);
        count_measured(3, steps[i]);
        assert_int_equal(tickets[WI_GATE_MEASURE], 0);
        assert_in_range(tickets[WI_GATE_MEASURE_SAMPLE], 3 * ASKS / WI_GATE_SAMPLE / 4,
                        5 * ASKS / WI_GATE_SAMPLE / 4);
    }
}

static void all_are_measured_where_that_matters(void **state)
{
    (void)state;
    count_measured(4, MS); /* nothing is known */
    assert_int_equal(tickets[WI_GATE_MEASURE], ASKS);
    open_gate(1, 0);
    teach(3, MS, 0); /* they are dear */
    count_measured(3, 2 * MS);
    assert_int_equal(tickets[WI_GATE_MEASURE], ASKS);

    struct wi_gate_ticket ticket;
    open_gate(1, 0);
    teach(5, CHEAP_NS, 0);
    teach(3, 6 * MS, 0);
    assert_int_equal(ask_at(NOW, 3, &ticket), WI_GATE_ADMIT);
    for (int i = 0; i < 100; i++) { /* there is a line */
        assert_int_equal(ask_at(NOW + i, 5, &ticket), WI_GATE_ADMIT);
        assert_int_equal(ticket.measure, WI_GATE_MEASURE);
    }
    open_gate(1, 10); /* slots are bounded */
    teach(5, CHEAP_NS, CHEAP_NS);
    count_measured(5, MS);
    assert_int_equal(tickets[WI_GATE_MEASURE], ASKS);
    wi_gate_pass(5, &ticket);
    assert_int_equal(ticket.measure, WI_GATE_MEASURE);

    open_gate(1, 0);
    teach(5, CHEAP_NS, 0);
    const struct wi_gate_ask waited = { .now = NOW, /* they stood before a stall of ours */
                                        .arrived = NOW - 20 * MS,
                                        .deadline = WEIR_NO_DEADLINE,
                                        .route = 5,
                                        .class = WI_GATE_INTERACTIVE };
    assert_int_equal(wi_gate_ask(&gate, &waited, &ticket), WI_GATE_ADMIT);
    assert_int_equal(ticket.measure, WI_GATE_MEASURE);
}

/* Also of those whose cost is believed. */
static void who_costs_more_than_the_mean_is_counted(void **state)
{
    (void)state;
    struct wi_gate_ticket ticket;
    teach(3, 1000, 0);
    teach(5, 200000, 0);
    for (int tick = 1; tick <= 40; tick++) {
        const weir_time now = NOW + tick * 5 * MS;
        for (uint32_t route = 3; route <= 5; route += 2)
            assert_int_equal(ask_at(now, route, &ticket), WI_GATE_ADMIT);
        assert_true(wi_gate_due(&gate, now));
        wi_gate_tick(&gate, now, 0);
    }
    for (uint32_t route = 3; route <= 5; route += 2) {
        assert_int_equal(ask_at(NOW + WEIR_NS_PER_S, route, &ticket), WI_GATE_ADMIT);
        assert_int_not_equal(ticket.measure, WI_GATE_MEASURE);
    }
    assert_int_equal((int)wi_tally_count(wi_load_relaxed(&gate.work.dear)), 1);
}

/* The backlog after a cheap request that was a sample, or was not, and took `work_ns`. */
static int64_t backlog_after(int64_t work_ns, bool sample)
{
    open_gate(1, 0);
    teach(3, CHEAP_NS, 0);
    struct wi_gate_ticket ticket;
    assert_int_equal(ask_at(NOW, 3, &ticket), WI_GATE_ADMIT);
    ticket.measure = sample ? WI_GATE_MEASURE_SAMPLE : WI_GATE_MEASURE;
    wi_gate_ended(&gate, &ticket, work_ns, work_ns);
    return backlog(NOW);
}

static void a_sample_stands_for_many(void **state)
{
    (void)state;
    assert_int_equal(backlog_after(3 * CHEAP_NS, false), 3 * CHEAP_NS);
    assert_int_equal(backlog_after(3 * CHEAP_NS, true), CHEAP_NS + WI_GATE_SAMPLE * 2 * CHEAP_NS);
    /* But a slice that a pause fell into does not: it counts for 10 ms at most. */
    assert_in_range(backlog_after(MS / 4, true), WI_GATE_SAMPLE * MS / 5, WI_GATE_SAMPLE * MS / 4);
    assert_int_equal(backlog_after(WEIR_NS_PER_S, true), 10 * MS + CHEAP_NS);
}

/* Workers that requests get after half a second in which a worker did nothing but believed
 * requests, `others_ns` of 5 ms excepted. */
static double capacity_beside(int64_t others_ns)
{
    open_gate(2, 0);
    struct wi_gate_view view;
    const struct wi_gate_ticket ticket = { .work_ns = MS, .measure = WI_GATE_BELIEVE };
    for (int tick = 1; tick <= 100; tick++) {
        const weir_time now = NOW + tick * 5 * MS;
        assert_true(wi_gate_due(&gate, now));
        for (int i = 0; i < 4 + tick % 3; i++) /* that is 5 in the mean */
            wi_gate_believed(&gate, &ticket);
        wi_gate_tick(&gate, now, 5 * MS + others_ns);
        wi_gate_read(&gate, now, &view);
    }
    return view.capacity;
}

static void what_is_believed_is_no_overhead(void **state)
{
    (void)state;
    assert_in_range((int64_t)(capacity_beside(0) * 1000), 1950, 2000);
    assert_in_range((int64_t)(capacity_beside(MS) * 1000), 1750, 1850);
}

static void routes_beyond_the_last_share_it(void **state)
{
    (void)state;
    teach(WI_GATE_ROUTES + 5, 2 * MS, 0);
    assert_int_equal(wi_gate_route_cost(&gate, UINT32_MAX), 2 * MS);
    assert_int_equal(wi_gate_route_cost(&gate, WI_GATE_ROUTES - 1), 2 * MS);
    assert_int_equal(wi_gate_route_cost(&gate, WI_GATE_ROUTES - 2), 0);
}

static void who_is_not_asked_for_is_charged_in_the_end(void **state)
{
    (void)state;
    struct wi_gate_ticket ticket;
    const uint32_t routes[] = { 3, WI_GATE_ROUTES - 1, WI_GATE_ROUTES, UINT32_MAX };
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        set_up(NULL);
        wi_gate_pass(routes[i], &ticket);
        assert_in_range(ticket.route, 0, WI_GATE_ROUTES - 1);
        assert_int_equal(backlog(NOW), 0);
        wi_gate_ended(&gate, &ticket, 2 * MS, 2 * MS);
        assert_in_range(backlog(NOW), 2 * MS - 1, 2 * MS + 1);
        assert_int_equal(wi_gate_route_cost(&gate, routes[i]), 2 * MS);
    }
}

static void nonsense_reported_is_bounded(void **state)
{
    (void)state;
    struct wi_gate_ticket ticket;
    assert_int_equal(ask_at(NOW, 3, &ticket), WI_GATE_ADMIT);
    wi_gate_started(&gate, &ticket, -5);
    wi_gate_ended(&gate, &ticket, -5, INT64_MIN);
    assert_int_equal(backlog(NOW), 0);
    assert_int_equal(ask_at(NOW, 4, &ticket), WI_GATE_ADMIT);
    wi_gate_started(&gate, &ticket, INT64_MAX);
    wi_gate_ended(&gate, &ticket, INT64_MAX, INT64_MAX);
    (void)ask_at(NOW, 4, &ticket);
    assert_true(backlog(NOW) <= WI_VQUEUE_AHEAD_MAX_NS);
    assert_true(wi_gate_due(&gate, NOW + 5 * MS));
    wi_gate_tick(&gate, NOW + 5 * MS, INT64_MIN);
    assert_true(wi_gate_due(&gate, NOW + 10 * MS));
    wi_gate_tick(&gate, NOW + 10 * MS, INT64_MAX);
    const weir_time later = NOW + 3 * WEIR_NS_PER_S;
    assert_int_equal(ask_at(later, 5, &ticket), WI_GATE_ADMIT);
}

static void a_tick_is_given_to_one_caller_at_a_time(void **state)
{
    (void)state;
    assert_false(wi_gate_due(&gate, NOW + 4 * MS));
    assert_true(wi_gate_due(&gate, NOW + 5 * MS));
    assert_false(wi_gate_due(&gate, NOW + 50 * MS)); /* the first one has not ended */
    wi_gate_tick(&gate, NOW + 5 * MS, 0);
    assert_false(wi_gate_due(&gate, NOW + 9 * MS));
    assert_true(wi_gate_due(&gate, NOW + 10 * MS));
}

static void ticks_survive_clocks_that_step(void **state)
{
    (void)state;
    struct wi_gate_ticket ticket;
    const weir_time times[] = { NOW + 5 * MS, NOW - 7200 * WEIR_NS_PER_S,
                                NOW + 86400 * WEIR_NS_PER_S, NOW, NOW + 5 * MS };
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        assert_true(wi_gate_due(&gate, times[i]));
        wi_gate_tick(&gate, times[i], 0);
        assert_false(wi_gate_due(&gate, times[i]));
    }
    const weir_time later = NOW + 5 * WEIR_NS_PER_S;
    (void)ask_at(later, 1, &ticket);
    assert_int_equal(ask_at(later + 2 * WEIR_NS_PER_S, 1, &ticket), WI_GATE_ADMIT);
}

/* The brake after a second of an overload whose requests start 300 ms later than foretold. */
static double brake_of(int64_t slots, int64_t held_ns)
{
    struct wi_gate_view view;
    weir_time now = NOW;
    open_gate(1, slots);
    teach(3, 2 * MS, held_ns);
    while ((now += WI_GATE_TICK_NS) < NOW + WEIR_NS_PER_S) {
        for (int i = 0; i < 10; i++) {
            struct wi_gate_ticket ticket;
            if (ask_at(now, 3, &ticket) != WI_GATE_ADMIT)
                continue;
            wi_gate_started(&gate, &ticket, ticket.wait_ns + 300 * MS);
            wi_gate_ended(&gate, &ticket, 2 * MS, held_ns);
        }
        assert_true(wi_gate_due(&gate, now));
        wi_gate_tick(&gate, now, 0);
    }
    wi_gate_read(&gate, now, &view);
    return view.brake;
}

static void late_starts_brake_unless_slots_are_tighter(void **state)
{
    (void)state;
    assert_true(brake_of(0, 0) < 0.8);
    assert_true(brake_of(256, 50 * MS) < 0.8); /* threads: 256 that compute on one core */
    assert_true(brake_of(1, 50 * MS) == 1.0);
}

static void patience_and_advice_follow_the_load(void **state)
{
    (void)state;
    struct wi_gate_ticket ticket;
    assert_int_equal(wi_gate_patience(&gate), WEIR_NS_PER_S);
    assert_int_equal(wi_gate_retry_after(&gate, UINT64_MAX), WEIR_NS_PER_S);
    teach(3, 2 * MS, 2 * MS);
    for (int tick = 1; tick <= 1000; tick++) {
        for (int i = 0; i < 8; i++) /* 3.2 times what one worker can do */
            (void)ask_at(NOW + tick * 5 * MS, 3, &ticket);
        assert_true(wi_gate_due(&gate, NOW + tick * 5 * MS));
        wi_gate_tick(&gate, NOW + tick * 5 * MS, 0);
    }
    assert_int_equal(wi_gate_patience(&gate), 100 * MS);
    assert_int_equal(wi_gate_retry_after(&gate, 0), WEIR_NS_PER_S);
    assert_in_range(wi_gate_retry_after(&gate, UINT64_MAX), 5 * WEIR_NS_PER_S, 6 * WEIR_NS_PER_S);
}

static void who_ends_too_late_is_not_started(void **state)
{
    (void)state;
    struct wi_gate_ticket ticket = { .work_ns = 10 * MS };
    assert_false(wi_gate_is_late(&ticket, NOW, NOW, WEIR_NO_DEADLINE));
    assert_true(wi_gate_is_late(&ticket, NOW, NOW, NOW));
    assert_true(wi_gate_is_late(&ticket, NOW, NOW - 30 * MS, NOW + 9 * MS));
    assert_false(wi_gate_is_late(&ticket, NOW, NOW - 30 * MS, NOW + 11 * MS));
    /* The charge may be of another day: who has not waited is tried, whatever it says. */
    ticket.work_ns = 10 * WEIR_NS_PER_S;
    assert_false(wi_gate_is_late(&ticket, NOW, NOW, NOW + MS));
    assert_true(wi_gate_is_late(&ticket, NOW, NOW, INT64_MIN));
    assert_false(wi_gate_is_late(&ticket, NOW, INT64_MIN / 4, INT64_MAX - 1));
}

static void one_request_out_of_all_proportion_teaches_little(void **state)
{
    (void)state;
    struct wi_gate_ticket ticket;
    teach(3, MS, MS);
    assert_int_equal(ask_at(NOW, 3, &ticket), WI_GATE_ADMIT);
    wi_gate_ended(&gate, &ticket, WEIR_NS_PER_S, WEIR_NS_PER_S);
    assert_in_range(wi_gate_route_cost(&gate, 3), MS, MS + MS / 7);
    assert_true(backlog(NOW) <= 33 * MS);
}

/* Asks `count` times at the tick's time: how many were admitted. */
static int ask_for(int tick, int count, uint32_t client, enum wi_gate_class class)
{
    int admitted = 0;
    for (int i = 0; i < count; i++) {
        const struct wi_gate_ask ask = {
            .now = NOW + tick * 5 * MS,
            .arrived = NOW + tick * 5 * MS,
            .deadline = WEIR_NO_DEADLINE,
            .route = 3,
            .client = client,
            .class = class,
        };
        struct wi_gate_ticket ticket;
        if (wi_gate_ask(&gate, &ask, &ticket) != WI_GATE_ADMIT)
            continue;
        admitted++;
        wi_gate_started(&gate, &ticket, 0);
        wi_gate_ended(&gate, &ticket, MS, MS);
    }
    if (wi_gate_due(&gate, NOW + tick * 5 * MS))
        wi_gate_tick(&gate, NOW + tick * 5 * MS, 0);
    return admitted;
}

static void batch_makes_room_for_interactive_requests(void **state)
{
    (void)state;
    teach(3, MS, MS);
    int interactive = 0;
    int batch = 0;
    for (int tick = 1; tick <= 2000; tick++) {
        batch += ask_for(tick, 8, 0, WI_GATE_BATCH);
        interactive += ask_for(tick, 3, 0, WI_GATE_INTERACTIVE);
    }
    assert_true(interactive >= 5990);   /* of 6,000 */
    assert_in_range(batch, 3800, 4300); /* what is left of 10,000 */
}

static void a_heavy_client_makes_room_for_light_ones(void **state)
{
    (void)state;
    teach(3, MS, MS);
    int light = 0;
    int heavy = 0;
    for (int tick = 1; tick <= 2000; tick++) {
        const bool settled = tick > 1000; /* it takes a moment to see who is who */
        heavy += ask_for(tick, 8, 77, WI_GATE_INTERACTIVE) * settled;
        light +=
            ask_for(tick, 2, 1000003 * (uint32_t)(tick % 20 + 1), WI_GATE_INTERACTIVE) * settled;
    }
    assert_in_range(light, 1990, 2000);
    assert_in_range(heavy, 2900, 3100);
}

static void an_overload_that_is_over_is_held_against_nobody(void **state)
{
    (void)state;
    teach(3, MS, MS);
    int tick = 0;
    while (++tick <= 1000) {
        (void)ask_for(tick, 8, 77, WI_GATE_INTERACTIVE);
        (void)ask_for(tick, 2, 1000003 * (uint32_t)(tick % 20 + 1), WI_GATE_INTERACTIVE);
    }
    assert_true(wi_fair_is_heavy(&gate.fair, 77));
    while (++tick <= 6000)
        (void)ask_for(tick, 1, 77, WI_GATE_INTERACTIVE);
    assert_false(wi_fair_is_heavy(&gate.fair, 77));
}

static void expect_abort(int workers, int64_t slots)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        open_gate(workers, slots);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void a_gate_without_workers_is_a_bug(void **state)
{
    (void)state;
    expect_abort(0, 0);
    expect_abort(-1, 0);
    expect_abort(1, -1);
}

/* -- threads ---------------------------------------------------------------------------------- */

enum {
    THREADS = 4,
    ROUNDS = 20000
};

static wi_atomic_i64 clock_ns;
static wi_atomic_u32 ticks;
static wi_atomic_u32 believed;

static void *pass_through(void *arg)
{
    int64_t *admitted = arg;
    for (int i = 0; i < ROUNDS; i++) {
        const weir_time now = NOW + wi_add_relaxed(&clock_ns, 10000);
        if (wi_gate_due(&gate, now)) {
            wi_gate_tick(&gate, now, 1000);
            (void)wi_add_relaxed(&ticks, 1);
        }
        struct wi_gate_ticket ticket;
        if (ask_at(now, (uint32_t)(i % 3), &ticket) != WI_GATE_ADMIT)
            continue;
        ++*admitted;
        if (i % 7 == 0) {
            wi_gate_dropped(&gate, &ticket);
        } else if (ticket.measure == WI_GATE_BELIEVE) {
            wi_gate_believed(&gate, &ticket);
            (void)wi_add_relaxed(&believed, 1);
        } else {
            wi_gate_started(&gate, &ticket, 1000);
            wi_gate_ended(&gate, &ticket, 5000, 20000);
        }
    }
    return NULL;
}

static void pass_together(int64_t slots)
{
    pthread_t threads[THREADS];
    int64_t admitted[THREADS] = { 0 };
    open_gate(THREADS, slots);
    wi_store_relaxed(&clock_ns, 0);
    wi_store_relaxed(&ticks, 0);
    wi_store_relaxed(&believed, 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, pass_through, &admitted[i]), 0);
    int64_t sum = 0;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        sum += admitted[i];
    }
    /* An eighth of the capacity was asked for, over 0.8 s of the threads' clock.  Who was off his
     * processor between clock and ask comes with a time long past, and may be refused. */
    assert_in_range(sum, THREADS * ROUNDS / 2, THREADS * ROUNDS);
    assert_in_range(wi_load_relaxed(&ticks), 1, 161);
    assert_in_range(wi_gate_route_cost(&gate, 0), 4900, 5100);
    struct wi_gate_view view;
    wi_gate_read(&gate, NOW + wi_load_relaxed(&clock_ns), &view);
    assert_true(view.backlog_ns < MS);
}

static void threads_pass_the_gate_together(void **state)
{
    (void)state;
    pass_together(64);
    assert_int_equal(wi_load_relaxed(&believed), 0);
    pass_together(0);
    assert_in_range(wi_load_relaxed(&believed), 1, THREADS * ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_request_is_charged_what_its_route_takes, set_up),
        cmocka_unit_test_setup(an_unknown_route_is_charged_a_little, set_up),
        cmocka_unit_test_setup(what_it_took_in_the_end_corrects_the_charge, set_up),
        cmocka_unit_test_setup(where_processors_are_shared_a_known_route_costs_its_mean, set_up),
        cmocka_unit_test_setup(a_dropped_request_leaves_nothing, set_up),
        cmocka_unit_test_setup(a_full_queue_sheds_for_want_of_work, set_up),
        cmocka_unit_test_setup(full_slots_shed_and_charge_no_work, set_up),
        cmocka_unit_test_setup(a_free_slot_refuses_nobody, set_up),
        cmocka_unit_test_setup(who_would_be_late_is_told_at_once, set_up),
        cmocka_unit_test_setup(a_far_deadline_refuses_as_many_as_none, set_up),
        cmocka_unit_test_setup(of_cheap_requests_few_are_measured, set_up),
        cmocka_unit_test_setup(all_are_measured_where_that_matters, set_up),
        cmocka_unit_test_setup(who_costs_more_than_the_mean_is_counted, set_up),
        cmocka_unit_test_setup(a_sample_stands_for_many, set_up),
        cmocka_unit_test_setup(what_is_believed_is_no_overhead, set_up),
        cmocka_unit_test_setup(routes_beyond_the_last_share_it, set_up),
        cmocka_unit_test_setup(who_is_not_asked_for_is_charged_in_the_end, set_up),
        cmocka_unit_test_setup(nonsense_reported_is_bounded, set_up),
        cmocka_unit_test_setup(a_tick_is_given_to_one_caller_at_a_time, set_up),
        cmocka_unit_test_setup(ticks_survive_clocks_that_step, set_up),
        cmocka_unit_test_setup(late_starts_brake_unless_slots_are_tighter, set_up),
        cmocka_unit_test_setup(patience_and_advice_follow_the_load, set_up),
        cmocka_unit_test_setup(who_ends_too_late_is_not_started, set_up),
        cmocka_unit_test_setup(one_request_out_of_all_proportion_teaches_little, set_up),
        cmocka_unit_test_setup(batch_makes_room_for_interactive_requests, set_up),
        cmocka_unit_test_setup(a_heavy_client_makes_room_for_light_ones, set_up),
        cmocka_unit_test_setup(an_overload_that_is_over_is_held_against_nobody, set_up),
        cmocka_unit_test_setup(a_gate_without_workers_is_a_bug, set_up),
        cmocka_unit_test(threads_pass_the_gate_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
