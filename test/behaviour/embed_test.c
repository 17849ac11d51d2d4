/* SPDX-License-Identifier: MIT */
/* A loop that somebody else turns: poll(2) waits on weir's descriptor and weir_turn() never does.
 * Under the other schedulers the calls say that they are not for them.
 *
 * Each wait of the host has no other end than the descriptor or weir_turn_deadline(), so a wake
 * that does not show there hangs. */
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/run.h"

enum {
    IDLE_TURNS = 1000
};

/* Opens, and says whether this model has a loop to turn; else checks what the calls must say. */
static bool host_open(void)
{
    runtime_open(NULL);
    if (model_scheduler() == WEIR_SCHEDULER_LOOP)
        return true;
    assert_int_equal(weir_pollfd(), WEIR_ENOTSUP);
    assert_int_equal(weir_turn(WEIR_DONT_WAIT), WEIR_ENOTSUP);
    assert_int_equal(weir_turn_deadline(), WEIR_NO_DEADLINE);
    runtime_close();
    return false;
}

static int poll_timeout(weir_time deadline)
{
    if (deadline == WEIR_NO_DEADLINE)
        return -1;
    const int64_t left = deadline - weir_now();
    if (left <= 0)
        return 0;
    return left > INT_MAX ? INT_MAX : (int)((left + WEIR_NS_PER_MS - 1) / WEIR_NS_PER_MS);
}

static int readable_within(int timeout_ms)
{
    struct pollfd host = { .fd = weir_pollfd(), .events = POLLIN };
    assert_true(host.fd >= 0);
    const int ready = poll(&host, 1, timeout_ms);
    assert_true(ready >= 0);
    return ready;
}

/* The host's own loop. */
static void turn_until(const int *word, int value)
{
    while (peek(word) < value) {
        (void)readable_within(poll_timeout(weir_turn_deadline()));
        assert_true(weir_turn(WEIR_DONT_WAIT) >= 0);
    }
}

/* Turns until there is nothing to do. */
static void settle(void)
{
    while (weir_turn_deadline() == WEIR_DONT_WAIT || readable_within(0) > 0)
        assert_true(weir_turn(WEIR_DONT_WAIT) >= 0);
}

static int count_yields(void *arg)
{
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(weir_yield(), 0);
        bump(arg);
    }
    return 0;
}

static void tasks_run_when_the_host_turns(void **state)
{
    (void)state;
    if (!host_open())
        return;
    int word = 0;
    assert_int_equal(weir_turn_deadline(), WEIR_NO_DEADLINE);
    for (int i = 0; i < 5; i++)
        assert_int_equal(weir_go(count_yields, &word), 0);
    /* Nothing runs before a turn, and the host is told that a turn is due. */
    assert_int_equal(peek(&word), 0);
    assert_int_equal(weir_turn_deadline(), WEIR_DONT_WAIT);
    assert_true(weir_turn(WEIR_DONT_WAIT) > 0);
    turn_until(&word, 50);
    settle();
    assert_int_equal(weir_turn_deadline(), WEIR_NO_DEADLINE);
    runtime_close();
}

static void a_thousand_turns_without_work_do_nothing(void **state)
{
    (void)state;
    if (!host_open())
        return;
    struct weir_runtime_stats before = { .size = sizeof(before) };
    struct weir_runtime_stats after = { .size = sizeof(after) };
    settle();
    weir_runtime_stats_read(&before);
    for (int i = 0; i < IDLE_TURNS; i++) {
        assert_int_equal(weir_turn(WEIR_DONT_WAIT), 0);
        assert_int_equal(readable_within(0), 0);
        assert_int_equal(weir_turn_deadline(), WEIR_NO_DEADLINE);
    }
    weir_runtime_stats_read(&after);
    assert_int_equal(after.tasks_started, before.tasks_started);
    assert_int_equal(after.tasks_live, 0);
    assert_int_equal(after.threads, before.threads);
    runtime_close();
}

static void a_turn_waits_until_its_deadline_and_no_longer(void **state)
{
    (void)state;
    if (!host_open())
        return;
    settle();
    const weir_time until = weir_in_ms(5);
    assert_int_equal(weir_turn(until), 0);
    assert_true(weir_now() >= until);
    runtime_close();
}

