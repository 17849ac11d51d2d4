/* SPDX-License-Identifier: MIT */
/* Replies: bounds of fields, large bodies to slow readers, exact lengths, misuse. */
#include "support/serving.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    BULK = 8 * 1024 * 1024
};

static char byte_at(size_t i)
{
    return (char)(i * 13 + i / 1021);
}

static int bulk(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    const int64_t size = weir_request_query_int(request, "piece", 1000, NULL);
    const int64_t announced = weir_request_query_int(request, "chunked", 0, NULL) ? -1 : BULK;
    char *data = weir_request_alloc(request, (size_t)size);
    int rc = weir_reply_begin(reply, 200, "x/y", announced);
    for (size_t at = 0; at < BULK && rc == 0;) {
        const size_t piece = BULK - at < (size_t)size ? BULK - at : (size_t)size;
        for (size_t i = 0; i < piece; i++)
            data[i] = byte_at(at + i);
        rc = weir_reply_write(reply, data, piece);
        at += piece;
    }
    return rc;
}

static int many_fields(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    char name[32];
    int count = 0;
    for (; count < 1000; count++) {
        snprintf(name, sizeof(name), "X-Field-%d", count);
        const int rc = weir_reply_header(reply, name, "a value");
        if (rc == WEIR_EOVERFLOW)
            break;
        if (rc != 0)
            return rc;
    }
    return weir_reply_text(reply, 200, "%d", count);
}

static int misuse(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    if (weir_reply_write(reply, "x", 1) != WEIR_EINVAL ||
        weir_reply_begin(reply, 200, NULL, -2) != WEIR_EINVAL ||
        weir_reply_begin(reply, 99, NULL, 3) != WEIR_EINVAL ||
        weir_reply_data(reply, 200, "bad\r\ntype", "x", 1) != WEIR_EINVAL)
        return WEIR_EIO;
    /* What failed left nothing behind. */
    return weir_reply_data(reply, 404, NULL, "still possible", 14);
}

static int long_text(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    return weir_reply_text(reply, 200, "%0*d", 100000, 7);
}

/* Begins, gathers, and gives up; with ?flush=1 after a part has gone out. */
static int gives_up(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    int rc = weir_reply_begin(reply, 200, "x/y", -1);
    if (rc == 0)
        rc = weir_reply_write(reply, "piece", 5);
    if (rc == 0 && weir_request_query_int(request, "flush", 0, NULL) != 0)
        rc = weir_reply_flush(reply);
    char byte;
    if (rc == 0)
        rc = weir_request_read(request, &byte, 1, WEIR_NO_DEADLINE);
    return rc < 0 ? rc : WEIR_EIO;
}

static void routes(weir_server *server)
{
    assert_int_equal(weir_server_route(server, "POST", "/up", gives_up, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "GET", "/bulk", bulk, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "GET", "/fields", many_fields, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "GET", "/misuse", misuse, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "GET", "/long", long_text, NULL, NULL), 0);
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

static void large_bodies_arrive_whole(void **state)
{
    static const int pieces[] = { 1000, 4096, 300000 };
    struct client client;
    struct answer answer = { 0 };
    client_open(&client, *state);
    for (int i = 0; i < 6; i++) {
        char text[128];
        snprintf(text, sizeof(text), "GET /bulk?piece=%d&chunked=%d HTTP/1.1\r\nHost: a\r\n\r\n",
                 pieces[i / 2], i % 2);
        client_ask(&client, text, &answer);
        assert_int_equal(answer.body_len, BULK);
        for (size_t at = 0; at < BULK; at++)
            if (answer.body[at] != byte_at(at))
                fail_msg("wrong byte at %zu", at);
        assert_true(answer.keep_alive);
    }
    answer_free(&answer);
    client_close(&client);
}

static void a_client_that_leaves_ends_the_reply(void **state)
{
    struct serving *serving = *state;
    struct client client;
    const int64_t before = serving_stats(serving).client_gone;
    client_open(&client, serving);
    client_send(&client, "GET /bulk?piece=65536 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(client_more(&client));
    serving_await(serving, stats.running == 1); /* it waits for a reader */
    client_close(&client);
    serving_await(serving, stats.running == 0 && stats.connections == 0);
    assert_int_equal(serving_stats(serving).client_gone, before + 1);
}

static void a_stream_that_has_not_gone_out_is_taken_back(void **state)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        { "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", 500 },
        { "POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400 },
    };
    struct client client;
    struct answer answer = { 0 };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        client_open(&client, *state);
        client_ask(&client, cases[i].text, &answer);
        assert_int_equal(answer.status, cases[i].status);
        assert_null(strstr(answer.body, "piece"));
        assert_false(answer.chunked);
        client_close(&client);
    }
    client_open(&client, *state);
    client_send(&client, "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n");
    assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
    client_answer(&client, &answer, false);
    assert_int_equal(answer.status, 400);
    client_close(&client);

    /* 100 Continue is no part of the reply. */
    client_open(&client, *state);
    client_send(&client, "POST /up HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                         "Content-Length: 1\r\n\r\n");
    assert_true(client_more(&client));
    client_send(&client, "x");
    client_answer(&client, &answer, false);
    assert_int_equal(answer.status, 500);
    client_close(&client);

    client_open(&client, *state);
    client_send(&client, "POST /up?flush=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    client_answer(&client, &answer, true);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    client_close(&client);
}

static void fields_are_bounded_and_checked(void **state)
{
    struct client client;
    struct answer answer = { 0 };
    client_open(&client, *state);
    client_ask(&client, "GET /fields HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_string_equal(answer.body, "64");
    client_ask(&client, "GET /misuse HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_int_equal(answer.status, 404);
    assert_string_equal(answer.body, "still possible");
    client_ask(&client, "GET /long HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_int_equal(answer.body_len, 100000);
    assert_int_equal(answer.body[99999], '7');
    answer_free(&answer);
    client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_bodies_arrive_whole),
        cmocka_unit_test(a_client_that_leaves_ends_the_reply),
        cmocka_unit_test(a_stream_that_has_not_gone_out_is_taken_back),
        cmocka_unit_test(fields_are_bounded_and_checked),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
