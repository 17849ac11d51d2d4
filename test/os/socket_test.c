/* SPDX-License-Identifier: MIT */
/* Stream sockets against the real kernel, on loopback: what a connection may expect, how listeners
 * start, and that a quiesced listener loses nobody. */
#define _GNU_SOURCE 1
#include "os/socket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/poll.h"

enum {
    BACKLOG = 16,
    PATIENCE_MS = 10000,
    QUIET_MS = 300
};

static weir_time in_ms(int64_t ms)
{
    return wi_clock_now() + ms * WEIR_NS_PER_MS;
}

static struct wi_addr parse(const char *text)
{
    struct wi_addr addr;
    const char *reason = "";
    assert_int_equal(wi_addr_parse(text, &addr, &reason), 0);
    return addr;
}

static int listen_at(const char *text, struct wi_addr *local)
{
    const struct wi_addr addr = parse(text);
    const int fd = wi_socket_listen(&addr, BACKLOG);
    assert_true(fd >= 0);
    assert_int_equal(wi_socket_local(fd, local), 0);
    return fd;
}

static void await(int fd, uint32_t interest)
{
    const int ready = wi_poll_one(fd, interest, in_ms(PATIENCE_MS));
    assert_true(ready > 0);
    assert_true(((uint32_t)ready & interest) != 0);
}

static int connect_to(const struct wi_addr *addr)
{
    bool pending;
    const int fd = wi_socket_connect(addr, &pending);
    assert_true(fd >= 0);
    if (pending)
        await(fd, WI_POLL_WRITE);
    assert_int_equal(wi_socket_error(fd), 0);
    return fd;
}

static int accept_from(int listener)
{
    await(listener, WI_POLL_READ);
    const int fd = wi_socket_accept(listener, NULL);
    assert_true(fd >= 0);
    return fd;
}

static void carry(int from, int to)
{
    char got[8] = "";
    assert_int_equal(wi_socket_write(from, "hello", 5), 5);
    await(to, WI_POLL_READ);
    assert_int_equal(wi_socket_read(to, got, sizeof(got)), 5);
    assert_memory_equal(got, "hello", 5);
}

static void carry_both_ways(const char *text)
{
    struct wi_addr local;
    const int listener = listen_at(text, &local);
    const int client = connect_to(&local);
    const int server = accept_from(listener);
    carry(client, server);
    carry(server, client);
    wi_socket_close(client);
    wi_socket_close(server);
    wi_socket_close(listener);
}

static void every_family_carries_bytes_both_ways(void **state)
{
    (void)state;
    carry_both_ways("127.0.0.1:0");
    carry_both_ways("[::1]:0");
    carry_both_ways("unix:@weir-socket-test");
}

static void any_address_serves_both_families(void **state)
{
    (void)state;
    struct wi_addr local;
    const int listener = listen_at("*:0", &local);
    struct sockaddr_in6 bound;
    memcpy(&bound, local.data, sizeof(bound));
    assert_int_equal(bound.sin6_family, AF_INET6);

    for (size_t i = 0; i < 2; i++) {
        char text[64];
        snprintf(text, sizeof(text), i == 0 ? "127.0.0.1:%u" : "[::1]:%u",
                 (unsigned)ntohs(bound.sin6_port));
        const struct wi_addr target = parse(text);
        const int client = connect_to(&target);
        const int server = accept_from(listener);
        carry(client, server);
        wi_socket_close(client);
        wi_socket_close(server);
    }
    wi_socket_close(listener);
}

static void descriptors_are_nonblocking_and_close_on_exec(void **state)
{
    (void)state;
    struct wi_addr local;
    int pair[2];
    const int listener = listen_at("127.0.0.1:0", &local);
    const int client = connect_to(&local);
    const int server = accept_from(listener);
    assert_int_equal(wi_socket_pair(pair), 0);
    const int all[] = { listener, client, server, pair[0], pair[1] };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        assert_true((fcntl(all[i], F_GETFL) & O_NONBLOCK) != 0);
        assert_true((fcntl(all[i], F_GETFD) & FD_CLOEXEC) != 0);
        wi_socket_close(all[i]);
    }
}