/* -- timers ------------------------------------------------------------------------------------ */

struct sleeper {
    weir_time until;
    int *woken;
};

static int sleep_until(void *arg)
{
    struct sleeper *sleeper = arg;
    CHECK_EQ(weir_sleep(sleeper->until), 0);
    CHECK(weir_now() >= sleeper->until);
    bump(sleeper->woken);
    return 0;
}

static void timers_fire_by_the_deadline_that_the_host_is_told(void **state)
{
    (void)state;
    if (!host_open())
        return;
    int woken = 0;
    struct sleeper sleepers[20];
    for (int i = 0; i < 20; i++) {
        sleepers[i] = (struct sleeper){ .until = weir_in_ms(2 + i * 3 % 20), .woken = &woken };
        assert_int_equal(weir_go(sleep_until, &sleepers[i]), 0);
    }
    settle();
    assert_true(peek(&woken) == 20 || weir_turn_deadline() < weir_in_ms(30));
    turn_until(&woken, 20);
    settle();
    assert_int_equal(weir_turn_deadline(), WEIR_NO_DEADLINE);
    runtime_close();
}

/* -- wakes from outside ------------------------------------------------------------------------ */

struct letter {
    weir_chan *ch;
    int received;
    int count;
};

static int receive_all(void *arg)
{
    struct letter *letter = arg;
    for (int i = 0; i < letter->count; i++) {
        int item = -1;
        CHECK_EQ(weir_chan_recv(letter->ch, &item, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(item, i);
        bump(&letter->received);
    }
    return 0;
}

static void *send_all(void *arg)
{
    struct letter *letter = arg;
    for (int i = 0; i < letter->count; i++) {
        CHECK_EQ(weir_chan_send(letter->ch, &i, WEIR_NO_DEADLINE), 0);
        /* One at a time, so that each wake has to reach a host that sleeps again. */
        while (peek(&letter->received) <= i)
            (void)poll(NULL, 0, 0);
    }
    return NULL;
}

static void a_wake_from_another_thread_shows_at_the_descriptor(void **state)
{
    (void)state;
    if (!host_open())
        return;
    struct letter letter = { .count = 500 };
    pthread_t thread;
    assert_int_equal(
        weir_chan_create(&letter.ch, &(struct weir_chan_opts){ .elem_bytes = sizeof(int) }), 0);
    assert_int_equal(weir_go(receive_all, &letter), 0);
    settle();
    assert_int_equal(weir_turn_deadline(), WEIR_NO_DEADLINE);
    assert_int_equal(readable_within(0), 0);
    assert_int_equal(pthread_create(&thread, NULL, send_all, &letter), 0);
    assert_int_equal(readable_within(-1), 1);
    turn_until(&letter.received, letter.count);
    assert_int_equal(pthread_join(thread, NULL), 0);
    weir_chan_destroy(letter.ch);
    runtime_close();
}

static int set_word(void *arg)
{
    bump(arg);
    return 0;
}

static void *spawn_from_outside(void *arg)
{
    CHECK_EQ(weir_go(set_word, arg), 0);
    return NULL;
}

static void a_task_from_another_thread_shows_at_the_descriptor(void **state)
{
    (void)state;
    if (!host_open())
        return;
    for (int i = 0; i < 200; i++) {
        int word = 0;
        pthread_t thread;
        settle();
        assert_int_equal(pthread_create(&thread, NULL, spawn_from_outside, &word), 0);
        assert_int_equal(readable_within(-1), 1);
        turn_until(&word, 1);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    runtime_close();
}

static void take_a_moment(void *arg)
{
    (void)poll(NULL, 0, 1);
    bump(arg);
}

static int call_blocking(void *arg)
{
    int word = 0;
    CHECK_EQ(weir_blocking(NULL, take_a_moment, &word, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(word, 1);
    bump(arg);
    return 0;
}

static void the_result_of_a_blocking_call_arrives(void **state)
{
    (void)state;
    if (!host_open())
        return;
    int done = 0;
    for (int i = 0; i < 40; i++)
        assert_int_equal(weir_go(call_blocking, &done), 0);
    turn_until(&done, 40);
    runtime_close();
}

/* -- sockets ----------------------------------------------------------------------------------- */

struct talk {
    weir_listener *listener;
    char address[64];
    int done;
};

static int echo_once(void *arg)
{
    struct talk *talk = arg;
    weir_stream *stream;
    char bytes[64];
    CHECK_EQ(weir_accept(talk->listener, &stream, WEIR_NO_DEADLINE), 0);
    int got;
    while ((got = weir_read(stream, bytes, sizeof(bytes), WEIR_NO_DEADLINE)) > 0)
        CHECK_EQ(weir_write(stream, bytes, (size_t)got, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(got, WEIR_EEOF);
    weir_stream_close(stream);
    bump(&talk->done);
    return 0;
}

static int speak(void *arg)
{
    struct talk *talk = arg;
    weir_stream *stream;
    char bytes[64];
    CHECK_EQ(weir_dial(&stream, talk->address, WEIR_NO_DEADLINE), 0);
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(weir_write(stream, "ping", 4, NULL, WEIR_NO_DEADLINE), 0);
        int have = 0;
        while (have < 4) {
            const int got = weir_read(stream, bytes, sizeof(bytes), WEIR_NO_DEADLINE);
            CHECK(got > 0);
            have += got;
        }
        CHECK_EQ(have, 4);
    }
    weir_stream_close(stream);
    bump(&talk->done);
    return 0;
}

static void sockets_work_under_the_hosts_poll(void **state)
{
    (void)state;
    if (!host_open())
        return;
    struct talk talk = { .done = 0 };
    assert_int_equal(weir_listen(&talk.listener, "127.0.0.1:0", 0), 0);
    assert_int_equal(weir_listener_address(talk.listener, talk.address, sizeof(talk.address)), 0);
    assert_int_equal(weir_go(echo_once, &talk), 0);
    assert_int_equal(weir_go(speak, &talk), 0);
    turn_until(&talk.done, 2);
    weir_listener_close(talk.listener);
    settle();
    runtime_close();
}

/* The host's descriptors and weir's in one poll(2). */
static void the_hosts_own_descriptors_are_untouched(void **state)
{
    (void)state;
    if (!host_open())
        return;
    int fds[2];
    int ticks = 0;
    int heard = 0;
    struct sleeper sleepers[10];
    assert_int_equal(pipe(fds), 0);
    for (int i = 0; i < 10; i++) {
        sleepers[i] = (struct sleeper){ .until = weir_in_ms(1 + i), .woken = &ticks };
        assert_int_equal(weir_go(sleep_until, &sleepers[i]), 0);
    }
    while (ticks < 10 || heard < 10) {
        if (heard < 10)
            assert_int_equal(write(fds[1], "x", 1), 1);
        struct pollfd host[] = { { .fd = weir_pollfd(), .events = POLLIN },
                                 { .fd = fds[0], .events = POLLIN } };
        assert_true(poll(host, 2, poll_timeout(weir_turn_deadline())) >= 0);
        char byte;
        if ((host[1].revents & POLLIN) != 0) {
            assert_int_equal(read(fds[0], &byte, 1), 1);
            heard++;
        }
        assert_true(weir_turn(WEIR_DONT_WAIT) >= 0);
    }
    close(fds[0]);
    close(fds[1]);
    runtime_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_run_when_the_host_turns),
        cmocka_unit_test(a_thousand_turns_without_work_do_nothing),
        cmocka_unit_test(a_turn_waits_until_its_deadline_and_no_longer),
        cmocka_unit_test(timers_fire_by_the_deadline_that_the_host_is_told),
        cmocka_unit_test(a_wake_from_another_thread_shows_at_the_descriptor),
        cmocka_unit_test(a_task_from_another_thread_shows_at_the_descriptor),
        cmocka_unit_test(the_result_of_a_blocking_call_arrives),
        cmocka_unit_test(sockets_work_under_the_hosts_poll),
        cmocka_unit_test(the_hosts_own_descriptors_are_untouched),
    };
    return cmocka_run_group_tests_name("embed", tests, NULL, NULL);
}
