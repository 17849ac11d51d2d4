/* SPDX-License-Identifier: MIT */
/* The drain from a plain thread, and its edges: never started, twice, under a cut.  What clients
 * see is in behaviour/serve_drain_test.c. */
#include "support/serving.h"

#include <stdio.h>

#include "weir/weir.h"

static int sleeps(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    const int rc = weir_sleep(weir_in_ms(PATIENCE_MS));
    return rc != 0 ? rc : weir_reply_text(reply, 200, "slept\n");
}

static void edges_of_a_drain(void **state)
{
    (void)state;
    weir_server *server = NULL;
    assert_int_equal(weir_open(NULL), 0);
    assert_int_equal(weir_server_create(&server, NULL), 0);
    assert_int_equal(weir_server_drain(server, WEIR_DONT_WAIT), 0);
    assert_int_equal(weir_server_listen(server, "127.0.0.1:0"), 0);
    assert_int_equal(weir_server_start(server), 0);
    assert_int_equal(weir_server_drain(server, weir_in_ms(5000)), 0);
    assert_int_equal(weir_server_drain(server, weir_in_ms(5000)), WEIR_EALREADY);
    assert_int_equal(weir_server_listen(server, "127.0.0.1:0"), WEIR_ECLOSED);
    weir_server_destroy(server);
    assert_int_equal(weir_close(weir_in_ms(5000)), 0);
}

static void a_thread_may_cut_what_runs_and_what_waits(void **state)
{
    (void)state;
    struct serving serving = { 0 };
    struct client running, waiting, idle;
    struct answer answer = { 0 };
    char address[128];
    const struct weir_server_opts opts = { .running_max = 1, .waiting_age_max_ns = -1 };
    assert_int_equal(weir_open(NULL), 0);
    assert_int_equal(weir_server_create(&serving.server, &opts), 0);
    assert_int_equal(weir_server_route(serving.server, "GET", "/", sleeps, NULL, NULL), 0);
    assert_int_equal(weir_server_listen(serving.server, "127.0.0.1:0"), 0);
    assert_int_equal(weir_server_address(serving.server, 0, address, sizeof(address)), 0);
    assert_int_equal(sscanf(address, "127.0.0.1:%d", &serving.port), 1);
    assert_int_equal(weir_server_start(serving.server), 0);
    client_open(&running, &serving);
    client_open(&waiting, &serving);
    client_open(&idle, &serving);
    client_send(&running, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    serving_await(&serving, stats.running == 1);
    client_send(&waiting, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    serving_await(&serving, stats.waiting == 1 && stats.connections == 3);
    assert_int_equal(weir_server_drain(serving.server, weir_in_ms(30)), WEIR_ETIMEDOUT);
    client_answer(&running, &answer, false);
    assert_int_equal(answer.status, 503);
    client_answer(&waiting, &answer, false);
    assert_int_equal(answer.status, 503);
    client_expect_end(&idle);
    const struct weir_server_stats stats = serving_stats(&serving);
    assert_int_equal(stats.connections + stats.running + stats.waiting, 0);
    weir_server_destroy(serving.server);
    assert_int_equal(weir_close(weir_in_ms(5000)), 0);
    client_close(&running);
    client_close(&waiting);
    client_close(&idle);
    answer_free(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges_of_a_drain),
        cmocka_unit_test(a_thread_may_cut_what_runs_and_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
