/* SPDX-License-Identifier: MIT */
/* `weir serve`: the demo service.  A few handlers, each one kind of work, written once in plain
 * blocking style; weir_main() gives them the models, the options and the admin endpoint.
 *
 * Most handlers keep nothing between requests: the app declares WEIR_STATE_NONE and every model
 * may run it.  --state adds a counter that they share, and with it WEIR_STATE_LOCKED, which models
 * of several processes cannot run.  --crash lets a client kill the process.  --backend adds a
 * fan-out (fan.c).  All three are there to be compared, and only on request: otherwise every number
 * that a client sends is bounded here, and the service is made to be loaded, not to be taken over.
 *
 * Threads: handlers run wherever the model puts them; they share the counter, under its lock. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "commands.h"
#include "fan.h"
#include "system.h"
#include "weir/app.h"
#include "weir/err.h"
#include "weir/mutex.h"
#include "weir/runtime.h"
#include "weir/serve.h"
#include "weir/task.h"
#include "weir/time.h"

#define MS_MAX 60000
#define US_MAX (INT64_C(1000) * MS_MAX)
#define CHUNKS_MAX 1000000
#define ECHO_PIECE_BYTES ((size_t)32768)

/* Work of the longest permitted length must not be cut by the server's usual deadline. */
#define SLOW_ROUTE_NS (INT64_C(90) * WEIR_NS_PER_S)
#define STREAM_ROUTE_NS (INT64_C(3600) * WEIR_NS_PER_S)

/* What the command line asked for. */
struct choice {
    bool state;
    bool crash;
    const char *backend; /* of /fan; NULL: none */
};

/* What --state adds.  One process serves, so one object is enough. */
static struct {
    weir_mutex *lock; /* constant after start */
    int64_t count;    /* guarded by lock */
} shared;

