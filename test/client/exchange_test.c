/* SPDX-License-Identifier: MIT */
/* One attempt, against a server that says what a script tells it to: what goes out byte by byte,
 * which heads are taken, kept connections that are stale, answers before the request was read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/run.h"
#include "support/scripted.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

enum {
    PATIENCE_MS = 20000
};

/* A client without what would repeat or refuse, so that each attempt is seen. */
static weir_client *plain_client(void)
{
    weir_client *client;
    const struct weir_client_opts opts = { .attempts_max = 1, .no_own_headers = true };
    CHECK_EQ(weir_client_create(&client, &opts), 0);
    return client;
}

static struct weir_client_stats stats_of(weir_client *client)
{
    struct weir_client_stats stats = { .size = sizeof(stats) };
    weir_client_stats_read(client, &stats);
    return stats;
}

/* GETs the path and gives the status or a code. */
static int get(weir_client *client, const struct scripted *scripted, const char *path)
{
    char url[256];
    weir_response *response;
    const int rc = weir_client_get(client, &response, scripted_url(scripted, path, url),
                                   weir_in_ms(PATIENCE_MS));
    if (rc != 0)
        return rc;
    const int status = weir_response_status(response);
    weir_response_close(response);
    return status;
}

static int send_with(weir_client *client, const struct scripted *scripted, const char *method,
                     const struct weir_client_request *request)
{
    char url[256];
    weir_response *response;
    const int rc = weir_client_send(client, &response, method, scripted_url(scripted, "/x", url),
                                    request, weir_in_ms(PATIENCE_MS));
    if (rc != 0)
        return rc;
    const int status = weir_response_status(response);
    weir_response_close(response);
    return status;
}

/* Says scripted->user to every request, and goes on. */
static void say_it(struct peer *peer)
{
    while (peer_request(peer))
        peer_say(peer, peer->scripted->user);
}

/* Says it once and closes. */
static void say_it_and_close(struct peer *peer)
{
    if (peer_request(peer))
        peer_say(peer, peer->scripted->user);
}

static int get_said(script_fn *script, const char *said)
{
    struct scripted scripted;
    weir_client *client = plain_client();
    scripted_start(&scripted, script, (void *)(uintptr_t)said);
    const int rc = get(client, &scripted, "/");
    weir_client_destroy(client);
    scripted_stop(&scripted);
    return rc;
}

/* -- what goes out ---------------------------------------------------------------------------- */

struct seen {
    char head[4096];
    char body[4096];
    size_t body_bytes;
};

static void keep_it(struct peer *peer)
{
    struct seen *seen = peer->scripted->user;
    while (peer_request(peer)) {
        CHECK(strlen(peer->head) < sizeof(seen->head));
        memcpy(seen->head, peer->head, strlen(peer->head) + 1);
        seen->body_bytes = peer->body_bytes;
        if (peer->body_bytes < sizeof(seen->body))
            memcpy(seen->body, peer->body, peer->body_bytes + 1);
        peer_say(peer, OK);
    }
}

RUN(a_request_is_what_was_asked_for_byte_by_byte)
{
    struct scripted scripted;
    struct seen seen = { .body_bytes = 0 };
    char wanted[1024];
    weir_client *client = plain_client();
    scripted_start(&scripted, keep_it, &seen);
    CHECK_EQ(get(client, &scripted, "/a/b?c=d&e"), 200);
    snprintf(wanted, sizeof(wanted), "GET /a/b?c=d&e HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n",
             scripted.port);
    CHECK(strcmp(seen.head, wanted) == 0);

    const struct weir_header headers[] = { { "X-One", "1" }, { "x-two", "" } };
    const struct weir_client_request request = {
        .headers = headers, .header_count = 2, .body = "hello", .body_bytes = 5
    };
    CHECK_EQ(send_with(client, &scripted, "POST", &request), 200);
    snprintf(wanted, sizeof(wanted),
             "POST /x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 5\r\nX-One: 1\r\n"
             "x-two: \r\n\r\n",
             scripted.port);
    CHECK(strcmp(seen.head, wanted) == 0);
    CHECK(strcmp(seen.body, "hello") == 0);

    CHECK_EQ(get(client, &scripted, ""), 200);
    CHECK(strncmp(seen.head, "GET / HTTP/1.1\r\n", 16) == 0);
    CHECK_EQ(get(client, &scripted, "?q"), 200);
    CHECK(strncmp(seen.head, "GET /?q HTTP/1.1\r\n", 18) == 0);
    weir_client_destroy(client);
    scripted_stop(&scripted);
    return 0;
}

