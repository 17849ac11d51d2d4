/* SPDX-License-Identifier: MIT */
/* The engine of `weir load`.
 *
 * Open loop: one task walks the schedule and starts a task for each arrival, at its time, whatever
 * became of the earlier ones; latency counts from the intended time, so a request that this
 * program sends late does not look fast (the rule of wrk2).  Connections come from a pool that
 * grows when none is free.  Closed loop: each of N tasks asks again as soon as it was answered.
 *
 * A request that is refused, breaks or times out may be tried again: the client of a retry storm.
 * It stays one request, with one outcome; its attempts are counted beside it.
 *
 * Bounds: in_flight_max jobs and connections_max connections are allocated at the start, and
 * nothing for a request.  An arrival beyond them is counted, not sent, and makes the result void;
 * so is one that is due when the schedule has ended a timeout ago.  Every other one is sent,
 * however late, and its lateness recorded.
 *
 * Threads: see drive.h. */

#include "drive/drive.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "base/list.h"
#include "drive/exchange.h"
#include "drive/pool.h"
#include "weir/runtime.h"
#include "weir/scope.h"
#include "weir/task.h"

/* Arrivals that are due at once are started in groups, so that those already started get to run
 * when the schedule is faster than this program. */
#define GROUP 16

/* Pauses are drawn from a sequence of their own, so that arrivals and choices stay the same. */
#define BACKOFF_SEED UINT64_C(0x7265747279)

/* A closed-loop connection that failed waits this long: a dead service is not worth a core. */
#define AFTER_ERROR_MS 10

/* A service whose queue of connections was full for a moment is asked again after a second, and two
 * more later, by the kernel. */
#define OPEN_FIRST_MS 10000

#define TICK_LIVE_MS 100
#define TICKS_PER_LINE 10

volatile sig_atomic_t interrupted;

/* One request under way.  Owner: the task that runs it; on the free list: nobody. */
struct job {
    struct wi_list free_node;
    struct drive *drive;
    weir_time intended;
    struct mark mark;
};

struct drive {
    struct plan *plan;
    struct tally *tally;
    weir_scope *scope;
    weir_time start;
    weir_time end; /* no request is due from here on */
    bool stopping; /* interrupted, or there is nothing to drive */
    bool finished; /* the monitor may go */

    int step; /* the present one, with the begin of its account */
    weir_time step_since;
    int64_t step_cpu_ns;

    struct job *jobs;
    struct wi_list free_jobs;
    struct pool pool;
    struct wi_rng backoffs;
};

/* CPU time of the process, of which a run is all. */
static int64_t cpu_ns(void)
{
    return (int64_t)((double)clock() * (1e9 / CLOCKS_PER_SEC));
}

/* -- connections ------------------------------------------------------------------------------ */

/* After a timeout the peer sees a reset: the answer that it still prepares has no reader. */
static void drop(struct drive *d, weir_stream *stream, bool reset)
{
    d->tally->connections--;
    if (reset)
        weir_stream_abort(stream);
    else
        weir_stream_close(stream);
}

/* Where several hosts share the connections, one that is idle makes room: there is one, since fewer
 * requests than connections_max are under way.  A connection counts from here on, not only once it
 * is made: others dial meanwhile. */
static int dial(struct drive *d, const struct target *target, weir_stream **out, weir_time deadline)
{
    if (d->tally->connections >= d->plan->connections_max) {
        weir_stream *oldest = pool_take_oldest(&d->pool);
        wi_bug_unless(oldest != NULL);
        drop(d, oldest, false);
    }
    d->tally->connections++;
    const int rc = weir_dial(out, target->address, deadline);
    if (rc == WEIR_EINVAL || rc == WEIR_ENOHOST) { /* no address: it will not become one */
        d->stopping = true;
        d->tally->no_address = target->address;
        weir_scope_cancel(d->scope, WEIR_ECANCELED);
    }
    if (rc < 0)
        d->tally->connections--;
    else
        d->tally->dialed++;
    return rc;
}

