/* SPDX-License-Identifier: MIT */
/* Clients that leave.  Each connection's poller tells its end to the record (conn.c); here it is
 * decided what that means to the request, so a request whose client stays pays two changes of
 * the record's word, and no system call.
 *
 * What counts as leaving:
 *   reset, or both sides closed  at once
 *   the sending side closed      when everything in front of that end has been read and no request
 *                                lies behind the one that runs; never where the server's half_close
 *                                says that clients do so and still wait for their answers
 *   nothing                      on routes with ignore_client_abort: such requests are not watched
 * Most clients that leave are seen by the second kind alone: closing a socket looks like finishing
 * it until something is sent there.  Who finishes behind its last request and waits is therefore
 * answered as far as that takes no wait.  Requests in front of the last one lose nothing: the end
 * lies behind them in the stream, and is looked at again where the stream has been read up to it.
 * A request that waited is not begun if its client has finished since, FRESH_NS or more after its
 * head: that is one who gave up, not one who finished right behind its request.  It is answered 503
 * all the same, since it may be reading.
 *
 * Protocol.  SERVED in the record's word says that `handler`, a task's parker, may be canceled.
 *   task:   a: writes `handler`; SERVED on (AHEAD too, if the next request is here); if HANGUP was
 *              set before, decides for itself.
 *           d: after the handler: SERVED off; if HANGUP was set before, passes through `ending`.
 *   event:  b: under `ending`: HANGUP on; if SERVED was set before, c: asks the system what has
 *              ended, and cancels the handler.  What lies below it is canceled after the unlock.
 * a, b and d are read-modify-writes of one word, acquire and release:
 *   a before b  b sees SERVED and `handler`.
 *   b before a  a sees HANGUP.
 *   b before d  d sees HANGUP, and the lock lets the task go on only when c is done.  So while c
 *               runs the task is at this request, the record at this connection, and the descriptor
 *               open, whatever comes next; and c's last touch of the task comes before d.
 *   d before b  b sees no SERVED, and cancels nobody.
 * So a cancellation never meets another request: not the next of the task, and not another task in
 * the same record.  It is sticky: the task that has noticed ends after d.
 * A stale event (loop.h) meets whatever the record is now: c asks the system, so it cancels nobody
 * whose client is there.
 *
 * Lock order: `ending`, then the lock of the descriptor's waiters, the chain's lock of the task's
 * parker, the queues of the scheduler.
 *
 * Source: own; that the end of the client's sending side cancels is what Go's net/http, Node's http
 * and nginx do. */
#include "serve/gone.h"

#include "base/check.h"
#include "serve/pace.h"
#include "sync/cancel.h"
#include "task/scope.h"

/* Far longer than a request stands before its task on a machine that is busy but not overloaded. */
static const int64_t FRESH_NS = 250 * WEIR_NS_PER_MS;

static bool half_close_leaves(struct wi_conn *conn)
{
    return !wi_conn_server(conn)->opts.half_close;
}

/* Whether the client has left, the state being `word`.  Who keeps the record at this connection. */
static bool has_left(struct wi_conn *conn, uint32_t word)
{
    switch (wi_transport_peer_end(conn->io.watch.fd)) {
    case WI_SOCKET_GONE:
        return true;
    case WI_SOCKET_ENDED:
        return (word & WI_CONN_AHEAD) == 0 && half_close_leaves(conn);
    case WI_SOCKET_OPEN:
    case WI_SOCKET_BEHIND:
        break;
    }
    return false;
}

static bool is_fresh(const struct weir_request *request, weir_time now)
{
    return now < wi_after(request->began, FRESH_NS);
}

bool wi_gone_waiting(const struct weir_request *request, weir_time now)
{
    struct wi_conn *conn = request->conn;
    if (wi_likely((wi_load_relaxed(&conn->state) & WI_CONN_HANGUP) == 0) ||
        request->route->opts.ignore_client_abort || is_fresh(request, now))
        return false;
    return has_left(conn, wi_gone_has_next(request) ? WI_CONN_AHEAD : 0u);
}

bool wi_gone_watch_ended(struct weir_request *request, uint32_t word)
{
    struct wi_conn *conn = request->conn;
    if (!has_left(conn, word))
        return true;
    const bool finished = wi_transport_peer_end(conn->io.watch.fd) == WI_SOCKET_ENDED;
    if (!finished || !is_fresh(request, weir_now())) {
        (void)wi_gone_unwatch(request);
        return false;
    }
    (void)wi_parker_cancel(conn->handler, WEIR_ECONNRESET);
    return true;
}

void wi_gone_unwatch_ended(struct wi_conn *conn)
{
    wi_lock(&conn->ending);
    wi_unlock(&conn->ending);
}

void wi_gone_body_ended(struct weir_request *request)
{
    struct wi_conn *conn = request->conn;
    if (request->in_len > 0) {
        if (request->body.kind == WI_HTTP_BODY_CHUNKED)
            (void)wi_or_acq_rel(&conn->state, WI_CONN_AHEAD);
        return;
    }
    const uint32_t word = wi_load_acquire(&conn->state);
    if (wi_unlikely((word & WI_CONN_HANGUP) != 0) && (word & WI_CONN_SERVED) != 0 &&
        has_left(conn, word))
        wi_scope_cancel_below(conn->handler, WEIR_ECONNRESET);
}

uint32_t wi_gone_told(struct wi_conn *conn, uint32_t ready, uint32_t bits)
{
    struct wi_scope_work work = { .scopes = NULL };
    wi_lock(&conn->ending);
    const uint32_t before = wi_or_acq_rel(&conn->state, bits); /* b */
    /* First who waits on the descriptor: he hears of the end itself, not of a cancellation. */
    if ((before & WI_CONN_BUSY) != 0)
        wi_io_on_ready(&conn->io.watch, ready);
    if ((before & WI_CONN_SERVED) != 0 && has_left(conn, before))
        wi_scope_cancel_owner(&work, conn->handler, WEIR_ECONNRESET); /* c */
    wi_unlock(&conn->ending);
    wi_scope_cancel_rest(&work);
    return before;
}