static int three_pieces(void *user, void *data, size_t bytes)
{
    static const char *const pieces[] = { "one", "three", "seven!!" };
    int *given = user;
    if (*given == 3)
        return 0;
    const char *piece = pieces[(*given)++];
    CHECK(strlen(piece) <= bytes);
    memcpy(data, piece, strlen(piece));
    return (int)strlen(piece);
}

RUN(a_body_given_in_pieces_goes_out_in_chunks_or_with_its_length)
{
    struct scripted scripted;
    struct seen seen = { .body_bytes = 0 };
    int given = 0;
    struct weir_client_request request = { .read = three_pieces, .user = &given, .read_bytes = -1 };
    weir_client *client = plain_client();
    scripted_start(&scripted, keep_it, &seen);
    CHECK_EQ(send_with(client, &scripted, "POST", &request), 200);
    CHECK(strstr(seen.head, "Transfer-Encoding: chunked\r\n") != NULL);
    CHECK(strcmp(seen.body, "3\r\none\r\n5\r\nthree\r\n7\r\nseven!!\r\n0\r\n\r\n") == 0);

    given = 0;
    request.read_bytes = 15;
    CHECK_EQ(send_with(client, &scripted, "PUT", &request), 200);
    CHECK(strstr(seen.head, "Content-Length: 15\r\n") != NULL);
    CHECK(strcmp(seen.body, "onethreeseven!!") == 0);
    CHECK_EQ(scripted.connections, 1);

    /* One that ends too early takes the connection with it. */
    given = 0;
    request.read_bytes = 16;
    CHECK_EQ(send_with(client, &scripted, "PUT", &request), WEIR_ERANGE);
    CHECK_EQ(stats_of(client).idle, 0);
    weir_client_destroy(client);
    scripted_stop(&scripted);
    return 0;
}

static int fail_at_once(void *user, void *data, size_t bytes)
{
    (void)user;
    (void)data;
    (void)bytes;
    return WEIR_ECONNRESET;
}

RUN(an_error_of_who_gives_the_body_is_the_calls)
{
    struct scripted scripted;
    struct seen seen = { .body_bytes = 0 };
    const struct weir_client_request request = { .read = fail_at_once, .read_bytes = -1 };
    weir_client *client = plain_client();
    scripted_start(&scripted, keep_it, &seen);
    CHECK_EQ(send_with(client, &scripted, "POST", &request), WEIR_ECONNRESET);
    CHECK_EQ(stats_of(client).broken, 0); /* the destination did nothing wrong */
    weir_client_destroy(client);
    scripted_stop(&scripted);
    return 0;
}

/* -- heads of answers ------------------------------------------------------------------------- */

