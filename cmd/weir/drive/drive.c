/* SPDX-License-Identifier: MIT */
/* The engine of `weir load`.
 *
 * Open loop: one task walks the schedule and starts a task for each arrival, at its time, whatever
 * became of the earlier ones; latency counts from the intended time, so a request that this
 * program sends late does not look fast (the rule of wrk2).  Connections come from a pool that
 * grows when none is free; the most recently used is taken first, so that the pool stays as small
 * as the service allows.  Closed loop: each of N tasks has a connection and asks again as soon as
 * it was answered.
 *
 * The schedule is a function of seed and rate, never of the service, and is computed on the way:
 * one logarithm per arrival.
 *
 * Bound: in_flight_max jobs are allocated at the start; an arrival beyond them is counted, not
 * sent, and makes the result void.
 *
 * Threads: see drive.h. */

#include "drive/drive.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "base/list.h"
#include "base/rng.h"
#include "weir/runtime.h"
#include "weir/scope.h"
#include "weir/task.h"

/* Arrivals that are due at once are started in groups, so that those already started get to run
 * when the schedule is faster than this program. */
#define GROUP 16

/* A closed-loop connection that failed waits this long: a dead service is not worth a core. */
#define AFTER_ERROR_MS 10

#define TICK_LIVE_MS 100
#define TICKS_PER_LINE 10

volatile sig_atomic_t interrupted;

/* One request under way.  Owner: the task that runs it; on the free list: nobody. */
struct job {
    struct wi_list free_node;
    struct drive *drive;
    weir_time intended;
};

struct drive {
    const struct plan *plan;
    struct tally *tally;
    weir_scope *scope;
    weir_time start;
    weir_time end;   /* no request is due from here on */
    bool stopping;   /* interrupted, or there is nothing to drive */
    bool no_address; /* the target's address cannot be dialed */
    bool finished;   /* the monitor may go */

    struct job *jobs;
    struct wi_list free_jobs;
    weir_stream **idle; /* the pool: a stack, the most recently used on top */
    int64_t idle_count;
};

/* -- connections ------------------------------------------------------------------------------ */

static weir_stream *take_idle(struct drive *d)
{
    return d->idle_count > 0 ? d->idle[--d->idle_count] : NULL;
}

static int dial(struct drive *d, weir_stream **out, weir_time deadline)
{
    const int rc = weir_dial(out, d->plan->target.address, deadline);
    if (rc == WEIR_EINVAL) /* no address at all: it will not become one */
        d->stopping = d->no_address = true;
    if (rc < 0)
        return rc;
    d->tally->dialed++;
    d->tally->connections++;
    return 0;
}

/* After a timeout the peer sees a reset: the answer that it still prepares has no reader. */
static void drop(struct drive *d, weir_stream *stream, bool reset)
{
    d->tally->connections--;
    if (reset)
        weir_stream_abort(stream);
    else
        weir_stream_close(stream);
}

static bool looks_closed_before(int rc, const struct answer *answer)
{
    return answer->bytes_in == 0 && (rc == WEIR_EEOF || rc == WEIR_EPIPE || rc == WEIR_ECONNRESET);
}

/* Sends one request, on *stream if there is one, and leaves the connection there if it may be used
 * again.  A kept connection that turns out to be closed already is replaced once: the service may
 * close an idle connection at any time, and that is no failure of it. */
static int ask(struct drive *d, weir_stream **stream, weir_time deadline, struct answer *answer)
{
    for (;;) {
        const bool kept = *stream != NULL;
        int rc = kept ? 0 : dial(d, stream, deadline);
        if (rc < 0) {
            *stream = NULL;
            *answer = (struct answer){ 0 };
            return rc;
        }
        rc = exchange(*stream, &d->plan->target, deadline, answer);
        d->tally->bytes_in += answer->bytes_in;
        d->tally->bytes_out += d->plan->target.request_bytes;
        if (rc == 0 && answer->reusable)
            return 0;
        drop(d, *stream, rc == WEIR_ETIMEDOUT);
        *stream = NULL;
        if (!kept || !looks_closed_before(rc, answer))
            return rc;
        d->tally->reconnects++;
    }
}

/* -- counting --------------------------------------------------------------------------------- */

static void count_error(struct tally *tally, int code)
{
    tally->error++;
    int i = 0;
    while (i < ERROR_KINDS_MAX - 1 && tally->errors[i].count > 0 && tally->errors[i].code != code)
        i++;
    tally->errors[i].code = tally->errors[i].count > 0 && tally->errors[i].code != code ? 0 : code;
    tally->errors[i].count++;
}

