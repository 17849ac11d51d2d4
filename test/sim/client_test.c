/* SPDX-License-Identifier: MIT */
/* The HTTP client in virtual time, against a server that does what a script says: answers late,
 * piece by piece or never, refuses, resets and closes where it hurts.
 *
 * Single stories; what many calls at once come to is in client_storm_test.c.
 * ctest: timeout=120 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/host.h"
#include "sim/world.h"

enum {
    HOUR_MS = 3600 * 1000
};

static struct weir_client_stats stats_of(weir_client *client)
{
    struct weir_client_stats stats = { .size = sizeof(stats) };
    weir_client_stats_read(client, &stats);
    return stats;
}

/* -- a retry that is turned away --------------------------------------------------------------- */

enum body_kind {
    BODY_LENGTH, /* at once */
    BODY_CHUNKS, /* its second part comes after 300 ms */
    BODY_SLOW,   /* its second part comes after an hour */
    BODY_LARGE,  /* 100 KiB */
    BODY_CUT,    /* the connection ends within */
    BODY_NONE,
    BODY_KINDS
};

#define REFUSAL "HTTP/1.1 503 Slow Down\r\nRetry-After: 2\r\n"

static bool refuse_with(struct visit *visit, enum body_kind kind)
{
    char block[1025] = { 0 };
    memset(block, 'x', sizeof(block) - 1);
    bool more = true;
    switch (kind) {
    case BODY_LENGTH:
        return visit_say(visit, REFUSAL "Content-Length: 8\r\n\r\nverybusy");
    case BODY_CHUNKS:
        return visit_say(visit, REFUSAL "Transfer-Encoding: chunked\r\n\r\n4\r\nvery\r\n") &&
               weir_sleep(weir_in_ms(300)) == 0 && visit_say(visit, "4\r\nbusy\r\n0\r\n\r\n");
    case BODY_SLOW:
        return visit_say(visit, REFUSAL "Content-Length: 8\r\n\r\nvery") &&
               weir_sleep(weir_in_ms(HOUR_MS)) == 0 && visit_say(visit, "busy");
    case BODY_LARGE:
        more = visit_say(visit, REFUSAL "Content-Length: 102400\r\n\r\n");
        for (int i = 0; more && i < 100; i++)
            more = visit_say(visit, block);
        return more;
    case BODY_CUT:
        IGNORE(visit_say(visit, REFUSAL "Content-Length: 8\r\n\r\nvery"));
        return false;
    default:
        return visit_say(visit, REFUSAL "Content-Length: 0\r\n\r\n");
    }
}

