/* SPDX-License-Identifier: MIT */
/* A request's deadline: what the client says of it, what the handler starts under it, and what
 * happens to who waits past it.  Method: handlers that tell what they see, or wait for what never
 * comes; raw clients; the server's own numbers. */
#include "support/serving.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GET(path, fields) "GET " path " HTTP/1.1\r\nHost: a\r\n" fields "\r\n"
#define LATE "Weir-Timeout-Ms: 20\r\n"

static struct gate gate;

/* Whether the ambient deadline is the request's, in a part of the handler. */
struct seen {
    weir_time want;
    bool same;
};

static int looks(void *arg)
{
    struct seen *seen = arg;
    seen->same = weir_deadline() == seen->want;
    return 0;
}

static int looks_deeper(void *arg)
{
    weir_scope *scope;
    int rc = weir_scope_open(&scope, NULL);
    if (rc != 0)
        return rc;
    rc = weir_go(looks, arg);
    const int closed = weir_scope_close(scope, WEIR_NO_DEADLINE);
    return rc != 0 ? rc : closed;
}

static void looks_in_pool(void *arg)
{
    (void)looks(arg);
}

static int in_scope(weir_task_fn *fn, struct seen *seen)
{
    weir_scope *scope;
    int rc = weir_scope_open(&scope, NULL);
    if (rc != 0)
        return rc;
    rc = weir_go(fn, seen);
    const int closed = weir_scope_close(scope, WEIR_NO_DEADLINE);
    return rc != 0 ? rc : closed;
}

/* The ms to the deadline, and who sees it: the handler, a child, a grandchild, a task that blocks,
 * a blocking call. */
static int tells(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    struct seen seen[5];
    const weir_time deadline = weir_request_deadline(request);
    for (int i = 0; i < 5; i++)
        seen[i] = (struct seen){ .want = deadline };
    (void)looks(&seen[0]);
    int rc = in_scope(looks, &seen[1]);
    if (rc == 0)
        rc = in_scope(looks_deeper, &seen[2]);
    weir_task *task = NULL;
    if (rc == 0)
        rc = weir_task_start(&task, looks, &seen[3], .blocking = true);
    if (rc == 0)
        rc = weir_task_join(task, NULL, WEIR_NO_DEADLINE);
    if (rc == 0)
        rc = weir_blocking(NULL, looks_in_pool, &seen[4], WEIR_NO_DEADLINE);
    if (rc != 0)
        return rc;
    const long long ms =
        deadline == WEIR_NO_DEADLINE ? -1 : (long long)(deadline - weir_now()) / WEIR_NS_PER_MS;
    return weir_reply_text(reply, 200, "%lld %d%d%d%d%d", ms, seen[0].same, seen[1].same,
                           seen[2].same, seen[3].same, seen[4].same);
}

static int sleeps_long(void *unused)
{
    (void)unused;
    return weir_sleep(weir_in_ms(PATIENCE_MS));
}

static int sleeps(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    const int rc = sleeps_long(NULL);
    if (rc == WEIR_ECANCELED && weir_cancel_cause() != WEIR_ETIMEDOUT)
        return WEIR_EPERM;
    return rc != 0 ? rc : weir_reply_text(reply, 200, "slept\n");
}

/* Waits with its deadline at hand: the wait ends by its own deadline, not by cancellation. */
static int waits(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    weir_chan *chan = NULL;
    int rc = weir_chan_create(&chan, &(struct weir_chan_opts){ .elem_bytes = 1 });
    if (rc != 0)
        return rc;
    char byte;
    rc = weir_chan_recv(chan, &byte, weir_request_deadline(request));
    weir_chan_destroy(chan);
    return rc != 0 ? rc : weir_reply_text(reply, 200, "received\n");
}

/* All that a handler has started ends with its deadline. */
static int crowd(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    weir_scope *scope;
    int rc = weir_scope_open(&scope, NULL);
    if (rc != 0)
        return rc;
    for (int i = 0; i < 4 && rc == 0; i++)
        rc = weir_go(sleeps_long, NULL);
    const int closed = weir_scope_close(scope, WEIR_NO_DEADLINE);
    if (rc == 0)
        rc = closed;
    return rc != 0 ? rc : weir_reply_text(reply, 200, "slept\n");
}

static int gated(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    const int rc = gate_wait(&gate);
    return rc != 0 ? rc : weir_reply_text(reply, 200, "through\n");
}

static int started; /* by the route /count */

static int counts(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    (void)__atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
    return weir_reply_text(reply, 200, "counted\n");
}

static void routes(weir_server *server)
{
    const struct weir_route_opts hour = { .size = sizeof(hour),
                                          .deadline_ns = 3600 * WEIR_NS_PER_S };
    const struct weir_route_opts none = { .size = sizeof(none), .deadline_ns = -1 };
    const struct weir_route_opts blocking = { .size = sizeof(blocking), .blocking = true };
    const struct weir_route_opts pinned = { .size = sizeof(pinned), .pinned = true };
    assert_int_equal(weir_server_route(server, "GET", "/tell", tells, NULL, &hour), 0);
    assert_int_equal(weir_server_route(server, "GET", "/endless", tells, NULL, &none), 0);
    assert_int_equal(weir_server_route(server, "GET", "/sleep", sleeps, NULL, &none), 0);
    assert_int_equal(weir_server_route(server, "GET", "/wait", waits, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "GET", "/crowd", crowd, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "GET", "/blocking", sleeps, NULL, &blocking), 0);
    assert_int_equal(weir_server_route(server, "GET", "/pinned", sleeps, NULL, &pinned), 0);
    assert_int_equal(weir_server_route(server, "GET", "/gate", gated, NULL, &none), 0);
    assert_int_equal(weir_server_route(server, "GET", "/count", counts, NULL, NULL), 0);
}