static void count(struct drive *d, int rc, const struct answer *answer, weir_time since)
{
    struct tally *tally = d->tally;
    const weir_time now = weir_now();
    if (rc == WEIR_ECANCELED) {
        tally->abandoned++;
    } else if (rc == WEIR_ETIMEDOUT) {
        tally->timeout++;
    } else if (rc < 0) {
        count_error(tally, rc);
    } else if (now - since > d->plan->timeout_ns) {
        tally->late++;
    } else if (answer->status == 503) {
        tally->shed++;
        wi_hist_record(&tally->shed_ns, now - since);
    } else if (answer->status >= 400) {
        tally->other++;
    } else {
        tally->ok++;
        wi_hist_record(&tally->ok_ns, now - since);
    }
}

static void enter_flight(struct tally *tally)
{
    tally->in_flight++;
    if (tally->in_flight > tally->in_flight_peak)
        tally->in_flight_peak = tally->in_flight;
}

/* -- open loop -------------------------------------------------------------------------------- */

static int run_job(void *arg)
{
    struct job *job = arg;
    struct drive *d = job->drive;
    wi_hist_record(&d->tally->send_ns, weir_now() - job->intended);

    weir_stream *stream = take_idle(d);
    struct answer answer;
    const int rc = ask(d, &stream, job->intended + d->plan->timeout_ns, &answer);
    count(d, rc, &answer, job->intended);
    if (stream != NULL)
        d->idle[d->idle_count++] = stream; /* one slot per job: it always fits */

    d->tally->in_flight--;
    wi_list_push_front(&d->free_jobs, &job->free_node);
    return 0;
}

/* Starts the request that is due.  A code ends the schedule. */
static int launch(struct drive *d, weir_time intended)
{
    struct wi_list *node = wi_list_pop_front(&d->free_jobs);
    if (node == NULL) {
        d->tally->over++;
        return 0;
    }
    struct job *job = wi_container_of(node, struct job, free_node);
    job->intended = intended;
    const int rc = weir_go(run_job, job, .name = "request");
    if (rc == 0) {
        enter_flight(d->tally);
        return 0;
    }
    wi_list_push_front(&d->free_jobs, node);
    if (rc != WEIR_ECANCELED)
        count_error(d->tally, rc);
    return rc == WEIR_ECANCELED ? rc : 0;
}

/* Time to the next arrival, in seconds. */
static double next_gap(const struct plan *plan, struct wi_rng *rng)
{
    if (plan->arrivals == ARRIVALS_EVEN)
        return 1.0 / plan->rate;
    return -log(1.0 - wi_rng_unit(rng)) / plan->rate;
}

static int walk_schedule(void *arg)
{
    struct drive *d = arg;
    struct wi_rng rng;
    wi_rng_init(&rng, d->plan->seed);
    const double length_s = (double)d->plan->for_ns / 1e9;
    int started = 0;
    /* The sum stays in seconds: rounding each gap to a nanosecond would bend high rates. */
    for (double at = next_gap(d->plan, &rng); at < length_s; at += next_gap(d->plan, &rng)) {
        const weir_time intended = d->start + (int64_t)(at * 1e9);
        const weir_time now = weir_now();
        if (d->stopping)
            return 0;
        if (now > d->end + d->plan->timeout_ns) {
            d->tally->behind++;
            continue;
        }
        int rc = 0;
        if (now < intended)
            rc = weir_sleep(intended);
        else if (++started % GROUP == 0)
            rc = weir_yield();
        if (rc == 0)
            rc = launch(d, intended);
        if (rc < 0)
            return 0; /* interrupted: the tally says so */
    }
    return 0;
}

/* -- closed loop ------------------------------------------------------------------------------ */

static int run_connection(void *arg)
{
    struct drive *d = arg;
    weir_stream *stream = NULL;
    while (!d->stopping && weir_now() < d->end) {
        const weir_time sent = weir_now();
        struct answer answer;
        enter_flight(d->tally);
        int rc = ask(d, &stream, sent + d->plan->timeout_ns, &answer);
        d->tally->in_flight--;
        count(d, rc, &answer, sent);
        d->tally->elapsed_ns = weir_now() - d->start;
        if (rc < 0)
            rc = weir_sleep(weir_in_ms(AFTER_ERROR_MS));
        if (rc == WEIR_ECANCELED)
            break;
    }
    if (stream != NULL)
        drop(d, stream, false);
    return 0;
}

