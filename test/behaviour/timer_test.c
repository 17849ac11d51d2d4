/* SPDX-License-Identifier: MIT */
/* Timers and tickers as users rely on them, under every model: never early, no tick of the past,
 * and stop and start mean what they say. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

static weir_timer *make(void)
{
    weir_timer *timer;
    CHECK_EQ(weir_timer_create(&timer, NULL), 0);
    return timer;
}

static weir_timer *make_calling(void (*fn)(void *), void *arg)
{
    weir_timer *timer;
    const struct weir_timer_opts opts = { .fn = fn, .arg = arg };
    CHECK_EQ(weir_timer_create(&timer, &opts), 0);
    return timer;
}

BOTH(a_tick_is_never_early)
{
    static const int64_t spans[] = { 0, 1, 1000, 65535, 65536, 65537, 300000, 3333333, 20000000 };
    weir_timer *timer = make();
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        const weir_time at = weir_now() + spans[i];
        int64_t ticks = 0;
        CHECK_EQ(weir_timer_start(timer, at, 0), 0);
        CHECK_EQ(weir_timer_wait(timer, &ticks, WEIR_NO_DEADLINE), 0);
        CHECK(weir_now() >= at);
        CHECK_EQ(ticks, 1);
        CHECK_EQ(weir_timer_wait(timer, NULL, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
        CHECK(!weir_timer_stop(timer));
    }
    weir_timer_destroy(timer);
    return 0;
}

BOTH(stop_says_whether_it_prevented_the_tick)
{
    weir_timer *timer = make();
    CHECK(!weir_timer_stop(timer));
    CHECK_EQ(weir_timer_start(timer, weir_in_ms(60000), 0), 0);
    CHECK(weir_timer_stop(timer));
    CHECK(!weir_timer_stop(timer));
    CHECK_EQ(weir_timer_start(timer, weir_now(), 0), 0);
    CHECK_EQ(weir_timer_wait(timer, NULL, WEIR_NO_DEADLINE), 0);
    CHECK(!weir_timer_stop(timer));
    CHECK_EQ(weir_timer_start(timer, WEIR_NO_DEADLINE, 0), 0);
    CHECK_EQ(weir_timer_wait(timer, NULL, weir_in_ms(1)), WEIR_ETIMEDOUT);
    CHECK(weir_timer_stop(timer));
    CHECK_EQ(weir_timer_start(timer, weir_now(), -1), WEIR_EINVAL);
    weir_timer_destroy(timer);
    return 0;
}

BOTH(after_stop_or_start_no_old_tick_is_left)
{
    weir_timer *timer = make();
    for (int i = 0; i < 50; i++) {
        CHECK(weir_timer_start(timer, weir_now(), 0) >= 0);
        CHECK_EQ(weir_sleep(weir_in_ns(i * 7000)), 0);
        IGNORE(weir_timer_stop(timer));
        CHECK_EQ(weir_timer_wait(timer, NULL, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
        CHECK_EQ(weir_timer_start(timer, weir_now(), 0), 0);
        CHECK_EQ(weir_sleep(weir_in_ns(i * 7000)), 0);
        CHECK(weir_timer_start(timer, weir_in_ms(60000), 0) >= 0);
        CHECK_EQ(weir_timer_wait(timer, NULL, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
        CHECK(weir_timer_stop(timer));
    }
    weir_timer_destroy(timer);
    return 0;
}

BOTH(starting_anew_extends)
{
    weir_timer *timer = make();
    weir_time at = weir_in_ms(2);
    CHECK_EQ(weir_timer_start(timer, at, 0), 0);
    for (int i = 0; i < 20; i++) {
        at = weir_in_ms(10);
        CHECK(weir_timer_start(timer, at, 0) >= 0);
    }
    CHECK_EQ(weir_timer_wait(timer, NULL, WEIR_NO_DEADLINE), 0);
    CHECK(weir_now() >= at);
    at = weir_in_ms(60000);
    CHECK_EQ(weir_timer_start(timer, at, 0), 0);
    CHECK_EQ(weir_timer_start(timer, weir_in_ms(1), 0), 1);
    CHECK_EQ(weir_timer_wait(timer, NULL, WEIR_NO_DEADLINE), 0);
    CHECK(weir_now() < at);
    weir_timer_destroy(timer);
    return 0;
}

struct setter {
    weir_timer *timer;
    weir_time at;
};

static int wait_for_tick(void *arg)
{
    struct setter *setter = arg;
    CHECK_EQ(weir_timer_wait(setter->timer, NULL, WEIR_NO_DEADLINE), 0);
    CHECK(weir_now() >= setter->at);
    return 0;
}

BOTH(who_waits_goes_on_waiting_for_the_new_tick)
{
    struct setter setter = { .timer = make() };
    weir_task *task;
    setter.at = weir_in_ms(60000);
    CHECK_EQ(weir_timer_start(setter.timer, setter.at, 0), 0);
    CHECK_EQ(weir_task_start(&task, wait_for_tick, &setter), 0);
    await_waiters("timer", 1);
    CHECK(weir_timer_stop(setter.timer));
    CHECK_EQ(weir_task_join(task, NULL, weir_in_ms(2)), WEIR_ETIMEDOUT);
    setter.at = weir_in_ms(1);
    CHECK_EQ(weir_timer_start(setter.timer, setter.at, 0), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    weir_timer_destroy(setter.timer);
    return 0;
}

BOTH(one_tick_goes_to_one_waiter_in_their_order)
{
    struct setter setter = { .timer = make() };
    weir_task *first;
    weir_task *second;
    CHECK_EQ(weir_task_start(&first, wait_for_tick, &setter), 0);
    await_waiters("timer", 1);
    CHECK_EQ(weir_task_start(&second, wait_for_tick, &setter), 0);
    await_waiters("timer", 2);
    CHECK_EQ(weir_timer_start(setter.timer, weir_in_ms(1), 0), 0);
    struct weir_select_case cases[] = { { .op = WEIR_SELECT_JOIN, .task = first },
                                        { .op = WEIR_SELECT_JOIN, .task = second } };
    CHECK_EQ(weir_select(cases, 2, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_task_join(second, NULL, weir_in_ms(2)), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_timer_start(setter.timer, weir_now(), 0), 0);
    CHECK_EQ(weir_task_join(second, NULL, WEIR_NO_DEADLINE), 0);
    weir_timer_destroy(setter.timer);
    return 0;
}

/* -- tickers ---------------------------------------------------------------------------------- */

