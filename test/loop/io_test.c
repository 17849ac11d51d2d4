/* SPDX-License-Identifier: MIT */
/* Waiting on a descriptor: an event between the system call and the wait is not lost, broken and
 * closed descriptors wake everybody, and a record may be used again under a late event. */
#include "loop/io.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

static struct wi_io io;

static int begin(void **state)
{
    (void)state;
    wi_io_init(&io, -1, wi_io_on_ready);
    return 0;
}

static void tell(uint32_t ready)
{
    io.watch.on_ready(&io.watch, ready);
}

static void an_event_before_the_wait_stays(void **state)
{
    (void)state;
    tell(WI_POLL_READ);
    assert_int_equal(wi_io_wait(&io, WI_POLL_READ, WEIR_NO_DEADLINE), WI_POLL_READ);
    assert_int_equal(wi_io_wait(&io, WI_POLL_READ, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
}

static void one_direction_does_not_take_the_others_event(void **state)
{
    (void)state;
    tell(WI_POLL_READ | WI_POLL_WRITE);
    assert_int_equal(wi_io_wait(&io, WI_POLL_WRITE, WEIR_DONT_WAIT), WI_POLL_WRITE);
    assert_int_equal(wi_io_wait(&io, WI_POLL_READ, WEIR_DONT_WAIT), WI_POLL_READ);
}

static void a_hangup_wakes_readers_and_an_error_both(void **state)
{
    (void)state;
    tell(WI_POLL_HANGUP);
    assert_int_equal(wi_io_wait(&io, WI_POLL_WRITE, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    assert_int_equal(wi_io_wait(&io, WI_POLL_READ, WEIR_DONT_WAIT), WI_POLL_READ);
    tell(WI_POLL_ERROR);
    assert_int_equal(wi_io_wait(&io, WI_POLL_WRITE, WEIR_DONT_WAIT), WI_POLL_WRITE);
    assert_int_equal(wi_io_wait(&io, WI_POLL_READ, WEIR_DONT_WAIT), WI_POLL_READ);
}

static void a_closed_record_answers_at_once(void **state)
{
    (void)state;
    tell(WI_POLL_READ);
    wi_io_mark_closed(&io);
    assert_int_equal(wi_io_wait(&io, WI_POLL_READ, WEIR_NO_DEADLINE), WEIR_ECLOSED);
    wi_io_init(&io, -1, wi_io_on_ready);
    assert_int_equal(wi_io_wait(&io, WI_POLL_READ, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
}

/* -- with threads ------------------------------------------------------------------------------ */

struct waiter {
    uint32_t interest;
    int started;
    int rc;
    int *done;
};

static void *wait_here(void *arg)
{
    struct waiter *waiter = arg;
    bump(&waiter->started);
    waiter->rc = wi_io_wait(&io, waiter->interest, WEIR_NO_DEADLINE);
    bump(waiter->done);
    return NULL;
}

static void wake_waiters(void (*act)(const int *done), int expected[3])
{
    int done = 0;
    struct waiter waiters[3] = { { .interest = WI_POLL_READ },
                                 { .interest = WI_POLL_WRITE },
                                 { .interest = WI_POLL_READ | WI_POLL_WRITE } };
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        waiters[i].done = &done;
        assert_int_equal(pthread_create(&threads[i], NULL, wait_here, &waiters[i]), 0);
        await(&waiters[i].started, 1);
    }
    act(&done);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        if (expected[i] < 0)
            assert_int_equal(waiters[i].rc, expected[i]);
        else
            assert_int_equal(waiters[i].rc & expected[i], expected[i]);
    }
}

static void close_it(const int *done)
{
    (void)done;
    wi_io_mark_closed(&io);
}

/* A waiter that is not queued yet may take a bit that another one wants: so more than once. */
static void tell_until_all_are_served(const int *done)
{
    while (peek(done) < 3) {
        tell(WI_POLL_READ);
        tell(WI_POLL_WRITE);
    }
}

static void closing_wakes_every_waiter(void **state)
{
    (void)state;
    int expected[3] = { WEIR_ECLOSED, WEIR_ECLOSED, WEIR_ECLOSED };
    wake_waiters(close_it, expected);
}

static void each_waiter_is_woken_by_what_it_wants(void **state)
{
    (void)state;
    int expected[3] = { WI_POLL_READ, WI_POLL_WRITE, 0 };
    wake_waiters(tell_until_all_are_served, expected);
}

/* A producer tells as often as the consumer waits; a lost event would hang the consumer. */
enum {
    EVENTS = 20000
};

static int told;
static int heard;

static void *tell_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < EVENTS; i++) {
        bump(&told);
        tell(WI_POLL_READ);
        while (peek(&heard) <= i) {
        }
    }
    return NULL;
}

static void no_event_is_lost_between_call_and_wait(void **state)
{
    (void)state;
    pthread_t thread;
    told = 0;
    heard = 0;
    assert_int_equal(pthread_create(&thread, NULL, tell_many, NULL), 0);
    for (int i = 0; i < EVENTS; i++) {
        while (peek(&told) <= i) {
            const weir_time deadline = i % 2 == 0 ? WEIR_NO_DEADLINE : weir_in_ns(3000);
            const int rc = wi_io_wait(&io, WI_POLL_READ, deadline);
            assert_true(rc > 0 || rc == WEIR_ETIMEDOUT);
        }
        bump(&heard);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* Late events of a former life come while the record is prepared anew: they are spurious, and they
 * must not break its lock. */
static int late_over;

static void *tell_late(void *arg)
{
    (void)arg;
    while (!peek(&late_over))
        tell(WI_POLL_READ | WI_POLL_WRITE);
    return NULL;
}

static void a_record_may_be_prepared_anew_under_late_events(void **state)
{
    (void)state;
    pthread_t thread;
    late_over = 0;
    assert_int_equal(pthread_create(&thread, NULL, tell_late, NULL), 0);
    for (int i = 0; i < 20000; i++) {
        wi_io_init(&io, -1, wi_io_on_ready);
        const int rc = wi_io_wait(&io, WI_POLL_READ, weir_in_ns(1000));
        assert_true(rc > 0 || rc == WEIR_ETIMEDOUT);
    }
    post(&late_over, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

#define IO_TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IO_TEST(an_event_before_the_wait_stays),
        IO_TEST(one_direction_does_not_take_the_others_event),
        IO_TEST(a_hangup_wakes_readers_and_an_error_both),
        IO_TEST(a_closed_record_answers_at_once),
        IO_TEST(closing_wakes_every_waiter),
        IO_TEST(each_waiter_is_woken_by_what_it_wants),
        IO_TEST(no_event_is_lost_between_call_and_wait),
        IO_TEST(a_record_may_be_prepared_anew_under_late_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