static int start_connections(struct drive *d)
{
    for (int64_t i = 0; i < d->plan->connections; i++) {
        const int rc = weir_go(run_connection, d, .name = "connection");
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* -- progress --------------------------------------------------------------------------------- */

static void show_progress(const struct drive *d, const struct tally *before, double seconds)
{
    const struct tally *now = d->tally;
    const double passed = (double)(weir_now() - d->start) / 1e9;
    const bool live = d->plan->progress == PROGRESS_LIVE;
    fprintf(stderr,
            "%s%5.1f s  ok %7.0f/s  503 %6.0f/s  late %" PRIu64 "  timeout %" PRIu64
            "  error %" PRIu64 "  busy %" PRId64 "%s",
            live ? "\r\033[K" : "", passed, (double)(now->ok - before->ok) / seconds,
            (double)(now->shed - before->shed) / seconds, now->late, now->timeout, now->error,
            now->in_flight, live ? "" : "\n");
    fflush(stderr);
}

/* Looks at the signal and tells how it goes, ten times a second. */
static int monitor(void *arg)
{
    struct drive *d = arg;
    static struct tally before; /* too large for a stack; one monitor runs at a time */
    before = *d->tally;
    const int every = d->plan->progress == PROGRESS_LIVE ? 5 : TICKS_PER_LINE;
    weir_time shown = d->start;
    for (int tick = 1; !d->finished; tick++) {
        if (weir_sleep(weir_in_ms(TICK_LIVE_MS)) < 0)
            break;
        if (interrupted && !d->stopping && d->scope != NULL) {
            d->stopping = true;
            d->tally->interrupted = true;
            d->tally->elapsed_ns = weir_now() - d->start;
            weir_scope_cancel(d->scope, WEIR_ECANCELED);
        }
        if (d->plan->progress == PROGRESS_NONE || tick % every != 0 || d->finished)
            continue;
        show_progress(d, &before, (double)(weir_now() - shown) / 1e9);
        shown = weir_now();
        before = *d->tally;
    }
    if (d->plan->progress == PROGRESS_LIVE) {
        fprintf(stderr, "\r\033[K");
        fflush(stderr);
    }
    return 0;
}

/* -- a run ------------------------------------------------------------------------------------ */

static int start_requests(struct drive *d)
{
    const struct weir_scope_opts opts = { .size = sizeof opts, .keep_going = true };
    int rc = weir_scope_open(&d->scope, &opts);
    if (rc < 0)
        return rc;
    d->start = weir_now();
    d->end = d->start + d->plan->for_ns;
    d->tally->elapsed_ns = d->plan->rate > 0 ? d->plan->for_ns : 0;
    rc = d->plan->rate > 0 ? weir_go(walk_schedule, d, .name = "schedule") : start_connections(d);
    if (rc < 0)
        weir_scope_cancel(d->scope, rc);
    /* Every request ends by its timeout, so this wait is bounded by the plan. */
    const int closed = weir_scope_close(d->scope, WEIR_NO_DEADLINE);
    return rc < 0 || d->stopping ? rc : closed;
}

/* The first task.  The monitor is started outside the scope that it may have to cancel. */
static int run(void *arg)
{
    struct drive *d = arg;
    d->start = weir_now();
    weir_task *watcher;
    int rc = weir_task_start(&watcher, monitor, d, .name = "monitor");
    if (rc < 0)
        return rc;
    rc = start_requests(d);
    d->finished = true;
    weir_task_cancel(watcher, WEIR_ECANCELED);
    const int joined = weir_task_join(watcher, NULL, WEIR_NO_DEADLINE);
    wi_bug_unless(joined == 0);
    while (d->idle_count > 0)
        drop(d, take_idle(d), false);
    return rc;
}

/* Closed loops need neither jobs nor a pool. */
static int allocate(struct drive *d)
{
    wi_list_init(&d->free_jobs);
    const size_t jobs = d->plan->rate > 0 ? (size_t)d->plan->in_flight_max : 0;
    if (jobs == 0)
        return 0;
    d->jobs = calloc(jobs, sizeof d->jobs[0]);
    d->idle = calloc(jobs, sizeof d->idle[0]);
    if (d->jobs == NULL || d->idle == NULL)
        return WEIR_ENOMEM;
    for (size_t i = 0; i < jobs; i++) {
        d->jobs[i].drive = d;
        wi_list_push_back(&d->free_jobs, &d->jobs[i].free_node);
    }
    return 0;
}

int drive(const struct plan *plan, struct tally *tally)
{
    *tally = (struct tally){ 0 };
    wi_hist_init(&tally->ok_ns);
    wi_hist_init(&tally->shed_ns);
    wi_hist_init(&tally->send_ns);
    struct drive d = { .plan = plan, .tally = tally };

    int rc = allocate(&d);
    const clock_t cpu = clock();
    const weir_time since = weir_now();
    int result = 0;
    if (rc == 0)
        rc = weir_run(run, &d, &result);
    /* clock() is the CPU time of the whole process, of which this run is all. */
    const double passed = (double)(weir_now() - since) / 1e9;
    tally->cpu = (double)(clock() - cpu) / CLOCKS_PER_SEC / (passed > 0 ? passed : 1);

    free(d.idle);
    free(d.jobs);
    if (rc == 0)
        rc = result;
    return rc == 0 && d.no_address ? WEIR_EINVAL : rc;
}
