/* SPDX-License-Identifier: MIT */
/* Clients that leave: the handler that waits for what never comes is canceled, and told why; who
 * waits for its turn is not begun; nobody else hears of it.  Method: handlers that count how they
 * end, raw clients that reset, close or finish, and the server's own numbers. */
#include "support/serving.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/run.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(path, bytes, body)                                                                    \
    "POST " path " HTTP/1.1\r\nHost: a\r\nContent-Length: " bytes "\r\n\r\n" body

enum {
    ROUNDS = 300,
    CHILDREN = 3
};

static struct gate gate;
static int begun, left, others, started; /* handlers; those that WEIR_ECONNRESET ended; ... */
static int finished;                     /* though nobody waited */

static int ends(int rc)
{
    if (rc == WEIR_ECANCELED && weir_cancel_cause() == WEIR_ECONNRESET)
        (void)bump(&left);
    else
        (void)bump(&others);
    return rc;
}

static int sleeps(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    (void)bump(&begun);
    const int rc = weir_sleep(weir_in_ms(PATIENCE_MS));
    return rc != 0 ? ends(rc) : weir_reply_text(reply, 200, "slept\n");
}

static int child(void *unused)
{
    (void)unused;
    return ends(weir_sleep(weir_in_ms(PATIENCE_MS)));
}

static int crowd(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    weir_scope *scope;
    int rc = weir_scope_open(&scope, NULL);
    if (rc != 0)
        return rc;
    for (int i = 0; i < CHILDREN && rc == 0; i++)
        rc = weir_go(child, NULL);
    (void)bump(&begun);
    const int closed = weir_scope_close(scope, WEIR_NO_DEADLINE);
    if (rc == 0)
        rc = closed;
    return rc != 0 ? rc : weir_reply_text(reply, 200, "slept\n");
}

static int reads_then_sleeps(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    char data[64];
    int got;
    while ((got = weir_request_read(request, data, sizeof(data), WEIR_NO_DEADLINE)) > 0)
        ;
    return got < 0 ? got : sleeps(request, reply, NULL);
}

/* Streams to whoever reads, and counts how that ends. */
static int streams(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    char data[16384];
    memset(data, 'a', sizeof(data));
    (void)bump(&begun);
    int rc = weir_reply_begin(reply, 200, "text/plain", -1);
    while (rc == 0)
        rc = weir_reply_write(reply, data, sizeof(data));
    (void)bump(&left);
    return rc;
}

/* Goes on without its client, and says how that ends. */
static int stays(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    (void)bump(&begun);
    (void)ends(weir_sleep(weir_in_ms(PATIENCE_MS)));
    return weir_reply_text(reply, 200, "too late\n");
}

/* Is well unless somebody cancels it. */
static int naps(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    const int rc = weir_sleep(weir_in_ns(WEIR_NS_PER_MS));
    return rc != 0 ? rc : weir_reply_text(reply, 200, "napped\n");
}

static int gated(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    const int rc = gate_wait(&gate);
    return rc != 0 ? rc : weir_reply_text(reply, 200, "through\n");
}

static int counts(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    (void)bump(&started);
    return weir_reply_text(reply, 200, "counted\n");
}

/* Waits, finds its client gone, and is still not canceled. */
static int outlasts(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    (void)bump(&begun);
    int rc = gate_wait(&gate);
    if (rc != 0)
        return ends(rc);
    char data[16384];
    memset(data, 'a', sizeof(data));
    rc = weir_reply_begin(reply, 200, "text/plain", -1);
    while (rc == 0)
        rc = weir_reply_write(reply, data, sizeof(data));
    const int slept = weir_sleep(weir_in_ns(WEIR_NS_PER_MS));
    if (slept != 0)
        return ends(slept);
    (void)bump(&finished);
    return rc;
}

