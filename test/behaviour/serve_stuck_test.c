/* SPDX-License-Identifier: MIT */
/* A handler that neither waits nor ends: what needs no handler is answered all the same, under
 * every model, and who waits behind it is told in time.  Method: a handler that spins until the
 * test lets it end, which is after everything else was seen; so no time is measured. */
#include "support/serving.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static struct serving serving;
static int spinning, may_end; /* by atomic builtins */

static int peek(const int *value)
{
    return __atomic_load_n(value, __ATOMIC_SEQ_CST);
}

static void put(int *value, int number)
{
    __atomic_store_n(value, number, __ATOMIC_SEQ_CST);
}

static void spin(void)
{
    const weir_time bound = weir_in_ms(3 * PATIENCE_MS);
    __atomic_fetch_add(&spinning, 1, __ATOMIC_SEQ_CST);
    while (peek(&may_end) == 0 && weir_now() < bound)
        ;
}

static int spins(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    spin();
    return weir_reply_text(reply, 200, "spun\n");
}

/* Spins with another request begun behind it. */
static int spins_before_another(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    const weir_time bound = weir_in_ms(PATIENCE_MS);
    while (serving_stats(&serving).running < 2 && weir_now() < bound)
        (void)weir_yield();
    spin();
    return weir_reply_text(reply, 200, "spun\n");
}

static int hello(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    return weir_reply_text(reply, 200, "hello\n");
}

static void routes(weir_server *server)
{
    assert_int_equal(weir_server_answer(server, "/healthz", NULL, "ok\n"), 0);
    assert_int_equal(weir_server_route(server, "GET", "/spin", spins, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "GET", "/two", spins_before_another, NULL, NULL), 0);
    assert_int_equal(weir_server_route(server, "GET", "/hello", hello, NULL, NULL), 0);
}

/* Whether the model has no other thread for handlers. */
static bool has_one_thread(void)
{
    return strcmp(serving_model(), "tasks") != 0 && strcmp(serving_model(), "threads") != 0;
}

/* Without the admission law, to which a handler that spins for seconds is overload. */
static void start(int64_t waiting_age_ns)
{
    const struct weir_server_opts opts = { .waiting_age_max_ns = waiting_age_ns,
                                           .admission_off = true };
    put(&spinning, 0);
    put(&may_end, 0);
    serving_start(&serving, &opts, routes);
}

/* Asks again where a busy machine did not come to the request in time. */
static void ask_to_spin(struct client *client, const char *text)
{
    struct answer answer = { 0 };
    struct pollfd answered = { .fd = client->fd, .events = POLLIN };
    client_send(client, text);
    for (int looks = 0; peek(&spinning) == 0; looks++) {
        assert_true(looks < PATIENCE_MS);
        if (poll(&answered, 1, 0) > 0) {
            client_answer(client, &answer, false);
            assert_int_equal(answer.status, 503);
            client_send(client, text);
        }
        serving_look_later();
    }
    answer_free(&answer);
}

/* The spinner still spins when this is through. */
static void ask_behind(struct client *client, const char *text, struct answer *answer)
{
    client_ask(client, text, answer);
    assert_int_equal(peek(&may_end), 0);
}

static void end_spin(struct client *spinner, struct answer *answer)
{
    put(&may_end, 1);
    client_answer(spinner, answer, false);
    assert_int_equal(answer->status, 200);
    assert_string_equal(answer->body, "spun\n");
}

static void what_needs_no_handler_is_answered(void **state)
{
    (void)state;
    struct client spinner, early, late;
    struct answer answer = { 0 };
    start(0);
    client_open(&spinner, &serving);
    client_open(&early, &serving);
    serving_await(&serving, stats.connections == 2);
    ask_to_spin(&spinner, GET("/spin"));
    for (int i = 0; i < 20; i++) {
        ask_behind(&early, GET("/healthz"), &answer);
        assert_int_equal(answer.status, 200);
        assert_string_equal(answer.body, "ok\n");
        assert_true(answer.keep_alive);
    }
    /* Connections that come only now.  Who shares its listener takes what others leave. */
    client_open(&late, &serving);
    ask_behind(&late, GET("/healthz"), &answer);
    assert_int_equal(answer.status, 200);
    ask_behind(&late, GET("/none"), &answer);
    assert_int_equal(answer.status, 404);
    ask_behind(&late, "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxx", &answer);
    assert_int_equal(answer.status, 405);
    ask_behind(&late, GET("/healthz") GET("/none"), &answer);
    client_answer(&late, &answer, false);
    assert_int_equal(answer.status, 404);
    end_spin(&spinner, &answer);
    client_ask(&early, GET("/hello"), &answer);
    assert_int_equal(answer.status, 200);
    client_ask(&late, GET("/hello"), &answer);
    assert_int_equal(answer.status, 200);
    client_close(&spinner);
    client_close(&early);
    client_close(&late);
    answer_free(&answer);
    serving_stop(&serving);
}

