/* SPDX-License-Identifier: MIT */
/* Many calls at once, in virtual time, to a server that answers, refuses, stalls, resets and closes
 * as a seed says.
 *
 * Each call has a number, and the server notes what it saw of it, so that both sides can be
 * compared afterwards:
 *   - an answer is that of its call, whatever became of the connection's calls before;
 *   - what must not be done twice is not, and what is said not to be sent was not;
 *   - a call ends by its deadline, and told the server no more than that;
 *   - retries stay within the budget, and nothing is left: no permit, no connection, no call.
 * ctest: timeout=180 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/host.h"
#include "sim/world.h"

enum {
    CALLERS = 4,
    CALLS_EACH = 12,
    CALLS = CALLERS * CALLS_EACH,
    BODY_BYTES_MAX = 6000,
    ATTEMPTS = 3,
};

_Static_assert((int)CALLS < (int)HOST_CALLS_MAX, "each call has a number, from 1");

/* What became of a call. */
struct call {
    /* drawn */
    const char *method;
    bool once;
    int64_t patience_ms; /* 0: no deadline */
    bool ambient;        /* the deadline is the task's */
    /* seen by the caller */
    weir_time began;
    int rc;
    /* seen by the server */
    int processed; /* requests that it did not refuse with word of when to come again */
    int64_t told_ms;
    int64_t attempt; /* the highest */
};

struct storm {
    struct host host;
    weir_client *client;
    uint64_t random;
    int next;
    struct call calls[HOST_CALLS_MAX];
};

/* -- the server -------------------------------------------------------------------------------- */

/* A call's answer has a body of its own. */
static size_t body_of(int call, char text[BODY_BYTES_MAX + 1])
{
    const size_t bytes = (size_t)(call * 997 % BODY_BYTES_MAX);
    for (size_t i = 0; i < bytes; i++)
        text[i] = (char)('a' + (call + (int)i / 100) % 26);
    text[bytes] = '\0';
    return bytes;
}

static bool say_head(struct visit *visit, const char *status, const char *fields, size_t bytes)
{
    char head[512];
    (void)snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nX-Call: %d\r\n%sContent-Length: %zu\r\n\r\n",
                   status, visit->call, fields, bytes);
    return visit_say(visit, head);
}

static bool refuse(struct visit *visit, const char *status, const char *fields)
{
    return say_head(visit, status, fields, 4) && visit_say(visit, "busy");
}

static bool pause_up_to(struct visit *visit, int ms)
{
    struct storm *storm = visit->host->user;
    return weir_sleep(weir_in_ms(draw_below(&storm->random, ms))) == 0;
}

static bool serve(struct visit *visit)
{
    char text[BODY_BYTES_MAX + 1];
    const size_t bytes = body_of(visit->call, text);
    return say_head(visit, "200 OK", "", bytes) && visit_say(visit, text);
}

static bool serve_in_pieces(struct visit *visit)
{
    char text[BODY_BYTES_MAX + 1];
    char head[64];
    size_t left = body_of(visit->call, text);
    (void)snprintf(head, sizeof(head), "X-Call: %d\r\n", visit->call);
    bool fine = visit_say(visit, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
                                 "Transfer-Encoding: chunked\r\n") &&
                visit_say(visit, head) && visit_say(visit, "\r\n");
    for (const char *at = text; fine && left > 0;) {
        const size_t piece = left < 700 ? left : 700;
        char chunk[1024];
        (void)snprintf(chunk, sizeof(chunk), "%zx\r\n%.*s\r\n", piece, (int)piece, at);
        fine = visit_say(visit, chunk) && pause_up_to(visit, 40);
        at += piece;
        left -= piece;
    }
    return fine && visit_say(visit, "0\r\n\r\n");
}

/* Half of an answer, and the end. */
static bool break_off(struct visit *visit, bool within_head)
{
    char text[BODY_BYTES_MAX + 1];
    const size_t bytes = body_of(visit->call, text);
    text[bytes / 2] = '\0';
    if (within_head)
        IGNORE(visit_say(visit, "HTTP/1.1 200 OK\r\nX-Ca"));
    else
        IGNORE(say_head(visit, "200 OK", "", bytes + 1) && visit_say(visit, text));
    return false;
}

/* Says nothing until the client goes. */
static bool ignore(struct visit *visit)
{
    char byte;
    IGNORE(weir_read(visit->stream, &byte, 1, WEIR_NO_DEADLINE));
    return false;
}

