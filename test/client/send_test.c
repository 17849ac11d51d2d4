/* SPDX-License-Identifier: MIT */
/* A call and its attempts: bad input, what is repeated and what is not, what the server is told,
 * and calls that are not sent at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"
#include "support/scripted.h"
#include "task/attempt.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define SHED "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"

enum {
    PATIENCE_MS = 20000
};

/* What the destination shall do: the answers to the requests in their order, the last one for ever
 * after.  "cut" closes the connection, "" says nothing. */
struct plan {
    const char *answers[8];
    int attempts[8]; /* X-Attempt of each request; 0: none */
    int timeouts[8]; /* Weir-Timeout-Ms; -1: none */
    int silent;      /* no answers any more */
};

static int field_of(const struct peer *peer, const char *name)
{
    const char *at = strstr(peer->head, name);
    return at != NULL ? atoi(at + strlen(name)) : -1;
}

static void follow(struct peer *peer)
{
    struct plan *plan = peer->scripted->user;
    while (peer_request(peer)) {
        const int number = peek(&peer->scripted->requests) - 1;
        int at = 0;
        for (; at < number && at < 7 && plan->answers[at + 1] != NULL; at++)
            continue;
        if (number < 8) {
            const int attempt = field_of(peer, "X-Attempt: ");
            post(&plan->attempts[number], attempt < 0 ? 0 : attempt);
            post(&plan->timeouts[number], field_of(peer, "Weir-Timeout-Ms: "));
        }
        if (strcmp(plan->answers[at], "cut") == 0)
            return;
        if (peek(&plan->silent) == 0)
            peer_say(peer, plan->answers[at]);
    }
}

struct world {
    struct scripted scripted;
    struct plan plan;
    weir_client *client;
};

static void begin(struct world *world, const struct weir_client_opts *opts)
{
    scripted_start(&world->scripted, follow, &world->plan);
    CHECK_EQ(weir_client_create(&world->client, opts), 0);
}

static void end(struct world *world)
{
    weir_client_destroy(world->client);
    scripted_stop(&world->scripted);
}

static struct weir_client_stats stats_of(struct world *world)
{
    struct weir_client_stats stats = { .size = sizeof(stats) };
    weir_client_stats_read(world->client, &stats);
    return stats;
}

/* The status or a code; how often it was sent. */
static int call(struct world *world, const char *method, const struct weir_client_request *request,
                weir_time deadline, int *attempts)
{
    char url[256];
    weir_response *response;
    const int rc = weir_client_send(world->client, &response, method,
                                    scripted_url(&world->scripted, "/", url), request, deadline);
    *attempts = peek(&world->scripted.requests);
    if (rc != 0)
        return rc;
    const int status = weir_response_status(response);
    CHECK_EQ(weir_response_attempts(response), *attempts);
    weir_response_close(response);
    return status;
}

/* Calls once with the plan, and checks status and number of attempts. */
static void expect_of(struct world *world, const char *method, int result, int attempts)
{
    int seen = 0;
    begin(world, NULL);
    CHECK_EQ(call(world, method, NULL, weir_in_ms(PATIENCE_MS), &seen), result);
    CHECK_EQ(seen, attempts);
    CHECK_EQ(stats_of(world).attempts, attempts);
    end(world);
}

/* -- bad input -------------------------------------------------------------------------------- */

RUN(bad_input_is_refused_before_anything_is_sent)
{
    static const struct {
        const char *url;
        int code;
    } urls[] = {
        { "https://127.0.0.1/", WEIR_ENOTSUP },
        { "ftp://127.0.0.1/", WEIR_EINVAL },
        { "127.0.0.1:80", WEIR_EINVAL },
        { "", WEIR_EINVAL },
        { "http://", WEIR_EINVAL },
        { "http:///path", WEIR_EINVAL },
        { "http://127.0.0.1:99999/", WEIR_EINVAL },
        { "http://user@127.0.0.1/", WEIR_EINVAL },
        { "http://127.0.0.1/a b", WEIR_EINVAL },
        { "http://127.0.0.1/a\r\nX: y", WEIR_EINVAL },
        { "http://127.0.0.1/#fragment", WEIR_EINVAL },
        { "http://127.0.0.256/", WEIR_EINVAL },
        { "http://0x7f000001/", WEIR_EINVAL },
        { "http://two..test/", WEIR_EINVAL },
        { "http://Unix:8080/?query", WEIR_EINVAL },
    };
    weir_client *client;
    weir_response *response;
    CHECK_EQ(weir_client_create(&client, NULL), 0);
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
        CHECK_EQ(weir_client_get(client, &response, urls[i].url, WEIR_NO_DEADLINE), urls[i].code);
    weir_client_destroy(client);
    return 0;
}

