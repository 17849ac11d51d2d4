/* SPDX-License-Identifier: MIT */
/* The simulated system: time jumps, streams behave as the real ones do, a seed repeats a run. */
#include "os/sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "os/clock.h"
#include "os/futex.h"
#include "os/poll.h"
#include "os/random.h"
#include "os/socket.h"

static struct wi_poll poller;
static struct wi_poll_event events[WI_POLL_BATCH_MAX];
static int deadlocks;

static void count_deadlock(void *user)
{
    (void)user;
    deadlocks++;
}

static void begin(const struct wi_sim_opts *opts)
{
    struct wi_sim_opts full = *opts;
    full.on_deadlock = count_deadlock;
    deadlocks = 0;
    wi_sim_reset(&full);
    assert_int_equal(wi_sim_open_count(), 0);
    assert_int_equal(wi_poll_open(&poller), 0);
}

static int set_up(void **state)
{
    (void)state;
    begin(&(struct wi_sim_opts){ .seed = 0 });
    return 0;
}

static int wait_until(weir_time deadline)
{
    return wi_poll_wait(&poller, events, WI_POLL_BATCH_MAX, deadline);
}

static int look(void)
{
    return wait_until(WEIR_DONT_WAIT);
}

static struct wi_addr parse(const char *text)
{
    struct wi_addr addr;
    assert_int_equal(wi_addr_parse(text, &addr, NULL), 0);
    return addr;
}

static int listen_at(const char *text, int backlog, struct wi_addr *local)
{
    const struct wi_addr addr = parse(text);
    const int fd = wi_socket_listen(&addr, backlog);
    assert_true(fd >= 0);
    assert_int_equal(wi_socket_local(fd, local), 0);
    return fd;
}

/* A connected pair over a listener that is closed again. */
static void connect_pair(int fds[2])
{
    struct wi_addr local;
    bool pending;
    const int listener = listen_at("127.0.0.1:0", 4, &local);
    fds[0] = wi_socket_connect(&local, &pending);
    assert_true(fds[0] >= 0);
    assert_true(wi_poll_one(fds[0], WI_POLL_WRITE, WEIR_NO_DEADLINE) > 0);
    assert_int_equal(wi_socket_error(fds[0]), 0);
    fds[1] = wi_socket_accept(listener, NULL);
    assert_true(fds[1] >= 0);
    wi_socket_close(listener);
}

static void time_jumps_to_the_deadline_and_not_beyond(void **state)
{
    (void)state;
    const weir_time start = wi_clock_now();
    const weir_time deadline = start + 3600 * WEIR_NS_PER_S;
    assert_int_equal(wait_until(deadline), 0);
    assert_in_range(wi_clock_now(), deadline, deadline + WEIR_NS_PER_US);
    assert_int_equal(wi_sim_jumps(), 1);
    const int64_t wall = wi_clock_wall();
    wi_sim_advance(5000);
    assert_in_range(wi_clock_wall() - wall, 5000, 6000);
    assert_int_equal(deadlocks, 0);
}

static void waiting_for_nothing_is_a_deadlock(void **state)
{
    (void)state;
    wi_atomic_u32 word = { 0 };
    assert_int_equal(wait_until(WEIR_NO_DEADLINE), 0);
    assert_int_equal(deadlocks, 1);
    assert_int_equal(wi_futex_wait(&word, 0, WEIR_NO_DEADLINE), 0);
    assert_int_equal(deadlocks, 2);
    assert_int_equal(wi_futex_wait(&word, 1, WEIR_NO_DEADLINE), WEIR_EAGAIN);
    const weir_time deadline = wi_clock_now() + WEIR_NS_PER_S;
    assert_int_equal(wi_futex_wait(&word, 0, deadline), WEIR_ETIMEDOUT);
    assert_true(wi_clock_now() >= deadline);
    assert_int_equal(deadlocks, 2);
}

static void a_kick_ends_a_wait_once(void **state)
{
    (void)state;
    wi_poll_kick(&poller);
    wi_poll_kick(&poller);
    assert_int_equal(wi_poll_one(poller.fd, WI_POLL_READ, WEIR_DONT_WAIT), WI_POLL_READ);
    assert_int_equal(wait_until(WEIR_NO_DEADLINE), 0);
    assert_int_equal(deadlocks, 0);
    assert_int_equal(wait_until(WEIR_NO_DEADLINE), 0);
    assert_int_equal(deadlocks, 1);
}