static void both_ends_have_nodelay(void **state)
{
    (void)state;
    struct wi_addr local;
    const int listener = listen_at("127.0.0.1:0", &local);
    const int ends[] = { connect_to(&local), accept_from(listener) };
    for (size_t i = 0; i < 2; i++) {
        int value = 0;
        socklen_t bytes = sizeof(value);
        assert_int_equal(getsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &value, &bytes), 0);
        assert_int_not_equal(value, 0);
        wi_socket_close(ends[i]);
    }
    wi_socket_close(listener);
}

static void accept_tells_the_peer_and_when_nobody_waits(void **state)
{
    (void)state;
    struct wi_addr local;
    struct wi_addr peer;
    struct wi_addr own;
    const int listener = listen_at("127.0.0.1:0", &local);
    assert_int_equal(wi_socket_accept(listener, NULL), WEIR_EAGAIN);
    const int client = connect_to(&local);
    await(listener, WI_POLL_READ);
    const int server = wi_socket_accept(listener, &peer);
    assert_true(server >= 0);
    assert_int_equal(wi_socket_local(client, &own), 0);
    assert_int_equal(peer.bytes, own.bytes);
    assert_memory_equal(peer.data, own.data, own.bytes);
    wi_socket_close(client);
    wi_socket_close(server);
    wi_socket_close(listener);
}

static void a_port_in_use_is_refused(void **state)
{
    (void)state;
    struct wi_addr local;
    const int listener = listen_at("127.0.0.1:0", &local);
    assert_int_equal(wi_socket_listen(&local, BACKLOG), WEIR_EADDRINUSE);
    wi_socket_close(listener);
    const int again = wi_socket_listen(&local, BACKLOG);
    assert_true(again >= 0);
    wi_socket_close(again);
}

static void connecting_where_nobody_listens_is_refused(void **state)
{
    (void)state;
    struct wi_addr local;
    wi_socket_close(listen_at("127.0.0.1:0", &local));
    bool pending = false;
    const int fd = wi_socket_connect(&local, &pending);
    if (fd < 0) {
        assert_int_equal(fd, WEIR_ECONNREFUSED);
        return;
    }
    await(fd, WI_POLL_WRITE);
    assert_int_equal(wi_socket_error(fd), WEIR_ECONNREFUSED);
    wi_socket_close(fd);
}

static void finish_gives_the_peer_the_end_and_keeps_the_other_way_open(void **state)
{
    (void)state;
    int fds[2];
    char byte;
    assert_int_equal(wi_socket_pair(fds), 0);
    assert_int_equal(wi_socket_finish(fds[0]), 0);
    await(fds[1], WI_POLL_READ);
    assert_int_equal(wi_socket_read(fds[1], &byte, 1), 0);
    carry(fds[1], fds[0]);
    wi_socket_close(fds[0]);
    wi_socket_close(fds[1]);
}

static void abort_resets_the_peer(void **state)
{
    (void)state;
    struct wi_addr local;
    char byte;
    const int listener = listen_at("127.0.0.1:0", &local);
    const int client = connect_to(&local);
    const int server = accept_from(listener);
    wi_socket_abort(server);
    await(client, WI_POLL_READ);
    assert_int_equal(wi_socket_read(client, &byte, 1), WEIR_ECONNRESET);
    wi_socket_close(client);
    wi_socket_close(listener);
}

/* Waits until the end is that; what has been sent takes a moment to arrive. */
static void await_peer_end(int fd, enum wi_socket_end want)
{
    const weir_time until = in_ms(PATIENCE_MS);
    while (wi_socket_peer_end(fd) != want) {
        assert_true(wi_clock_now() < until);
        (void)usleep(100);
    }
}

