/* SPDX-License-Identifier: MIT */
#ifndef WEIR_DEFER_H
#define WEIR_DEFER_H

/* Handlers that clean up on every way out of a task or a scope: a plain return, an error, a
 * cancellation.
 *
 *     weir_stream *stream;
 *     int rc = weir_dial(&stream, address, WEIR_NO_DEADLINE);
 *     if (rc < 0)
 *         return rc;
 *     rc = weir_defer(close_stream, stream);
 *
 * A handler belongs to the innermost scope that the caller has open, else to the task: it runs when
 * that scope is closed and its children have ended, or when the task's function has returned.  It
 * does not run at the end of the function that registered it: what it is given must live on.
 *
 * The last registered runs first.  Handlers may wait: cancellation and the ambient deadline are
 * held back while they run, for WEIR_DEFER_NS in all. */

#include <stdbool.h>

#include "weir/err.h"
#include "weir/task.h"
#include "weir/time.h"

/* How long the handlers of one way out are shielded, together. */
#define WEIR_DEFER_NS (5 * WEIR_NS_PER_S)

/* Handlers that a task may have at a time. */
#define WEIR_DEFERS_MAX 65536

/* Registers fn(arg).
 *
 *   arg  the handler's
 *
 *   0               it will run, once
 *   WEIR_ENOMEM, WEIR_EOVERFLOW  no memory, or WEIR_DEFERS_MAX of them; it will not run
 *   WEIR_ENOTSUP    the caller is no task and has no scope open; it will not run
 *
 * Callers: task, thread; never waits. */
WEIR_API WEIR_CHECK int weir_defer(void (*fn)(void *arg), void *arg);

/* Takes back the handler that the innermost scope, or the task, got last; aborts if it has none.
 *   run  call it now, as any function: not shielded
 * Callers: task (may park), thread (may block): as the handler does. */
WEIR_API void weir_defer_pop(bool run);

/* A function that waits for a cancellation: to wake what a cancellation alone does not end, a call
 * into another library, say. */
typedef struct weir_after weir_after;

/* Has fn(arg) called, once, when the scope is canceled, in whatever way; at once if it was.  It
 * runs as one more child of the scope, for which weir_scope_close() waits, but is not canceled, and
 * has an ambient deadline of its own, WEIR_DEFER_NS away.  It has none of the caller's locals.  A
 * deadline that passes cancels who notices it, but the scope only when that is closed.
 *
 * To hear of a task's cancellation, open a scope in it, which is canceled with the task.
 *
 *   out    the registration, the scope's until that is closed or it is stopped; may be NULL
 *   scope  of the caller or of others, open; NULL: the caller's innermost
 *   arg    the function's
 *
 *   0               registered, or called by now
 *   WEIR_ENOMEM, WEIR_EOVERFLOW  no memory, or tasks_max tasks; nothing is registered
 *   WEIR_ENOTSUP    the caller has no scope open
 *   WEIR_ECANCELED  the scope is about to end; the function will not run
 *
 * Where the system has no thread for it (scheduler `threads`), the canceller calls the function.
 * Callers: task, thread; never waits. */
WEIR_API WEIR_CHECK int weir_after_cancel(weir_after **out, weir_scope *scope,
                                          void (*fn)(void *arg), void *arg);

/* Stops a registration, while its scope is open.
 *   true   the function will not run; the registration is gone
 *   false  it has been started, and has perhaps ended
 * Callers: any thread; never waits, also not for a function that runs. */
WEIR_API bool weir_after_stop(weir_after *after);

#endif