static void an_edge_is_told_once_for_each_change(void **state)
{
    (void)state;
    int fds[2];
    connect_pair(fds);
    assert_int_equal(wi_poll_add(&poller, fds[0], WI_POLL_READ, 7), 0);
    assert_int_equal(wi_poll_add(&poller, fds[0], WI_POLL_READ, 7), WEIR_EEXIST);
    assert_int_equal(look(), 0);
    assert_int_equal(wi_socket_write(fds[1], "a", 1), 1);
    assert_int_equal(look(), 1);
    assert_int_equal(events[0].token, 7);
    assert_int_equal(events[0].ready, WI_POLL_READ);
    assert_int_equal(look(), 0);
    assert_int_equal(wi_socket_write(fds[1], "b", 1), 1);
    assert_int_equal(look(), 1);
    assert_int_equal(wi_socket_finish(fds[1]), 0);
    assert_int_equal(look(), 1);
    assert_int_equal(events[0].ready, WI_POLL_READ | WI_POLL_HANGUP);
    char got[4];
    assert_int_equal(wi_socket_read(fds[0], got, 4), 2);
    assert_int_equal(wi_socket_read(fds[0], got, 4), 0);
    assert_int_equal(wi_poll_remove(&poller, fds[0]), 0);
    assert_int_equal(wi_poll_remove(&poller, fds[0]), WEIR_ENOENT);
}

static void a_level_is_told_as_long_as_it_lasts(void **state)
{
    (void)state;
    struct wi_addr local;
    bool pending;
    const int listener = listen_at("127.0.0.1:80", 4, &local);
    assert_int_equal(wi_poll_add(&poller, listener, WI_POLL_READ | WI_POLL_EXCLUSIVE, 1), 0);
    const int client = wi_socket_connect(&local, &pending);
    assert_true(client >= 0);
    assert_true(pending);
    assert_int_equal(wait_until(WEIR_NO_DEADLINE), 1);
    assert_int_equal(look(), 1);
    assert_true(wi_socket_accept(listener, NULL) >= 0);
    assert_int_equal(look(), 0);
    assert_int_equal(wi_socket_accept(listener, NULL), WEIR_EAGAIN);
}

static void bytes_take_their_latency(void **state)
{
    (void)state;
    begin(&(struct wi_sim_opts){ .latency_ns = 5 * WEIR_NS_PER_MS, .clock_step_ns = -1 });
    int fds[2];
    char byte;
    connect_pair(fds);
    const weir_time sent = wi_clock_now();
    assert_int_equal(wi_socket_write(fds[0], "x", 1), 1);
    assert_int_equal(wi_socket_read(fds[1], &byte, 1), WEIR_EAGAIN);
    assert_int_equal(wi_poll_one(fds[1], WI_POLL_READ, WEIR_NO_DEADLINE), WI_POLL_READ);
    assert_int_equal(wi_clock_now() - sent, 5 * WEIR_NS_PER_MS);
    assert_int_equal(wi_socket_read(fds[1], &byte, 1), 1);
}

static void a_full_buffer_stops_the_writer_until_a_third_is_free(void **state)
{
    (void)state;
    begin(&(struct wi_sim_opts){ .buffer_bytes = 300 });
    int fds[2];
    char block[1000] = "";
    connect_pair(fds);
    assert_int_equal(wi_poll_add(&poller, fds[0], WI_POLL_WRITE, 1), 0);
    assert_int_equal(look(), 1);
    assert_int_equal(wi_socket_write(fds[0], block, sizeof(block)), 300);
    assert_int_equal(wi_socket_write(fds[0], block, 1), WEIR_EAGAIN);
    assert_int_equal(wi_socket_read(fds[1], block, 99), 99);
    assert_int_equal(look(), 0);
    assert_int_equal(wi_socket_read(fds[1], block, 1), 1);
    assert_int_equal(look(), 1);
    assert_int_equal(events[0].ready, WI_POLL_WRITE);
}

