/* SPDX-License-Identifier: MIT */
/* weir inside a libuv program that stays what it is.
 *
 * The host has its own timer and its own signal handler.  It asks a database through a library
 * that blocks (slowdb.h stands for libpq), which it could not do on its loop.  weir runs beside,
 * turned by the host's loop: each query is a task that hands the blocking call to a pool of threads
 * and waits for it; another task sleeps meanwhile.  At the end the host closes weir, then itself.
 *
 * Threads: main turns both loops; the pool's threads run slowdb_square() only. */

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>
#include <weir/weir.h>

#include "slowdb.h"
#include "weir_uv.h"

#define QUERIES 8
#define QUERY_MS 200
#define TICK_MS 20
#define SLEEPER_MS 120

/* -- the host, as it was before weir ---------------------------------------------------------- */

struct host {
    uv_timer_t ticker;
    uv_signal_t on_signal;
    int ticks;
    int signals;
    uint64_t last_tick_ns;
    uint64_t longest_gap_ns;
};

static struct host host;

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
    const uint64_t now = uv_hrtime();
    if (host.last_tick_ns != 0 && now - host.last_tick_ns > host.longest_gap_ns)
        host.longest_gap_ns = now - host.last_tick_ns;
    host.last_tick_ns = now;
    host.ticks++;
    if (host.ticks == 3)
        (void)kill(getpid(), SIGUSR1); /* as an operator would */
}

static void on_signal(uv_signal_t *signal, int number)
{
    (void)signal;
    (void)number;
    host.signals++;
}

static void host_start(uv_loop_t *loop)
{
    uv_timer_init(loop, &host.ticker);
    uv_timer_start(&host.ticker, on_tick, TICK_MS, TICK_MS);
    uv_signal_init(loop, &host.on_signal);
    uv_signal_start(&host.on_signal, on_signal, SIGUSR1);
}

static void host_stop(void)
{
    uv_close((uv_handle_t *)&host.ticker, NULL);
    uv_close((uv_handle_t *)&host.on_signal, NULL);
}

/* -- what is new: tasks ----------------------------------------------------------------------- */

struct query {
    int port;
    int number;
    int square;
    int failed;
};

static struct query queries[QUERIES];
static int running;
static int sleeper_woke;

/* Runs on a thread of the pool. */
static void query_blocking(void *arg)
{
    struct query *query = arg;
    query->failed = slowdb_square(query->port, query->number, &query->square);
}

/* Runs on the host's loop, and keeps nobody waiting. */
static int query_task(void *arg)
{
    const int rc = weir_blocking(NULL, query_blocking, arg, WEIR_NO_DEADLINE);
    if (rc < 0)
        ((struct query *)arg)->failed = rc;
    running--;
    return 0;
}

static int sleeper_task(void *arg)
{
    (void)arg;
    sleeper_woke = weir_sleep(weir_in_ms(SLEEPER_MS)) == 0;
    running--;
    return 0;
}

static _Noreturn void fail(const char *what, int code)
{
    fprintf(stderr, "embed-uv: %s: %s\n", what, weir_err_text(code));
    exit(1);
}

static void start_tasks(int port)
{
    for (int i = 0; i < QUERIES; i++) {
        queries[i] = (struct query){ .port = port, .number = i + 1 };
        const int rc = weir_go(query_task, &queries[i], .name = "query");
        if (rc < 0)
            fail("go", rc);
        running++;
    }
    const int rc = weir_go(sleeper_task, NULL, .name = "sleeper");
    if (rc < 0)
        fail("go", rc);
    running++;
}

static bool answers_are_right(void)
{
    for (int i = 0; i < QUERIES; i++) {
        if (queries[i].failed != 0 || queries[i].square != (i + 1) * (i + 1))
            return false;
    }
    return true;
}

int main(void)
{
    uv_loop_t *loop = uv_default_loop();
    host_start(loop);
    const int port = slowdb_server_start(QUERY_MS);
    if (port < 0)
        fail("slowdb", WEIR_EIO);

    int rc = weir_open(&(struct weir_opts){ .scheduler = WEIR_SCHEDULER_LOOP });
    if (rc < 0)
        fail("open", rc);
    struct weir_uv glue;
    rc = weir_uv_attach(&glue, loop);
    if (rc < 0)
        fail("attach", rc);

    const weir_time began = weir_now();
    start_tasks(port);
    while (running > 0)
        uv_run(loop, UV_RUN_ONCE);
    const double elapsed_ms = (double)(weir_now() - began) / 1e6;

    weir_uv_detach(&glue);
    rc = weir_close(weir_in_ms(2000));
    if (rc < 0)
        fail("close", rc);
    host_stop();
    uv_run(loop, UV_RUN_DEFAULT);
    const bool clean = uv_loop_close(loop) == 0;
    slowdb_server_stop();

    printf("embed-uv: weir turned by a libuv loop\n");
    printf("  %d blocking queries of %d ms each took %.0f ms together; answers right: %s\n",
           QUERIES, QUERY_MS, elapsed_ms, answers_are_right() ? "yes" : "NO");
    printf("  meanwhile a task slept its %d ms: %s\n", SLEEPER_MS, sleeper_woke ? "yes" : "NO");
    printf("  the host's %d ms timer ticked %d times, never more than %.0f ms apart\n", TICK_MS,
           host.ticks, (double)host.longest_gap_ns / 1e6);
    printf("  the host's handler took SIGUSR1 %d time%s\n", host.signals,
           host.signals == 1 ? "" : "s");
    printf("  weir and the loop closed: %s\n", clean ? "yes" : "NO");
    return answers_are_right() && sleeper_woke && host.signals == 1 && host.ticks >= 3 && clean ? 0
                                                                                                : 1;
}