static bool looks_closed_before(int rc, const struct answer *answer)
{
    return answer->bytes_in == 0 && (rc == WEIR_EEOF || rc == WEIR_EPIPE || rc == WEIR_ECONNRESET);
}

/* Sends one request.  A kept connection that turns out to be closed already is replaced once, by a
 * new one: the service may close an idle connection at any time, and that is no failure of it. */
static int ask(struct drive *d, const struct target *target, weir_time deadline,
               struct answer *answer)
{
    weir_stream *stream = pool_take(&d->pool, target->host);
    for (;;) {
        const bool kept = stream != NULL;
        int rc = kept ? 0 : dial(d, target, &stream, deadline);
        if (rc < 0) {
            *answer = (struct answer){ 0 };
            return rc;
        }
        rc = exchange(stream, target, deadline, answer);
        d->tally->bytes_in += answer->bytes_in;
        d->tally->bytes_out += target->request_bytes + target->rest_bytes;
        if (rc == 0 && answer->reusable && !target->close_each) {
            pool_give(&d->pool, target->host, stream);
            return 0;
        }
        drop(d, stream, rc == WEIR_ETIMEDOUT);
        stream = NULL;
        if (!kept || !looks_closed_before(rc, answer))
            return rc;
        d->tally->reconnects++;
    }
}

static enum outcome outcome_of(const struct drive *d, int rc, const struct answer *answer,
                               int64_t latency_ns)
{
    if (rc == WEIR_ECANCELED)
        return OUTCOME_ABANDONED;
    if (rc == WEIR_ETIMEDOUT)
        return OUTCOME_TIMEOUT;
    if (rc < 0)
        return OUTCOME_ERROR;
    if (latency_ns > d->plan->timeout_ns)
        return OUTCOME_LATE;
    if (answer->status == 503)
        return OUTCOME_SHED;
    return answer->status >= 400 || answer->status < 200 ? OUTCOME_OTHER : OUTCOME_OK;
}

/* One attempt that is due at `due`.  *rc is the code of ask(). */
static enum outcome attempt(struct drive *d, const struct mark *mark, weir_time due, int *rc)
{
    struct answer answer;
    *rc = ask(d, &d->plan->targets.all[mark->url], due + d->plan->timeout_ns, &answer);
    const enum outcome outcome = outcome_of(d, *rc, &answer, weir_now() - due);
    tally_tried(d->tally, mark, due - d->start, outcome, *rc);
    return outcome;
}

static bool is_retried(enum outcome outcome)
{
    return outcome == OUTCOME_SHED || outcome == OUTCOME_TIMEOUT || outcome == OUTCOME_LATE ||
           outcome == OUTCOME_ERROR;
}

/* 0, or WEIR_ECANCELED. */
static int back_off(struct drive *d)
{
    const double part = wi_rng_unit(&d->backoffs);
    return weir_sleep(weir_now() + (int64_t)(part * (double)d->plan->backoff_ns));
}

/* One request from its due time to its outcome, which is that of its last attempt.  The code of
 * that one's ask(). */
static int serve_request(struct drive *d, const struct mark *mark, weir_time since)
{
    int rc;
    enum outcome outcome = attempt(d, mark, since, &rc);
    for (int i = 0; i < d->plan->retries && is_retried(outcome); i++) {
        rc = back_off(d);
        outcome = rc < 0 ? OUTCOME_ABANDONED : attempt(d, mark, weir_now(), &rc);
    }
    if (outcome == OUTCOME_ERROR)
        tally_error_kind(d->tally, rc);
    tally_ended(d->tally, mark, outcome, weir_now() - since);
    d->tally->in_flight--;
    return rc;
}

/* -- open loop -------------------------------------------------------------------------------- */

static int run_job(void *arg)
{
    struct job *job = arg;
    struct drive *d = job->drive;
    tally_sent(d->tally, &job->mark, weir_now() - job->intended);
    (void)serve_request(d, &job->mark, job->intended); /* the tally has the code */
    wi_list_push_front(&d->free_jobs, &job->free_node);
    return 0;
}

