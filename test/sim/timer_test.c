/* SPDX-License-Identifier: MIT */
/* Timers, tickers and signals where the clock is virtual: days pass in moments, every tick comes in
 * its order, never early and never late by more than a slot of the wheel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "os/signal.h"
#include "os/sim/sim.h"
#include "support/run.h"

static const int64_t HOUR_NS = 3600 * WEIR_NS_PER_S;

/* What a slot of the timer wheel and the steps of the clock may add. */
static const int64_t SLACK_NS = WEIR_NS_PER_MS;

#define SIM(name)                                                                                  \
    static int name##_body(void *unused __attribute__((unused)));                                  \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        const struct weir_opts opts = { .scheduler = WEIR_SCHEDULER_LOOP };                        \
        wi_sim_reset(&(struct wi_sim_opts){ .seed = test_seed() });                                \
        run_body_with(&opts, name##_body, NULL);                                                   \
    }                                                                                              \
    static int name##_body(void *unused __attribute__((unused)))

static weir_timer *make(void (*fn)(void *), void *arg)
{
    weir_timer *timer;
    CHECK_EQ(weir_timer_create(&timer, &(struct weir_timer_opts){ .fn = fn, .arg = arg }), 0);
    return timer;
}

SIM(ticks_come_on_time_from_nanoseconds_to_years)
{
    weir_timer *timer = make(NULL, NULL);
    for (int64_t ns = 1; ns < 30 * 8760 * HOUR_NS; ns = ns * 3 + 1) {
        const weir_time at = weir_in_ns(ns);
        CHECK_EQ(weir_timer_start(timer, at, 0), 0);
        CHECK_EQ(weir_timer_wait(timer, NULL, WEIR_NO_DEADLINE), 0);
        CHECK(weir_now() >= at);
        CHECK(weir_now() < at + SLACK_NS);
    }
    weir_timer_destroy(timer);
    return 0;
}

enum {
    TIMERS = 200
};

struct mark {
    weir_timer *timer;
    weir_time at;
    struct order *order;
};

struct order {
    struct mark marks[TIMERS];
    weir_time last;
    int fired;
};

static void note(void *arg)
{
    const struct mark *mark = arg;
    CHECK(weir_now() >= mark->at);
    CHECK(weir_now() < mark->at + SLACK_NS);
    CHECK(mark->at >= mark->order->last);
    mark->order->last = mark->at;
    mark->order->fired++;
}

/* Far enough apart that no two share a slot of the wheel. */
SIM(functions_are_called_in_the_order_of_their_instants)
{
    static struct order order;
    uint64_t seed = test_seed();
    order = (struct order){ .fired = 0 };
    const weir_time begin = weir_now();
    int stopped = 0;
    for (int i = 0; i < TIMERS; i++) {
        struct mark *mark = &order.marks[i];
        const int64_t place = (int64_t)i * 71 % TIMERS + 1;
        *mark = (struct mark){ .at = begin + place * HOUR_NS, .order = &order };
        mark->timer = make(note, mark);
        CHECK_EQ(weir_timer_start(mark->timer, mark->at, 0), 0);
    }
    for (int i = 0; i < TIMERS; i++) {
        if (draw_below(&seed, 3) == 0) {
            CHECK(weir_timer_stop(order.marks[i].timer));
            stopped++;
        }
    }
    CHECK_EQ(weir_sleep(begin + (TIMERS + 1) * HOUR_NS), 0);
    CHECK_EQ(order.fired, TIMERS - stopped);
    for (int i = 0; i < TIMERS; i++)
        weir_timer_destroy(order.marks[i].timer);
    return 0;
}