static void ends_and_resets_are_those_of_tcp(void **state)
{
    (void)state;
    int fds[2];
    char byte;
    connect_pair(fds); /* an orderly close: the end; writing works once, then breaks */
    assert_int_equal(wi_socket_peer_end(fds[1]), WI_SOCKET_OPEN);
    wi_socket_close(fds[0]);
    assert_int_equal(wi_socket_peer_end(fds[1]), WI_SOCKET_ENDED);
    assert_int_equal(wi_socket_read(fds[1], &byte, 1), 0);
    assert_int_equal(wi_socket_write(fds[1], "x", 1), 1);
    assert_int_equal(wi_socket_peer_end(fds[1]), WI_SOCKET_GONE);
    assert_int_equal(wi_socket_read(fds[1], &byte, 1), WEIR_ECONNRESET);
    assert_int_equal(wi_socket_read(fds[1], &byte, 1), 0);
    assert_int_equal(wi_socket_write(fds[1], "x", 1), WEIR_EPIPE);

    connect_pair(fds); /* closing with unread bytes is a reset */
    assert_int_equal(wi_socket_write(fds[1], "x", 1), 1);
    wi_socket_close(fds[0]);
    assert_int_equal(wi_socket_read(fds[1], &byte, 1), WEIR_ECONNRESET);

    connect_pair(fds);
    wi_socket_abort(fds[0]);
    assert_int_equal(wi_socket_read(fds[1], &byte, 1), WEIR_ECONNRESET);

    connect_pair(fds);
    wi_sim_cut(fds[0]);
    assert_int_equal(wi_socket_error(fds[0]), WEIR_ECONNRESET);
    assert_int_equal(wi_socket_write(fds[1], "x", 1), WEIR_ECONNRESET);
    assert_int_equal(wi_socket_finish(fds[1]), WEIR_ENOTCONN);

    connect_pair(fds); /* the half that is left open still carries */
    assert_int_equal(wi_socket_finish(fds[0]), 0);
    assert_int_equal(wi_socket_write(fds[0], "x", 1), WEIR_EPIPE);
    assert_int_equal(wi_socket_write(fds[1], "y", 1), 1);
    assert_int_equal(wi_socket_read(fds[0], &byte, 1), 1);

    connect_pair(fds);
    assert_int_equal(wi_socket_write(fds[0], "x", 1), 1);
    assert_int_equal(wi_socket_finish(fds[0]), 0);
    assert_int_equal(wi_socket_peer_end(fds[1]), WI_SOCKET_BEHIND);
}

static void listeners_bound_refuse_and_reset(void **state)
{
    (void)state;
    struct wi_addr local;
    bool pending;
    const int listener = listen_at("127.0.0.1:0", 1, &local);
    assert_int_equal(wi_socket_listen(&local, 1), WEIR_EADDRINUSE);
    const int first = wi_socket_connect(&local, &pending);
    const int second = wi_socket_connect(&local, &pending);
    assert_true(wi_poll_one(first, WI_POLL_WRITE, WEIR_NO_DEADLINE) > 0);
    const weir_time soon = wi_clock_now() + WEIR_NS_PER_MS;
    assert_int_equal(wi_poll_one(second, WI_POLL_WRITE, soon), WEIR_ETIMEDOUT);
    const int served = wi_socket_accept(listener, NULL);
    assert_true(served >= 0);
    assert_true(wi_poll_one(second, WI_POLL_WRITE, WEIR_NO_DEADLINE) > 0); /* by its retry */
    assert_int_equal(wi_socket_error(second), 0);

    wi_socket_close(listener); /* resets what waits in its queue */
    char byte;
    assert_int_equal(wi_socket_read(second, &byte, 1), WEIR_ECONNRESET);
    const int third = wi_socket_connect(&local, &pending);
    assert_true(wi_poll_one(third, WI_POLL_WRITE, WEIR_NO_DEADLINE) > 0);
    assert_int_equal(wi_socket_error(third), WEIR_ECONNREFUSED);
}

static void a_quiesced_listener_keeps_its_queue_and_takes_nobody_new(void **state)
{
    (void)state;
    struct wi_addr local;
    bool pending;
    const int listener = listen_at("127.0.0.1:0", 4, &local);
    const int queued = wi_socket_connect(&local, &pending);
    assert_true(wi_poll_one(queued, WI_POLL_WRITE, WEIR_NO_DEADLINE) > 0);
    assert_int_equal(wi_socket_listener_quiesce(listener), 0);
    const int late = wi_socket_connect(&local, &pending);
    const weir_time soon = wi_clock_now() + WEIR_NS_PER_MS;
    assert_int_equal(wi_poll_one(late, WI_POLL_WRITE, soon), WEIR_ETIMEDOUT);
    assert_true(wi_socket_accept(listener, NULL) >= 0);
    wi_socket_close(listener);
    const int next = wi_socket_listen(&local, 4);
    assert_true(next >= 0);
    assert_true(wi_poll_one(late, WI_POLL_WRITE, WEIR_NO_DEADLINE) > 0);
    assert_int_equal(wi_socket_error(late), 0);
}

static void the_fault_script_fails_the_nth_call(void **state)
{
    (void)state;
    int fds[2];
    connect_pair(fds);
    wi_sim_fail(WI_SIM_WRITE, 2, WEIR_ENOBUFS);
    wi_sim_fail(WI_SIM_POLL_ADD, 1, WEIR_ENOSPC);
    assert_int_equal(wi_socket_write(fds[0], "x", 1), 1);
    assert_int_equal(wi_socket_write(fds[0], "x", 1), WEIR_ENOBUFS);
    assert_int_equal(wi_socket_write(fds[0], "x", 1), 1);
    assert_int_equal(wi_poll_add(&poller, fds[0], WI_POLL_READ, 1), WEIR_ENOSPC);
    assert_int_equal(wi_poll_add(&poller, fds[0], WI_POLL_READ, 1), 0);
}

