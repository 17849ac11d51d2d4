/* SPDX-License-Identifier: MIT */
/* The end of a server: what is in flight is answered, who idles is let go, the deadline cuts.
 * Method: handlers stop at a gate; the drain is begun from the outside; each client says what it
 * must see. */
#include "support/serving.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static struct gate gate;

static int hello(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    return weir_reply_text(reply, 200, "hello\n");
}

static int gated(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    const int rc = gate_wait(&gate);
    return rc != 0 ? rc : weir_reply_text(reply, 200, "through\n");
}

static void routes(weir_server *server)
{
    assert_int_equal(weir_server_route(server, "GET", "/hello", hello, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "GET", "/gate", gated, NULL, NULL), 0);
}

/* Waits until new connections are refused, as the listener is closed. */
static void await_refusal(const struct serving *serving)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)serving->port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    for (int looks = 0; looks < PATIENCE_MS; looks++) {
        /* While the listener is quiesced a handshake hangs, so each try is short. */
        const struct timeval moment = { .tv_usec = 20000 };
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &moment, sizeof(moment)), 0);
        const int rc = connect(fd, (struct sockaddr *)&address, sizeof(address));
        const int error = errno;
        close(fd);
        if (rc != 0 && error == ECONNREFUSED)
            return;
        serving_look_later();
    }
    fail_msg("the listener stays open");
}

static void what_runs_and_what_waits_is_answered(void **state)
{
    (void)state;
    struct serving serving;
    struct client running, waiting;
    struct answer answer = { 0 };
    gate_init(&gate);
    const struct weir_server_opts opts = { .running_max = 1, .waiting_age_max_ns = -1 };
    serving_start(&serving, &opts, routes);
    client_open(&running, &serving);
    client_open(&waiting, &serving);
    serving_await(&serving, stats.connections == 2);
    client_send(&running, GET("/gate"));
    serving_await(&serving, stats.running == 1);
    client_send(&waiting, GET("/gate"));
    serving_await(&serving, stats.waiting == 1);
    serving_drain(&serving, PATIENCE_MS);
    await_refusal(&serving);
    gate_open(&gate);
    client_answer(&running, &answer, false);
    assert_int_equal(answer.status, 200);
    assert_false(answer.keep_alive);
    client_expect_end(&running);
    client_answer(&waiting, &answer, false);
    assert_int_equal(answer.status, 200);
    client_expect_end(&waiting);
    client_close(&running);
    client_close(&waiting);
    answer_free(&answer);
    assert_int_equal(serving_join(&serving), 0);
    gate_fini(&gate);
}

static void an_idle_connection_may_send_one_more_request(void **state)
{
    (void)state;
    struct serving serving;
    struct client last, idle;
    struct answer answer = { 0 };
    serving_start(&serving, NULL, routes);
    client_open(&last, &serving);
    client_open(&idle, &serving);
    client_ask(&last, GET("/hello"), &answer);
    client_ask(&idle, GET("/hello"), &answer);
    assert_true(answer.keep_alive);
    serving_drain(&serving, PATIENCE_MS);
    await_refusal(&serving);
    client_ask(&last, GET("/hello"), &answer);
    assert_int_equal(answer.status, 200);
    assert_false(answer.keep_alive);
    client_expect_end(&last);
    client_expect_end(&idle);
    client_close(&last);
    client_close(&idle);
    answer_free(&answer);
    assert_int_equal(serving_join(&serving), 0);
}

static void a_part_of_a_head_is_waited_for(void **state)
{
    (void)state;
    struct serving serving;
    struct client client;
    struct answer answer = { 0 };
    serving_start(&serving, NULL, routes);
    client_open(&client, &serving);
    client_ask(&client, GET("/hello"), &answer);
    client_send(&client, "GET /hel");
    serving_drain(&serving, PATIENCE_MS);
    await_refusal(&serving);
    client_ask(&client, "lo HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_int_equal(answer.status, 200);
    assert_false(answer.keep_alive);
    client_expect_end(&client);
    client_close(&client);
    answer_free(&answer);
    assert_int_equal(serving_join(&serving), 0);
}

static void the_deadline_cancels_handlers(void **state)
{
    (void)state;
    struct serving serving;
    struct client client, idle;
    struct answer answer = { 0 };
    gate_init(&gate);
    serving_start(&serving, NULL, routes);
    client_open(&client, &serving);
    client_open(&idle, &serving);
    serving_await(&serving, stats.connections == 2);
    client_send(&client, GET("/gate"));
    serving_await(&serving, stats.running == 1);
    serving_drain(&serving, 50);
    client_answer(&client, &answer, false);
    assert_int_equal(answer.status, 503);
    assert_false(answer.keep_alive);
    client_expect_end(&idle);
    assert_int_equal(serving_join(&serving), WEIR_ETIMEDOUT);
    client_close(&client);
    client_close(&idle);
    answer_free(&answer);
    gate_fini(&gate);
}

/* Clients connect and ask as fast as they can while the server drains: whoever was accepted by the
 * system gets an answer or, on a connection that is kept, an orderly end between two answers. */
static void no_accepted_request_fails(void **state)
{
    (void)state;
    enum {
        ROUNDS = 20
    };
    struct serving serving;
    serving_start(&serving, NULL, routes);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)serving.port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int answered = 0;
    for (int round = 0; round < 10000; round++) {
        if (round == ROUNDS)
            serving_drain(&serving, PATIENCE_MS);
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        /* A quiesced listener lets the handshake hang; it is not accepted then. */
        const struct timeval patience = { .tv_usec = 300000 };
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), 0);
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
            close(fd);
            break;
        }
        struct client client = { .fd = fd };
        struct answer answer = { 0 };
        const struct timeval long_patience = { .tv_sec = PATIENCE_MS / 1000 };
        assert_int_equal(
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &long_patience, sizeof(long_patience)), 0);
        client_ask(&client, GET("/hello"), &answer);
        assert_int_equal(answer.status, 200);
        answered++;
        answer_free(&answer);
        client_close(&client);
    }
    assert_true(answered >= ROUNDS);
    assert_int_equal(serving_join(&serving), 0);
}

static void a_server_that_never_started_is_freed(void **state)
{
    (void)state;
    weir_server *server = NULL;
    assert_int_equal(weir_server_create(&server, NULL), WEIR_ENOTOPEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_runs_and_what_waits_is_answered),
        cmocka_unit_test(an_idle_connection_may_send_one_more_request),
        cmocka_unit_test(a_part_of_a_head_is_waited_for),
        cmocka_unit_test(the_deadline_cancels_handlers),
        cmocka_unit_test(no_accepted_request_fails),
        cmocka_unit_test(a_server_that_never_started_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