/* Starts the request that is due.  A code ends the schedule. */
static int launch(struct drive *d, weir_time intended, const struct mark *mark)
{
    struct wi_list *node = wi_list_pop_front(&d->free_jobs);
    if (node == NULL) {
        tally_ended(d->tally, mark, OUTCOME_OVER, 0);
        return 0;
    }
    struct job *job = wi_container_of(node, struct job, free_node);
    job->intended = intended;
    job->mark = *mark;
    const int rc = weir_go(run_job, job, .name = "request");
    if (rc == 0) {
        tally_launched(d->tally, mark);
        return 0;
    }
    wi_list_push_front(&d->free_jobs, node);
    if (rc == WEIR_ECANCELED)
        return rc;
    tally_tried(d->tally, mark, intended - d->start, OUTCOME_ERROR, rc);
    tally_error_kind(d->tally, rc);
    tally_ended(d->tally, mark, OUTCOME_ERROR, 0);
    return 0;
}

static void close_step(struct drive *d)
{
    struct step_tally *step = &d->tally->steps[d->step];
    const weir_time now = weir_now();
    const int64_t cpu = cpu_ns();
    step->wall_ns = now - d->step_since;
    step->cpu_ns = cpu - d->step_cpu_ns;
    d->step_since = now;
    d->step_cpu_ns = cpu;
}

/* Waits for the time of an arrival, or lets others run now and then.  A code ends the schedule. */
static int wait_until_due(weir_time intended, int *started)
{
    if (weir_now() < intended)
        return weir_sleep(intended);
    return ++*started % GROUP == 0 ? weir_yield() : 0;
}

static int walk_schedule(void *arg)
{
    struct drive *d = arg;
    struct arrivals arrivals;
    arrivals_init(&arrivals, &d->plan->schedule);
    int started = 0;
    struct arrival next;
    while (arrivals_next(&arrivals, &next)) {
        const int64_t at_ns = (int64_t)(next.at_s * 1e9);
        const int rc = d->stopping ? WEIR_ECANCELED : wait_until_due(d->start + at_ns, &started);
        if (rc < 0)
            return 0; /* interrupted: the tally says so */
        for (; d->step < next.step; d->step++)
            close_step(d);
        const int url = targets_choose(&d->plan->targets);
        const struct mark mark = tally_mark(d->tally, next.step, url, at_ns);
        if (weir_now() > d->end + d->plan->timeout_ns)
            tally_ended(d->tally, &mark, OUTCOME_BEHIND, 0);
        else if (launch(d, d->start + at_ns, &mark) < 0)
            return 0;
    }
    /* The last arrival is not the end: the pause after it belongs to its step. */
    (void)weir_sleep(d->end);
    return 0;
}

/* -- closed loop ------------------------------------------------------------------------------ */

static int run_connection(void *arg)
{
    struct drive *d = arg;
    weir_time sent;
    while (!d->stopping && (sent = weir_now()) < d->end) {
        const int url = targets_choose(&d->plan->targets);
        const struct mark mark = tally_mark(d->tally, 0, url, sent - d->start);
        tally_launched(d->tally, &mark);
        int rc = serve_request(d, &mark, sent);
        d->tally->elapsed_ns = weir_now() - d->start;
        if (rc < 0)
            rc = weir_sleep(weir_in_ms(AFTER_ERROR_MS));
        if (rc == WEIR_ECANCELED)
            break;
    }
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

static void show_progress(const struct drive *d, const struct counts *before, double seconds)
{
    const struct tally *now = d->tally;
    const uint64_t *counts = now->all.of;
    const double passed = (double)(weir_now() - d->start) / 1e9;
    const bool live = d->plan->progress == PROGRESS_LIVE;
    fprintf(stderr,
            "%s%5.1f s  ok %7.0f/s  503 %6.0f/s  late %" PRIu64 "  timeout %" PRIu64
            "  error %" PRIu64 "  busy %" PRId64 "%s",
            live ? "\r\033[K" : "", passed,
            (double)(counts[OUTCOME_OK] - before->of[OUTCOME_OK]) / seconds,
            (double)(counts[OUTCOME_SHED] - before->of[OUTCOME_SHED]) / seconds,
            counts[OUTCOME_LATE], counts[OUTCOME_TIMEOUT], counts[OUTCOME_ERROR], now->in_flight,
            live ? "" : "\n");
    fflush(stderr);
}

/* Looks at the signal and tells how it goes, ten times a second. */
static int monitor(void *arg)
{
    struct drive *d = arg;
    struct counts before = d->tally->all;
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
        before = d->tally->all;
    }
    if (d->plan->progress == PROGRESS_LIVE) {
        fprintf(stderr, "\r\033[K");
        fflush(stderr);
    }
    return 0;
}