RUN(bad_requests_are_refused_before_anything_is_sent)
{
    static const struct weir_header bad[] = {
        { "X-Bad", "a\r\nX-Smuggled: b" }, { "X Bad", "a" },      { "", "a" },
        { "Host", "elsewhere" },           { "Connection", "x" }, { "Content-Length", "1" },
        { "Transfer-Encoding", "gzip" },   { NULL, "a" },         { "X", NULL },
    };
    struct world world = { .plan = { .answers = { OK } } };
    struct weir_header many[65];
    int attempts = 0;
    begin(&world, NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct weir_client_request request = { .headers = &bad[i], .header_count = 1 };
        CHECK_EQ(call(&world, "GET", &request, WEIR_NO_DEADLINE, &attempts), WEIR_EINVAL);
    }
    static const char *const methods[] = { "", "GE T", "GET\r\n", "CONNECT" };
    for (size_t i = 0; i < 4; i++)
        CHECK_EQ(call(&world, methods[i], NULL, WEIR_NO_DEADLINE, &attempts), WEIR_EINVAL);
    for (size_t i = 0; i < 65; i++)
        many[i] = (struct weir_header){ "X", "y" };
    struct weir_client_request request = { .headers = many, .header_count = 65 };
    CHECK_EQ(call(&world, "GET", &request, WEIR_NO_DEADLINE, &attempts), WEIR_EOVERFLOW);
    static char long_value[40000];
    memset(long_value, 'x', sizeof(long_value) - 1);
    many[0].value = long_value;
    request.header_count = 1;
    CHECK_EQ(call(&world, "GET", &request, WEIR_NO_DEADLINE, &attempts), WEIR_EOVERFLOW);
    static const struct weir_client_request half[] = {
        { .header_count = 1 },
        { .body_bytes = 1 },
    };
    for (size_t i = 0; i < 2; i++)
        CHECK_EQ(call(&world, "POST", &half[i], WEIR_NO_DEADLINE, &attempts), WEIR_EINVAL);
    request = (struct weir_client_request){ .size = 4096 * 2 };
    CHECK_EQ(call(&world, "GET", &request, WEIR_NO_DEADLINE, &attempts), WEIR_EINVAL);
    CHECK_EQ(attempts, 0);
    CHECK_EQ(world.scripted.connections, 0);
    request.size = 0;
    request.headers = many;
    request.header_count = 64;
    for (size_t i = 0; i < 64; i++)
        many[i] = (struct weir_header){ "X", "y" };
    CHECK_EQ(call(&world, "GET", &request, WEIR_NO_DEADLINE, &attempts), 200);
    end(&world);
    return 0;
}

/* -- what is repeated ------------------------------------------------------------------------- */

RUN(a_refusal_that_says_when_to_come_again_is_repeated_whatever_it_was)
{
    struct world world = { .plan = { .answers = { SHED "Retry-After: 0\r\n\r\n",
                                                  SHED "Retry-After: 1\r\n"
                                                       "Retry-After-Ms: 3\r\n\r\n",
                                                  OK } } };
    expect_of(&world, "POST", 200, 3);
    CHECK_EQ(world.plan.attempts[0], 0);
    CHECK_EQ(world.plan.attempts[1], 1);
    CHECK_EQ(world.plan.attempts[2], 2);
    return 0;
}

RUN(a_refusal_without_is_repeated_if_that_does_no_harm_and_three_times_in_all)
{
    struct world world = { .plan = { .answers = { SHED "\r\n", SHED "\r\n", OK } } };
    expect_of(&world, "GET", 200, 3);
    world = (struct world){ .plan = { .answers = { SHED "\r\n" } } };
    expect_of(&world, "GET", 503, 3);
    world = (struct world){ .plan = { .answers = { SHED "\r\n" } } };
    expect_of(&world, "POST", 503, 1);
    return 0;
}

RUN(an_error_of_the_service_is_an_answer)
{
    static const char *const said[] = {
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    };
    static const int status[] = { 500, 429, 404 };
    for (int i = 0; i < 3; i++) {
        struct world world = { .plan = { .answers = { said[i], OK } } };
        expect_of(&world, "GET", status[i], 1);
    }
    return 0;
}

RUN(a_gateway_that_failed_is_asked_again)
{
    struct world world = {
        .plan = { .answers = { "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
                               "HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n", OK } }
    };
    expect_of(&world, "GET", 200, 3);
    return 0;
}

RUN(a_cut_connection_is_repeated_if_that_does_no_harm)
{
    struct world world = { .plan = { .answers = { "cut", OK } } };
    expect_of(&world, "GET", 200, 2);
    world = (struct world){ .plan = { .answers = { "cut", OK } } };
    expect_of(&world, "POST", WEIR_ECONNRESET, 1);
    return 0;
}

