/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_SYSTEM_PROBE_H
#define WEIR_TOOL_SYSTEM_PROBE_H

/* One HTTP request to a server on this machine, asked by a plain blocking client: whether it
 * answers yet, again, and what.
 *
 * Threads: any. */

#include <stddef.h>

#include "weir/err.h"

/* A TCP port of the loopback address that nobody uses now, or 0. */
int port_free(void);

/* Asks on a connection of its own and reads until the server closes, the body is complete or
 * wait_ms have passed.  Returns the status, with the body (cut to fit, always ended) in `body`, or
 *   WEIR_ECONNREFUSED  nobody listens
 *   WEIR_ETIMEDOUT     no whole answer in time
 *   WEIR_ECLOSED       the connection ended before the answer's head did
 *   WEIR_EPROTO        what came is no HTTP */
WEIR_CHECK int probe(int port, const char *method, const char *path, int wait_ms, char *body,
                     size_t bytes);

#endif
