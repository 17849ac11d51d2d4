/* SPDX-License-Identifier: MIT */
/* What a handler may ask its request: every accessor, on good and on odd requests. */
#include "support/serving.h"

#include <stdio.h>
#include <string.h>

static int numbers(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    int error = 1;
    const int64_t value = weir_request_query_int(request, "n", 5, &error);
    return weir_reply_text(reply, 200, "%lld %d", (long long)value, error);
}

static int looks(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    if (weir_request_header(request, "X-None") != NULL ||
        weir_request_param(request, "none") != NULL ||
        weir_request_query_param(request, "none") != NULL ||
        weir_request_body_bytes(request) != 0 ||
        strcmp(weir_request_query_param(request, "empty"), "") != 0)
        return WEIR_EINVAL;
    return weir_reply_text(reply, 200, "%s %s %s [%s] %d", weir_request_target(request),
                           weir_request_path(request), weir_request_header(request, "x-two"),
                           weir_request_header(request, "x-empty"),
                           strncmp(weir_request_peer(request), "127.0.0.1:", 10));
}

static int allocates(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    size_t total = 0;
    char *piece;
    while ((piece = weir_request_alloc(request, 10000)) != NULL) {
        memset(piece, 1, 10000);
        total += 10000;
    }
    return weir_reply_text(reply, 200, "%d", total >= 900 * 1000 && total <= 1100 * 1000 ? 1 : 0);
}

static void routes(weir_server *server)
{
    assert_int_equal(weir_server_route(server, "GET", "/n", numbers, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "GET", "/look/:x", looks, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "GET", "/alloc", allocates, NULL, NULL), 0);
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

static void numbers_are_read_exactly(void **state)
{
    static const struct {
        const char *query;
        const char *answer;
    } cases[] = {
        { "", "5 0" },
        { "?n=0", "0 0" },
        { "?n=-7", "-7 0" },
        { "?n=9223372036854775807", "9223372036854775807 0" },
        { "?n=-9223372036854775808", "-9223372036854775808 0" },
        { "?n=9223372036854775808", "5 -22" },
        { "?n=-9223372036854775809", "5 -22" },
        { "?n=", "5 -22" },
        { "?n=-", "5 -22" },
        { "?n=1e3", "5 -22" },
        { "?m=1&n=%31%32", "12 0" },
    };
    struct client client;
    struct answer answer = { 0 };
    client_open(&client, *state);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text), "GET /n%s HTTP/1.1\r\nHost: a\r\n\r\n", cases[i].query);
        client_ask(&client, text, &answer);
        assert_string_equal(answer.body, cases[i].answer);
    }
    answer_free(&answer);
    client_close(&client);
}

static void texts_are_what_the_client_sent(void **state)
{
    struct client client;
    struct answer answer = { 0 };
    client_open(&client, *state);
    client_ask(&client,
               "GET /look/%C3%A9?empty=&b HTTP/1.1\r\nHost: a\r\nX-Two: first\r\n"
               "X-Two: second\r\nX-Empty:\r\n\r\n",
               &answer);
    assert_string_equal(answer.body, "/look/%C3%A9?empty=&b /look/\xc3\xa9 first [] 0");
    answer_free(&answer);
    client_close(&client);
}

static void the_arena_is_bounded_and_given_back(void **state)
{
    struct client client;
    struct answer answer = { 0 };
    client_open(&client, *state);
    client_ask(&client, "GET /alloc HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_string_equal(answer.body, "1");
    const int64_t before = serving_resident();
    for (int i = 0; i < 50; i++)
        client_ask(&client, "GET /alloc HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_true(!serving_resident_counts() || serving_resident() - before < 8 * 1024 * 1024);
    answer_free(&answer);
    client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_exactly),
        cmocka_unit_test(texts_are_what_the_client_sent),
        cmocka_unit_test(the_arena_is_bounded_and_given_back),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