SIM(a_ticker_of_a_minute_ticks_1440_times_a_day)
{
    const int64_t minute = 60 * WEIR_NS_PER_S;
    weir_timer *timer = make(NULL, NULL);
    const weir_time begin = weir_in_ns(minute);
    CHECK_EQ(weir_timer_start(timer, begin, minute), 0);
    int64_t total = 0;
    while (total < 1440) {
        int64_t ticks = 0;
        if (total == 700) /* overslept by ten and a half */
            CHECK_EQ(weir_sleep(weir_in_ns(10 * minute + minute / 2)), 0);
        CHECK_EQ(weir_timer_wait(timer, &ticks, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(ticks, total == 700 ? 10 : 1);
        total += ticks;
        const weir_time due = begin + (total - 1) * minute;
        CHECK(weir_now() >= due);
        CHECK(weir_now() < due + minute / 2 + SLACK_NS);
        CHECK(total == 710 || weir_now() < due + SLACK_NS);
    }
    CHECK(weir_timer_stop(timer));
    weir_timer_destroy(timer);
    return 0;
}

/* A ticker that nobody looks at is no reason to wake up. */
SIM(an_unread_ticker_wakes_nobody)
{
    weir_timer *timer = make(NULL, NULL);
    CHECK_EQ(weir_timer_start(timer, weir_in_ms(10), 10 * WEIR_NS_PER_MS), 0);
    const uint64_t before = wi_sim_jumps();
    CHECK_EQ(weir_sleep(weir_in_ns(HOUR_NS)), 0);
    CHECK(wi_sim_jumps() - before < 100);
    int64_t ticks = 0;
    CHECK_EQ(weir_timer_wait(timer, &ticks, WEIR_DONT_WAIT), 0);
    CHECK(ticks >= 359999 && ticks <= 360000);
    weir_timer_destroy(timer);
    return 0;
}

SIM(a_select_ends_by_whatever_comes_first)
{
    const int list[] = { wi_signal_user1 };
    weir_signals *signals;
    weir_chan *ch;
    int won[4] = { 0 };
    uint64_t seed = test_seed();
    CHECK_EQ(weir_signals_open(&signals, list, 1), 0);
    CHECK_EQ(weir_chan_create(&ch, NULL), 0);
    weir_timer *timer = make(NULL, NULL);
    for (int i = 0; i < 500; i++) {
        const weir_time now = weir_now();
        const weir_time signal_at = now + (1 + draw_below(&seed, 1000)) * WEIR_NS_PER_S;
        const weir_time tick_at = now + (1 + draw_below(&seed, 1000)) * WEIR_NS_PER_S;
        const weir_time until = now + (1 + draw_below(&seed, 1000)) * WEIR_NS_PER_S;
        wi_sim_signal(signal_at, wi_signal_user1);
        CHECK(weir_timer_start(timer, tick_at, 0) >= 0);
        struct weir_signal_event event = { 0 };
        struct weir_select_case cases[] = {
            { .op = WEIR_SELECT_RECV, .ch = ch },
            { .op = WEIR_SELECT_SIGNAL, .signals = signals, .msg = &event },
            { .op = WEIR_SELECT_TIMER, .timer = timer },
            { .op = WEIR_SELECT_UNTIL, .until = until },
        };
        const int which = weir_select(cases, 4, WEIR_NO_DEADLINE);
        CHECK(which > 0);
        const weir_time at = which == 1 ? signal_at : which == 2 ? tick_at : until;
        CHECK(weir_now() >= at && weir_now() < at + SLACK_NS);
        CHECK(at <= signal_at && at <= tick_at && at <= until);
        won[which]++;
        if (which != 1)
            CHECK_EQ(weir_signals_wait(signals, &event, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(event.signal, wi_signal_user1);
        CHECK_EQ(event.count, 1);
    }
    CHECK(won[1] > 0 && won[2] > 0 && won[3] > 0);
    weir_timer_destroy(timer);
    weir_chan_destroy(ch);
    weir_signals_close(signals);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_come_on_time_from_nanoseconds_to_years),
        cmocka_unit_test(functions_are_called_in_the_order_of_their_instants),
        cmocka_unit_test(a_ticker_of_a_minute_ticks_1440_times_a_day),
        cmocka_unit_test(an_unread_ticker_wakes_nobody),
        cmocka_unit_test(a_select_ends_by_whatever_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
