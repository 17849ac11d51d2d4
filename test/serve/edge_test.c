/* SPDX-License-Identifier: MIT */
/* The edge: long rows of refusals, heads cut at every place, requests larger than the buffer. */
#include "support/serving.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int length(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    const char *value = weir_request_header(request, "x-long");
    return weir_reply_text(reply, 200, "%zu", value != NULL ? strlen(value) : 0);
}

static void routes(weir_server *server)
{
    assert_int_equal(weir_server_route(server, "GET", "/length", length, NULL, NULL), 0);
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

static void many_refusals_in_a_row_are_all_sent(void **state)
{
    enum {
        MANY = 500
    };
    static const char one[] = "GET /none HTTP/1.1\r\nHost: a\r\n\r\n";
    struct client client;
    struct answer answer = { 0 };
    char *text = malloc(MANY * sizeof(one));
    for (int i = 0; i < MANY; i++)
        memcpy(text + (size_t)i * (sizeof(one) - 1), one, sizeof(one) - 1);
    client_open(&client, *state);
    client_send_bytes(&client, text, MANY * (sizeof(one) - 1));
    for (int i = 0; i < MANY; i++) {
        client_answer(&client, &answer, false);
        assert_int_equal(answer.status, 404);
    }
    free(text);
    answer_free(&answer);
    client_close(&client);
}

static void a_head_may_be_cut_anywhere(void **state)
{
    static const char text[] = "GET /length HTTP/1.1\r\nHost: a\r\nX-Long: abc\r\n\r\n"
                               "GET /none HTTP/1.1\r\nHost: a\r\n\r\n";
    struct answer answer = { 0 };
    struct client client;
    client_open(&client, *state);
    for (size_t cut = 1; cut < sizeof(text) - 1; cut++) {
        client_send_bytes(&client, text, cut);
        client_send_bytes(&client, text + cut, sizeof(text) - 1 - cut);
        client_answer(&client, &answer, false);
        assert_string_equal(answer.body, "3");
        client_answer(&client, &answer, false);
        assert_int_equal(answer.status, 404);
    }
    answer_free(&answer);
    client_close(&client);
}

static void heads_up_to_the_bound_are_taken(void **state)
{
    static const int sizes[] = { 3000, 9000, 15000, 16200 };
    struct answer answer = { 0 };
    struct client client;
    char text[17000], wanted[16];
    client_open(&client, *state);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        snprintf(text, sizeof(text), "GET /length HTTP/1.1\r\nHost: a\r\nX-Long: %0*d\r\n\r\n",
                 sizes[i], 0);
        snprintf(wanted, sizeof(wanted), "%d", sizes[i]);
        client_ask(&client, text, &answer);
        assert_string_equal(answer.body, wanted);
    }
    snprintf(text, sizeof(text), "GET /length HTTP/1.1\r\nHost: a\r\nX-Long: %0*d\r\n\r\n", 16380,
             0);
    client_ask(&client, text, &answer);
    assert_int_equal(answer.status, 431);
    client_expect_end(&client);
    answer_free(&answer);
    client_close(&client);
}

static void options_of_the_server_itself_are_answered(void **state)
{
    struct answer answer = { 0 };
    struct client client;
    client_open(&client, *state);
    client_ask(&client, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.body_len, 0);
    assert_true(answer.keep_alive);
    answer_free(&answer);
    client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_refusals_in_a_row_are_all_sent),
        cmocka_unit_test(a_head_may_be_cut_anywhere),
        cmocka_unit_test(heads_up_to_the_bound_are_taken),
        cmocka_unit_test(options_of_the_server_itself_are_answered),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
