/* SPDX-License-Identifier: MIT */
#ifndef WI_APP_ADMIN_H
#define WI_APP_ADMIN_H

/* The admin endpoint: /healthz, /readyz, /metrics and /tasks over HTTP/1.1, from built-in code
 * only.
 *
 * It lives in callbacks of a plain loop that no handler runs on (the primary's, or the monitor's
 * where there is one process), so it answers however busy the handlers are.
 *
 * Bounds: WI_ADMIN_CONNECTIONS (one more ends the one that has been silent longest), heads of
 * 4 KiB, answers of 64 KiB, 5 s for a request to arrive and for its answer to be taken, 16 requests
 * sent ahead.  Only GET; no body is read.
 *
 * Threads: whoever turns the loop; open and the two closes while nobody does. */

#include <stdbool.h>

#include "app/text.h"
#include "loop/loop.h"

enum {
    WI_ADMIN_CONNECTIONS = 64
};

struct wi_admin;

struct wi_admin_opts {
    void (*metrics)(void *user, struct wi_text *out);
    /* Whether the service takes requests; if not, *why says what it does instead. */
    bool (*ready)(void *user, const char **why);
    /* What every task does; what does not fit is left out. */
    void (*tasks)(void *user, struct wi_text *out);
    void *user;
};

/* Serves on the listening descriptor, which becomes the admin's.  0, or a code; then it stays the
 * caller's.  The loop may be turning already. */
WEIR_CHECK int wi_admin_open(struct wi_admin **out, struct wi_loop *loop, int listening_fd,
                             const struct wi_admin_opts *opts);

/* Closes everything. */
void wi_admin_close(struct wi_admin *admin);

/* Closes the descriptors, where the loop is not ours to change: in a forked child, or after it was
 * closed. */
void wi_admin_abandon(struct wi_admin *admin);

#endif
