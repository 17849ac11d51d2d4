/* SPDX-License-Identifier: MIT */
/* The bounds of a server: requests that run and that wait, ages, heads, idleness, connections, slow
 * bodies.  Method: a small server whose handlers stop at a gate, raw clients, and the server's own
 * numbers to know when a state is reached. */
#include "support/serving.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

static int sleeps(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    const int rc = weir_sleep(weir_in_ms(PATIENCE_MS));
    return rc != 0 ? rc : weir_reply_text(reply, 200, "slept\n");
}

static int reads(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    char data[1000];
    int64_t total = 0;
    int got;
    while ((got = weir_request_read(request, data, sizeof(data), WEIR_NO_DEADLINE)) > 0)
        total += got;
    return got != 0 ? got : weir_reply_text(reply, 200, "%ld", (long)total);
}

static void routes(weir_server *server)
{
    assert_int_equal(weir_server_route(server, "GET", "/hello", hello, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "GET", "/gate", gated, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "POST", "/read", reads, NULL, NULL), 0);
    const struct weir_route_opts small = { .size = sizeof(small), .body_bytes_max = 10 };
    assert_int_equal(weir_server_route(server, "POST", "/small", reads, NULL, &small), 0);
    const struct weir_route_opts quick = { .size = sizeof(quick),
                                           .deadline_ns = 20 * WEIR_NS_PER_MS };
    assert_int_equal(weir_server_route(server, "GET", "/late", sleeps, NULL, &quick), 0);
}

static void expect(struct client *client, const char *text, int status)
{
    struct answer answer = { 0 };
    client_ask(client, text, &answer);
    assert_int_equal(answer.status, status);
    answer_free(&answer);
}

static void beyond_the_bounds_requests_are_shed(void **state)
{
    (void)state;
    struct serving serving;
    struct client running, waiting[2], shed;
    struct answer answer = { 0 };
    char retry[16];
    gate_init(&gate);
    const struct weir_server_opts opts = { .running_max = 1,
                                           .waiting_max = 2,
                                           .waiting_age_max_ns = -1 };
    serving_start(&serving, &opts, routes);
    client_open(&running, &serving);
    client_open(&waiting[0], &serving);
    client_open(&waiting[1], &serving);
    client_open(&shed, &serving);
    /* All are accepted before the first runs: a process that shares its listener accepts nothing
     * while it is full. */
    serving_await(&serving, stats.connections == 4);
    client_send(&running, GET("/gate"));
    serving_await(&serving, stats.running == 1);
    client_send(&waiting[0], GET("/gate"));
    serving_await(&serving, stats.waiting == 1);
    client_send(&waiting[1], GET("/gate"));
    serving_await(&serving, stats.waiting == 2);

    client_ask(&shed, GET("/hello"), &answer);
    assert_int_equal(answer.status, 503);
    assert_true(answer_field(&answer, "Retry-After", retry, sizeof(retry)));
    assert_string_equal(retry, "1");
    assert_true(answer.keep_alive);
    assert_int_equal(serving_stats(&serving).shed_waiting, 1);
    expect(&shed, GET("/none"), 404);

    gate_open(&gate);
    client_answer(&running, &answer, false);
    assert_string_equal(answer.body, "through\n");
    client_answer(&waiting[0], &answer, false);
    assert_string_equal(answer.body, "through\n");
    client_answer(&waiting[1], &answer, false);
    assert_string_equal(answer.body, "through\n");
    expect(&shed, GET("/hello"), 200);
    expect(&waiting[0], GET("/hello"), 200);
    client_close(&running);
    client_close(&waiting[0]);
    client_close(&waiting[1]);
    client_close(&shed);
    answer_free(&answer);
    serving_stop(&serving);
    gate_fini(&gate);
}

static void none_may_wait_where_the_bound_is_negative(void **state)
{
    (void)state;
    struct serving serving;
    struct client running, shed;
    gate_init(&gate);
    const struct weir_server_opts opts = { .running_max = 1, .waiting_max = -1 };
    serving_start(&serving, &opts, routes);
    client_open(&running, &serving);
    client_open(&shed, &serving);
    serving_await(&serving, stats.connections == 2);
    client_send(&running, GET("/gate"));
    serving_await(&serving, stats.running == 1);
    expect(&shed, GET("/hello"), 503);
    expect(&shed, GET("/hello"), 503);
    assert_int_equal(serving_stats(&serving).shed_running, 2);
    gate_open(&gate);
    struct answer answer = { 0 };
    client_answer(&running, &answer, false);
    assert_int_equal(answer.status, 200);
    serving_await(&serving, stats.running == 0);
    expect(&shed, GET("/hello"), 200);
    answer_free(&answer);
    client_close(&running);
    client_close(&shed);
    serving_stop(&serving);
    gate_fini(&gate);
}

static void who_waits_too_long_is_sent_away(void **state)
{
    (void)state;
    struct serving serving;
    struct client running, waiting;
    struct answer answer = { 0 };
    gate_init(&gate);
    const struct weir_server_opts opts = { .running_max = 1,
                                           .waiting_age_max_ns = 300 * WEIR_NS_PER_MS };
    serving_start(&serving, &opts, routes);
    client_open(&running, &serving);
    client_open(&waiting, &serving);
    serving_await(&serving, stats.connections == 2);
    client_send(&running, GET("/gate"));
    serving_await(&serving, stats.running == 1);
    client_send(&waiting, GET("/hello") GET("/none"));
    client_answer(&waiting, &answer, false);
    assert_int_equal(answer.status, 503);
    assert_true(answer.keep_alive);
    /* What was pipelined behind it is answered too. */
    client_answer(&waiting, &answer, false);
    assert_int_equal(answer.status, 404);
    assert_int_equal(serving_stats(&serving).shed_age, 1);
    gate_open(&gate);
    client_answer(&running, &answer, false);
    assert_int_equal(answer.status, 200);
    serving_await(&serving, stats.running == 0);
    expect(&waiting, GET("/hello"), 200);
    answer_free(&answer);
    client_close(&running);
    client_close(&waiting);
    serving_stop(&serving);
    gate_fini(&gate);
}

