/* SPDX-License-Identifier: MIT */
/* Answers of the edge: a refusal says the same whether it was made ahead or not, to every kind of
 * client.  Method: a server that runs one request and lets none wait, with one in the way, and two
 * settings of Retry-After, one of which is too long to be made ahead. */
#include "support/serving.h"

#include <string.h>

#include "http/date.h"

static struct serving serving;
static struct gate gate;

static int gated(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    const int rc = gate_wait(&gate);
    return rc != 0 ? rc : weir_reply_text(reply, 200, "through\n");
}

static void routes(weir_server *server)
{
    assert_int_equal(weir_server_route(server, NULL, "/gate", gated, NULL, NULL), 0);
}

static void check_refusal(struct client *client, const char *text, const char *retry,
                          const char *body)
{
    struct answer answer = { 0 };
    char value[64];
    client_ask(client, text, &answer);
    assert_int_equal(answer.status, 503);
    assert_string_equal(answer.body, body);
    assert_true(answer_field(&answer, "Retry-After", value, sizeof(value)));
    assert_string_equal(value, retry);
    assert_true(answer_field(&answer, "Content-Type", value, sizeof(value)));
    assert_string_equal(value, "text/plain; charset=utf-8");
    assert_true(answer_field(&answer, "Date", value, sizeof(value)));
    assert_int_equal(strlen(value), WI_HTTP_DATE_BYTES);
    assert_true(answer_field(&answer, "Content-Length", value, sizeof(value)));
    assert_string_equal(value, "11");
    answer_free(&answer);
}

static void check_refusals(int64_t retry_s, const char *retry)
{
    struct client running, other;
    struct answer answer = { 0 };
    const struct weir_server_opts opts = { .running_max = 1,
                                           .waiting_max = -1,
                                           .retry_after_s = retry_s };
    gate_init(&gate);
    serving_start(&serving, &opts, routes);
    client_open(&running, &serving);
    client_open(&other, &serving);
    serving_await(&serving, stats.connections == 2);
    client_send(&running, "GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
    serving_await(&serving, stats.running == 1);
    check_refusal(&other, "GET /gate HTTP/1.1\r\nHost: a\r\n\r\n", retry, "overloaded\n");
    check_refusal(&other, "HEAD /gate HTTP/1.1\r\nHost: a\r\n\r\n", retry, "");
    check_refusal(&other, "POST /gate HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab", retry,
                  "overloaded\n");
    check_refusal(&other, "GET /gate HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", retry,
                  "overloaded\n");
    check_refusal(&other, "GET /gate HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", retry,
                  "overloaded\n");
    client_expect_end(&other);
    gate_open(&gate);
    client_answer(&running, &answer, false);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    client_close(&running);
    client_close(&other);
    serving_stop(&serving);
    gate_fini(&gate);
}

static void a_refusal_that_was_made_ahead_is_whole(void **state)
{
    (void)state;
    check_refusals(0, "1");
    check_refusals(9, "9");
}

static void one_that_was_not_says_the_same(void **state)
{
    (void)state;
    check_refusals(120, "120");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_that_was_made_ahead_is_whole),
        cmocka_unit_test(one_that_was_not_says_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
