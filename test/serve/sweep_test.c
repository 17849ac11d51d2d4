/* SPDX-License-Identifier: MIT */
/* The sweep runs only while there is something to look at, and nothing that is in time is ended. */
#include "support/serving.h"

#include "serve/server.h"

static int hello(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    return weir_reply_text(reply, 200, "hello\n");
}

static void routes(weir_server *server)
{
    assert_int_equal(weir_server_route(server, "GET", "/hello", hello, NULL, NULL), 0);
}

static void an_idle_server_does_not_wake(void **state)
{
    (void)state;
    struct serving serving;
    struct client client;
    struct answer answer = { 0 };
    const struct weir_server_opts opts = { .idle_ns_max = 40 * WEIR_NS_PER_MS };
    serving_start(&serving, &opts, routes);
    assert_int_equal(wi_load_seq_cst(&serving.server->sweeping), 0);
    client_open(&client, &serving);
    serving_await(&serving,
                  wi_load_seq_cst(&serving.server->sweeping) == 1 && stats.connections == 1);
    client_ask(&client, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_int_equal(answer.status, 200);
    client_expect_end(&client);
    serving_await(&serving,
                  wi_load_seq_cst(&serving.server->sweeping) == 0 && stats.connections == 0);
    client_close(&client);
    /* It comes back with the next connection. */
    client_open(&client, &serving);
    client_expect_end(&client);
    client_close(&client);
    answer_free(&answer);
    serving_stop(&serving);
}

static void a_busy_connection_never_idles_out(void **state)
{
    (void)state;
    struct serving serving;
    struct client client;
    struct answer answer = { 0 };
    const struct weir_server_opts opts = { .idle_ns_max = WEIR_NS_PER_S };
    serving_start(&serving, &opts, routes);
    client_open(&client, &serving);
    const weir_time until = weir_in_ms(1500);
    while (weir_now() < until) {
        client_ask(&client, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
        assert_int_equal(answer.status, 200);
    }
    answer_free(&answer);
    client_close(&client);
    serving_stop(&serving);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_server_does_not_wake),
        cmocka_unit_test(a_busy_connection_never_idles_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
