/* SPDX-License-Identifier: MIT */
/* The poller against the real kernel: edges, levels, kicks, deadlines; all of it with and without
 * the features of newer kernels. */
#define _GNU_SOURCE 1
#include "os/poll.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/atomic.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/socket.h"
#include "os/thread.h"
#include "os/vm.h"

static struct wi_poll poller;
static struct wi_poll_event events[WI_POLL_BATCH_MAX];

static int set_up(void **state)
{
    (void)state;
    return wi_poll_open(&poller);
}

static int tear_down(void **state)
{
    (void)state;
    wi_poll_close(&poller);
    return 0;
}

static weir_time in_ms(int64_t ms)
{
    return wi_clock_now() + ms * WEIR_NS_PER_MS;
}

static int look(void)
{
    return wi_poll_wait(&poller, events, WI_POLL_BATCH_MAX, WEIR_DONT_WAIT);
}

static int wait_long(void)
{
    return wi_poll_wait(&poller, events, WI_POLL_BATCH_MAX, in_ms(10000));
}

static void an_edge_is_told_once_for_each_change(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(wi_socket_pair(fds), 0);
    assert_int_equal(wi_poll_add(&poller, fds[0], WI_POLL_READ, 7), 0);
    assert_int_equal(look(), 0);
    assert_int_equal(wi_socket_write(fds[1], "a", 1), 1);
    assert_int_equal(wait_long(), 1);
    assert_int_equal(events[0].token, 7);
    assert_int_equal(events[0].ready, WI_POLL_READ);
    assert_int_equal(look(), 0); /* still readable, but told already */
    assert_int_equal(wi_socket_write(fds[1], "b", 1), 1);
    assert_int_equal(wait_long(), 1);
    wi_socket_close(fds[1]);
    assert_int_equal(wait_long(), 1);
    assert_true((events[0].ready & WI_POLL_HANGUP) != 0);
    wi_socket_close(fds[0]);
}

static void a_finished_peer_is_a_hangup(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(wi_socket_pair(fds), 0);
    assert_int_equal(wi_poll_add(&poller, fds[0], WI_POLL_READ | WI_POLL_WRITE, 8), 0);
    assert_int_equal(look(), 1);
    assert_int_equal(events[0].ready, WI_POLL_WRITE);
    assert_int_equal(wi_socket_finish(fds[1]), 0);
    assert_int_equal(wait_long(), 1);
    assert_int_equal(events[0].ready, WI_POLL_READ | WI_POLL_WRITE | WI_POLL_HANGUP);
    wi_socket_close(fds[0]);
    wi_socket_close(fds[1]);
}

static void a_level_is_told_as_long_as_it_lasts(void **state)
{
    (void)state;
    const uint32_t kinds[] = { WI_POLL_LEVEL, WI_POLL_EXCLUSIVE };
    for (size_t i = 0; i < 2; i++) {
        int fds[2];
        char byte;
        assert_int_equal(wi_socket_pair(fds), 0);
        assert_int_equal(wi_poll_add(&poller, fds[0], WI_POLL_READ | kinds[i], i), 0);
        assert_int_equal(wi_socket_write(fds[1], "a", 1), 1);
        assert_int_equal(wait_long(), 1);
        assert_int_equal(look(), 1);
        assert_int_equal(wi_socket_read(fds[0], &byte, 1), 1);
        assert_int_equal(look(), 0);
        wi_socket_close(fds[0]);
        wi_socket_close(fds[1]);
    }
}

static void a_removed_descriptor_is_silent(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(wi_socket_pair(fds), 0);
    assert_int_equal(wi_poll_remove(&poller, fds[0]), WEIR_ENOENT);
    assert_int_equal(wi_poll_add(&poller, fds[0], WI_POLL_READ, 1), 0);
    assert_int_equal(wi_poll_add(&poller, fds[0], WI_POLL_READ, 1), WEIR_EEXIST);
    assert_int_equal(wi_poll_remove(&poller, fds[0]), 0);
    assert_int_equal(wi_socket_write(fds[1], "a", 1), 1);
    assert_int_equal(look(), 0);
    wi_socket_close(fds[0]);
    wi_socket_close(fds[1]);
}

