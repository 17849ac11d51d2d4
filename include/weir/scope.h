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
 * The first child that returns an error cancels its siblings and the body, which is the code of the
 * opener between open and close: its waits return WEIR_ECANCELED, and weir_cancel_cause() says the
 * error.  The scope keeps that error with who has failed.  When it is closed the body's
 * cancellation is over, while one that came from outside of the scope goes on.
 *
 * WEIR_ECANCELED of a child is no error: so returns who was canceled, by his scope or alone. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/err.h"
#include "weir/task.h"
#include "weir/time.h"

/* All-zero is the sensible default. */
struct weir_scope_opts {
    size_t size;        /* sizeof(struct weir_scope_opts); 0 counts as that */
    bool keep_going;    /* an error of one child cancels nobody */
    weir_time deadline; /* ambient deadline of the children; 0: the opener's */
    /* Children at a time; 0: any number.  While they are there weir_go() waits, and weir_try_go()
     * does not.  A child that spawns into its own full scope waits for a sibling's end: if all do,
     * they wait for each other until somebody cancels them, so children should try. */
    int64_t limit;
};

/* How a scope ended: which child failed first, and how. */
struct weir_scope_error {
    size_t size;      /* in: sizeof(struct weir_scope_error); 0 counts as that */
    int code;         /* what it returned; 0: no child failed */
    uint64_t task_id; /* weir_task_id() of it */
    const char *name; /* static text, "" without one */
    const char *site; /* static text: where it was spawned */
    int64_t failed;   /* how many failed in all, also after the scope was canceled */
    int cause;        /* of the scope's cancellation; 0: it was not canceled */
    /* What it said by weir_fail(), or NULL: the reader's, who releases it. */
    void *detail;
    void (*release)(void *detail);
};

/* Opens a scope, innermost for the calling task until it is closed.  Scopes close in the reverse
 * order of their opening.  One that a canceled task opens is canceled from the start.
 *   opts  borrowed for the call; NULL: defaults
 * 0; WEIR_EINVAL (a negative limit, or an option of a later version); WEIR_ENOMEM, WEIR_ENOTOPEN,
 * WEIR_EFORKED.
 * Callers: task, thread; never waits. */
WEIR_API WEIR_CHECK int weir_scope_open(weir_scope **out, const struct weir_scope_opts *opts);

/* Cancels every child, and the body, with the cause (a negative code), and lets no more start.
 * When it returns this holds for all scopes that these have open and for the tasks in there, down
 * to the last, but for what a shield holds back, or another call is canceling at the moment.
 * The first cause stays.  Callers: any thread, while the scope is open; never waits.
 * Cost: grows with the number of tasks below. */
WEIR_API void weir_scope_cancel(weir_scope *scope, int cause);

/* Waits until every child has ended; at the deadline, or when the closer is canceled, cancels
 * those that run and waits on.  The scope is gone afterwards, whatever the result.
 *
 *   0                no child has failed, and nobody was canceled
 *   an error         of the child that failed first, if that was before any cancellation
 *   WEIR_ETIMEDOUT   the deadline came first; the children were canceled
 *   another code     the cause of the scope's cancellation, or of the closer's from outside: that
 *                    is told also where it came only when all children had ended
 *
 * Callers: task (parks), thread (blocks): who opened it. */
WEIR_API WEIR_CHECK int weir_scope_close(weir_scope *scope, weir_time deadline);

/* As weir_scope_close(), and says who has failed.
 *   error  written in every case, to be released by weir_scope_error_release(); may be NULL
 * Callers: as weir_scope_close(). */
WEIR_API WEIR_CHECK int weir_scope_close_error(weir_scope *scope, struct weir_scope_error *error,
                                               weir_time deadline);

/* Releases the detail, if there is one.  Callers: any thread; never waits. */
WEIR_API void weir_scope_error_release(struct weir_scope_error *error);

/* Says more of the error that the calling task will return: `return weir_fail(rc, text, free);`.
 * The scope hands it out with the first error; the detail of any other, and of a task that does
 * not fail after all, is released when the task ends.
 *
 *   code     negative
 *   detail   taken; it replaces one that the task gave before
 *   release  frees it, on whatever thread; may be NULL
 *
 * The code.  Callers: task, thread; never waits, and outside tasks releases the detail at once. */
WEIR_API int weir_fail(int code, void *detail, void (*release)(void *detail));

#endif