static void note(struct visit *visit)
{
    struct storm *storm = visit->host->user;
    struct call *call = &storm->calls[visit->call];
    const int64_t told_ms = visit_number(visit, "Weir-Timeout-Ms: ");
    const int64_t attempt = visit_number(visit, "X-Attempt: ");
    call->told_ms = told_ms > call->told_ms ? told_ms : call->told_ms;
    call->attempt = attempt > call->attempt ? attempt : call->attempt;
    call->processed++;
}

/* Refused with word of when to come again: not processed. */
static bool put_off(struct visit *visit, const char *fields)
{
    struct storm *storm = visit->host->user;
    storm->calls[visit->call].processed--;
    return refuse(visit, "503 Slow Down", fields);
}

static bool do_as_drawn(struct visit *visit)
{
    struct storm *storm = visit->host->user;
    note(visit);
    switch (draw_below(&storm->random, 20)) {
    case 0:
        return put_off(visit, "Retry-After-Ms: 20\r\n");
    case 1:
        return put_off(visit, "Retry-After: 0\r\n");
    case 2:
        return put_off(visit, "Retry-After: 99999999999999999999\r\n");
    case 3:
        return refuse(visit, "503 Slow Down", "");
    case 4:
        return refuse(visit, "502 Bad Gateway", "");
    case 5:
        visit->abort = true;
        return false;
    case 6:
        return false;
    case 7:
        return break_off(visit, true);
    case 8:
        visit->abort = true;
        return break_off(visit, false);
    case 9:
        return break_off(visit, false);
    case 10:
        return ignore(visit);
    case 11:
        return visit_say(visit, "HTP/1.1 what\r\n\r\n");
    case 12: /* closes while the client keeps the connection, perhaps uses it just then */
        return serve(visit) && pause_up_to(visit, 20) && false;
    case 13:
        return pause_up_to(visit, 400) && serve(visit);
    case 14:
    case 15:
        return serve_in_pieces(visit);
    default:
        return serve(visit);
    }
}

/* -- the callers ------------------------------------------------------------------------------- */

static void draw_call(struct storm *storm, struct call *call)
{
    static const char *const methods[] = { "GET", "GET", "POST", "PUT", "POST", "HEAD" };
    call->method = methods[draw_below(&storm->random, 6)];
    call->once = draw_below(&storm->random, 8) == 0;
    call->patience_ms =
        draw_below(&storm->random, 3) == 0 ? 0 : (int64_t)30 + draw_below(&storm->random, 2500);
    call->ambient = draw_below(&storm->random, 2) == 0;
}

/* Reads the answer, or a part of it. */
static void read_answer(struct storm *storm, const struct call *call, int number,
                        weir_response *response)
{
    char wanted[BODY_BYTES_MAX + 1];
    const size_t bytes = body_of(number, wanted);
    const char *text;
    size_t got = 0;
    const char *whose = weir_response_header(response, "X-Call");
    char number_text[16];
    (void)snprintf(number_text, sizeof(number_text), "%d", number);
    CHECK(whose != NULL && strcmp(whose, number_text) == 0);
    if (draw_below(&storm->random, 4) == 0) {
        char some[100];
        const int rc = weir_response_read(response, some, sizeof(some), weir_in_ms(50));
        CHECK(rc <= 100);
        CHECK(rc <= 0 || weir_response_status(response) != 200 ||
              memcmp(some, wanted, (size_t)rc) == 0);
        return;
    }
    const int rc = weir_response_body(response, &text, &got, BODY_BYTES_MAX + 1, weir_in_ms(2000));
    CHECK(rc == 0 || rc == WEIR_ECONNRESET || rc == WEIR_ETIMEDOUT);
    if (rc != 0)
        return;
    if (strcmp(call->method, "HEAD") == 0)
        CHECK_EQ(got, 0);
    else if (weir_response_status(response) == 200)
        CHECK(got == bytes && memcmp(text, wanted, bytes) == 0);
    else
        CHECK(strcmp(text, "busy") == 0);
}

static void make_call(struct storm *storm, struct call *call, int number)
{
    char number_text[16];
    (void)snprintf(number_text, sizeof(number_text), "%d", number);
    const struct weir_header header = { "X-Call", number_text };
    const struct weir_client_request request = {
        .headers = &header,
        .header_count = 1,
        .body = "a body",
        .body_bytes = call->method[0] == 'P' ? 6 : 0,
        .once = call->once,
    };
    weir_response *response = NULL;
    call->began = weir_now();
    const weir_time end = call->patience_ms == 0 ? WEIR_NO_DEADLINE : weir_in_ms(call->patience_ms);
    struct weir_timeout timeout;
    weir_timeout_begin(&timeout, call->ambient ? end : WEIR_NO_DEADLINE);
    call->rc = weir_client_send(storm->client, &response, call->method, storm->host.base, &request,
                                call->ambient ? WEIR_NO_DEADLINE : end);
    call->rc = weir_timeout_end(&timeout, call->rc);
    CHECK(weir_now() <= end || weir_now() - end < 5 * WEIR_NS_PER_MS);
    CHECK_EQ(call->rc == 0, response != NULL);
    if (response == NULL)
        return;
    CHECK(weir_response_attempts(response) <= ATTEMPTS);
    read_answer(storm, call, number, response);
    weir_response_close(response);
}

