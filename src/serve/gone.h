/* SPDX-License-Identifier: MIT */
#ifndef WI_SERVE_GONE_H
#define WI_SERVE_GONE_H

/* Clients that leave before their answer: what waits for its turn is not begun, what runs is
 * canceled with the cause WEIR_ECONNRESET.  What counts as leaving, and the protocol: gone.c. */

#include "serve/request.h"

/* The request's task, before the handler: from now on the client's leaving cancels the calling
 * task.  False: it has left already, the request is not to be begun, and nothing cancels. */
WEIR_CHECK bool wi_gone_watch(struct weir_request *request);

/* The same task, after the handler and before it gives anything of the request up: from now on
 * nothing that this client does cancels the task.  True: the client's end was told before. */
bool wi_gone_unwatch(struct weir_request *request);

/* The handler has read the body to its end. */
void wi_gone_body_ended(struct weir_request *request);

/* The connection's event, if it tells an end: notes `bits` in the state, tells who waits on the
 * descriptor, and cancels whom that concerns.  The state before. */
uint32_t wi_gone_told(struct wi_conn *conn, uint32_t ready, uint32_t bits);

/* Whether the client of a request that waits on the line has left.  For whoever keeps the request
 * where it is.  Asks the system, but only where an end was told. */
bool wi_gone_waiting(const struct weir_request *request, weir_time now);

#endif
