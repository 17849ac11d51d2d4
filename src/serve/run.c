/* SPDX-License-Identifier: MIT */
/* The task of a request: runs the handler, ends the reply, reads on.
 *
 * When a request is done and the next one of the same connection has already come, the same task
 * goes on with it if the two routes ask for the same kind of task, so that pipelined requests cost
 * no new tasks; but at most TASK_REQUESTS_MAX times, then others come first, and never after its
 * cancellation, which is sticky.  Otherwise the edge gives the connection up or to a new task, and
 * this one ends.
 *
 * A task on a thread of its own goes on in two more cases: with the connection's next request
 * though it came later, and with who waits for admission.  To start another thread for these while
 * this one is about to end would have more of them compete for the cores than may run.  A task on a
 * worker's stack does neither: others come first there.
 *
 * Whether a task is metered is decided with its first request; those with which it goes on are
 * measured like that one, or not, and one that must be measured waits for a metered task.
 *
 * The ambient deadline belongs to the request: a task that goes on gets the next one's.  So does
 * cancellation by the client's leaving (gone.c), between wi_admit_turn_away() and
 * wi_gone_unwatch().
 *
 * Who waits for a worker behind others must hear in time that it was in vain, though nobody comes
 * to his task: from the sweep, which runs in the monitor if need be.
 *   start:  a: the connection's `deadline` says until when; then `queued` names the request,
 *              release.
 *   task:   b: `queued` from the request to NULL by compare-and-swap: it serves it.
 *   sweep:  c: reads `queued`, acquire, then `deadline`; is it over: compare-and-swap as in b; the
 *              request and its connection are the sweep's.  If the request is young after all (the
 *              record and the memory were another's before) it puts it back, release;
 *           d: else it answers, and sets `expired` when it is through, release.
 *   task:   e: that fails in b looks at `expired`, acquire: set, it frees the request, else it
 *              tries again.  So the request's memory outlives c and d, and its place is free only
 *              now.
 *
 * Threads: the task; the sweep as told. */
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "http/urgency.h"
#include "serve/edge.h"
#include "serve/gone.h"
#include "serve/request.h"
#include "sync/parker.h"
#include "sync/time.h"
#include "task/attempt.h"
#include "task/runtime.h"
#include "weir/runtime.h"

enum {
    TASK_REQUESTS_MAX = 32
};

static bool same_task(const struct wi_route *route, const struct wi_route *next)
{
    return route == next || (route->spawn_flags == next->spawn_flags &&
                             route->opts.stack_bytes == next->opts.stack_bytes);
}

bool wi_run_goes_on(const struct wi_route *task_route, const struct weir_request *next)
{
    return same_task(task_route, next->route) &&
           (next->ticket.measure != WI_GATE_MEASURE || wi_meter_runs());
}

static bool has_own_thread(const struct wi_route *route)
{
    return route->spawn_flags != 0 || weir_scheduler_kind() == WEIR_SCHEDULER_THREADS;
}

static bool is_late(const struct weir_request *request)
{
    return wi_unlikely(request->reply.answered >= request->deadline - WI_NOW_COARSE_NS) &&
           weir_now() >= request->deadline;
}

/* Of a code that a handler returned: a client that resets connections in numbers must not fill the
 * log, and is no failure of the handler, which only hands on what it was told. */
static void note_failure(const struct weir_request *request, int code)
{
    struct weir_server *server = request->server;
    const bool clients = code == request->reply.error || wi_body_failed_with(request, code);
    if (!clients)
        wi_count(server, WI_COUNT_HANDLER_ERRORS, 1);
    wi_log(clients ? WI_LOG_DEBUG : WI_LOG_WARN, "%s %s: %s (%s)", weir_request_method(request),
           request->route->pattern, weir_err_name(code), weir_err_text(code));
}

/* Counts a request that is over with a few relaxed additions to one row. */
static void count_request(const struct weir_request *request)
{
    const struct weir_reply *reply = &request->reply;
    wi_atomic_i64 *row = wi_server_row(request->server);
    (void)wi_add_relaxed(&row[WI_COUNT_REQUESTS], 1);
    (void)wi_add_relaxed(&row[WI_COUNT_BYTES_IN], request->bytes_in);
    (void)wi_add_relaxed(&row[WI_COUNT_BYTES_OUT], reply->bytes_out);
    if (reply->status == 0)
        return;
    wi_count_reply(row, reply->status);
    if (is_late(request))
        (void)wi_add_relaxed(&row[WI_COUNT_LATE], 1);
}

/* How the connection ends after its last answer. */
enum ending {
    END_KEEP,
    END_CLOSE,  /* the client asked for it and has sent nothing that we did not read */
    END_LINGER, /* see wi_conn_linger() */
    END_ABORT,  /* only a reset tells the client that the answer is not whole */
};

static enum ending ending_of(const struct weir_request *request, bool whole, bool settled)
{
    const struct weir_reply *reply = &request->reply;
    if (reply->error != 0 || (!whole && reply->kind == WI_HTTP_BODY_UNTIL_CLOSE))
        return END_ABORT;
    if (whole && settled && !reply->close)
        return END_KEEP;
    const bool nothing_left = request->body_done && request->in_len == 0 && request->conn->drained;
    return nothing_left && !request->keep_alive ? END_CLOSE : END_LINGER;
}

static void end_connection(struct wi_conn *conn, enum ending ending)
{
    if (ending == END_LINGER)
        wi_conn_linger(conn);
    else
        wi_conn_close(conn, ending == END_ABORT);
}