BOTH(a_ticker_does_not_drift_and_counts_what_it_missed)
{
    const int64_t period = 500000;
    weir_timer *timer = make();
    const weir_time begin = weir_in_ms(1);
    CHECK_EQ(weir_timer_start(timer, begin, period), 0);
    int64_t total = 0;
    for (int i = 0; i < 20; i++) {
        int64_t ticks = 0;
        if (i % 7 == 6)
            CHECK_EQ(weir_sleep(weir_in_ns(5 * period)), 0); /* now some are missed */
        CHECK_EQ(weir_timer_wait(timer, &ticks, WEIR_NO_DEADLINE), 0);
        CHECK(ticks >= 1);
        CHECK(i % 7 != 6 || ticks >= 5);
        total += ticks;
        /* Tick number n is due at begin + (n - 1) periods, however late the ones before were. */
        CHECK(weir_now() >= begin + (total - 1) * period);
    }
    CHECK(total <= 1 + (weir_now() - begin) / period);
    CHECK(weir_timer_stop(timer) || weir_timer_wait(timer, NULL, WEIR_DONT_WAIT) != 0);
    CHECK_EQ(weir_timer_wait(timer, NULL, weir_in_ms(3)), WEIR_ETIMEDOUT);
    weir_timer_destroy(timer);
    return 0;
}

/* -- functions -------------------------------------------------------------------------------- */

static void count(void *arg)
{
    bump(arg);
}

BOTH(a_function_is_called_at_each_tick)
{
    int calls = 0;
    weir_timer *timer = make_calling(count, &calls);
    const weir_time begin = weir_in_ms(1);
    CHECK_EQ(weir_timer_start(timer, begin, 200000), 0);
    while (peek(&calls) < 5)
        CHECK_EQ(weir_sleep(weir_in_ns(100000)), 0);
    CHECK(weir_now() >= begin + 4 * 200000);
    IGNORE(weir_timer_stop(timer));
    weir_timer_destroy(timer);
    const int after = peek(&calls);
    CHECK_EQ(weir_sleep(weir_in_ms(2)), 0);
    CHECK_EQ(peek(&calls), after);
    return 0;
}

BOTH(stop_is_true_exactly_if_the_function_is_not_called)
{
    int calls = 0;
    int expected = 0;
    weir_timer *timer = make_calling(count, &calls);
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(weir_timer_start(timer, weir_in_ns(i * 2000), 0), 0);
        if (i % 3 == 0)
            CHECK_EQ(weir_sleep(weir_in_ns(i * 2000)), 0);
        expected += weir_timer_stop(timer) ? 0 : 1;
        await(&calls, expected);
        CHECK_EQ(peek(&calls), expected);
    }
    weir_timer_destroy(timer);
    CHECK_EQ(peek(&calls), expected);
    return 0;
}

