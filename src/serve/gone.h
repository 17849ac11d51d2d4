/* SPDX-License-Identifier: MIT */
#ifndef WI_SERVE_GONE_H
#define WI_SERVE_GONE_H

/* Clients that leave before their answer: what waits for its turn is not begun, what runs is
 * canceled with the cause WEIR_ECONNRESET.  What counts as leaving, and the protocol: gone.c. */

#include "base/check.h"
#include "serve/request.h"
#include "sync/parker.h"

/* For the two below, where an end was told before, the state being `word`. */
WEIR_CHECK bool wi_gone_watch_ended(struct weir_request *request, uint32_t word);
void wi_gone_unwatch_ended(struct wi_conn *conn);

/* Whether the bytes that came with the head reach behind the request.  Of a chunked body that is
 * not known yet. */
static inline bool wi_gone_has_next(const struct weir_request *request)
{
    const struct wi_http_head *head = &request->head->head;
    return request->in_len > 0 && head->body != WI_HTTP_BODY_CHUNKED &&
           request->in_len > head->content_length;
}

/* The request's task, whose parker is `self`, before the handler: from now on the client's leaving
 * cancels it, unless the route ignores that.  False: it has left already, the request is not to be
 * begun, and nothing cancels. */
WEIR_CHECK static inline bool wi_gone_watch(struct weir_request *request, struct wi_parker *self)
{
    if (wi_unlikely(request->route->opts.ignore_client_abort))
        return true;
    struct wi_conn *conn = request->conn;
    conn->handler = self;
    const uint32_t bits = WI_CONN_SERVED | (wi_gone_has_next(request) ? WI_CONN_AHEAD : 0u);
    const uint32_t before = wi_or_acq_rel(&conn->state, bits); /* a */
    return wi_likely((before & WI_CONN_HANGUP) == 0) || wi_gone_watch_ended(request, before | bits);
}

/* The same task, after the handler and before it gives anything of the request up: from now on
 * nothing that this client does cancels the task.  True: the client's end was told before. */
static inline bool wi_gone_unwatch(struct weir_request *request)
{
    struct wi_conn *conn = request->conn;
    const uint32_t before =
        wi_and_acq_rel(&conn->state, ~(uint32_t)(WI_CONN_SERVED | WI_CONN_AHEAD)); /* d */
    if (wi_likely((before & WI_CONN_HANGUP) == 0))
        return false;
    wi_gone_unwatch_ended(conn);
    return true;
}

/* The handler has read the body to its end. */
void wi_gone_body_ended(struct weir_request *request);

/* The connection's event, if it tells an end: notes `bits` in the state, tells who waits on the
 * descriptor, and cancels whom that concerns.  The state before. */
uint32_t wi_gone_told(struct wi_conn *conn, uint32_t ready, uint32_t bits);

/* Whether the client of a request that waits on the line has left.  For whoever keeps the request
 * where it is.  Asks the system, but only where an end was told. */
bool wi_gone_waiting(const struct weir_request *request, weir_time now);

#endif