static void a_regular_file_is_refused(void **state)
{
    (void)state;
    const int fd = wi_file_open("/proc/self/exe", WI_FILE_READ);
    assert_true(fd >= 0);
    assert_int_equal(wi_poll_add(&poller, fd, WI_POLL_READ, 1), WEIR_EPERM);
    wi_file_close(fd);
    assert_int_equal(wi_poll_add(&poller, fd, WI_POLL_READ, 1), WEIR_EBADF);
}

static void many_kicks_are_one_and_none_is_lost(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        wi_poll_kick(&poller);
        wi_poll_kick(&poller);
        assert_int_equal(wi_poll_wait(&poller, events, 1, WEIR_NO_DEADLINE), 0);
    }
    const weir_time deadline = in_ms(2);
    assert_int_equal(wi_poll_wait(&poller, events, 1, deadline), 0);
    assert_true(wi_clock_now() >= deadline); /* no kick was left over */
}

static void a_kick_does_not_hide_events(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(wi_socket_pair(fds), 0);
    assert_int_equal(wi_poll_add(&poller, fds[0], WI_POLL_READ, 5), 0);
    wi_poll_kick(&poller);
    assert_int_equal(wi_socket_write(fds[1], "a", 1), 1);
    assert_int_equal(wait_long(), 1);
    assert_int_equal(events[0].token, 5);
    wi_socket_close(fds[0]);
    wi_socket_close(fds[1]);
}

