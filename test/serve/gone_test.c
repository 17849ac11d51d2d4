/* SPDX-License-Identifier: MIT */
/* Goal: what counts as leaving, and that a cancellation meets the request that it is for or none.
 * Method: the calls of gone.h on a record over a pair of sockets, in every order that the protocol
 * names; then a thread that tells an end while the task watches and unwatches. */
#include "support/serving.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serve/gone.h"
#include "support/run.h"

enum {
    ROUNDS = 2000
};

struct fixture {
    struct weir_server server;
    struct wi_conn conn;
    struct wi_http_request head;
    struct wi_route route;
    struct weir_request request;
    int peer;
};

/* A request without a body, just come, on a connection that is owned. */
static void make(struct fixture *f)
{
    int fds[2];
    memset(f, 0, sizeof(*f));
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    wi_io_init(&f->conn.io, fds[0], wi_io_on_ready);
    wi_store_relaxed(&f->conn.state, WI_CONN_BUSY);
    wi_store_relaxed(&f->conn.server, &f->server);
    f->request.conn = &f->conn;
    f->request.server = &f->server;
    f->request.head = &f->head;
    f->request.route = &f->route;
    f->request.began = weir_now();
    f->peer = fds[1];
}

static void unmake(struct fixture *f)
{
    (void)close(f->conn.io.watch.fd);
    (void)close(f->peer);
}

static void tell(struct fixture *f)
{
    (void)wi_gone_told(&f->conn, WI_POLL_READ | WI_POLL_HANGUP, WI_CONN_HANGUP | WI_CONN_READY);
}

static void part(struct fixture *f)
{
    (void)close(f->peer);
    f->peer = -1;
}

static void finish(struct fixture *f)
{
    CHECK_EQ(shutdown(f->peer, SHUT_WR), 0);
}

/* Each case is a task of its own, since a cancellation stays. */
static int run_case(weir_task_fn *fn)
{
    weir_task *task = NULL;
    int result = 0;
    CHECK_EQ(weir_task_start(&task, fn, NULL), 0);
    CHECK_EQ(weir_task_join(task, &result, WEIR_NO_DEADLINE), 0);
    return result;
}

static int told_while_it_runs(void *unused)
{
    (void)unused;
    struct fixture f;
    make(&f);
    CHECK(wi_gone_watch(&f.request, wi_current_parker()));
    tell(&f); /* stale: the peer is there */
    CHECK_EQ(weir_cancel_cause(), 0);
    part(&f);
    tell(&f);
    CHECK_EQ(weir_cancel_cause(), WEIR_ECONNRESET);
    CHECK(wi_gone_unwatch(&f.request));
    unmake(&f);
    return 0;
}

static int told_before(void *unused)
{
    (void)unused;
    struct fixture f;
    make(&f);
    tell(&f); /* stale */
    CHECK(wi_gone_watch(&f.request, wi_current_parker()));
    CHECK(wi_gone_unwatch(&f.request));
    part(&f);
    tell(&f);
    CHECK(!wi_gone_watch(&f.request, wi_current_parker()));
    CHECK_EQ(weir_cancel_cause(), 0);
    CHECK_EQ(wi_load_relaxed(&f.conn.state) & (WI_CONN_SERVED | WI_CONN_AHEAD), 0);
    unmake(&f);
    return 0;
}

static int told_after(void *unused)
{
    (void)unused;
    struct fixture f;
    make(&f);
    CHECK(wi_gone_watch(&f.request, wi_current_parker()));
    CHECK(!wi_gone_unwatch(&f.request));
    part(&f);
    tell(&f);
    CHECK_EQ(weir_cancel_cause(), 0);
    unmake(&f);
    return 0;
}

static int finished_right_behind_it(void *unused)
{
    (void)unused;
    struct fixture f;
    make(&f);
    finish(&f);
    tell(&f);
    f.request.began = weir_now() + WEIR_NS_PER_S; /* fresh, however busy the machine is */
    CHECK(wi_gone_watch(&f.request, wi_current_parker()));
    CHECK_EQ(weir_cancel_cause(), WEIR_ECONNRESET);
    CHECK(wi_gone_unwatch(&f.request));
    unmake(&f);
    return 0;
}

static int finished_while_it_waited(void *unused)
{
    (void)unused;
    struct fixture f;
    make(&f);
    CHECK(!wi_gone_waiting(&f.request, f.request.began + WEIR_NS_PER_S));
    finish(&f);
    tell(&f);
    CHECK(!wi_gone_waiting(&f.request, f.request.began));
    CHECK(wi_gone_waiting(&f.request, f.request.began + WEIR_NS_PER_S));
    f.request.began -= WEIR_NS_PER_S;
    CHECK(!wi_gone_watch(&f.request, wi_current_parker()));
    CHECK_EQ(weir_cancel_cause(), 0);
    unmake(&f);
    return 0;
}

static int finished_with_half_close(void *unused)
{
    (void)unused;
    struct fixture f;
    make(&f);
    f.server.opts.half_close = true;
    f.request.began -= WEIR_NS_PER_S;
    CHECK(wi_gone_watch(&f.request, wi_current_parker()));
    finish(&f);
    tell(&f);
    CHECK_EQ(weir_cancel_cause(), 0);
    CHECK(wi_gone_unwatch(&f.request));
    CHECK(!wi_gone_waiting(&f.request, weir_now()));
    CHECK(wi_gone_watch(&f.request, wi_current_parker()));
    part(&f);
    tell(&f);
    CHECK_EQ(weir_cancel_cause(), WEIR_ECONNRESET);
    CHECK(wi_gone_unwatch(&f.request));
    unmake(&f);
    return 0;
}