static void routes(weir_server *server)
{
    const struct weir_route_opts blocking = { .size = sizeof(blocking), .blocking = true };
    const struct weir_route_opts pinned = { .size = sizeof(pinned), .pinned = true };
    const struct weir_route_opts outlasting = { .size = sizeof(outlasting),
                                                .ignore_client_abort = true };
    const struct weir_route_opts outlasting_blocking = { .size = sizeof(outlasting_blocking),
                                                         .blocking = true,
                                                         .ignore_client_abort = true };
    assert_int_equal(weir_server_route(server, "GET", "/sleep", sleeps, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "GET", "/blocking", sleeps, NULL, &blocking), 0);
    assert_int_equal(weir_server_route(server, "GET", "/pinned", sleeps, NULL, &pinned), 0);
    assert_int_equal(weir_server_route(server, "GET", "/crowd", crowd, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "POST", "/read", reads_then_sleeps, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "GET", "/stream", streams, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "GET", "/stay", stays, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "GET", "/nap", naps, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "GET", "/nap/blocking", naps, NULL, &blocking), 0);
    assert_int_equal(weir_server_route(server, "GET", "/gate", gated, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "GET", "/count", counts, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "GET", "/last", outlasts, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "GET", "/outlast", outlasts, NULL, &outlasting), 0);
    assert_int_equal(
        weir_server_route(server, "GET", "/outlast/blocking", outlasts, NULL, &outlasting_blocking),
        0);
    assert_int_equal(weir_server_route(server, "GET", "/outlast/count", counts, NULL, &outlasting),
                     0);
    assert_int_equal(weir_server_answer(server, "/there", NULL, "yes\n"), 0);
}

static void start(struct serving *serving, const struct weir_server_opts *opts)
{
    post(&begun, 0);
    post(&left, 0);
    post(&others, 0);
    post(&started, 0);
    post(&finished, 0);
    serving_start(serving, opts, routes);
}

static void reset(struct client *client)
{
    const struct linger now = { .l_onoff = 1, .l_linger = 0 };
    assert_int_equal(setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    client_close(client);
}

static void finish(struct client *client)
{
    assert_int_equal(shutdown(client->fd, SHUT_WR), 0);
}

static void expect(struct client *client, int status)
{
    struct answer answer = { 0 };
    client_answer(client, &answer, false);
    assert_int_equal(answer.status, status);
    answer_free(&answer);
}

static void ask(struct client *client, const char *text, int status)
{
    client_send(client, text);
    expect(client, status);
}

/* Sends the request, lets the handler begin, leaves, and waits until the handler has ended. */
static void leave(struct serving *serving, const char *text, void (*how)(struct client *client))
{
    struct client client;
    const int begun_before = peek(&begun), left_before = peek(&left);
    client_open(&client, serving);
    client_send(&client, text);
    await(&begun, begun_before + 1);
    how(&client);
    await(&left, left_before + 1);
}

static void a_client_that_leaves_cancels_its_handler(void **state)
{
    (void)state;
    static const char *const paths[] = { GET("/sleep"), GET("/blocking"), GET("/pinned"),
                                         POST("/read", "0", ""), POST("/read", "5", "abcde") };
    struct serving serving;
    start(&serving, NULL);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        leave(&serving, paths[i], reset);
        leave(&serving, paths[i], client_close);
    }
    serving_await(&serving, stats.client_gone == 2 * sizeof(paths) / sizeof(paths[0]));
    assert_int_equal(serving_stats(&serving).handler_errors, 0);
    assert_int_equal(peek(&others), 0);
    serving_stop(&serving);
}

static void it_cancels_the_tasks_that_the_handler_has_open(void **state)
{
    (void)state;
    struct serving serving;
    struct client client;
    start(&serving, NULL);
    client_open(&client, &serving);
    client_send(&client, GET("/crowd"));
    await(&begun, 1);
    reset(&client);
    await(&left, CHILDREN);
    serving_await(&serving, stats.running == 0);
    serving_stop(&serving);
}

static void it_ends_a_stream_that_nobody_reads(void **state)
{
    (void)state;
    struct serving serving;
    start(&serving, NULL);
    leave(&serving, GET("/stream"), reset);
    leave(&serving, GET("/stream"), client_close);
    serving_await(&serving, stats.client_gone == 2);
    serving_stop(&serving);
}

static void a_body_that_came_late_hides_no_end(void **state)
{
    (void)state;
    struct serving serving;
    struct client client;
    start(&serving, NULL);
    client_open(&client, &serving);
    client_send(&client, POST("/read", "6", ""));
    serving_await(&serving, stats.running == 1);
    client_send(&client, "abc");
    client_send(&client, "def");
    client_close(&client);
    await(&left, 1);
    /* One that finishes in the middle of its body is told so, and nothing was canceled. */
    client_open(&client, &serving);
    client_send(&client, POST("/read", "6", "abc"));
    finish(&client);
    expect(&client, 400);
    client_close(&client);
    assert_int_equal(peek(&left), 1);
    serving_stop(&serving);
}

