/* SPDX-License-Identifier: MIT */
/* What a client of the server may rely on: keep-alive, pipelining, framing both ways, Expect, HEAD,
 * routes and their refusals.  Method: raw bytes to a live server under each model; answers are read
 * with the strict parser, so a wrong frame fails the test that follows it too. */
#include "support/serving.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int hello(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    return weir_reply_text(reply, 200, "Hello, %s!\n", weir_request_param(request, "name"));
}

static int echo(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    char data[5000];
    const char *type = weir_request_header(request, "Content-Type");
    int rc = weir_reply_begin(reply, 200, type, weir_request_body_bytes(request));
    while (rc == 0) {
        const int got = weir_request_read(request, data, sizeof(data), WEIR_NO_DEADLINE);
        if (got <= 0)
            return got;
        rc = weir_reply_write(reply, data, (size_t)got);
    }
    return rc;
}

static int show(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    int error = 0;
    const char *name = weir_request_query_param(request, "name");
    const char *header = weir_request_header(request, "x-thing");
    const int64_t number = weir_request_query_int(request, "n", 7, &error);
    return weir_reply_text(reply, 200, "%s|%s|%s|%s|%s|%ld|%d", weir_request_method(request),
                           weir_request_path(request), weir_request_query(request),
                           name != NULL ? name : "-", header != NULL ? header : "-", (long)number,
                           error);
}

static int rest(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    return weir_reply_text(reply, 200, "%s", weir_request_param(request, "path"));
}

static int fails(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)reply;
    (void)user;
    return WEIR_EIO;
}

static int nothing(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)reply;
    (void)user;
    return 0;
}

static int fields(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    if (weir_reply_header(reply, "X-One", "1") != 0 ||
        weir_reply_header(reply, "X-Bad", "a\r\nb: c") != WEIR_EINVAL ||
        weir_reply_header(reply, "Content-Length", "3") != WEIR_EINVAL ||
        weir_reply_header(reply, "Date", "now") != WEIR_EINVAL)
        return WEIR_EIO;
    const int rc = weir_reply_data(reply, 201, "text/x-thing", "abc", 3);
    if (rc != 0)
        return rc;
    return weir_reply_data(reply, 200, NULL, "d", 1) == WEIR_EALREADY &&
                   weir_reply_header(reply, "X-Late", "1") == WEIR_EALREADY
               ? 0
               : WEIR_EIO;
}

static int stream(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    const int64_t pieces = weir_request_query_int(request, "n", 3, NULL);
    const int64_t size = weir_request_query_int(request, "size", 10, NULL);
    char *piece = weir_request_alloc(request, (size_t)size);
    int rc = weir_reply_begin(reply, 200, "text/plain", -1);
    for (int64_t i = 0; i < pieces && rc == 0; i++) {
        memset(piece, 'a' + (int)(i % 26), (size_t)size);
        rc = weir_reply_write(reply, piece, (size_t)size);
        if (rc == 0 && i % 7 == 0)
            rc = weir_reply_flush(reply);
    }
    return rc;
}

static int announced(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    int rc = weir_reply_begin(reply, 200, "text/plain", 6);
    if (rc != 0)
        return rc;
    rc = weir_reply_write(reply, "abc", 3);
    if (rc != 0)
        return rc;
    return weir_reply_write(reply, "defg", 4) == WEIR_ERANGE ? weir_reply_write(reply, "def", 3)
                                                             : WEIR_EIO;
}

static int cut_short(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    const int rc = weir_reply_begin(reply, 200, "text/plain", 100);
    return rc != 0 ? rc : weir_reply_write(reply, "abc", 3);
}

static void add(weir_server *server, const char *method, const char *pattern, weir_handler *handler)
{
    assert_int_equal(weir_server_route(server, method, pattern, handler, NULL, NULL), 0);
}