static int left_a_route_that_ignores_it(void *unused)
{
    (void)unused;
    struct fixture f;
    make(&f);
    f.route.opts.ignore_client_abort = true;
    CHECK(wi_gone_watch(&f.request, wi_current_parker()));
    part(&f);
    tell(&f);
    CHECK_EQ(weir_cancel_cause(), 0);
    wi_gone_body_ended(&f.request);
    CHECK_EQ(weir_cancel_cause(), 0);
    CHECK(wi_gone_unwatch(&f.request));
    CHECK(!wi_gone_waiting(&f.request, f.request.began + WEIR_NS_PER_S));
    f.request.began -= WEIR_NS_PER_S;
    CHECK(wi_gone_watch(&f.request, wi_current_parker())); /* the end was told before */
    CHECK_EQ(weir_cancel_cause(), 0);
    unmake(&f);
    return 0;
}

static int finished_behind_unread_bytes(void *unused)
{
    (void)unused;
    struct fixture f;
    char data[8];
    make(&f);
    f.head.head.body = WI_HTTP_BODY_LENGTH;
    f.head.head.content_length = 3;
    CHECK(wi_gone_watch(&f.request, wi_current_parker()));
    CHECK_EQ(write(f.peer, "abc", 3), 3);
    finish(&f);
    tell(&f);
    CHECK_EQ(weir_cancel_cause(), 0);
    CHECK_EQ(read(f.conn.io.watch.fd, data, sizeof(data)), 3);
    wi_gone_body_ended(&f.request);
    CHECK_EQ(weir_cancel_cause(), WEIR_ECONNRESET);
    CHECK(wi_gone_unwatch(&f.request));
    unmake(&f);
    return 0;
}

static int finished_behind_the_next_request(void *unused)
{
    (void)unused;
    struct fixture f;
    make(&f);
    f.request.in_len = 1;
    CHECK(wi_gone_watch(&f.request, wi_current_parker()));
    finish(&f);
    tell(&f);
    CHECK_EQ(weir_cancel_cause(), 0);
    CHECK(!wi_gone_waiting(&f.request, f.request.began + WEIR_NS_PER_S));
    CHECK(wi_gone_unwatch(&f.request));
    /* The same behind a chunked body, whose end shows what lies behind it. */
    f.head.head.body = WI_HTTP_BODY_CHUNKED;
    f.request.body.kind = WI_HTTP_BODY_CHUNKED;
    f.server.opts.half_close = true; /* while nothing is known */
    CHECK(wi_gone_watch(&f.request, wi_current_parker()));
    wi_gone_body_ended(&f.request);
    f.server.opts.half_close = false;
    tell(&f);
    CHECK_EQ(weir_cancel_cause(), 0);
    CHECK(wi_gone_unwatch(&f.request));
    unmake(&f);
    return 0;
}

RUN(every_order_of_the_protocol)
{
    static weir_task_fn *const cases[] = {
        told_while_it_runs,
        told_before,
        told_after,
        finished_right_behind_it,
        finished_while_it_waited,
        finished_with_half_close,
        left_a_route_that_ignores_it,
        finished_behind_unread_bytes,
        finished_behind_the_next_request,
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK_EQ(run_case(cases[i]), 0);
    return 0;
}

/* -- at the same time ------------------------------------------------------------------------- */

static struct fixture shared;
static int armed, told;

static void *tells(void *unused)
{
    (void)unused;
    for (int round = 1; round <= ROUNDS; round++) {
        while (peek(&armed) < round)
            ;
        tell(&shared);
        post(&told, round);
    }
    return NULL;
}

/* What a watched task has heard when it no longer watches is all that it will hear. */
static int watches(void *arg)
{
    const int round = *(const int *)arg;
    post(&armed, round);
    for (int i = 0; i < round % 64; i++)
        (void)peek(&told);
    wi_store_relaxed(&shared.conn.state, WI_CONN_BUSY);
    if (!wi_gone_watch(&shared.request, wi_current_parker()))
        return 0;
    const bool ended = wi_gone_unwatch(&shared.request);
    const int cause = weir_cancel_cause();
    CHECK(cause == 0 || ended);
    await(&told, round);
    CHECK_EQ(weir_cancel_cause(), cause);
    return cause != 0;
}

static int watches_many(void *unused)
{
    (void)unused;
    int met = 0;
    for (int round = 1; round <= ROUNDS; round++) {
        weir_task *task = NULL;
        int result = 0;
        CHECK_EQ(weir_task_start(&task, watches, &round, .blocking = true), 0);
        CHECK_EQ(weir_task_join(task, &result, WEIR_NO_DEADLINE), 0);
        met += result;
    }
    return met;
}

static void no_cancellation_comes_after_the_watch(void **state)
{
    (void)state;
    pthread_t thread;
    int met = 0;
    runtime_open(NULL);
    make(&shared);
    part(&shared);
    assert_int_equal(pthread_create(&thread, NULL, tells, NULL), 0);
    CHECK_EQ(weir_run(watches_many, NULL, &met), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    printf("%d of %d were met\n", met, ROUNDS);
    unmake(&shared);
    runtime_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_of_the_protocol),
        cmocka_unit_test(no_cancellation_comes_after_the_watch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