struct chain {
    weir_timer *timer;
    int calls;
    int gone;
};

static void go_on(void *arg)
{
    struct chain *chain = arg;
    if (bump(&chain->calls) < 5) {
        CHECK_EQ(weir_timer_start(chain->timer, weir_now(), 0), 0);
        return;
    }
    weir_timer_destroy(chain->timer);
    post(&chain->gone, 1);
}

BOTH(a_function_may_start_and_destroy_its_own_timer)
{
    struct chain chain = { .calls = 0 };
    chain.timer = make_calling(go_on, &chain);
    CHECK_EQ(weir_timer_start(chain.timer, weir_in_ms(1), 0), 0);
    while (peek(&chain.gone) == 0)
        CHECK_EQ(weir_sleep(weir_in_ns(100000)), 0);
    CHECK_EQ(peek(&chain.calls), 5);
    return 0;
}

static void send_later(void *arg)
{
    const int value = 8;
    CHECK_EQ(weir_chan_send(arg, &value, WEIR_DONT_WAIT), 0);
}

BOTH(a_function_may_call_what_never_waits)
{
    weir_chan *ch;
    int got = 0;
    CHECK_EQ(weir_chan_create(
                 &ch, &(struct weir_chan_opts){ .elem_bytes = sizeof(int), .cap_elems = 1 }),
             0);
    weir_timer *timer = make_calling(send_later, ch);
    CHECK_EQ(weir_timer_start(timer, weir_in_ms(1), 0), 0);
    CHECK_EQ(weir_chan_recv(ch, &got, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(got, 8);
    weir_timer_destroy(timer);
    weir_chan_destroy(ch);
    return 0;
}

struct slow {
    int began;
    int ended;
};

static void take_time(void *arg)
{
    struct slow *slow = arg;
    bump(&slow->began);
    burn_ms(5);
    bump(&slow->ended);
}

static int touch_nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* From outside, so that the function runs meanwhile wherever there is another thread for it. */
static void destroy_waits_for_the_function(void **state)
{
    (void)state;
    if (!model_is_parallel()) {
        printf("SKIP: one thread runs everything\n");
        skip();
    }
    runtime_open(NULL);
    CHECK_EQ(weir_run(touch_nothing, NULL, NULL), 0);
    for (int i = 0; i < 5; i++) {
        struct slow slow = { 0 };
        weir_timer *timer = make_calling(take_time, &slow);
        CHECK_EQ(weir_timer_start(timer, weir_now(), 0), 0);
        await(&slow.began, 1);
        weir_timer_destroy(timer);
        CHECK_EQ(slow.ended, 1);
    }
    runtime_close();
}

/* -- many, everywhere ------------------------------------------------------------------------- */

enum {
    TIMERS = 100,
    ROUNDS = 300
};

struct field {
    weir_timer *timers[TIMERS];
    int calls;
    int expected;
    uint64_t seed;
};

/* Starts timers that others have started and stops those they rely on: every call says what it
 * prevented, and in the end the sum is right. */
static int start_and_stop(void *arg)
{
    struct field *field = arg;
    uint64_t seed = __atomic_add_fetch(&field->seed, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < ROUNDS; i++) {
        weir_timer *timer = field->timers[draw_below(&seed, TIMERS)];
        if (draw_below(&seed, 3) == 0) {
            if (weir_timer_stop(timer))
                __atomic_sub_fetch(&field->expected, 1, __ATOMIC_SEQ_CST);
        } else {
            bump(&field->expected);
            const int rc = weir_timer_start(timer, weir_in_ns(draw_below(&seed, 400000)), 0);
            CHECK(rc >= 0);
            if (rc == 1)
                __atomic_sub_fetch(&field->expected, 1, __ATOMIC_SEQ_CST);
        }
        if (i % 16 == 0)
            CHECK_EQ(weir_sleep(weir_in_ns(draw_below(&seed, 200000))), 0);
    }
    return 0;
}

static void *start_and_stop_thread(void *arg)
{
    CHECK_EQ(start_and_stop(arg), 0);
    return NULL;
}

RUN(what_every_worker_and_thread_starts_and_stops_adds_up)
{
    struct field field = { .seed = test_seed() };
    for (int i = 0; i < TIMERS; i++)
        field.timers[i] = make_calling(count, &field.calls);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, start_and_stop_thread, &field), 0);
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(weir_go(start_and_stop, &field), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    /* What is still to come ticks within half a millisecond. */
    while (peek(&field.calls) < peek(&field.expected))
        CHECK_EQ(weir_sleep(weir_in_ns(200000)), 0);
    CHECK_EQ(weir_sleep(weir_in_ms(2)), 0);
    CHECK_EQ(peek(&field.calls), peek(&field.expected));
    for (int i = 0; i < TIMERS; i++)
        weir_timer_destroy(field.timers[i]);
    return 0;
}

BOTH(ten_thousand_timers_at_one_time)
{
    enum {
        MANY = 10000
    };
    static weir_timer *timers[MANY];
    const weir_time base = weir_in_ms(60000);
    for (int i = 0; i < MANY; i++) {
        timers[i] = make();
        CHECK_EQ(weir_timer_start(timers[i], base + (weir_time)i * 10000000, 0), 0);
    }
    for (int i = 0; i < MANY; i += 2)
        CHECK(weir_timer_stop(timers[i]));
    for (int i = 0; i < MANY; i++)
        weir_timer_destroy(timers[i]);
    return 0;
}

/* -- closing and misuse ----------------------------------------------------------------------- */

static void timers_stand_still_once_the_runtime_is_closed(void **state)
{
    (void)state;
    weir_timer *timers[4];
    int calls = 0;
    runtime_open(NULL);
    for (int i = 0; i < 4; i++) {
        timers[i] = i < 2 ? make() : make_calling(count, &calls);
        CHECK_EQ(weir_timer_start(timers[i], weir_in_ms(60000), i % 2), 0);
    }
    runtime_close();
    CHECK_EQ(weir_timer_start(timers[0], weir_now(), 0), WEIR_ENOTOPEN);
    CHECK(weir_timer_stop(timers[0]));
    CHECK(!weir_timer_stop(timers[0]));
    runtime_open(NULL);
    CHECK_EQ(weir_timer_start(timers[0], weir_in_ms(1), 0), 0);
    CHECK_EQ(weir_timer_start(timers[2], weir_in_ms(1), 0), 1);
    CHECK_EQ(weir_timer_wait(timers[0], NULL, WEIR_NO_DEADLINE), 0);
    while (peek(&calls) < 1)
        CHECK_EQ(weir_sleep(weir_in_ms(1)), 0);
    for (int i = 0; i < 4; i++)
        weir_timer_destroy(timers[i]);
    runtime_close();
}

static int destroy_while_waited_for(void *arg)
{
    struct setter setter = { .timer = make() };
    (void)arg;
    CHECK_EQ(weir_go(wait_for_tick, &setter), 0);
    await_waiters("timer", 1);
    weir_timer_destroy(setter.timer);
    return 0;
}

static void destroy_in_use(void)
{
    run_body(destroy_while_waited_for, NULL);
}

static void destroying_a_timer_that_is_waited_for_aborts(void **state)
{
    (void)state;
    char text[1024];
    assert_int_equal(run_in_child(destroy_in_use, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "weir_timer_destroy"));
}

static void wait_in_function(void *arg)
{
    IGNORE(weir_timer_wait(arg, NULL, WEIR_NO_DEADLINE));
}

static int call_what_waits(void *arg)
{
    (void)arg;
    weir_timer *other = make();
    weir_timer *timer = make_calling(wait_in_function, other);
    CHECK_EQ(weir_timer_start(timer, weir_now(), 0), 0);
    CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), 0);
    return 0;
}

