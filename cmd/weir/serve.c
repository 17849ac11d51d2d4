/* SPDX-License-Identifier: MIT */
/* `weir serve`: the demo service.  Six handlers, each one kind of work, written once in plain
 * blocking style; weir_main() gives them the models, the options and the admin endpoint.
 *
 * No handler keeps anything between requests, so the app declares WEIR_STATE_NONE and every model
 * may run it.  Every number that a client sends is bounded here: the service is made to be loaded,
 * not to be taken over.
 *
 * Threads: handlers run wherever the model puts them; they share nothing. */

#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "commands.h"
#include "system.h"
#include "weir/app.h"
#include "weir/err.h"
#include "weir/runtime.h"
#include "weir/serve.h"
#include "weir/task.h"
#include "weir/time.h"

#define MS_MAX 60000
#define CHUNKS_MAX 1000000
#define ECHO_PIECE_BYTES ((size_t)32768)

/* Work of the longest permitted length must not be cut by the server's usual deadline. */
#define SLOW_ROUTE_NS (INT64_C(90) * WEIR_NS_PER_S)
#define STREAM_ROUTE_NS (INT64_C(3600) * WEIR_NS_PER_S)

static int index_page(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    return weir_reply_text(
        reply, 200,
        "The demo service of weir %s.\n"
        "\n"
        "GET  /hello/NAME        a greeting: the cost of a request itself\n"
        "GET  /cpu?ms=N          burns N ms of CPU time (at most 60000)\n"
        "GET  /wait?ms=N         waits N ms, as on a database; the core is free\n"
        "GET  /block?ms=N        blocks an OS thread for N ms, as an old library\n"
        "GET  /stream?n=N&ms=M   N chunks, M ms apart\n"
        "POST /echo              sends the body back as it arrives\n",
        weir_version());
}

static int hello(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    return weir_reply_text(reply, 200, "Hello, %s!\n", weir_request_param(request, "name"));
}

/* Reads a whole number from the query.  False: it was wrong, and the reply is on its way. */
static bool query_number(weir_request *request, weir_reply *reply, const char *name,
                         int64_t fallback, int64_t max, int64_t *out)
{
    int error = 0;
    *out = weir_request_query_int(request, name, fallback, &error);
    if (error == 0 && *out >= 0 && *out <= max)
        return true;
    (void)weir_reply_text(reply, 400, "%s must be a whole number from 0 to %" PRId64 "\n", name,
                          max);
    return false;
}

/* Multiplies long enough that reading the clock (about half a microsecond) is a small part. */
static uint64_t burn_a_little(uint64_t value)
{
    for (int i = 0; i < 8000; i++)
        value = value * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return value;
}

/* Burns CPU time, not time: beside nine others on one core it takes ten times as long.  There is
 * no weir call inside, so the task stays on its thread and the thread's clock is its own. */
static int cpu(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    int64_t ms;
    if (!query_number(request, reply, "ms", 1, MS_MAX, &ms))
        return 0;
    const int64_t end_ns = thread_cpu_ns() + ms * WEIR_NS_PER_MS;
    uint64_t value = (uint64_t)end_ns;
    while (thread_cpu_ns() < end_ns)
        value = burn_a_little(value);
    return weir_reply_text(
        reply, 200, "burned %" PRId64 " ms of CPU time, to find %016" PRIx64 "\n", ms, value);
}

static int wait_route(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    int64_t ms;
    if (!query_number(request, reply, "ms", 50, MS_MAX, &ms))
        return 0;
    const int rc = weir_sleep(weir_in_ms(ms));
    if (rc < 0)
        return rc;
    return weir_reply_text(reply, 200, "waited %" PRId64 " ms\n", ms);
}

static int block(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    int64_t ms;
    if (!query_number(request, reply, "ms", 50, MS_MAX, &ms))
        return 0;
    block_thread_ns(ms * WEIR_NS_PER_MS);
    return weir_reply_text(reply, 200, "blocked a thread for %" PRId64 " ms\n", ms);
}

static int stream(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    int64_t chunks;
    int64_t ms;
    if (!query_number(request, reply, "n", 10, CHUNKS_MAX, &chunks) ||
        !query_number(request, reply, "ms", 100, MS_MAX, &ms))
        return 0;
    int rc = weir_reply_begin(reply, 200, "text/plain; charset=utf-8", -1);
    for (int64_t i = 1; rc >= 0 && i <= chunks; i++) {
        char line[64];
        const int len =
            snprintf(line, sizeof line, "chunk %" PRId64 " of %" PRId64 "\n", i, chunks);
        rc = weir_reply_write(reply, line, (size_t)len);
        if (rc >= 0)
            rc = weir_reply_flush(reply);
        if (rc >= 0 && i < chunks && ms > 0)
            rc = weir_sleep(weir_in_ms(ms));
    }
    return rc < 0 ? rc : 0;
}

/* The first piece is read before the reply begins: it is what sends 100 Continue, and a body that
 * is refused (too large, badly framed) can still be answered with the right status. */
static int echo(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    char *piece = weir_request_alloc(request, ECHO_PIECE_BYTES);
    if (piece == NULL)
        return WEIR_ENOMEM;
    int got = weir_request_read(request, piece, ECHO_PIECE_BYTES, WEIR_NO_DEADLINE);
    if (got < 0)
        return got;
    int rc = weir_reply_begin(reply, 200, weir_request_header(request, "Content-Type"),
                              weir_request_body_bytes(request));
    while (rc >= 0 && got > 0) {
        rc = weir_reply_write(reply, piece, (size_t)got);
        if (rc < 0)
            break;
        got = weir_request_read(request, piece, ECHO_PIECE_BYTES, WEIR_NO_DEADLINE);
        rc = got;
    }
    return rc < 0 ? rc : 0;
}

static const struct {
    const char *method;
    const char *pattern;
    weir_handler *handler;
    struct weir_route_opts opts;
} routes[] = {
    { "GET", "/", index_page, { 0 } },
    { "GET", "/hello/:name", hello, { 0 } },
    { "GET", "/cpu", cpu, { .deadline_ns = SLOW_ROUTE_NS } },
    { "GET", "/wait", wait_route, { .deadline_ns = SLOW_ROUTE_NS } },
    { "GET", "/block", block, { .blocking = true, .deadline_ns = SLOW_ROUTE_NS } },
    { "GET", "/stream", stream, { .deadline_ns = STREAM_ROUTE_NS } },
    { "POST", "/echo", echo, { .deadline_ns = STREAM_ROUTE_NS } },
};

static int add_routes(weir_app *app)
{
    for (size_t i = 0; i < wi_count_of(routes); i++) {
        const int rc = weir_app_route_with(app, routes[i].method, routes[i].pattern,
                                           routes[i].handler, NULL, &routes[i].opts);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int command_serve(int argc, char **argv)
{
    return weir_main(argc, argv,
                     &(struct weir_app_spec){
                         .size = sizeof(struct weir_app_spec),
                         .name = "weir serve",
                         .summary = "the demo service; GET / lists its routes",
                         .state = WEIR_STATE_NONE,
                         .start = add_routes,
                     });
}