static void what_a_client_causes_is_no_failure_of_its_handler(void **state)
{
    (void)state;
    struct serving serving;
    struct client client;
    start(&serving, NULL);
    leave(&serving, GET("/stay"), reset);
    leave(&serving, GET("/stream"), reset);
    client_open(&client, &serving);
    client_send(&client, POST("/read", "6", "abc"));
    finish(&client);
    expect(&client, 400);
    client_close(&client);
    client_open(&client, &serving);
    ask(&client, "POST /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nno\r\n", 400);
    serving_await(&serving, stats.requests == 4); /* or its leaving may come before its end */
    client_close(&client);
    assert_int_equal(serving_stats(&serving).handler_errors, 0);
    assert_int_equal(serving_stats(&serving).client_gone, 3);
    assert_int_equal(serving_stats(&serving).bad_requests, 1);
    serving_stop(&serving);
}

static void who_finishes_behind_its_requests_loses_none_but_the_last(void **state)
{
    (void)state;
    struct serving serving;
    struct client client;
    start(&serving, NULL);
    for (int i = 0; i < 20; i++) {
        client_open(&client, &serving);
        client_send(&client, GET("/nap") GET("/nap") GET("/nap/blocking") GET("/sleep"));
        finish(&client);
        expect(&client, 200);
        expect(&client, 200);
        expect(&client, 200);
        expect(&client, 503);
        client_expect_end(&client);
        client_close(&client);
    }
    /* What takes no wait is answered. */
    client_open(&client, &serving);
    client_send(&client, GET("/nap") GET("/count"));
    finish(&client);
    expect(&client, 200);
    expect(&client, 200);
    client_close(&client);
    serving_stop(&serving);
}

static void with_half_close_only_a_reset_is_leaving(void **state)
{
    (void)state;
    struct serving serving;
    struct client client;
    const struct weir_server_opts opts = { .half_close = true };
    start(&serving, &opts);
    gate_init(&gate);
    client_open(&client, &serving);
    client_send(&client, GET("/gate"));
    finish(&client);
    serving_await(&serving, stats.running == 1);
    gate_open(&gate);
    expect(&client, 200);
    client_expect_end(&client);
    client_close(&client);
    gate_fini(&gate);

    const int before = peek(&begun);
    client_open(&client, &serving);
    client_send(&client, GET("/sleep"));
    finish(&client);
    await(&begun, before + 1);
    reset(&client);
    await(&left, 1);
    serving_stop(&serving);
}

static void who_leaves_the_line_is_not_begun(void **state)
{
    (void)state;
    struct serving serving;
    struct client running, waiting[2];
    const struct weir_server_opts opts = { .running_max = 1,
                                           .admission_off = true, /* or it is told to go first */
                                           .waiting_age_max_ns = 2 * PATIENCE_MS * WEIR_NS_PER_MS,
                                           .head_ns_max = 20 * WEIR_NS_PER_MS };
    start(&serving, &opts);
    gate_init(&gate);
    client_open(&running, &serving);
    client_open(&waiting[0], &serving);
    client_open(&waiting[1], &serving);
    serving_await(&serving, stats.connections == 3);
    client_send(&running, GET("/gate"));
    serving_await(&serving, stats.running == 1);
    client_send(&waiting[0], GET("/count"));
    client_send(&waiting[1], GET("/count"));
    serving_await(&serving, stats.waiting == 2);
    reset(&waiting[0]);
    client_close(&waiting[1]);
    serving_await(&serving, stats.waiting == 0); /* by the sweep: nobody's turn has come */
    assert_int_equal(serving_stats(&serving).client_gone, 2);
    gate_open(&gate);
    expect(&running, 200);
    assert_int_equal(peek(&started), 0);
    ask(&running, GET("/count"), 200);
    client_close(&running);
    serving_stop(&serving);
    gate_fini(&gate);
}

/* Leaves a handler at the gate; what the server was told of is answered before the gate opens. */
static void leave_at_gate(struct serving *serving, const char *text,
                          void (*how)(struct client *client))
{
    struct client client, other;
    const int begun_before = peek(&begun);
    client_open(&client, serving);
    client_open(&other, serving);
    serving_await(serving, stats.connections == 2);
    client_send(&client, text);
    await(&begun, begun_before + 1);
    how(&client);
    ask(&other, GET("/there"), 200);
    client_close(&other);
}

