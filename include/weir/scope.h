/* SPDX-License-Identifier: MIT */
#ifndef WEIR_SCOPE_H
#define WEIR_SCOPE_H

/* Scopes: groups of tasks that end before their parent goes on (Sústrik 2016, Smith 2018).
 *
 *     weir_scope *scope;
 *     if (weir_scope_open(&scope, NULL) == 0) {
 *         rc = weir_go(left, &a);       in the scope: it is the innermost
 *         if (rc == 0)
 *             rc = weir_go(right, &b);
 *         if (rc != 0)
 *             weir_scope_cancel(scope, rc);
 *         rc = weir_scope_close(scope, WEIR_NO_DEADLINE);
 *     }
 *
 * The first child that returns a negative code cancels its siblings, and the scope keeps that
 * code. */

#include <stdbool.h>
#include <stddef.h>

#include "weir/err.h"
#include "weir/task.h"
#include "weir/time.h"

/* All-zero is the sensible default. */
struct weir_scope_opts {
    size_t size;        /* sizeof(struct weir_scope_opts); 0 counts as that */
    bool keep_going;    /* an error of one child does not cancel the others */
    weir_time deadline; /* ambient deadline of the children; 0: the opener's */
};

/* Opens a scope, innermost for the calling task until it is closed.  Scopes close in the reverse
 * order of their opening.
 *   opts  borrowed for the call; NULL: defaults
 * 0; WEIR_ENOMEM, WEIR_ENOTOPEN, WEIR_EFORKED.  Callers: task, thread; never waits. */
WEIR_API WEIR_CHECK int weir_scope_open(weir_scope **out, const struct weir_scope_opts *opts);

/* Cancels every child with the cause (a negative code) and lets no more start.
 * Callers: any thread, while the scope is open; never waits. */
WEIR_API void weir_scope_cancel(weir_scope *scope, int cause);

/* Waits until every child has ended; at the deadline, or when the closer is canceled, cancels
 * those that run and waits on.  The scope is gone afterwards, whatever the result.
 *
 *   0                every child returned 0 or more
 *   WEIR_ETIMEDOUT   the deadline came first; the children were canceled
 *   another code     the first error of a child, or the cause of the cancellation
 *
 * Callers: the task or thread that opened it; parks or blocks. */
WEIR_API WEIR_CHECK int weir_scope_close(weir_scope *scope, weir_time deadline);

#endif