/* -- a run ------------------------------------------------------------------------------------ */

/* Opens the connections that are to be there before the first request, to the URLs' hosts in turn:
 * where clients keep theirs, a service cannot refuse work by not accepting. */
static int open_first(struct drive *d)
{
    const struct targets *targets = &d->plan->targets;
    for (int64_t i = 0; i < d->plan->open_first && !d->stopping; i++) {
        const struct target *target = &targets->all[i % targets->count];
        weir_stream *stream;
        const int rc = dial(d, target, &stream, weir_in_ms(OPEN_FIRST_MS));
        if (rc < 0)
            return rc;
        pool_give(&d->pool, target->host, stream);
    }
    return 0;
}

static int start_requests(struct drive *d)
{
    const struct weir_scope_opts opts = { .size = sizeof opts, .keep_going = true };
    int rc = weir_scope_open(&d->scope, &opts);
    if (rc < 0)
        return rc;
    rc = open_first(d);
    d->start = weir_now();
    d->end = d->start + d->plan->for_ns;
    const bool open_loop = is_open_loop(d->plan);
    d->tally->elapsed_ns = open_loop ? d->plan->for_ns : 0;
    d->step_since = d->start;
    d->step_cpu_ns = cpu_ns();
    if (rc == 0)
        rc = open_loop ? weir_go(walk_schedule, d, .name = "schedule") : start_connections(d);
    if (rc < 0)
        weir_scope_cancel(d->scope, rc);
    /* Every attempt ends by its timeout, so this wait is bounded by the plan. */
    const int closed = weir_scope_close(d->scope, WEIR_NO_DEADLINE);
    d->scope = NULL; /* gone: the monitor may look once more */
    close_step(d);
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
    weir_stream *idle;
    while ((idle = pool_take_oldest(&d->pool)) != NULL)
        drop(d, idle, false);
    return rc;
}

/* Closed loops need no jobs. */
static int allocate(struct drive *d)
{
    wi_list_init(&d->free_jobs);
    const int rc = pool_init(&d->pool, d->plan->connections_max, d->plan->targets.hosts);
    if (rc < 0 || !is_open_loop(d->plan))
        return rc;
    const size_t jobs = (size_t)d->plan->in_flight_max;
    d->jobs = calloc(jobs, sizeof d->jobs[0]);
    if (d->jobs == NULL)
        return WEIR_ENOMEM;
    for (size_t i = 0; i < jobs; i++) {
        d->jobs[i].drive = d;
        wi_list_push_back(&d->free_jobs, &d->jobs[i].free_node);
    }
    return 0;
}

int drive(struct plan *plan, struct tally *tally)
{
    struct drive d = { .plan = plan, .tally = tally };
    wi_rng_init(&d.backoffs, plan->schedule.seed ^ BACKOFF_SEED);
    int rc = allocate(&d);
    const int64_t cpu = cpu_ns();
    const weir_time since = weir_now();
    int result = 0;
    if (rc == 0)
        rc = weir_run(run, &d, &result);
    const int64_t passed = weir_now() - since;
    tally->cpu = (double)(cpu_ns() - cpu) / (double)(passed > 0 ? passed : 1);
    tally_finish(tally);

    pool_fini(&d.pool);
    free(d.jobs);
    if (rc == 0)
        rc = result;
    return rc == 0 && tally->no_address != NULL ? WEIR_EINVAL : rc;
}