static int index_page(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    const struct choice *choice = user;
    return weir_reply_text(
        reply, 200,
        "The demo service of weir %s.\n"
        "\n"
        "GET  /hello/NAME        a greeting: the cost of a request itself\n"
        "GET  /cpu?ms=N          burns N ms of CPU time (at most 60000)\n"
        "GET  /work?before_us=N&wait_ms=N&after_us=N\n"
        "                        computes, waits, computes: a request with a backend\n"
        "GET  /wait?ms=N         waits N ms, as on a database; the core is free\n"
        "GET  /block?ms=N        blocks an OS thread for N ms, as an old library\n"
        "GET  /stream?n=N&ms=M   N chunks, M ms apart\n"
        "POST /echo              sends the body back as it arrives\n"
        "GET  /healthz           says that it serves\n"
        "%s%s%s",
        weir_version(),
        choice->state ? "POST /count             adds one to a shared counter and says the sum\n"
                        "GET  /count             says the sum\n"
                      : "",
        choice->crash ? "GET  /crash             kills the process that runs it\n" : "",
        choice->backend != NULL
            ? "GET  /fan?n=N           calls the backend N times at once (at most 64)\n"
              "GET  /fan/numbers       says what that came to\n"
            : "");
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
static uint64_t burn_ns(int64_t ns)
{
    const int64_t end_ns = thread_cpu_ns() + ns;
    uint64_t value = (uint64_t)end_ns;
    while (thread_cpu_ns() < end_ns)
        value = burn_a_little(value);
    return value;
}

static int cpu(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    int64_t ms;
    if (!query_number(request, reply, "ms", 1, MS_MAX, &ms))
        return 0;
    return weir_reply_text(reply, 200,
                           "burned %" PRId64 " ms of CPU time, to find %016" PRIx64 "\n", ms,
                           burn_ns(ms * WEIR_NS_PER_MS));
}

/* What a request that asks a backend costs: some work, a wait, and more work. */
static int work(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    int64_t before_us;
    int64_t wait_ms;
    int64_t after_us;
    if (!query_number(request, reply, "before_us", 100, US_MAX, &before_us) ||
        !query_number(request, reply, "wait_ms", 0, MS_MAX, &wait_ms) ||
        !query_number(request, reply, "after_us", 0, US_MAX, &after_us))
        return 0;
    uint64_t value = burn_ns(before_us * WEIR_NS_PER_US);
    const int rc = wait_ms > 0 ? weir_sleep(weir_in_ms(wait_ms)) : 0;
    if (rc < 0)
        return rc;
    value ^= burn_ns(after_us * WEIR_NS_PER_US);
    return weir_reply_text(reply, 200, "worked, to find %016" PRIx64 "\n", value);
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

/* Adds one, or nothing, and says the sum.  The lock parks a task and blocks a thread, so the same
 * lines are right under each scheduler. */
static int count_by(weir_reply *reply, int64_t more)
{
    const int rc = weir_mutex_lock(shared.lock, WEIR_NO_DEADLINE);
    if (rc < 0)
        return rc;
    shared.count += more;
    const int64_t sum = shared.count;
    weir_mutex_unlock(shared.lock);
    return weir_reply_text(reply, 200, "%" PRId64 "\n", sum);
}

static int count_one(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    return count_by(reply, 1);
}

static int count_none(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    return count_by(reply, 0);
}

/* No answer: this is what a bug in a handler, or the kernel short of memory, does to a process. */
static int crash(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)reply;
    (void)user;
    kill_own_process();
    return 0;
}

struct route {
    const char *method;
    const char *pattern;
    weir_handler *handler;
    struct weir_route_opts opts;
};

static const struct route routes[] = {
    { "GET", "/", index_page, { 0 } },
    { "GET", "/hello/:name", hello, { 0 } },
    { "GET", "/cpu", cpu, { .deadline_ns = SLOW_ROUTE_NS } },
    { "GET", "/work", work, { .deadline_ns = SLOW_ROUTE_NS } },
    { "GET", "/wait", wait_route, { .deadline_ns = SLOW_ROUTE_NS } },
    { "GET", "/block", block, { .blocking = true, .deadline_ns = SLOW_ROUTE_NS } },
    { "GET", "/stream", stream, { .deadline_ns = STREAM_ROUTE_NS } },
    { "POST", "/echo", echo, { .deadline_ns = STREAM_ROUTE_NS } },
};

static const struct route state_routes[] = {
    { "POST", "/count", count_one, { 0 } },
    { "GET", "/count", count_none, { 0 } },
};

static const struct route crash_routes[] = {
    { "GET", "/crash", crash, { 0 } },
};

static int add_routes(weir_app *app, const struct route *table, size_t count)
{
    int rc = 0;
    for (size_t i = 0; rc >= 0 && i < count; i++)
        rc = weir_app_route_with(app, table[i].method, table[i].pattern, table[i].handler,
                                 weir_app_user(app), &table[i].opts);
    return rc;
}

static int start(weir_app *app)
{
    const struct choice *choice = weir_app_user(app);
    int rc = add_routes(app, routes, wi_count_of(routes));
    if (rc >= 0)
        rc = weir_app_answer(app, "/healthz", NULL, "ok\n");
    if (rc >= 0 && choice->crash)
        rc = add_routes(app, crash_routes, wi_count_of(crash_routes));
    if (rc >= 0 && choice->backend != NULL)
        rc = fan_start(app, choice->backend);
    if (rc < 0 || !choice->state)
        return rc;
    rc = weir_mutex_create(&shared.lock);
    return rc < 0 ? rc : add_routes(app, state_routes, wi_count_of(state_routes));
}

static void stop(weir_app *app)
{
    (void)app;
    fan_stop();
    if (shared.lock != NULL)
        weir_mutex_destroy(shared.lock);
    shared.lock = NULL;
}

/* Takes one flag out of the arguments, of which weir_main() gets the rest.  Whether it was there;
 * each of several is taken. */
static bool take_flag(int *argc, char **argv, const char *flag)
{
    int kept = 0;
    for (int i = 0; i < *argc; i++) {
        if (strcmp(argv[i], flag) != 0)
            argv[kept++] = argv[i];
    }
    const bool found = kept < *argc;
    *argc = kept;
    argv[kept] = NULL;
    return found;
}

/* As take_flag(), for one that ends with '='.  What stands behind it the last time, or NULL. */
static const char *take_value(int *argc, char **argv, const char *flag)
{
    const char *value = NULL;
    int kept = 0;
    for (int i = 0; i < *argc; i++) {
        if (strncmp(argv[i], flag, strlen(flag)) == 0)
            value = argv[i] + strlen(flag);
        else
            argv[kept++] = argv[i];
    }
    *argc = kept;
    argv[kept] = NULL;
    return value;
}

static const char own_help[] =
    "\nOf the demo service alone\n"
    "  --state                add POST and GET /count: a counter that requests share\n"
    "                         behind a lock, so models of one process only\n"
    "  --crash                add GET /crash, with which any client kills the process\n"
    "                         that runs it; to watch what a crash costs\n"
    "  --backend=URL          add GET /fan: calls that http URL several times at once\n"
    "                         by the HTTP client as it is by default\n";

int command_serve(int argc, char **argv)
{
    struct choice choice;
    choice.state = take_flag(&argc, argv, "--state");
    choice.crash = take_flag(&argc, argv, "--crash");
    choice.backend = take_value(&argc, argv, "--backend=");
    bool help = false;
    for (int i = 1; i < argc; i++)
        help = help || strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;

    const int status = weir_main(argc, argv,
                                 &(struct weir_app_spec){
                                     .size = sizeof(struct weir_app_spec),
                                     .name = "weir serve",
                                     .summary = "the demo service; GET / lists its routes",
                                     .state = choice.state ? WEIR_STATE_LOCKED : WEIR_STATE_NONE,
                                     .start = start,
                                     .stop = stop,
                                     .user = &choice,
                                 });
    if (help && status == 0)
        fputs(own_help, stdout);
    return status;
}