static void who_comes_meanwhile_is_served_or_told_in_time(void **state)
{
    (void)state;
    enum {
        MANY = 8
    };
    struct client spinner, others[MANY];
    struct answer answer = { 0 };
    start(50 * WEIR_NS_PER_MS);
    client_open(&spinner, &serving);
    for (int i = 0; i < MANY; i++)
        client_open(&others[i], &serving);
    serving_await(&serving, stats.connections == 1 + MANY);
    ask_to_spin(&spinner, GET("/spin"));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++)
            client_send(&others[i], GET("/hello"));
        for (int i = 0; i < MANY; i++) {
            client_answer(&others[i], &answer, false);
            assert_int_equal(peek(&may_end), 0);
            assert_true(answer.status == 503 || (answer.status == 200 && !has_one_thread()));
            assert_true(answer.keep_alive);
        }
    }
    end_spin(&spinner, &answer);
    for (int i = 0; i < MANY; i++) {
        do
            client_ask(&others[i], GET("/hello"), &answer);
        while (answer.status == 503); /* it took a busy machine 50 ms to come to it */
        assert_int_equal(answer.status, 200);
        client_close(&others[i]);
    }
    client_close(&spinner);
    answer_free(&answer);
    serving_stop(&serving);
}

/* Patience has no end here: what waits is served when the handler ends. */
static void nothing_that_waits_is_lost(void **state)
{
    (void)state;
    enum {
        MANY = 8
    };
    struct client spinner, others[MANY];
    struct answer answer = { 0 };
    start(-1);
    client_open(&spinner, &serving);
    for (int i = 0; i < MANY; i++)
        client_open(&others[i], &serving);
    serving_await(&serving, stats.connections == 1 + MANY);
    ask_to_spin(&spinner, GET("/spin"));
    for (int i = 0; i < MANY; i++)
        client_send(&others[i], GET("/hello"));
    if (has_one_thread())
        serving_await(&serving, stats.waiting == MANY);
    end_spin(&spinner, &answer);
    for (int i = 0; i < MANY; i++) {
        client_answer(&others[i], &answer, false);
        assert_int_equal(answer.status, 200);
        client_close(&others[i]);
    }
    client_close(&spinner);
    answer_free(&answer);
    serving_stop(&serving);
}

/* The other request was admitted and has its task, but no thread comes to it. */
static void who_was_begun_behind_it_is_told_in_time(void **state)
{
    (void)state;
    if (!has_one_thread() || serving_is_single()) {
        printf("SKIP: nobody is begun behind a handler that runs\n");
        skip();
    }
    struct client spinner, other;
    struct answer answer = { 0 };
    start(100 * WEIR_NS_PER_MS);
    client_open(&spinner, &serving);
    client_open(&other, &serving);
    serving_await(&serving, stats.connections == 2);
    struct pollfd answered = { .fd = spinner.fd, .events = POLLIN };
    client_send(&spinner, GET("/two"));
    do {
        /* Until one is begun behind it: it may also be served before the spin, and a busy machine
         * may come to neither in time. */
        if (poll(&answered, 1, 0) > 0) {
            client_answer(&spinner, &answer, false);
            assert_int_equal(answer.status, 503);
            client_send(&spinner, GET("/two"));
        }
        client_ask(&other, GET("/hello"), &answer);
    } while (answer.status == 200 || peek(&spinning) == 0);
    assert_int_equal(answer.status, 503);
    assert_true(answer.keep_alive);
    ask_behind(&other, GET("/healthz"), &answer);
    assert_int_equal(answer.status, 200);
    end_spin(&spinner, &answer);
    do
        client_ask(&other, GET("/hello"), &answer);
    while (answer.status == 503);
    assert_int_equal(answer.status, 200);
    client_close(&spinner);
    client_close(&other);
    answer_free(&answer);
    serving_stop(&serving);
}

static void a_client_that_leaves_meanwhile_is_no_harm(void **state)
{
    (void)state;
    struct client spinner, other;
    struct answer answer = { 0 };
    start(0);
    client_open(&spinner, &serving);
    client_open(&other, &serving);
    serving_await(&serving, stats.connections == 2);
    ask_to_spin(&spinner, GET("/spin"));
    ask_behind(&other, GET("/healthz"), &answer);
    client_close(&other);
    serving_await(&serving, stats.connections == 1);
    end_spin(&spinner, &answer);
    client_close(&spinner);
    answer_free(&answer);
    serving_stop(&serving);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_needs_no_handler_is_answered),
        cmocka_unit_test(who_comes_meanwhile_is_served_or_told_in_time),
        cmocka_unit_test(nothing_that_waits_is_lost),
        cmocka_unit_test(who_was_begun_behind_it_is_told_in_time),
        cmocka_unit_test(a_client_that_leaves_meanwhile_is_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