static void the_end_of_a_peer_is_told_without_a_read(void **state)
{
    (void)state;
    struct wi_addr local;
    char data[8];
    const int listener = listen_at("127.0.0.1:0", &local);
    int client = connect_to(&local);
    int server = accept_from(listener);
    assert_int_equal(wi_socket_peer_end(server), WI_SOCKET_OPEN);
    assert_int_equal(wi_socket_write(client, "abc", 3), 3);
    await(server, WI_POLL_READ);
    assert_int_equal(wi_socket_peer_end(server), WI_SOCKET_OPEN);
    assert_int_equal(wi_socket_finish(client), 0);
    await_peer_end(server, WI_SOCKET_BEHIND);
    assert_int_equal(wi_socket_read(server, data, sizeof(data)), 3);
    assert_int_equal(wi_socket_peer_end(server), WI_SOCKET_ENDED);
    wi_socket_abort(client);
    await_peer_end(server, WI_SOCKET_GONE);
    wi_socket_close(server);

    /* A close cannot be told from a finish until something is sent there. */
    client = connect_to(&local);
    server = accept_from(listener);
    wi_socket_close(client);
    await_peer_end(server, WI_SOCKET_ENDED);
    assert_int_equal(wi_socket_write(server, "x", 1), 1);
    await_peer_end(server, WI_SOCKET_GONE);
    wi_socket_close(server);
    wi_socket_close(listener);

    int fds[2];
    assert_int_equal(wi_socket_pair(fds), 0);
    assert_int_equal(wi_socket_peer_end(fds[0]), WI_SOCKET_OPEN);
    assert_int_equal(wi_socket_finish(fds[1]), 0);
    assert_int_equal(wi_socket_peer_end(fds[0]), WI_SOCKET_ENDED);
    wi_socket_close(fds[1]);
    assert_int_equal(wi_socket_peer_end(fds[0]), WI_SOCKET_GONE);
    wi_socket_close(fds[0]);
}

static void how_long_data_has_been_here_is_told(void **state)
{
    (void)state;
    struct wi_addr local;
    char data[8];
    const int listener = listen_at("127.0.0.1:0", &local);
    const int client = connect_to(&local);
    const int server = accept_from(listener);
    const weir_time sent = wi_clock_now();
    assert_int_equal(wi_socket_write(client, "abc", 3), 3);
    await(server, WI_POLL_READ);
    const weir_time until = in_ms(PATIENCE_MS);
    while (wi_socket_data_age(server) < 20 * WEIR_NS_PER_MS) {
        assert_true(wi_clock_now() < until);
        (void)usleep(1000);
    }
    /* The system counts in ticks of its own, of at most 10 ms. */
    assert_true(wi_socket_data_age(server) <= wi_clock_now() - sent + 10 * WEIR_NS_PER_MS);
    assert_int_equal(wi_socket_read(server, data, sizeof(data)), 3);
    assert_true(wi_socket_data_age(server) >= 20 * WEIR_NS_PER_MS);
    wi_socket_close(client);
    wi_socket_close(server);
    wi_socket_close(listener);

    int fds[2];
    assert_int_equal(wi_socket_pair(fds), 0);
    assert_int_equal(wi_socket_data_age(fds[0]), WEIR_ENOTSUP);
    wi_socket_close(fds[0]);
    wi_socket_close(fds[1]);
    assert_int_equal(wi_socket_data_age(-1), WEIR_EBADF);
}

static void writing_to_a_closed_peer_gives_a_code_and_no_signal(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(wi_socket_pair(fds), 0);
    wi_socket_close(fds[1]);
    const struct wi_slice slice = { "x", 1 };
    assert_int_equal(wi_socket_write(fds[0], "x", 1), WEIR_EPIPE);
    assert_int_equal(wi_socket_write_slices(fds[0], &slice, 1, false), WEIR_EPIPE);
    wi_socket_close(fds[0]);
}