static void expect(struct client *client, const char *text, int status)
{
    struct answer answer = { 0 };
    client_ask(client, text, &answer);
    assert_int_equal(answer.status, status);
    answer_free(&answer);
}

/* The ms that a handler sees; fails unless all its parts see the same. */
static long long told(struct client *client, const char *text)
{
    struct answer answer = { 0 };
    long long ms = 0;
    char same[8] = "";
    client_ask(client, text, &answer);
    assert_int_equal(answer.status, 200);
    assert_int_equal(sscanf(answer.body, "%lld %5s", &ms, same), 2);
    assert_string_equal(same, "11111");
    answer_free(&answer);
    return ms;
}

static void the_earlier_of_routes_and_clients_deadline_holds(void **state)
{
    (void)state;
    struct serving serving;
    struct client client;
    const long long hour = 3600 * 1000, half = hour / 2;
    serving_start(&serving, NULL, routes);
    client_open(&client, &serving);
    assert_in_range(told(&client, GET("/tell", "")), half, hour);
    assert_in_range(told(&client, GET("/tell", "Weir-Timeout-Ms: 1000000\r\n")), 1, 1000000);
    assert_in_range(told(&client, GET("/tell", "grpc-timeout: 900S\r\n")), 1, 900000);
    assert_in_range(told(&client, GET("/tell", "X-Envoy-Expected-Rq-Timeout-Ms: 800000\r\n")), 1,
                    800000);
    assert_int_equal(told(&client, GET("/endless", "")), -1);
    assert_in_range(told(&client, GET("/endless", "grpc-timeout: 60M\r\n")), half, hour);
    /* Lies and garbage put nothing off. */
    assert_in_range(told(&client, GET("/tell", "Weir-Timeout-Ms: 99999999999999999999\r\n")), half,
                    hour);
    assert_in_range(told(&client, GET("/tell", "grpc-timeout: soon\r\n")), half, hour);
    client_close(&client);
    serving_stop(&serving);
}

static void who_waits_no_more_is_not_begun(void **state)
{
    (void)state;
    static const char *const fields[] = { GET("/count", "Weir-Timeout-Ms: 0\r\n"),
                                          GET("/count", "Weir-Timeout-Ms: -1\r\n"),
                                          GET("/count", "grpc-timeout: 0S\r\n") };
    struct serving serving;
    struct client client;
    const int before = __atomic_load_n(&started, __ATOMIC_SEQ_CST);
    serving_start(&serving, NULL, routes);
    client_open(&client, &serving);
    for (int i = 0; i < 3; i++)
        expect(&client, fields[i], 504);
    assert_int_equal(serving_stats(&serving).shed_late, 3);
    assert_int_equal(__atomic_load_n(&started, __ATOMIC_SEQ_CST), before);
    expect(&client, GET("/count", "Weir-Timeout-Ms: 100000\r\n"), 200); /* the connection is kept */
    client_close(&client);
    serving_stop(&serving);
}

static void a_deadline_ends_the_handler_and_what_it_started(void **state)
{
    (void)state;
    struct serving serving;
    struct client client;
    serving_start(&serving, NULL, routes);
    client_open(&client, &serving);
    expect(&client, GET("/sleep", LATE), 504);
    expect(&client, GET("/wait", LATE), 504);
    expect(&client, GET("/crowd", LATE), 504);
    expect(&client, GET("/blocking", LATE), 504);
    expect(&client, GET("/pinned", LATE), 504);
    expect(&client, GET("/count", ""), 200);
    client_close(&client);
    serving_stop(&serving);
}

static void a_request_whose_deadline_passes_in_the_line_is_not_begun(void **state)
{
    (void)state;
    struct serving serving;
    struct client running, waiting;
    const struct weir_server_opts opts = { .running_max = 1, .waiting_age_max_ns = -1 };
    const int before = __atomic_load_n(&started, __ATOMIC_SEQ_CST);
    gate_init(&gate);
    serving_start(&serving, &opts, routes);
    client_open(&running, &serving);
    client_open(&waiting, &serving);
    serving_await(&serving, stats.connections == 2);
    client_send(&running, GET("/gate", ""));
    serving_await(&serving, stats.running == 1);
    /* The one that runs does not end: the sweep answers who waits behind it. */
    expect(&waiting, GET("/count", LATE), 504);
    assert_int_equal(serving_stats(&serving).shed_late, 1);
    assert_int_equal(__atomic_load_n(&started, __ATOMIC_SEQ_CST), before);
    gate_open(&gate);
    struct answer answer = { 0 };
    client_answer(&running, &answer, false);
    assert_int_equal(answer.status, 200);
    expect(&waiting, GET("/count", ""), 200);
    answer_free(&answer);
    client_close(&running);
    client_close(&waiting);
    serving_stop(&serving);
    gate_fini(&gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_earlier_of_routes_and_clients_deadline_holds),
        cmocka_unit_test(who_waits_no_more_is_not_begun),
        cmocka_unit_test(a_deadline_ends_the_handler_and_what_it_started),
        cmocka_unit_test(a_request_whose_deadline_passes_in_the_line_is_not_begun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