RUN(interim_answers_are_passed_over)
{
    CHECK_EQ(get_said(say_it, "HTTP/1.1 100 Continue\r\n\r\n"
                              "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK),
             200);
    return 0;
}

static void say_100_for_ever(struct peer *peer)
{
    if (!peer_request(peer))
        return;
    for (int i = 0; i < 100; i++)
        peer_say(peer, "HTTP/1.1 100 Continue\r\n\r\n");
    peer_await_end(peer);
}

RUN(what_is_no_http_is_refused)
{
    CHECK_EQ(get_said(say_100_for_ever, ""), WEIR_EPROTO);
    CHECK_EQ(get_said(say_it, "SSH-2.0-OpenSSH_9.2\r\n"), WEIR_EPROTO);
    CHECK_EQ(get_said(say_it, "HTTP/2.0 200 OK\r\n\r\n"), WEIR_EPROTO);
    CHECK_EQ(get_said(say_it, "HTTP/1.1 200 OK\nContent-Length: 0\n\n"), WEIR_EPROTO);
    CHECK_EQ(get_said(say_it, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
             WEIR_EPROTO);
    CHECK_EQ(
        get_said(say_it, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab"),
        WEIR_EPROTO);
    CHECK_EQ(get_said(say_it, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
                              "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
             WEIR_EPROTO);
    CHECK_EQ(get_said(say_it, "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n"), WEIR_EPROTO);
    return 0;
}

static void say_fields_for_ever(struct peer *peer)
{
    if (!peer_request(peer))
        return;
    peer_say(peer, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 10000; i++)
        peer_say(peer, "X-Filler: what nobody needs to know\r\n");
    peer_await_end(peer);
}

static void say_one_line_for_ever(struct peer *peer)
{
    if (!peer_request(peer))
        return;
    peer_say(peer, "HTTP/1.1 200 ");
    for (int i = 0; i < 10000; i++)
        peer_say(peer, "OKOKOKOKOKOKOKOKOKOKOKOKOKOKOKOKOKOKOK");
    peer_await_end(peer);
}

RUN(a_head_beyond_its_bounds_is_refused)
{
    CHECK_EQ(get_said(say_fields_for_ever, ""), WEIR_EMSGSIZE);
    CHECK_EQ(get_said(say_one_line_for_ever, ""), WEIR_EMSGSIZE);
    static char many[8192] = "HTTP/1.1 204 No Content\r\n";
    while (strlen(many) < 101 * 6)
        strcat(many, "A: b\r\n");
    for (int i = 0; i < 20; i++)
        strcat(many, "A: b\r\n");
    strcat(many, "\r\n");
    CHECK_EQ(get_said(say_it, many), WEIR_EMSGSIZE);
    return 0;
}

static void say_it_byte_by_byte(struct peer *peer)
{
    while (peer_request(peer)) {
        const char *said = peer->scripted->user;
        for (size_t i = 0; said[i] != '\0'; i++)
            peer_say_bytes(peer, &said[i], 1);
    }
}

RUN(a_head_may_trickle_in)
{
    CHECK_EQ(get_said(say_it_byte_by_byte, "HTTP/1.1 100 Continue\r\n\r\n" OK), 200);
    return 0;
}

RUN(an_end_before_the_head_is_told)
{
    CHECK_EQ(get_said(say_it_and_close, ""), WEIR_ECONNRESET);
    CHECK_EQ(get_said(say_it_and_close, "HTTP/1.1 200 OK\r\nContent-Le"), WEIR_ECONNRESET);
    return 0;
}

/* -- kept connections ------------------------------------------------------------------------- */

RUN(a_connection_that_may_be_kept_is_used_again)
{
    struct scripted scripted;
    weir_client *client = plain_client();
    scripted_start(&scripted, say_it, OK);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(get(client, &scripted, "/"), 200);
    CHECK_EQ(scripted.connections, 1);
    const struct weir_client_stats stats = stats_of(client);
    CHECK_EQ(stats.connects, 1);
    CHECK_EQ(stats.reused, 9);
    CHECK_EQ(stats.idle, 1);
    CHECK_EQ(stats.running, 0);
    weir_client_destroy(client);
    scripted_stop(&scripted);
    return 0;
}

RUN(a_connection_that_may_not_be_kept_is_closed)
{
    static const char *const said[] = {
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", OK "and more", /* nobody asked for that */
    };
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        struct scripted scripted;
        weir_client *client = plain_client();
        scripted_start(&scripted, say_it, (void *)(uintptr_t)said[i]);
        CHECK_EQ(get(client, &scripted, "/"), 200);
        CHECK_EQ(get(client, &scripted, "/"), 200);
        CHECK_EQ(scripted.connections, 2);
        weir_client_destroy(client);
        scripted_stop(&scripted);
    }
    return 0;
}

/* Answers the first request of each connection, and closes without a word when it has read the
 * second: the race that nobody can see coming. */
static void answer_once_and_close_on_the_next(struct peer *peer)
{
    if (peer_request(peer))
        peer_say(peer, OK);
    (void)peer_request(peer);
}

RUN(a_stale_connection_is_replaced_once_if_that_does_no_harm)
{
    struct scripted scripted;
    weir_client *client = plain_client();
    scripted_start(&scripted, answer_once_and_close_on_the_next, NULL);
    CHECK_EQ(get(client, &scripted, "/"), 200);
    CHECK_EQ(get(client, &scripted, "/"), 200);
    CHECK_EQ(scripted.connections, 2);
    CHECK_EQ(stats_of(client).stale, 1);
    CHECK_EQ(stats_of(client).attempts, 2);
    /* The server may have done what it was told to. */
    const struct weir_client_request post = { .body = "x", .body_bytes = 1 };
    CHECK_EQ(send_with(client, &scripted, "POST", &post), WEIR_ECONNRESET);
    CHECK_EQ(get(client, &scripted, "/"), 200);
    const struct weir_client_request safe = { .body = "x", .body_bytes = 1, .idempotent = true };
    CHECK_EQ(send_with(client, &scripted, "POST", &safe), 200);
    const struct weir_client_request once = { .once = true };
    CHECK_EQ(send_with(client, &scripted, "GET", &once), WEIR_ECONNRESET);
    weir_client_destroy(client);
    scripted_stop(&scripted);
    return 0;
}

enum {
    PAUSE_MS = 50
};

/* The first connection serves one request, lets PAUSE_MS pass with the next and closes; user is
 * what each of the three was told to have left. */
static void pause_and_close_on_the_next(struct peer *peer)
{
    int *told_ms = peer->scripted->user;
    while (peer_request(peer)) {
        const int number = peek(&peer->scripted->requests) - 1;
        const char *field = strstr(peer->head, "Weir-Timeout-Ms: ");
        CHECK(field != NULL && number < 3);
        post(&told_ms[number], atoi(field + strlen("Weir-Timeout-Ms: ")));
        if (number == 1) {
            (void)usleep(PAUSE_MS * 1000);
            return;
        }
        peer_say(peer, OK);
    }
}

RUN(a_server_is_not_told_of_time_that_a_stale_connection_took)
{
    struct scripted scripted;
    int told_ms[3] = { 0 };
    weir_client *client;
    const struct weir_client_opts opts = { .attempts_max = 1 };
    CHECK_EQ(weir_client_create(&client, &opts), 0);
    scripted_start(&scripted, pause_and_close_on_the_next, told_ms);
    CHECK_EQ(get(client, &scripted, "/"), 200);
    CHECK_EQ(get(client, &scripted, "/"), 200);
    CHECK_EQ(scripted.connections, 2);
    CHECK(peek(&told_ms[2]) > 0);
    CHECK(peek(&told_ms[1]) - peek(&told_ms[2]) >= PAUSE_MS);
    weir_client_destroy(client);
    scripted_stop(&scripted);
    return 0;
}

RUN(a_connection_that_was_closed_while_idle_is_not_used)
{
    struct scripted scripted;
    weir_client *client = plain_client();
    scripted_start(&scripted, say_it_and_close, OK);
    const struct weir_client_request post = { .body = "x", .body_bytes = 1 };
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(send_with(client, &scripted, "POST", &post), 200);
        while (peek(&scripted.open) > 0)
            IGNORE(weir_sleep(weir_in_ns(100000)));
    }
    CHECK_EQ(scripted.connections, 5);
    weir_client_destroy(client);
    scripted_stop(&scripted);
    return 0;
}

/* -- early answers ---------------------------------------------------------------------------- */

/* Reads a little of the request, answers, and closes. */
static void refuse_early(struct peer *peer)
{
    char some[1000];
    IGNORE((int)recv(peer->fd, some, sizeof(some), MSG_WAITALL));
    peer_say(peer, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
    shutdown(peer->fd, SHUT_WR);
    peer_await_end(peer);
}

RUN(an_answer_before_the_body_was_read_is_taken)
{
    struct scripted scripted;
    weir_client *client = plain_client();
    const size_t bytes = 32 * 1024 * 1024;
    char *body = calloc(1, bytes);
    const struct weir_client_request request = { .body = body, .body_bytes = bytes };
    scripted_start(&scripted, refuse_early, NULL);
    CHECK_EQ(send_with(client, &scripted, "POST", &request), 413);
    weir_client_destroy(client);
    scripted_stop(&scripted);
    free(body);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_what_was_asked_for_byte_by_byte),
        cmocka_unit_test(a_body_given_in_pieces_goes_out_in_chunks_or_with_its_length),
        cmocka_unit_test(an_error_of_who_gives_the_body_is_the_calls),
        cmocka_unit_test(interim_answers_are_passed_over),
        cmocka_unit_test(what_is_no_http_is_refused),
        cmocka_unit_test(a_head_beyond_its_bounds_is_refused),
        cmocka_unit_test(a_head_may_trickle_in),
        cmocka_unit_test(an_end_before_the_head_is_told),
        cmocka_unit_test(a_connection_that_may_be_kept_is_used_again),
        cmocka_unit_test(a_connection_that_may_not_be_kept_is_closed),
        cmocka_unit_test(a_stale_connection_is_replaced_once_if_that_does_no_harm),
        cmocka_unit_test(a_server_is_not_told_of_time_that_a_stale_connection_took),
        cmocka_unit_test(a_connection_that_was_closed_while_idle_is_not_used),
        cmocka_unit_test(an_answer_before_the_body_was_read_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