RUN(what_asks_for_too_long_a_wait_fails_now)
{
    static const char *const said[] = {
        SHED "Retry-After: 60\r\n\r\n",
        SHED "Retry-After: 99999999999999999999999999999\r\n\r\n",
        SHED "Retry-After-Ms: 60000\r\n\r\n",
        SHED "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n\r\n",
        SHED "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
             "Retry-After: Sun, 06 Nov 1994 08:50:37 GMT\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        struct world world = { .plan = { .answers = { said[i], OK } } };
        expect_of(&world, "GET", 503, 1);
    }
    /* Without a deadline too nobody waits for more than an hour. */
    struct world world = { .plan = { .answers = { SHED "Retry-After: 3601\r\n\r\n", OK } } };
    const struct weir_client_opts opts = { .call_ns_max = -1 };
    int attempts = 0;
    begin(&world, &opts);
    CHECK_EQ(call(&world, "GET", NULL, WEIR_NO_DEADLINE, &attempts), 503);
    end(&world);
    return 0;
}

RUN(a_date_to_come_again_that_has_passed_is_now)
{
    struct world world = { .plan = { .answers = {
                                         SHED "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
                                         SHED "Date: Fri, 31 Dec 2100 23:59:59 GMT\r\n"
                                              "Retry-After: Friday, 31-Dec-00 23:59:59 GMT\r\n\r\n",
                                         OK } } };
    expect_of(&world, "POST", 200, 3);
    return 0;
}

RUN(a_refusal_that_says_something_else_than_when_is_one_without)
{
    struct world world = { .plan = { .answers = { SHED "Retry-After: soon\r\n\r\n", OK } } };
    expect_of(&world, "POST", 503, 1);
    world = (struct world){ .plan = { .answers = { SHED "Retry-After: -1\r\n\r\n", OK } } };
    expect_of(&world, "GET", 200, 2);
    return 0;
}

static int no_more(void *user, void *data, size_t bytes)
{
    (void)user;
    (void)data;
    (void)bytes;
    return 0;
}

RUN(who_says_once_or_streams_gets_one_attempt)
{
    static const struct weir_client_request requests[] = {
        { .once = true },
        { .read = no_more, .read_bytes = -1 },
    };
    for (size_t i = 0; i < 2; i++) {
        struct world world = { .plan = { .answers = { SHED "Retry-After: 0\r\n\r\n", OK } } };
        int attempts = 0;
        begin(&world, NULL);
        CHECK_EQ(call(&world, "PUT", &requests[i], weir_in_ms(PATIENCE_MS), &attempts), 503);
        CHECK_EQ(attempts, 1);
        end(&world);
    }
    return 0;
}

RUN(a_refused_connection_is_tried_again_and_told)
{
    struct world world = { .plan = { .answers = { OK } } };
    char url[256];
    weir_response *response;
    begin(&world, NULL);
    scripted_url(&world.scripted, "/", url);
    scripted_stop(&world.scripted); /* nobody listens there now */
    CHECK_EQ(weir_client_send(world.client, &response, "POST", url, NULL, weir_in_ms(PATIENCE_MS)),
             WEIR_ECONNREFUSED);
    const struct weir_client_stats stats = stats_of(&world);
    CHECK_EQ(stats.connect_failures, 3);
    CHECK_EQ(stats.connects, 0);
    CHECK_EQ(stats.overload, 0);
    weir_client_destroy(world.client);
    return 0;
}

RUN(one_layer_repeats)
{
    struct world world = { .plan = { .answers = { SHED "Retry-After: 0\r\n\r\n", OK } } };
    CHECK_EQ(wi_attempt_set(1), 0);
    expect_of(&world, "GET", 503, 1);
    CHECK_EQ(world.plan.attempts[0], 1); /* and those behind know it too */
    return 0;
}

/* -- time ------------------------------------------------------------------------------------- */

RUN(the_server_is_told_what_is_left)
{
    struct world world = { .plan = { .answers = { OK } } };
    int attempts = 0;
    begin(&world, NULL);
    CHECK_EQ(call(&world, "GET", NULL, weir_in_ms(60000), &attempts), 200);
    struct weir_timeout timeout;
    weir_timeout_begin(&timeout, weir_in_ms(40000));
    char url[256];
    weir_response *response;
    int rc = weir_client_get(world.client, &response, scripted_url(&world.scripted, "/", url),
                             weir_in_ms(60000));
    CHECK_EQ(weir_timeout_end(&timeout, rc), 0);
    weir_response_close(response);
    CHECK_EQ(weir_client_get(world.client, &response, url, WEIR_NO_DEADLINE), 0);
    weir_response_close(response);
    const struct weir_header own = { "weir-timeout-ms", "77" };
    const struct weir_client_request request = { .headers = &own, .header_count = 1 };
    CHECK_EQ(weir_client_send(world.client, &response, "GET", url, &request, weir_in_ms(60000)), 0);
    weir_response_close(response);
    CHECK(world.plan.timeouts[0] <= 59999 && world.plan.timeouts[0] > 0);
    CHECK(world.plan.timeouts[1] <= 39999 && world.plan.timeouts[1] > 0);
    CHECK_EQ(world.plan.timeouts[2], -1);
    CHECK_EQ(world.plan.timeouts[3], -1); /* ours is not put beside his */
    end(&world);
    return 0;
}