/* What the handler calls shall know whether somebody farther out repeats already (task/attempt.h).
 * A field that is no number says nothing, and without memory it is as if it were not there: then at
 * worst more is repeated, within a budget. */
static void inherit_attempt(const struct weir_request *request)
{
    const struct wi_http_head *head = &request->head->head;
    const int attempt = head->has_class ? wi_http_attempt(head, request->text) : 0;
    if (wi_attempt_set(attempt) != 0)
        wi_log(WI_LOG_WARN, "no memory to remember that a request is a repetition");
}

/* One request from handler to the next head, begun at `now`, the task's so many'th.  The request to
 * go on with, or NULL. */
static struct weir_request *serve_one(struct weir_request *request, weir_time now, int served,
                                      struct wi_parker *self)
{
    struct weir_server *server = request->server;
    struct wi_conn *conn = request->conn;
    const struct wi_route *route = request->route;

    if (wi_admit_turn_away(request, now, self))
        return NULL;
    const bool measured = request->ticket.measure != WI_GATE_BELIEVE;
    if (wi_unlikely(measured))
        wi_charge_begin(request, now);
    wi_request_prepare(request);
    /* From one request to the next, or the task keeps what it had of the last. */
    if (served > 1 || wi_unlikely(request->head->head.has_class))
        inherit_attempt(request);
    const int code = route->handler(request, &request->reply, route->user);
    if (code < 0 && code != WEIR_ECANCELED) /* that is no error: so returns who was told to end */
        note_failure(request, code);
    const bool whole = wi_reply_finish(&request->reply, code);
    /* If the connection ends anyway, the edge reads the rest away without a task. */
    const bool settled = whole && !request->reply.close && wi_body_settle(request);
    const enum ending ending = ending_of(request, whole, settled);
    if (wi_gone_unwatch(request) && !(whole && code >= 0) && weir_cancel_cause() == WEIR_ECONNRESET)
        wi_request_count_left(request);
    count_request(request);
    if (wi_unlikely(measured))
        wi_charge_end(request);
    else
        wi_charge_believe(&server->charge, &request->ticket);
    const bool own_thread = has_own_thread(route);
    /* The cause is asked last, because it reads the clock. */
    const bool may_go_on = served < TASK_REQUESTS_MAX && (own_thread || request->in_len > 0) &&
                           weir_cancel_cause() == 0;
    if (!own_thread)
        wi_admit_end(server);

    size_t left = 0;
    if (ending == END_KEEP && request->in_len > 0) {
        left = request->in_len;
        memcpy(wi_scratch(), request->in, left);
    }
    wi_request_destroy(request);
    struct weir_request *next = NULL;
    if (ending == END_KEEP)
        next = wi_edge_continue(conn, left, may_go_on ? route : NULL);
    else
        end_connection(conn, ending);
    if (!own_thread)
        return next;

    /* A thread is kept busy as long as there is work, and its place is given up last: a place that
     * is free before its thread is makes another thread start. */
    if (next == NULL && may_go_on)
        return wi_admit_pass_on(server, route);
    wi_admit_end(server);
    return next;
}

/* b and e. */
static bool claim(struct weir_request *request)
{
    for (;;) {
        void *queued = request;
        if (wi_likely(wi_cas_acq_rel(&request->conn->queued, &queued, NULL)))
            return true;
        if (wi_load_acquire(&request->expired) != 0)
            return false;
        (void)weir_yield();
    }
}

void wi_run_expire(struct wi_conn *conn, weir_time now)
{
    void *queued = wi_load_acquire(&conn->queued); /* c */
    if (queued == NULL || now < wi_load_relaxed(&conn->deadline) ||
        !wi_cas_acq_rel(&conn->queued, &queued, NULL))
        return;
    struct weir_request *request = queued;
    if (!wi_admit_expire_queued(request, now)) /* d */
        wi_store_release(&conn->queued, request);
}

/* Of a request that the sweep has answered. */
static void end_expired(struct weir_request *request)
{
    struct weir_server *server = request->server;
    wi_request_destroy(request);
    wi_admit_end(server);
}

static int serve_task(void *arg)
{
    struct weir_request *request = arg;
    if (!claim(request)) {
        end_expired(request);
        return 0;
    }
    struct wi_parker *self = wi_current_parker();
    const enum wi_gate_measure measure = request->ticket.measure;
    /* The precise clock is not needed but to measure, and near a deadline. */
    weir_time now =
        measure == WI_GATE_BELIEVE ? wi_now_coarse() + WI_NOW_COARSE_NS : wi_meter_begin();
    for (int served = 1; request != NULL; served++) {
        request = serve_one(request, now, served, self);
        if (request == NULL)
            break;
        self->deadline = request->deadline;
        now = request->ready;
        if (request->ticket.measure != WI_GATE_MEASURE)
            request->ticket.measure = measure;
    }
    return 0;
}

int wi_run_start(struct weir_request *request)
{
    const struct wi_route *route = request->route;
    struct weir_server *server = request->server;
    struct wi_conn *conn = request->conn;
    uint32_t flags = route->spawn_flags;
    if (request->ticket.measure != WI_GATE_BELIEVE)
        flags |= WI_SPAWN_METERED;
    wi_store_relaxed(&conn->deadline, wi_admit_patience(request));
    wi_store_release(&conn->queued, request); /* a */
    const int rc = wi_task_spawn(server->scope, serve_task, request, route->pattern, WEIR_SITE,
                                 flags, route->opts.stack_bytes, request->deadline);
    if (rc == 0 || claim(request))
        return rc;
    end_expired(request);
    return 0;
}