static void wait_in_a_function(void)
{
    run_body(call_what_waits, NULL);
}

static void a_function_that_waits_aborts(void **state)
{
    (void)state;
    char text[1024];
    assert_int_equal(run_in_child(wait_in_a_function, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "must not wait"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tick_is_never_early),
        cmocka_unit_test(stop_says_whether_it_prevented_the_tick),
        cmocka_unit_test(after_stop_or_start_no_old_tick_is_left),
        cmocka_unit_test(starting_anew_extends),
        cmocka_unit_test(who_waits_goes_on_waiting_for_the_new_tick),
        cmocka_unit_test(one_tick_goes_to_one_waiter_in_their_order),
        cmocka_unit_test(a_ticker_does_not_drift_and_counts_what_it_missed),
        cmocka_unit_test(a_function_is_called_at_each_tick),
        cmocka_unit_test(stop_is_true_exactly_if_the_function_is_not_called),
        cmocka_unit_test(a_function_may_start_and_destroy_its_own_timer),
        cmocka_unit_test(a_function_may_call_what_never_waits),
        cmocka_unit_test(destroy_waits_for_the_function),
        cmocka_unit_test(what_every_worker_and_thread_starts_and_stops_adds_up),
        cmocka_unit_test(ten_thousand_timers_at_one_time),
        cmocka_unit_test(timers_stand_still_once_the_runtime_is_closed),
        cmocka_unit_test(destroying_a_timer_that_is_waited_for_aborts),
        cmocka_unit_test(a_function_that_waits_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