static void who_ignores_that_its_client_leaves_ends_when_it_is_done(void **state)
{
    (void)state;
    static const char *const paths[] = { GET("/outlast"), GET("/outlast/blocking"), GET("/last") };
    static void (*const ways[])(struct client * client) = { reset, client_close };
    const struct weir_server_opts all = { .ignore_client_abort = true };
    struct serving serving;
    for (size_t i = 0; i < 2 * sizeof(paths) / sizeof(paths[0]); i++) {
        /* The last path is like the others only where the server says so of all. */
        const char *path = paths[i / 2];
        start(&serving, i >= 4 ? &all : NULL);
        gate_init(&gate);
        leave_at_gate(&serving, path, ways[i % 2]);
        gate_open(&gate);
        await(&finished, 1);
        serving_await(&serving, stats.running == 0);
        assert_int_equal(peek(&left) + peek(&others), 0);
        assert_int_equal(serving_stats(&serving).client_gone, 1); /* the reply found nobody */
        serving_stop(&serving);
        gate_fini(&gate);
    }
}

static void it_is_begun_though_its_client_left_the_line(void **state)
{
    (void)state;
    struct serving serving;
    struct client running, staying[2], leaving;
    const struct weir_server_opts opts = { .running_max = 1,
                                           .waiting_age_max_ns = 2 * PATIENCE_MS * WEIR_NS_PER_MS,
                                           .head_ns_max = 20 * WEIR_NS_PER_MS,
                                           .admission_off = true };
    start(&serving, &opts);
    gate_init(&gate);
    client_open(&running, &serving);
    client_open(&staying[0], &serving);
    client_open(&staying[1], &serving);
    client_open(&leaving, &serving);
    serving_await(&serving, stats.connections == 4);
    client_send(&running, GET("/gate"));
    serving_await(&serving, stats.running == 1);
    client_send(&staying[0], GET("/outlast/count"));
    client_send(&staying[1], GET("/outlast/count"));
    serving_await(&serving, stats.waiting == 2);
    reset(&staying[0]);
    client_close(&staying[1]);
    client_send(&leaving, GET("/count"));
    serving_await(&serving, stats.waiting == 3);
    client_close(&leaving);
    /* When the one behind them is found to be gone, they would have been long. */
    serving_await(&serving, stats.client_gone == 1);
    assert_int_equal(serving_stats(&serving).waiting, 2);
    gate_open(&gate);
    expect(&running, 200);
    await(&started, 2);
    client_close(&running);
    serving_stop(&serving);
    gate_fini(&gate);
}

/* One that runs leaves at about the instant at which its handler ends, while another waits for the
 * place: the same task may go on with that one, which must never hear of it. */
static void a_cancellation_never_meets_another_request(void **state)
{
    (void)state;
    static const char *const naps_of[] = { GET("/nap"), GET("/nap/blocking") };
    struct serving serving;
    struct client leaver, stayer;
    uint64_t random = test_seed();
    /* A crowd on one place is an overload, which is not what is asked of here. */
    const struct weir_server_opts opts = { .running_max = 1,
                                           .waiting_age_max_ns = -1,
                                           .admission_off = true };
    start(&serving, &opts);
    client_open(&stayer, &serving);
    for (int i = 0; i < ROUNDS; i++) {
        const char *text = naps_of[i % 2];
        client_open(&leaver, &serving);
        client_send(&leaver, text);
        client_send(&stayer, text);
        (void)usleep((useconds_t)draw_below(&random, 2500));
        (i % 3 == 0 ? client_close : reset)(&leaver);
        expect(&stayer, 200);
    }
    client_close(&stayer);
    serving_await(&serving, stats.connections == 0);
    serving_stop(&serving);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_that_leaves_cancels_its_handler),
        cmocka_unit_test(it_cancels_the_tasks_that_the_handler_has_open),
        cmocka_unit_test(it_ends_a_stream_that_nobody_reads),
        cmocka_unit_test(a_body_that_came_late_hides_no_end),
        cmocka_unit_test(what_a_client_causes_is_no_failure_of_its_handler),
        cmocka_unit_test(who_finishes_behind_its_requests_loses_none_but_the_last),
        cmocka_unit_test(with_half_close_only_a_reset_is_leaving),
        cmocka_unit_test(who_leaves_the_line_is_not_begun),
        cmocka_unit_test(who_ignores_that_its_client_leaves_ends_when_it_is_done),
        cmocka_unit_test(it_is_begun_though_its_client_left_the_line),
        cmocka_unit_test(a_cancellation_never_meets_another_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
