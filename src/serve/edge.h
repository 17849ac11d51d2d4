/* SPDX-License-Identifier: MIT */
#ifndef WI_SERVE_EDGE_H
#define WI_SERVE_EDGE_H

/* The edge: what happens to a connection while no handler runs.  See edge.c. */

#include <stddef.h>

#include "serve/conn.h"
#include "serve/request.h"

/* Reads and judges until nothing more can be done now; then the connection idles, is closed, or
 * belongs to a request.  Takes the record.  Callers: its owner, in a callback or a task; never
 * waits. */
void wi_edge_drive(struct wi_conn *conn);

/* The same for a task that has finished a request of `route` on this connection; the first `left`
 * bytes of wi_scratch() are what came behind that request.  A request that the same task may go on
 * with is returned, admitted; otherwise NULL, and the record is taken. */
struct weir_request *wi_edge_continue(struct wi_conn *conn, size_t left,
                                      const struct wi_route *route);

/* The head took longer than it may: answers 408 and closes.  Takes the record. */
void wi_edge_time_out(struct wi_conn *conn);

/* An idle connection is to end: closes it unless a request has just come.  Takes the record. */
void wi_edge_end_idle(struct wi_conn *conn);

/* Answers a request that waited in vain, and frees it; takes its connection. */
void wi_edge_refuse(struct weir_request *request, int status, const char *text);
/* The same, but its task frees it, once it is told here that it is not used any more. */
void wi_edge_refuse_queued(struct weir_request *request, int status, const char *text);

#endif