RUN(a_deadline_that_has_passed_sends_nothing)
{
    struct world world = { .plan = { .answers = { OK } } };
    int attempts = 0;
    begin(&world, NULL);
    CHECK_EQ(call(&world, "GET", NULL, WEIR_DONT_WAIT, &attempts), WEIR_ETIMEDOUT);
    CHECK_EQ(call(&world, "GET", NULL, weir_now(), &attempts), WEIR_ETIMEDOUT);
    CHECK_EQ(call(&world, "GET", NULL, INT64_MIN, &attempts), WEIR_ETIMEDOUT);
    CHECK_EQ(stats_of(&world).refused_deadline, 3);
    CHECK_EQ(stats_of(&world).attempts, 0);
    CHECK_EQ(world.scripted.connections, 0);
    end(&world);
    return 0;
}

RUN(a_server_that_never_answers_costs_the_deadline)
{
    struct world world = { .plan = { .answers = { "" } } };
    int attempts = 0;
    begin(&world, NULL);
    do /* a busy machine may be too late to send it at all */
        CHECK_EQ(call(&world, "GET", NULL, weir_in_ms(30), &attempts), WEIR_ETIMEDOUT);
    while (stats_of(&world).attempts == 0);
    CHECK_EQ(stats_of(&world).attempts, 1);
    CHECK_EQ(stats_of(&world).timeouts, 1);
    CHECK_EQ(stats_of(&world).overload, 1);
    CHECK_EQ(stats_of(&world).idle, 0);
    /* The client's own bound holds where nobody says another. */
    end(&world);
    const struct weir_client_opts opts = { .call_ns_max = 30 * WEIR_NS_PER_MS };
    begin(&world, &opts);
    CHECK_EQ(call(&world, "GET", NULL, WEIR_NO_DEADLINE, &attempts), WEIR_ETIMEDOUT);
    end(&world);
    return 0;
}

RUN(a_learned_timeout_ends_an_attempt_and_the_next_one_may_be_answered)
{
    struct world world = { .plan = { .answers = { OK } } };
    char url[256];
    weir_response *response;
    /* Nothing else ends an attempt: what a call may take is beyond what this test may. */
    const struct weir_client_opts opts = { .call_ns_max = -1 };
    const weir_time hour = weir_in_ms(3600 * 1000);
    begin(&world, &opts);
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(
            weir_client_get(world.client, &response, scripted_url(&world.scripted, "/", url), hour),
            0);
        weir_response_close(response);
    }
    post(&world.plan.silent, 1);
    const struct weir_client_stats before = stats_of(&world);
    CHECK_EQ(weir_client_get(world.client, &response, url, hour), WEIR_ETIMEDOUT);
    CHECK_EQ(stats_of(&world).attempts - before.attempts, 3);
    CHECK_EQ(stats_of(&world).timeouts - before.timeouts, 3);
    end(&world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_input_is_refused_before_anything_is_sent),
        cmocka_unit_test(bad_requests_are_refused_before_anything_is_sent),
        cmocka_unit_test(a_refusal_that_says_when_to_come_again_is_repeated_whatever_it_was),
        cmocka_unit_test(a_refusal_without_is_repeated_if_that_does_no_harm_and_three_times_in_all),
        cmocka_unit_test(an_error_of_the_service_is_an_answer),
        cmocka_unit_test(a_gateway_that_failed_is_asked_again),
        cmocka_unit_test(a_cut_connection_is_repeated_if_that_does_no_harm),
        cmocka_unit_test(what_asks_for_too_long_a_wait_fails_now),
        cmocka_unit_test(a_date_to_come_again_that_has_passed_is_now),
        cmocka_unit_test(a_refusal_that_says_something_else_than_when_is_one_without),
        cmocka_unit_test(who_says_once_or_streams_gets_one_attempt),
        cmocka_unit_test(a_refused_connection_is_tried_again_and_told),
        cmocka_unit_test(one_layer_repeats),
        cmocka_unit_test(the_server_is_told_what_is_left),
        cmocka_unit_test(a_deadline_that_has_passed_sends_nothing),
        cmocka_unit_test(a_server_that_never_answers_costs_the_deadline),
        cmocka_unit_test(a_learned_timeout_ends_an_attempt_and_the_next_one_may_be_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