static int call_again_and_again(void *arg)
{
    struct storm *storm = arg;
    for (int i = 0; i < CALLS_EACH; i++) {
        const int number = ++storm->next;
        struct call *call = &storm->calls[number];
        draw_call(storm, call);
        make_call(storm, call, number);
        if (draw_below(&storm->random, 10) == 0)
            weir_client_close_idle(storm->client);
        if (draw_below(&storm->random, 2) == 0)
            CHECK_EQ(weir_sleep(weir_in_ms(draw_below(&storm->random, 60))), 0);
    }
    return 0;
}

/* -- both sides -------------------------------------------------------------------------------- */

static bool may_be_repeated(const struct call *call)
{
    return !call->once && strcmp(call->method, "POST") != 0;
}

static void compare(const struct storm *storm)
{
    for (int number = 1; number <= CALLS; number++) {
        const struct call *call = &storm->calls[number];
        const int seen = storm->host.seen[number];
        CHECK(call->rc == 0 || call->rc == WEIR_ESHED || call->rc == WEIR_ETIMEDOUT ||
              call->rc == WEIR_ECONNRESET || call->rc == WEIR_EPIPE || call->rc == WEIR_EPROTO ||
              call->rc == WEIR_ECONNREFUSED || call->rc == WEIR_EMFILE);
        if (call->rc == WEIR_ESHED)
            CHECK_EQ(seen, 0);
        if (call->rc == 0)
            CHECK(seen >= 1);
        if (!may_be_repeated(call))
            CHECK(call->processed <= 1);
        if (call->once)
            CHECK(seen <= 1);
        CHECK(seen <= 2 * ATTEMPTS); /* each once more where a kept connection was stale */
        CHECK(call->attempt < ATTEMPTS);
        CHECK(call->patience_ms > 0 ? call->told_ms < call->patience_ms : call->told_ms == 0);
    }
}

/* Some of the first connections are not made. */
static void spoil_connecting(struct storm *storm)
{
    static const int codes[] = { WEIR_ECONNREFUSED, WEIR_EMFILE, WEIR_ETIMEDOUT };
    for (int i = 0; i < 3; i++)
        wi_sim_fail(WI_SIM_CONNECT, 1 + (uint64_t)draw_below(&storm->random, 40), codes[i]);
}

static int weather(void *arg)
{
    struct storm storm = { .random = *(uint64_t *)arg };
    const struct weir_client_opts opts = {
        .connections_max = 1 + (int64_t)(storm.random % 4),
        .waiting_max = storm.random % 3 == 0 ? -1 : 0,
        .no_throttle = storm.random % 2 == 0,
    };
    weir_scope *scope;
    host_open(&storm.host, do_as_drawn, &storm);
    CHECK_EQ(weir_client_create(&storm.client, &opts), 0);
    spoil_connecting(&storm);
    const weir_time began = weir_now();
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < CALLERS; i++)
        CHECK_EQ(weir_go(call_again_and_again, &storm), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    const int64_t seconds = (weir_now() - began) / WEIR_NS_PER_S + 1;
    CHECK_EQ(weir_sleep(weir_in_ms(2000)), 0); /* what is on its way arrives */
    compare(&storm);
    struct weir_client_stats stats = { .size = sizeof(stats) };
    weir_client_stats_read(storm.client, &stats);
    CHECK_EQ(stats.calls, CALLS);
    CHECK_EQ(stats.running + stats.waiting, 0);
    CHECK(stats.idle <= opts.connections_max);
    CHECK(stats.retries <= 10 + seconds + CALLS / 10);
    weir_client_destroy(storm.client);
    host_close(&storm.host);
    return 0;
}

static void whatever_the_server_does_calls_end_well(void **state)
{
    (void)state;
    world_each_seed(world_calm, weather);
    world_each_seed(world_rough, weather);
}

static void a_seed_repeats_its_run(void **state)
{
    (void)state;
    world_replays(world_rough, weather);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_the_server_does_calls_end_well),
        cmocka_unit_test(a_seed_repeats_its_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