static void a_full_socket_says_not_ready(void **state)
{
    (void)state;
    int fds[2];
    static const char block[65536];
    assert_int_equal(wi_socket_pair(fds), 0);
    int64_t put;
    int rounds = 0;
    do {
        put = wi_socket_write(fds[0], block, sizeof(block));
    } while (put > 0 && ++rounds < 10000);
    assert_int_equal(put, WEIR_EAGAIN);
    char byte;
    assert_int_equal(wi_socket_read(fds[0], &byte, 1), WEIR_EAGAIN);
    wi_socket_close(fds[0]);
    wi_socket_close(fds[1]);
}

/* Writes until it is full; how much that was. */
static int64_t fill(int fd)
{
    static const char piece[1024];
    int64_t sum = 0;
    for (;;) {
        const int64_t put = wi_socket_write(fd, piece, sizeof(piece));
        if (put == WEIR_EAGAIN)
            return sum;
        assert_true(put > 0);
        sum += put;
    }
}

static void who_reads_nothing_is_kept_little(void **state)
{
    (void)state;
    static char data[65536];
    struct wi_addr local;
    const int listener = listen_at("127.0.0.1:0", &local);
    const int client = connect_to(&local);
    const int server = accept_from(listener);
    /* What the peer takes in unread counts as sent. */
    int taken = 0;
    socklen_t bytes = sizeof(taken);
    assert_int_equal(getsockopt(client, SOL_SOCKET, SO_RCVBUF, &taken, &bytes), 0);
    int64_t left = fill(server);
    assert_in_range(left, 1, taken + 256 * 1024);
    while (left > 0) {
        await(client, WI_POLL_READ);
        const int64_t got = wi_socket_read(client, data, sizeof(data));
        assert_true(got > 0);
        left -= got;
    }
    await(server, WI_POLL_WRITE);
    wi_socket_close(client);
    wi_socket_close(server);
    wi_socket_close(listener);
}

static void slices_arrive_in_order(void **state)
{
    (void)state;
    int fds[2];
    char got[32] = "";
    assert_int_equal(wi_socket_pair(fds), 0);
    const struct wi_slice slices[] = { { "one ", 4 }, { "", 0 }, { "two ", 4 }, { "three", 5 } };
    assert_int_equal(wi_socket_write_slices(fds[0], slices, 4, true), 13);
    assert_int_equal(wi_socket_read(fds[1], got, sizeof(got)), 13);
    assert_string_equal(got, "one two three");
    wi_socket_close(fds[0]);
    wi_socket_close(fds[1]);
}

/* A folder of its own for each test that makes unix sockets. */
static void unix_path(char *text, size_t bytes)
{
    char folder[] = "/tmp/weir-socket-XXXXXX";
    assert_non_null(mkdtemp(folder));
    snprintf(text, bytes, "unix:%s/s", folder);
}

static void remove_unix_path(const char *text)
{
    char folder[128];
    snprintf(folder, sizeof(folder), "%s", text + strlen("unix:"));
    unlink(folder);
    *strrchr(folder, '/') = '\0';
    assert_int_equal(rmdir(folder), 0);
}

static void a_stale_unix_path_is_replaced_and_a_live_one_is_not(void **state)
{
    (void)state;
    char text[128];
    unix_path(text, sizeof(text));
    struct wi_addr local;
    const int first = listen_at(text, &local);
    assert_int_equal(wi_socket_listen(&local, BACKLOG), WEIR_EADDRINUSE);
    const int client = connect_to(&local); /* the live one still serves after the refusal */
    wi_socket_close(accept_from(first));   /* (the probe itself may be the first in the queue) */
    wi_socket_close(client);

    wi_socket_close(first); /* leaves its path behind */
    const int second = listen_at(text, &local);
    const int other = connect_to(&local);
    wi_socket_close(accept_from(second));
    wi_socket_close(other);
    wi_socket_close(second);
    remove_unix_path(text);
}