static void routes(weir_server *server)
{
    add(server, "GET", "/hello/:name", hello);
    add(server, "POST", "/echo", echo);
    add(server, "GET", "/show/:x", show);
    add(server, "POST", "/show/:x", show);
    add(server, "GET", "/files/*path", rest);
    add(server, "GET", "/fails", fails);
    add(server, "GET", "/nothing", nothing);
    add(server, "POST", "/nothing", nothing);
    add(server, "GET", "/fields", fields);
    add(server, "GET", "/stream", stream);
    add(server, "GET", "/announced", announced);
    add(server, "GET", "/short", cut_short);
    const struct weir_route_opts blocking = { .size = sizeof(blocking), .blocking = true };
    assert_int_equal(weir_server_route(server, "GET", "/blocking/:name", hello, NULL, &blocking),
                     0);
    const struct weir_route_opts pinned = { .size = sizeof(pinned), .pinned = true };
    assert_int_equal(weir_server_route(server, "GET", "/pinned/:name", hello, NULL, &pinned), 0);
}

static int set_up(void **state)
{
    static struct serving serving;
    serving_start(&serving, NULL, routes);
    *state = &serving;
    return 0;
}

static int tear_down(void **state)
{
    serving_stop(*state);
    return 0;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static void a_connection_is_kept_for_many_requests(void **state)
{
    struct client client;
    struct answer answer = { 0 };
    client_open(&client, *state);
    for (int i = 0; i < 50; i++) {
        client_ask(&client, GET("/hello/bob"), &answer);
        assert_int_equal(answer.status, 200);
        assert_string_equal(answer.body, "Hello, bob!\n");
        assert_true(answer.keep_alive);
    }
    char date[64];
    assert_true(answer_field(&answer, "Date", date, sizeof(date)));
    assert_int_equal(strlen(date), 29);
    answer_free(&answer);
    client_close(&client);
}

static void a_hundred_pipelined_requests_are_answered_in_order(void **state)
{
    struct client client;
    struct answer answer = { 0 };
    char *text = malloc(100 * 128);
    size_t len = 0;
    for (int i = 0; i < 100; i++) {
        /* Some are refused at the edge, some carry a body, some run elsewhere. */
        const char *form = i % 10 == 3   ? "GET /none/%d HTTP/1.1\r\nHost: a\r\n\r\n"
                           : i % 10 == 5 ? "POST /show/%d HTTP/1.1\r\nHost: a\r\nContent-Length: "
                                           "5\r\n\r\nabcde"
                           : i % 10 == 7 ? "GET /blocking/%d HTTP/1.1\r\nHost: a\r\n\r\n"
                                         : "GET /hello/%d HTTP/1.1\r\nHost: a\r\n\r\n";
        len += (size_t)sprintf(text + len, form, i);
    }
    client_open(&client, *state);
    client_send_bytes(&client, text, len);
    for (int i = 0; i < 100; i++) {
        char wanted[64];
        client_answer(&client, &answer, false);
        if (i % 10 == 3)
            snprintf(wanted, sizeof(wanted), "not found\n");
        else if (i % 10 == 5)
            snprintf(wanted, sizeof(wanted), "POST|/show/%d||-|-|7|0", i);
        else
            snprintf(wanted, sizeof(wanted), "Hello, %d!\n", i);
        assert_string_equal(answer.body, wanted);
        assert_true(answer.keep_alive);
    }
    free(text);
    answer_free(&answer);
    client_close(&client);
}

static void a_head_may_come_byte_by_byte(void **state)
{
    static const char text[] = GET("/hello/slow") GET("/hello/slower");
    struct client client;
    struct answer answer = { 0 };
    client_open(&client, *state);
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        client_send_bytes(&client, text + i, 1);
    client_answer(&client, &answer, false);
    assert_string_equal(answer.body, "Hello, slow!\n");
    client_answer(&client, &answer, false);
    assert_string_equal(answer.body, "Hello, slower!\n");
    answer_free(&answer);
    client_close(&client);
}

static void routes_decode_and_refuse(void **state)
{
    struct client client;
    struct answer answer = { 0 };
    char allow[64];
    client_open(&client, *state);
    client_ask(&client, GET("/hello/a%20b%2Fc"), &answer);
    assert_string_equal(answer.body, "Hello, a b/c!\n");
    client_ask(&client, GET("/files/a/b%20c/d"), &answer);
    assert_string_equal(answer.body, "a/b c/d");
    client_ask(&client,
               "GET /show/a%41?name=x+y%21&n=-12 HTTP/1.1\r\nHost: a\r\nX-Thing:  t \r\n\r\n",
               &answer);
    assert_string_equal(answer.body, "GET|/show/aA|name=x+y%21&n=-12|x y!|t|-12|0");
    client_ask(&client, GET("/show/a?n=12x"), &answer);
    assert_string_equal(answer.body, "GET|/show/a|n=12x|-|-|7|-22");
    client_ask(&client, GET("/none"), &answer);
    assert_int_equal(answer.status, 404);
    assert_true(answer.keep_alive);
    client_ask(&client, "DELETE /hello/bob HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_int_equal(answer.status, 405);
    assert_true(answer_field(&answer, "Allow", allow, sizeof(allow)));
    assert_string_equal(allow, "GET, HEAD");
    assert_true(answer.keep_alive);
    /* A refused request whose body is here keeps the connection too. */
    client_ask(&client, "POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", &answer);
    assert_int_equal(answer.status, 404);
    assert_true(answer.keep_alive);
    client_ask(&client, GET("/hello/bob"), &answer);
    assert_string_equal(answer.body, "Hello, bob!\n");
    answer_free(&answer);
    client_close(&client);
}

static void head_gets_the_head_alone(void **state)
{
    struct client client;
    struct answer answer = { 0 };
    char length[32];
    client_open(&client, *state);
    client_ask(&client, "HEAD /hello/bob HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_int_equal(answer.status, 200);
    assert_true(answer_field(&answer, "Content-Length", length, sizeof(length)));
    assert_string_equal(length, "12");
    assert_int_equal(answer.body_len, 0);
    client_ask(&client, "HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_int_equal(answer.body_len, 0);
    client_ask(&client, "HEAD /none HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_int_equal(answer.status, 404);
    client_ask(&client, GET("/hello/bob"), &answer);
    assert_string_equal(answer.body, "Hello, bob!\n");
    answer_free(&answer);
    client_close(&client);
}

static void bodies_are_echoed_in_both_framings(void **state)
{
    struct client client;
    struct answer answer = { 0 };
    client_open(&client, *state);
    client_ask(&client,
               "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n"
               "Content-Type: text/x\r\n\r\nhello there",
               &answer);
    assert_string_equal(answer.body, "hello there");
    assert_false(answer.chunked);
    client_ask(&client,
               "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
               "5\r\nhello\r\n6;ext=1\r\n there\r\n0\r\nX-T: 1\r\n\r\n",
               &answer);
    assert_string_equal(answer.body, "hello there");
    assert_true(answer.chunked);
    assert_true(answer.keep_alive);

    /* In small pieces, with the next request right behind. */
    static const char pieces[] =
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "a\r\n0123456789\r\n3\r\nabc\r\n0\r\n\r\n" GET("/hello/next");
    for (size_t i = 0; i < sizeof(pieces) - 1; i += 3) {
        const size_t left = sizeof(pieces) - 1 - i;
        client_send_bytes(&client, pieces + i, left < 3 ? left : 3);
    }
    client_answer(&client, &answer, false);
    assert_string_equal(answer.body, "0123456789abc");
    client_answer(&client, &answer, false);
    assert_string_equal(answer.body, "Hello, next!\n");
    client_ask(&client, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", &answer);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.body_len, 0);
    answer_free(&answer);
    client_close(&client);
}

static void streams_are_chunked_or_end_with_the_connection(void **state)
{
    static const int sizes[] = { 1, 10, 4095, 4096, 20000 };
    struct client client;
    struct answer answer = { 0 };
    client_open(&client, *state);
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        char text[128];
        snprintf(text, sizeof(text), "GET /stream?n=30&size=%d HTTP/1.1\r\nHost: a\r\n\r\n",
                 sizes[s]);
        client_ask(&client, text, &answer);
        assert_true(answer.chunked);
        assert_int_equal(answer.body_len, 30 * sizes[s]);
        for (int i = 0; i < 30; i++)
            assert_int_equal(answer.body[i * sizes[s]], 'a' + i % 26);
    }
    client_ask(&client, GET("/announced"), &answer);
    assert_string_equal(answer.body, "abcdef");
    client_ask(&client, "GET /stream HTTP/1.0\r\n\r\n", &answer);
    assert_false(answer.chunked);
    assert_int_equal(answer.body_len, 30);
    client_expect_end(&client);
    client_close(&client);

    /* Fewer bytes than announced: the client must not take it for whole. */
    client_open(&client, *state);
    client_send(&client, GET("/short"));
    while (client_more(&client))
        ;
    assert_non_null(memmem(client.data, client.len, "Content-Length: 100", 19));
    assert_memory_equal(client.data + client.len - 3, "abc", 3);
    answer_free(&answer);
    client_close(&client);
}

static void old_clients_get_what_they_understand(void **state)
{
    struct client client;
    struct answer answer = { 0 };
    client_open(&client, *state);
    client_ask(&client, "GET /hello/bob HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &answer);
    assert_true(answer.keep_alive);
    client_ask(&client, "GET /hello/bob HTTP/1.0\r\n\r\n", &answer);
    assert_false(answer.keep_alive);
    assert_string_equal(answer.body, "Hello, bob!\n");
    client_expect_end(&client);
    client_close(&client);
    client_open(&client, *state);
    client_ask(&client, "GET /hello/bob HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", &answer);
    assert_false(answer.keep_alive);
    client_expect_end(&client);
    answer_free(&answer);
    client_close(&client);
}

static void expect_continue_is_answered_when_the_handler_reads(void **state)
{
    struct client client;
    struct answer answer = { 0 };
    client_open(&client, *state);
    client_send(&client, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                         "Expect: 100-continue\r\n\r\n");
    static const char invitation[] = "HTTP/1.1 100 Continue\r\n\r\n";
    while (client.len < sizeof(invitation) - 1)
        assert_true(client_more(&client));
    assert_memory_equal(client.data, invitation, sizeof(invitation) - 1);
    client_send(&client, "abc");
    client_answer(&client, &answer, false);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "abc");
    assert_true(answer.keep_alive);

    /* A handler that does not read gives the final answer at once. */
    client_send(&client, "POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                         "Expect: 100-continue\r\n\r\n");
    client_answer(&client, &answer, false);
    assert_int_equal(answer.status, 204);
    assert_false(answer.keep_alive);
    client_expect_end(&client);
    answer_free(&answer);
    client_close(&client);
}

static void handlers_that_fail_or_say_nothing_are_answered(void **state)
{
    struct serving *serving = *state;
    struct client client;
    struct answer answer = { 0 };
    char value[64];
    client_open(&client, serving);
    const int64_t before = serving_stats(serving).handler_errors;
    client_ask(&client, GET("/fails"), &answer);
    assert_int_equal(answer.status, 500);
    assert_true(answer.keep_alive);
    serving_await(serving, stats.handler_errors == before + 1);
    client_ask(&client, GET("/nothing"), &answer);
    assert_int_equal(answer.status, 204);
    assert_false(answer_field(&answer, "Content-Length", value, sizeof(value)));
    client_ask(&client, GET("/fields"), &answer);
    assert_int_equal(answer.status, 201);
    assert_string_equal(answer.body, "abc");
    assert_true(answer_field(&answer, "X-One", value, sizeof(value)));
    assert_true(answer_field(&answer, "Content-Type", value, sizeof(value)));
    assert_string_equal(value, "text/x-thing");
    assert_false(answer_field(&answer, "X-Bad", value, sizeof(value)));
    answer_free(&answer);
    client_close(&client);
}

static void a_body_that_nobody_reads_does_not_spoil_the_next_request(void **state)
{
    struct client client;
    struct answer answer = { 0 };
    char *body = malloc(300 * 1024);
    memset(body, 'x', 300 * 1024);
    client_open(&client, *state);
    client_send(&client, "POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n");
    client_send_bytes(&client, body, 40000);
    client_answer(&client, &answer, false);
    assert_int_equal(answer.status, 204);
    assert_true(answer.keep_alive);
    client_ask(&client, GET("/hello/bob"), &answer);
    assert_string_equal(answer.body, "Hello, bob!\n");

    /* A large one ends the connection, but the answer arrives. */
    client_send(&client, "POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 204800\r\n\r\n");
    client_send_bytes(&client, body, 204800);
    client_answer(&client, &answer, false);
    assert_int_equal(answer.status, 204);
    assert_false(answer.keep_alive);
    client_expect_end(&client);
    free(body);
    answer_free(&answer);
    client_close(&client);
}

static void malformed_requests_are_refused_and_the_connection_ends(void **state)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        { "GET /hello/a HTTP/1.1\r\n\r\n", 400 },
        { "GET /hello/a HTTP/2.0\r\nHost: a\r\n\r\n", 505 },
        { "GET  /hello/a HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
        { "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
          400 },
        { "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
          "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
          400 },
        { "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501 },
        { "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: x\r\n\r\na", 417 },
    };
    struct answer answer = { 0 };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct client client;
        client_open(&client, *state);
        client_ask(&client, cases[i].text, &answer);
        assert_int_equal(answer.status, cases[i].status);
        assert_false(answer.keep_alive);
        client_expect_end(&client);
        client_close(&client);
    }
    answer_free(&answer);
}

static void routes_may_run_on_threads(void **state)
{
    struct client client;
    struct answer answer = { 0 };
    client_open(&client, *state);
    client_ask(&client, GET("/blocking/b"), &answer);
    assert_string_equal(answer.body, "Hello, b!\n");
    client_ask(&client, GET("/pinned/p"), &answer);
    assert_string_equal(answer.body, "Hello, p!\n");
    client_ask(&client, GET("/hello/h"), &answer);
    assert_string_equal(answer.body, "Hello, h!\n");
    answer_free(&answer);
    client_close(&client);
}

static void a_client_may_finish_its_side_first(void **state)
{
    struct client client;
    struct answer answer = { 0 };
    client_open(&client, *state);
    client_send(&client, GET("/hello/a") GET("/hello/b"));
    assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
    client_answer(&client, &answer, false);
    assert_string_equal(answer.body, "Hello, a!\n");
    client_answer(&client, &answer, false);
    assert_string_equal(answer.body, "Hello, b!\n");
    client_expect_end(&client);
    answer_free(&answer);
    client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_kept_for_many_requests),
        cmocka_unit_test(a_hundred_pipelined_requests_are_answered_in_order),
        cmocka_unit_test(a_head_may_come_byte_by_byte),
        cmocka_unit_test(routes_decode_and_refuse),
        cmocka_unit_test(head_gets_the_head_alone),
        cmocka_unit_test(bodies_are_echoed_in_both_framings),
        cmocka_unit_test(streams_are_chunked_or_end_with_the_connection),
        cmocka_unit_test(old_clients_get_what_they_understand),
        cmocka_unit_test(expect_continue_is_answered_when_the_handler_reads),
        cmocka_unit_test(handlers_that_fail_or_say_nothing_are_answered),
        cmocka_unit_test(a_body_that_nobody_reads_does_not_spoil_the_next_request),
        cmocka_unit_test(malformed_requests_are_refused_and_the_connection_ends),
        cmocka_unit_test(routes_may_run_on_threads),
        cmocka_unit_test(a_client_may_finish_its_side_first),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
