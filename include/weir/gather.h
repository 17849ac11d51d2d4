/* SPDX-License-Identifier: MIT */
#ifndef WEIR_GATHER_H
#define WEIR_GATHER_H

/* Several functions at once, each as a task: all of them, the first of them, or one by one as they
 * end.
 *
 *     struct weir_call calls[] = { { .fn = ask_a, .arg = &a }, { .fn = ask_b, .arg = &b } };
 *     int rc = weir_gather(calls, 2, NULL, weir_in_ms(200));
 *
 * Each is a scope of its own (scope.h): whatever it returns, every call has ended by then, so what
 * the calls use may lie in the caller's frame.  At the deadline, which is the calls' ambient one,
 * and when the caller is canceled, those that run are canceled and waited for: how long that takes
 * is theirs to say. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/err.h"
#include "weir/task.h"
#include "weir/time.h"

struct weir_call {
    weir_task_fn *fn;
    void *arg;
    int result; /* out: what fn returned; WEIR_ECANCELED also if it was never called */
};

/* All-zero is the sensible default. */
struct weir_gather_opts {
    size_t size;      /* sizeof(struct weir_gather_opts); 0 counts as that */
    bool keep_going;  /* weir_gather(): an error cancels nobody, and is only in its result */
    bool any_end;     /* weir_race(): the first to end by itself wins, also with an error */
    int64_t limit;    /* calls at a time; 0: all */
    const char *name; /* static text: the tasks' */
    const char *site; /* static text: WEIR_SITE of the caller */
};

/* Runs all calls and waits until they have ended.
 *
 *   calls  borrowed; the results are in their order
 *   opts   borrowed for the call; NULL: defaults
 *
 *   0                every call returned 0 or more; with keep_going: every call was made
 *   WEIR_ECANCELED   the caller was canceled, if no call had failed before; or a call returned
 *                    that by itself, which cancels no other
 *   WEIR_ETIMEDOUT   the deadline came first
 *   WEIR_EINVAL      an option is negative or of a later version, or there are more than INT_MAX
 *                    calls
 *   another code     the error that came first, which has canceled the rest; or why a call could
 *                    not be started, as weir_go()
 *
 * Callers: task (parks), thread (blocks). */
WEIR_API WEIR_CHECK int weir_gather(struct weir_call *calls, size_t count,
                                    const struct weir_gather_opts *opts, weir_time deadline);

/* Runs all calls until one wins: the first that returns 0 or more.  The others are canceled, and
 * have ended too when it returns.
 *
 *   calls  borrowed; also a loser may have a result of 0 or more, which is the caller's to dispose
 *          of
 *
 *   0 or more        the index of the winner
 *   WEIR_ECANCELED   the caller was canceled: this wins over a winner, whose result is there
 *   WEIR_ETIMEDOUT   the deadline came before any winner
 *   WEIR_EINVAL      as weir_gather(); also if there is no call
 *   another code     all have failed: the error that came first; or why a call could not be started
 *
 * Callers: task (parks), thread (blocks). */
WEIR_API WEIR_CHECK int weir_race(struct weir_call *calls, size_t count,
                                  const struct weir_gather_opts *opts, weir_time deadline);

typedef struct weir_gathering weir_gathering;

/* Starts all calls; weir_gather_next() tells them as they end.  It is the caller's innermost scope
 * until weir_gather_end().  With a limit it waits until the last call has been started.
 *
 *   calls  borrowed until weir_gather_end()
 *
 *   0                started
 *   WEIR_ECANCELED   the caller was canceled while it waited; what was started has ended again
 *   WEIR_EINVAL, WEIR_ENOMEM, or why a call could not be started; as above
 *
 * Callers: task (may park), thread (may block); waits only if there is a limit. */
WEIR_API WEIR_CHECK int weir_gather_start(weir_gathering **out, struct weir_call *calls,
                                          size_t count, const struct weir_gather_opts *opts);

/* The next call that has ended, in the order of their ends.
 *
 *   0 or more        its index; its result is there
 *   WEIR_ECLOSED     all have been told
 *   WEIR_ETIMEDOUT, WEIR_ECANCELED  none was told; the call may be repeated
 *
 * Callers: task (parks), thread (blocks): who started it. */
WEIR_API WEIR_CHECK int weir_gather_next(weir_gathering *gathering, weir_time deadline);

/* Cancels the calls that still run, waits for their ends, and frees it.
 * Callers: task (parks), thread (blocks): who started it. */
WEIR_API void weir_gather_end(weir_gathering *gathering);

#endif