static void a_file_in_the_way_of_a_unix_path_is_kept(void **state)
{
    (void)state;
    char text[128];
    unix_path(text, sizeof(text));
    const char *path = text + strlen("unix:");
    const int file = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(file >= 0);
    close(file);
    const struct wi_addr addr = parse(text);
    assert_int_equal(wi_socket_listen(&addr, BACKLOG), WEIR_EADDRINUSE);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_true(S_ISREG(status.st_mode));
    remove_unix_path(text);
}

/* One connection waits in the queue when the listener is quiesced: it is accepted and works.  One
 * that comes later does not complete, though the control before the quiesce did at once; and when
 * the listener is closed and another opened, it completes there by its own retry. */
static void quiesce(const char *text)
{
    struct wi_addr local;
    const int listener = listen_at(text, &local);
    const int queued = connect_to(&local);

    const int rc = wi_socket_listener_quiesce(listener);
    if (rc == WEIR_ENOTSUP) {
        wi_socket_close(queued);
        wi_socket_close(listener);
        printf("SKIP: this kernel lets only root attach a socket filter\n");
        skip();
    }
    assert_int_equal(rc, 0);

    bool pending;
    const int late = wi_socket_connect(&local, &pending);
    assert_true(late >= 0);
    assert_true(pending);
    assert_int_equal(wi_poll_one(late, WI_POLL_WRITE, in_ms(QUIET_MS)), WEIR_ETIMEDOUT);

    const int server = accept_from(listener);
    carry(queued, server);
    carry(server, queued);
    assert_int_equal(wi_socket_accept(listener, NULL), WEIR_EAGAIN);
    wi_socket_close(listener);
    carry(queued, server); /* closing the listener leaves accepted ones alone */

    const int next = wi_socket_listen(&local, BACKLOG);
    assert_true(next >= 0);
    await(late, WI_POLL_WRITE);
    assert_int_equal(wi_socket_error(late), 0);
    const int served = accept_from(next);
    carry(late, served);
    wi_socket_close(served);
    wi_socket_close(next);
    wi_socket_close(late);
    wi_socket_close(queued);
    wi_socket_close(server);
}

static void a_quiesced_listener_keeps_its_queue_and_takes_nobody_new(void **state)
{
    (void)state;
    quiesce("127.0.0.1:0");
    quiesce("[::1]:0");
    quiesce("*:0");
}

static void a_unix_listener_cannot_be_quiesced(void **state)
{
    (void)state;
    struct wi_addr local;
    const int listener = listen_at("unix:@weir-quiesce-test", &local);
    assert_int_equal(wi_socket_listener_quiesce(listener), WEIR_ENOTSUP);
    wi_socket_close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_family_carries_bytes_both_ways),
        cmocka_unit_test(any_address_serves_both_families),
        cmocka_unit_test(descriptors_are_nonblocking_and_close_on_exec),
        cmocka_unit_test(both_ends_have_nodelay),
        cmocka_unit_test(accept_tells_the_peer_and_when_nobody_waits),
        cmocka_unit_test(a_port_in_use_is_refused),
        cmocka_unit_test(connecting_where_nobody_listens_is_refused),
        cmocka_unit_test(finish_gives_the_peer_the_end_and_keeps_the_other_way_open),
        cmocka_unit_test(abort_resets_the_peer),
        cmocka_unit_test(the_end_of_a_peer_is_told_without_a_read),
        cmocka_unit_test(how_long_data_has_been_here_is_told),
        cmocka_unit_test(writing_to_a_closed_peer_gives_a_code_and_no_signal),
        cmocka_unit_test(a_full_socket_says_not_ready),
        cmocka_unit_test(who_reads_nothing_is_kept_little),
        cmocka_unit_test(slices_arrive_in_order),
        cmocka_unit_test(a_stale_unix_path_is_replaced_and_a_live_one_is_not),
        cmocka_unit_test(a_file_in_the_way_of_a_unix_path_is_kept),
        cmocka_unit_test(a_quiesced_listener_keeps_its_queue_and_takes_nobody_new),
        cmocka_unit_test(a_unix_listener_cannot_be_quiesced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