/* Call 1 is refused, with a body that the random number says; call 2 is answered after a minute. */
static bool refuse_the_first(struct visit *visit)
{
    if (visit->call == 1)
        return refuse_with(visit, *(const enum body_kind *)visit->host->user);
    return weir_sleep(weir_in_ms(60000)) == 0 &&
           visit_say(visit, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

struct caller {
    struct host *host;
    weir_client *client;
    int call;
    int64_t patience_ms; /* 0: no deadline */
    weir_response *response;
    int rc;
};

static int make_call(void *arg)
{
    struct caller *caller = arg;
    char number[16];
    (void)snprintf(number, sizeof(number), "%d", caller->call);
    const struct weir_header header = { "X-Call", number };
    const struct weir_client_request request = { .headers = &header, .header_count = 1 };
    const weir_time deadline =
        caller->patience_ms == 0 ? WEIR_NO_DEADLINE : weir_in_ms(caller->patience_ms);
    caller->rc = weir_client_send(caller->client, &caller->response, "GET", caller->host->base,
                                  &request, deadline);
    return 0;
}

/* What the caller can read of the refusal's body, in pieces or as a whole. */
static void check_body(weir_response *response, enum body_kind kind, bool whole)
{
    static const struct {
        size_t bytes;
        int end;
    } wanted[] = {
        [BODY_LENGTH] = { 8, 0 },
        [BODY_CHUNKS] = { 8, 0 },
        [BODY_SLOW] = { 4, WEIR_ECONNRESET },
        [BODY_LARGE] = { 65536, WEIR_EMSGSIZE },
        [BODY_CUT] = { 4, WEIR_ECONNRESET },
        [BODY_NONE] = { 0, 0 },
    };
    size_t bytes = 0;
    if (whole) {
        const char *text;
        const int rc = weir_response_body(response, &text, &bytes, 1 << 20, WEIR_DONT_WAIT);
        CHECK_EQ(rc, wanted[kind].end);
        CHECK(rc != 0 || bytes == wanted[kind].bytes);
        CHECK(rc != 0 || bytes == 0 || strcmp(text, "verybusy") == 0);
        return;
    }
    char piece[3];
    int got;
    while ((got = weir_response_read(response, piece, sizeof(piece), WEIR_DONT_WAIT)) > 0)
        bytes += (size_t)got;
    CHECK_EQ(got, wanted[kind].end);
    CHECK_EQ(bytes, wanted[kind].bytes);
    CHECK_EQ(weir_response_read(response, piece, sizeof(piece), WEIR_DONT_WAIT), wanted[kind].end);
}

/* One connection, and nobody may wait in line: call 2 has it when the retry of call 1 wants it. */
static int let_another_be_faster(void *arg)
{
    const uint64_t seed = *(uint64_t *)arg;
    enum body_kind kind = (enum body_kind)(seed % BODY_KINDS);
    const struct weir_client_opts opts = { .connections_max = 1, .waiting_max = -1 };
    struct host host;
    weir_client *client;
    weir_scope *scope;
    host_open(&host, refuse_the_first, &kind);
    CHECK_EQ(weir_client_create(&client, &opts), 0);
    struct caller first = { .host = &host, .client = client, .call = 1 };
    struct caller second = { .host = &host, .client = client, .call = 2, .patience_ms = 10000 };
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    const weir_time began = weir_now();
    CHECK_EQ(weir_go(make_call, &first), 0);
    CHECK_EQ(weir_sleep(began + 1500 * WEIR_NS_PER_MS), 0);
    CHECK_EQ(weir_go(make_call, &second), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(second.rc, WEIR_ETIMEDOUT);
    CHECK_EQ(first.rc, 0);
    CHECK_EQ(weir_response_status(first.response), 503);
    CHECK_EQ(weir_response_attempts(first.response), 1);
    CHECK(strcmp(weir_response_header(first.response, "Retry-After"), "2") == 0);
    check_body(first.response, kind, seed / BODY_KINDS % 2 == 1);
    weir_response_close(first.response);
    const struct weir_client_stats stats = stats_of(client);
    CHECK_EQ(stats.shed_limit, 1);
    CHECK_EQ(stats.running + stats.waiting, 0);
    /* Whose body came whole and in time gave its connection to the other. */
    const bool kept = kind == BODY_LENGTH || kind == BODY_CHUNKS || kind == BODY_NONE;
    CHECK(kept ? stats.reused > 0 : stats.reused == 0);
    weir_client_destroy(client);
    host_close(&host);
    return 0;
}

static void a_retry_that_finds_no_place_leaves_the_answer_that_there_was(void **state)
{
    (void)state;
    world_each_seed(world_calm, let_another_be_faster);
}

static struct wi_sim_opts far_away(uint64_t seed)
{
    return (struct wi_sim_opts){ .seed = seed, .latency_ns = 100 * WEIR_NS_PER_MS };
}

/* Connecting and asking take 0.3 s of 2.4, the wait 2; what is left is too little to ask again. */
static int come_too_late(void *arg)
{
    struct host host;
    weir_client *client;
    enum body_kind kind = BODY_LENGTH;
    (void)arg;
    host_open(&host, refuse_the_first, &kind);
    CHECK_EQ(weir_client_create(&client, NULL), 0);
    struct caller caller = { .host = &host, .client = client, .call = 1, .patience_ms = 2400 };
    CHECK_EQ(make_call(&caller), 0);
    CHECK_EQ(caller.rc, 0);
    CHECK_EQ(weir_response_status(caller.response), 503);
    check_body(caller.response, kind, false);
    weir_response_close(caller.response);
    CHECK_EQ(stats_of(client).refused_deadline, 1);
    CHECK_EQ(host.requests, 1);
    weir_client_destroy(client);
    host_close(&host);
    return 0;
}

static void a_retry_that_has_too_little_time_leaves_the_answer_that_there_was(void **state)
{
    (void)state;
    world_each_seed(far_away, come_too_late);
}

/* -- when to come again ------------------------------------------------------------------------ */

/* Half an hour away, by a clock that is years ahead. */
static bool name_a_date(struct visit *visit)
{
    if (visit->host->requests > 1)
        return visit_say(visit, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    return visit_say(visit, "HTTP/1.1 503 Slow Down\r\n"
                            "Date: Wed, 01 Jan 2042 00:00:00 GMT\r\n"
                            "Retry-After: Wed, 01 Jan 2042 00:30:00 GMT\r\n"
                            "Content-Length: 0\r\n\r\n");
}

static int wait_for_the_date(void *arg)
{
    const struct weir_client_opts opts = { .call_ns_max = -1 };
    struct host host;
    weir_client *client;
    (void)arg;
    host_open(&host, name_a_date, NULL);
    CHECK_EQ(weir_client_create(&client, &opts), 0);
    struct caller caller = { .host = &host, .client = client, .call = 1 };
    const weir_time began = weir_now();
    CHECK_EQ(make_call(&caller), 0);
    const int64_t took_s = (weir_now() - began) / WEIR_NS_PER_S;
    CHECK_EQ(caller.rc, 0);
    CHECK_EQ(weir_response_status(caller.response), 200);
    CHECK_EQ(weir_response_attempts(caller.response), 2);
    CHECK(took_s >= 1800 && took_s <= 1801);
    weir_response_close(caller.response);
    weir_client_destroy(client);
    host_close(&host);
    return 0;
}

static void a_date_to_come_again_is_waited_for(void **state)
{
    (void)state;
    world_each_seed(world_rough, wait_for_the_date);
}

/* -- kept connections -------------------------------------------------------------------------- */

/* One answer more than was asked for, in the same piece. */
static bool answer_twice(struct visit *visit)
{
    char text[256];
    (void)snprintf(text, sizeof(text),
                   "HTTP/1.1 200 OK\r\nX-Call: %d\r\nContent-Length: 0\r\n\r\n"
                   "HTTP/1.1 200 OK\r\nX-Call: 99\r\nContent-Length: 0\r\n\r\n",
                   visit->call);
    return visit_say(visit, text);
}

static int call_twice(void *arg)
{
    struct host host;
    weir_client *client;
    (void)arg;
    host_open(&host, answer_twice, NULL);
    CHECK_EQ(weir_client_create(&client, NULL), 0);
    for (int i = 1; i <= 2; i++) {
        struct caller caller = { .host = &host, .client = client, .call = i };
        CHECK_EQ(make_call(&caller), 0);
        CHECK_EQ(caller.rc, 0);
        CHECK_EQ(atoi(weir_response_header(caller.response, "X-Call")), i);
        weir_response_close(caller.response);
    }
    CHECK_EQ(stats_of(client).connects, 2);
    CHECK_EQ(stats_of(client).idle, 0);
    weir_client_destroy(client);
    host_close(&host);
    return 0;
}

static void what_nobody_asked_for_is_nobodys_answer(void **state)
{
    (void)state;
    world_each_seed(world_calm, call_twice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_retry_that_finds_no_place_leaves_the_answer_that_there_was),
        cmocka_unit_test(a_retry_that_has_too_little_time_leaves_the_answer_that_there_was),
        cmocka_unit_test(a_date_to_come_again_is_waited_for),
        cmocka_unit_test(what_nobody_asked_for_is_nobodys_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