static void the_poller_itself_can_be_polled(void **state)
{
    (void)state;
    assert_int_equal(wi_poll_one(poller.fd, WI_POLL_READ, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    wi_poll_kick(&poller);
    assert_int_equal(wi_poll_one(poller.fd, WI_POLL_READ, in_ms(10000)), WI_POLL_READ);
    assert_int_equal(look(), 0);
    assert_int_equal(wi_poll_one(poller.fd, WI_POLL_READ, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
}

static void deadlines_are_never_early(void **state)
{
    (void)state;
    for (int64_t us = 1; us <= 10000; us *= 7) {
        const weir_time deadline = wi_clock_now() + us * WEIR_NS_PER_US;
        assert_int_equal(wi_poll_wait(&poller, events, 1, deadline), 0);
        assert_true(wi_clock_now() >= deadline);
        const weir_time again = wi_clock_now() + us * WEIR_NS_PER_US;
        assert_int_equal(wi_poll_one(poller.fd, WI_POLL_READ, again), WEIR_ETIMEDOUT);
        assert_true(wi_clock_now() >= again);
    }
    assert_int_equal(wi_poll_wait(&poller, events, 1, 1), 0); /* long past */
}

struct kicker {
    wi_atomic_u64 kicks; /* to do */
    wi_atomic_u64 seen;
};

static void kick_each(void *arg)
{
    struct kicker *kicker = arg;
    for (uint64_t i = 1; i <= 2000; i++) {
        wi_store_release(&kicker->kicks, i);
        wi_poll_kick(&poller);
        while (wi_load_acquire(&kicker->seen) < i)
            wi_os_thread_yield();
    }
}

static void a_kick_from_another_thread_ends_an_endless_wait(void **state)
{
    (void)state;
    struct kicker kicker = { { 0 }, { 0 } };
    struct wi_os_thread thread;
    assert_int_equal(wi_os_thread_start(&thread, kick_each, &kicker, 0, "kicker"), 0);
    for (uint64_t done = 0; done < 2000;) {
        assert_int_equal(wi_poll_wait(&poller, events, 1, WEIR_NO_DEADLINE), 0);
        done = wi_load_acquire(&kicker.kicks);
        wi_store_release(&kicker.seen, done);
    }
    wi_os_thread_join(&thread);
}

/* What is written before a descriptor is added is seen by who is told about it: a claim for
 * ThreadSanitizer. */
static void add_from_thread(void *arg)
{
    int **slot = arg;
    int *shared = malloc(sizeof(*shared));
    assert_non_null(shared);
    *shared = 42;
    slot[0] = shared;
    assert_int_equal(wi_poll_add(&poller, *slot[1], WI_POLL_READ, (uint64_t)(uintptr_t)shared), 0);
}

static void what_was_written_before_add_is_seen_with_the_event(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(wi_socket_pair(fds), 0);
    assert_int_equal(wi_socket_write(fds[1], "a", 1), 1);
    int *slot[2] = { NULL, &fds[0] };
    struct wi_os_thread thread;
    assert_int_equal(wi_os_thread_start(&thread, add_from_thread, slot, 0, "adder"), 0);
    assert_int_equal(wait_long(), 1);
    int *shared = (int *)(uintptr_t)events[0].token;
    assert_int_equal(*shared, 42);
    wi_os_thread_join(&thread);
    free(shared);
    wi_socket_close(fds[0]);
    wi_socket_close(fds[1]);
}

static void on_alarm(int signal)
{
    (void)signal;
    wi_poll_kick(&poller); /* allowed in handlers */
}

static void a_signal_handler_may_kick(void **state)
{
    (void)state;
    struct sigaction before;
    struct sigaction action = { .sa_handler = on_alarm };
    sigemptyset(&action.sa_mask);
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(ualarm(2000, 0), 0);
    assert_int_equal(wi_poll_wait(&poller, events, 1, WEIR_NO_DEADLINE), 0);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
}

static void one_descriptor_tells_its_readiness(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(wi_socket_pair(fds), 0);
    assert_int_equal(wi_poll_one(fds[0], WI_POLL_READ, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    assert_int_equal(wi_poll_one(fds[0], WI_POLL_WRITE, WEIR_DONT_WAIT), WI_POLL_WRITE);
    wi_socket_close(fds[1]);
    const int ready = wi_poll_one(fds[0], WI_POLL_READ, WEIR_NO_DEADLINE);
    assert_true(((uint32_t)ready & WI_POLL_HANGUP) != 0);
    wi_socket_close(fds[0]);
    assert_int_equal(wi_poll_one(fds[0], WI_POLL_READ, in_ms(10000)), WEIR_EBADF);
    assert_int_equal(wi_poll_one(-1, WI_POLL_READ, in_ms(10000)), WEIR_EBADF);
}

static void a_batch_is_never_larger_than_asked(void **state)
{
    (void)state;
    int fds[10][2];
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(wi_socket_pair(fds[i]), 0);
        assert_int_equal(wi_poll_add(&poller, fds[i][0], WI_POLL_WRITE, i), 0);
    }
    uint32_t seen = 0;
    for (int round = 0; seen != 0x3ff && round < 20; round++) {
        const int count = wi_poll_wait(&poller, events, 3, in_ms(10000));
        assert_in_range(count, 1, 3);
        for (int i = 0; i < count; i++)
            seen |= 1u << events[i].token;
    }
    assert_int_equal(seen, 0x3ff);
    for (size_t i = 0; i < 10; i++) {
        wi_socket_close(fds[i][0]);
        wi_socket_close(fds[i][1]);
    }
}

int main(void)
{
#define FIXTURE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        FIXTURE(an_edge_is_told_once_for_each_change),
        FIXTURE(a_finished_peer_is_a_hangup),
        FIXTURE(a_level_is_told_as_long_as_it_lasts),
        FIXTURE(a_removed_descriptor_is_silent),
        FIXTURE(a_regular_file_is_refused),
        FIXTURE(many_kicks_are_one_and_none_is_lost),
        FIXTURE(a_kick_does_not_hide_events),
        FIXTURE(the_poller_itself_can_be_polled),
        FIXTURE(deadlines_are_never_early),
        FIXTURE(a_kick_from_another_thread_ends_an_endless_wait),
        FIXTURE(what_was_written_before_add_is_seen_with_the_event),
        FIXTURE(a_signal_handler_may_kick),
        FIXTURE(one_descriptor_tells_its_readiness),
        FIXTURE(a_batch_is_never_larger_than_asked),
    };
    const int failed = cmocka_run_group_tests_name("this kernel", tests, NULL, NULL);
    wi_os_force_old_kernel(true);
    return failed + cmocka_run_group_tests_name("as on Linux 5.10", tests, NULL, NULL);
}
