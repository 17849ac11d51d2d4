/* SPDX-License-Identifier: MIT */
/* Bodies: every byte arrives in order whatever the framing and the sizes of pieces; a handler's
 * deadline loses nothing; a client that leaves is told; memory stays small. */
#include "support/serving.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BULK = 3 * 1024 * 1024
};

static char byte_at(size_t i)
{
    return (char)(i * 31 + i / 257);
}

static int sums(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    const int64_t size = weir_request_query_int(request, "piece", 1000, NULL);
    char *data = weir_request_alloc(request, (size_t)size);
    size_t total = 0;
    int got;
    while ((got = weir_request_read(request, data, (size_t)size, WEIR_NO_DEADLINE)) > 0) {
        for (int i = 0; i < got; i++, total++)
            if (data[i] != byte_at(total))
                return weir_reply_text(reply, 200, "wrong at %zu", total);
    }
    return got != 0 ? got : weir_reply_text(reply, 200, "%zu", total);
}

static int impatient(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    char data[100];
    int timeouts = 0;
    size_t total = 0;
    for (;;) {
        const int got = weir_request_read(request, data, sizeof(data), weir_in_ms(5));
        if (got == WEIR_ETIMEDOUT)
            timeouts++;
        else if (got < 0)
            return got;
        else if (got == 0)
            return weir_reply_text(reply, 200, "%zu %d", total, timeouts > 0);
        else
            total += (size_t)got;
    }
}

static void routes(weir_server *server)
{
    assert_int_equal(weir_server_route(server, "POST", "/sum", sums, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "POST", "/impatient", impatient, NULL, NULL), 0);
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

static void every_byte_arrives_in_both_framings(void **state)
{
    static const int pieces[] = { 1, 77, 65536 };
    struct client client;
    struct answer answer = { 0 };
    char *data = malloc(BULK), text[256];
    for (size_t i = 0; i < BULK; i++)
        data[i] = byte_at(i);
    client_open(&client, *state);
    for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
        const size_t bytes = pieces[p] == 1 ? 100000 : BULK;
        snprintf(text, sizeof(text),
                 "POST /sum?piece=%d HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", pieces[p],
                 bytes);
        client_send(&client, text);
        client_send_bytes(&client, data, bytes);
        client_answer(&client, &answer, false);
        snprintf(text, sizeof(text), "%zu", bytes);
        assert_string_equal(answer.body, text);

        snprintf(text, sizeof(text),
                 "POST /sum?piece=%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
                 pieces[p]);
        client_send(&client, text);
        for (size_t at = 0; at < bytes;) {
            size_t chunk = 1 + at % 30011;
            chunk = chunk < bytes - at ? chunk : bytes - at;
            snprintf(text, sizeof(text), "%zx\r\n", chunk);
            client_send(&client, text);
            client_send_bytes(&client, data + at, chunk);
            client_send(&client, "\r\n");
            at += chunk;
        }
        client_send(&client, "0\r\n\r\n");
        client_answer(&client, &answer, false);
        snprintf(text, sizeof(text), "%zu", bytes);
        assert_string_equal(answer.body, text);
        assert_true(answer.keep_alive);
    }
    free(data);
    answer_free(&answer);
    client_close(&client);
}

static void a_body_with_bad_chunks_is_answered_400_and_counted_once(void **state)
{
    struct serving *serving = *state;
    struct client client;
    struct answer answer = { 0 };
    struct weir_server_stats before = { .size = sizeof(before) };
    weir_server_stats_read(serving->server, &before);
    client_open(&client, serving);
    client_send(&client, "POST /sum HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "xyz\r\n");
    client_answer(&client, &answer, false);
    assert_int_equal(answer.status, 400);
    struct weir_server_stats after = { .size = sizeof(after) };
    weir_server_stats_read(serving->server, &after);
    assert_int_equal(after.bad_requests - before.bad_requests, 1);
    answer_free(&answer);
    client_close(&client);
}

static void a_handlers_deadline_loses_no_byte(void **state)
{
    struct client client;
    struct answer answer = { 0 };
    client_open(&client, *state);
    client_send(&client, "POST /impatient HTTP/1.1\r\nHost: a\r\nContent-Length: 60\r\n\r\n");
    for (int i = 0; i < 6; i++) {
        client_send(&client, "0123456789");
        for (int look = 0; look < 8; look++)
            serving_look_later();
    }
    client_answer(&client, &answer, false);
    assert_string_equal(answer.body, "60 1");
    answer_free(&answer);
    client_close(&client);
}

static void a_client_that_leaves_is_told_to_the_handler(void **state)
{
    struct serving *serving = *state;
    struct client client;
    const int64_t before = serving_stats(serving).client_gone;
    client_open(&client, serving);
    client_send(&client, "POST /sum HTTP/1.1\r\nHost: a\r\nContent-Length: 60\r\n\r\nabc");
    serving_await(serving, stats.running == 1);
    client_close(&client);
    serving_await(serving, stats.client_gone == before + 1);
    serving_await(serving, stats.connections == 0);
}

static void a_slow_reader_holds_the_client_back(void **state)
{
    struct serving *serving = *state;
    struct client client;
    struct answer answer = { 0 };
    char *data = malloc(BULK), text[128];
    for (size_t i = 0; i < BULK; i++)
        data[i] = byte_at(i);
    const int64_t before = serving_resident();
    client_open(&client, serving);
    snprintf(text, sizeof(text),
             "POST /sum?piece=200 HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", BULK);
    client_send(&client, text);
    client_send_bytes(&client, data, BULK);
    client_answer(&client, &answer, false);
    assert_true(!serving_resident_counts() || serving_resident() - before < 1024 * 1024);
    free(data);
    answer_free(&answer);
    client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_arrives_in_both_framings),
        cmocka_unit_test(a_body_with_bad_chunks_is_answered_400_and_counted_once),
        cmocka_unit_test(a_handlers_deadline_loses_no_byte),
        cmocka_unit_test(a_client_that_leaves_is_told_to_the_handler),
        cmocka_unit_test(a_slow_reader_holds_the_client_back),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