/* What goes through one stream: a pseudo-random text that the reader knows too. */
struct transfer {
    int fds[2];
    struct wi_rng sent;
    struct wi_rng expected;
    size_t left_to_send;
    size_t received;
    bool can_write;
    bool ended;
};

static void write_more(struct transfer *transfer)
{
    while (transfer->can_write && transfer->left_to_send > 0) {
        char block[777];
        const struct wi_rng before = transfer->sent;
        const size_t bytes =
            transfer->left_to_send < sizeof(block) ? transfer->left_to_send : sizeof(block);
        for (size_t i = 0; i < bytes; i++)
            block[i] = (char)wi_rng_next(&transfer->sent);
        const int64_t put = wi_socket_write(transfer->fds[0], block, bytes);
        const size_t done = put > 0 ? (size_t)put : 0;
        assert_true(put > 0 || put == WEIR_EAGAIN);
        transfer->sent = before; /* what was not taken is made again */
        for (size_t i = 0; i < done; i++)
            (void)wi_rng_next(&transfer->sent);
        transfer->left_to_send -= done;
        transfer->can_write = done == bytes; /* a short count: wait for the edge */
    }
    if (transfer->left_to_send == 0 && transfer->can_write) {
        transfer->can_write = false;
        assert_int_equal(wi_socket_finish(transfer->fds[0]), 0);
    }
}

/* Reads to a short count, which is enough as long as the end has not been told. */
static void read_more(struct transfer *transfer, bool to_end)
{
    char block[1024];
    int64_t got;
    do {
        got = wi_socket_read(transfer->fds[1], block, sizeof(block));
        assert_true(got >= 0 || got == WEIR_EAGAIN);
        for (int64_t i = 0; i < got; i++)
            assert_int_equal(block[i], (char)wi_rng_next(&transfer->expected));
        transfer->received += got > 0 ? (size_t)got : 0;
    } while (got == (int64_t)sizeof(block) || (to_end && got > 0));
    transfer->ended = got == 0;
}

/* Only edges drive the transfer, both sides stop at short counts: a lost edge is a deadlock. */
static uint64_t transfer_with_seed(uint64_t seed)
{
    enum {
        BYTES = 200000
    };
    begin(&(struct wi_sim_opts){ .seed = seed,
                                 .latency_ns = 100 * WEIR_NS_PER_US,
                                 .jitter_ns = 300 * WEIR_NS_PER_US,
                                 .short_permille = 300,
                                 .buffer_bytes = 5000 });
    struct transfer transfer = { .left_to_send = BYTES };
    wi_rng_init(&transfer.sent, seed);
    wi_rng_init(&transfer.expected, seed);
    connect_pair(transfer.fds);
    assert_int_equal(wi_poll_add(&poller, transfer.fds[0], WI_POLL_WRITE, 0), 0);
    assert_int_equal(wi_poll_add(&poller, transfer.fds[1], WI_POLL_READ, 1), 0);
    while (!transfer.ended) {
        const int count = wait_until(WEIR_NO_DEADLINE);
        assert_int_equal(deadlocks, 0);
        for (int i = 0; i < count; i++) {
            if (events[i].token == 1) {
                read_more(&transfer, (events[i].ready & WI_POLL_HANGUP) != 0);
            } else {
                transfer.can_write = transfer.left_to_send > 0;
                write_more(&transfer);
            }
        }
    }
    assert_int_equal(transfer.received, BYTES);
    return wi_sim_trace() ^ wi_random_seed();
}

static void edges_alone_carry_every_byte_and_a_seed_repeats_its_run(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        printf("seed %llu\n", (unsigned long long)seed);
        const uint64_t trace = transfer_with_seed(seed);
        assert_true(transfer_with_seed(seed) == trace);
        assert_true(transfer_with_seed(seed + 1000) != trace);
    }
}

int main(void)
{
#define FIXTURE(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        FIXTURE(time_jumps_to_the_deadline_and_not_beyond),
        FIXTURE(waiting_for_nothing_is_a_deadlock),
        FIXTURE(a_kick_ends_a_wait_once),
        FIXTURE(an_edge_is_told_once_for_each_change),
        FIXTURE(a_level_is_told_as_long_as_it_lasts),
        FIXTURE(bytes_take_their_latency),
        FIXTURE(a_full_buffer_stops_the_writer_until_a_third_is_free),
        FIXTURE(ends_and_resets_are_those_of_tcp),
        FIXTURE(listeners_bound_refuse_and_reset),
        FIXTURE(a_quiesced_listener_keeps_its_queue_and_takes_nobody_new),
        FIXTURE(the_fault_script_fails_the_nth_call),
        FIXTURE(edges_alone_carry_every_byte_and_a_seed_repeats_its_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