static void slow_heads_and_idle_connections_end(void **state)
{
    (void)state;
    struct serving serving;
    struct client slow, idle, silent;
    struct answer answer = { 0 };
    const struct weir_server_opts opts = { .head_ns_max = 50 * WEIR_NS_PER_MS,
                                           .idle_ns_max = 500 * WEIR_NS_PER_MS };
    serving_start(&serving, &opts, routes);
    client_open(&idle, &serving);
    expect(&idle, GET("/hello"), 200);
    client_open(&slow, &serving);
    client_open(&silent, &serving);
    client_send(&slow, "GET /hello HTTP/1.1\r\nHos");
    client_answer(&slow, &answer, false);
    assert_int_equal(answer.status, 408);
    assert_false(answer.keep_alive);
    client_expect_end(&slow);
    assert_int_equal(serving_stats(&serving).timed_out_heads, 1);
    client_expect_end(&idle);
    client_expect_end(&silent);
    assert_int_equal(serving_stats(&serving).timed_out_heads, 1);
    client_close(&slow);
    client_close(&idle);
    client_close(&silent);
    answer_free(&answer);
    serving_stop(&serving);
}

static void heads_and_bodies_are_bounded(void **state)
{
    (void)state;
    struct serving serving;
    struct client client;
    char text[4096];
    const struct weir_server_opts opts = { .head_bytes_max = 1024,
                                           .fields_max = 10,
                                           .requests_per_connection_max = 3 };
    serving_start(&serving, &opts, routes);

    client_open(&client, &serving);
    snprintf(text, sizeof(text), "GET /hello HTTP/1.1\r\nHost: a\r\nX: %01500d\r\n\r\n", 0);
    expect(&client, text, 431);
    client_expect_end(&client);
    client_close(&client);

    client_open(&client, &serving);
    expect(&client,
           "GET /hello HTTP/1.1\r\nHost: a\r\na: 1\r\nb: 1\r\nc: 1\r\nd: 1\r\ne: 1\r\nf: 1\r\n"
           "g: 1\r\nh: 1\r\ni: 1\r\nj: 1\r\n\r\n",
           431);
    client_expect_end(&client);
    client_close(&client);

    client_open(&client, &serving);
    expect(&client, "POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789", 200);
    expect(&client, "POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n0123456789a",
           413);
    /* The third answer of a connection is its last here. */
    struct answer answer = { 0 };
    client_ask(&client, GET("/hello"), &answer);
    assert_int_equal(answer.status, 200);
    assert_false(answer.keep_alive);
    client_expect_end(&client);
    client_close(&client);

    client_open(&client, &serving);
    client_ask(&client,
               "POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
               "6\r\n012345\r\n6\r\n678901\r\n0\r\n\r\n",
               &answer);
    assert_int_equal(answer.status, 413);
    assert_false(answer.keep_alive);
    client_expect_end(&client);
    client_close(&client);

    client_open(&client, &serving);
    client_ask(&client,
               "POST /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
               "6\r\n012345\r\nx\r\n",
               &answer);
    assert_int_equal(answer.status, 400);
    client_expect_end(&client);
    client_close(&client);
    answer_free(&answer);
    serving_stop(&serving);
}

static void connections_beyond_the_bound_wait_to_be_accepted(void **state)
{
    (void)state;
    struct serving serving;
    struct client clients[3];
    struct answer answer = { 0 };
    const struct weir_server_opts opts = { .connections_max = 2 };
    serving_start(&serving, &opts, routes);
    client_open(&clients[0], &serving);
    client_open(&clients[1], &serving);
    expect(&clients[0], GET("/hello"), 200);
    expect(&clients[1], GET("/hello"), 200);
    client_open(&clients[2], &serving);
    client_send(&clients[2], GET("/hello"));
    expect(&clients[0], GET("/hello"), 200);
    assert_int_equal(serving_stats(&serving).connections, 2);
    assert_int_equal(serving_stats(&serving).accepted, 2);
    client_close(&clients[0]);
    client_answer(&clients[2], &answer, false);
    assert_int_equal(answer.status, 200);
    client_close(&clients[1]);
    client_close(&clients[2]);
    answer_free(&answer);
    serving_stop(&serving);
}

static void a_handler_past_its_deadline_is_canceled(void **state)
{
    (void)state;
    struct serving serving;
    struct client client;
    serving_start(&serving, NULL, routes);
    client_open(&client, &serving);
    expect(&client, GET("/late"), 504);
    expect(&client, GET("/hello"), 200);
    /* The same task may not go on with a pipelined request: its cancellation is sticky. */
    struct answer answer = { 0 };
    client_send(&client, GET("/late") GET("/hello"));
    client_answer(&client, &answer, false);
    assert_int_equal(answer.status, 504);
    client_answer(&client, &answer, false);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    client_close(&client);
    serving_stop(&serving);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beyond_the_bounds_requests_are_shed),
        cmocka_unit_test(none_may_wait_where_the_bound_is_negative),
        cmocka_unit_test(who_waits_too_long_is_sent_away),
        cmocka_unit_test(slow_heads_and_idle_connections_end),
        cmocka_unit_test(heads_and_bodies_are_bounded),
        cmocka_unit_test(connections_beyond_the_bound_wait_to_be_accepted),
        cmocka_unit_test(a_handler_past_its_deadline_is_canceled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
