/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TIMER_H
#define WEIR_TIMER_H

/* Timers and tickers: something that happens at an instant, once or again and again.
 *
 * A timer ticks for whoever waits on it, by weir_timer_wait() or in a select; or it calls a
 * function.  For a bound on one wait no timer is needed: every waiting call takes a deadline.
 *
 * A tick is never early.  At most one is kept for who comes later, and starting or stopping the
 * timer takes it back, so nobody ever gets a tick of the past.  Ticks that nobody took in time are
 * not queued but counted: the next one tells how many periods it stands for.
 *
 * Timers belong to the runtime: they stand still once it is closed.  The record is freed by
 * weir_timer_destroy() only. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/err.h"
#include "weir/time.h"

typedef struct weir_timer weir_timer;

/* All-zero: a timer that ticks for who waits on it. */
struct weir_timer_opts {
    size_t size; /* sizeof(struct weir_timer_opts); 0 counts as that */
    /* Called at each tick, on a thread of the runtime, with `arg`: it must not wait, and holds up
     * other timers while it runs.  It may start, stop and destroy this timer.  NULL: none. */
    void (*fn)(void *arg);
    void *arg;
};

/* Makes a timer that stands still.
 *
 *   opts  borrowed for the call; NULL: all defaults
 *
 *   0, WEIR_EINVAL (an option of a later version), WEIR_ENOMEM, WEIR_EOVERFLOW (more than
 *   16,777,216 timers)
 *
 * Callers: any thread; never waits. */
WEIR_API WEIR_CHECK int weir_timer_create(weir_timer **out, const struct weir_timer_opts *opts);

/* Stops and frees it.  If its function runs on another thread at the moment, it is waited for:
 * afterwards `arg` may be freed.  Aborts while somebody waits on the timer.
 * Callers: task (may block), thread (may block), callback; no longer than that function runs, which
 * may call it too. */
WEIR_API void weir_timer_destroy(weir_timer *timer);

/* Starts it, or starts it anew: it will tick at `at` (an instant that has passed: at once;
 * WEIR_NO_DEADLINE: never), and from then on every `period_ns`, counted from `at` without drift.
 *
 *   period_ns  0: it ticks once
 *
 *   1              it ran before, and its next tick was prevented
 *   0              it stood still; a tick that nobody had taken is gone
 *   WEIR_EINVAL    period_ns is negative; nothing has changed
 *   WEIR_ENOTOPEN, WEIR_EFORKED  no runtime; nothing has changed
 *
 * Who waits on it goes on waiting, for the new tick.
 * Callers: any thread; never waits. */
WEIR_API WEIR_CHECK int weir_timer_start(weir_timer *timer, weir_time at, int64_t period_ns);

/* Stops it.  True: a tick that was still to come will not.  False: it stood still, or its only tick
 * has happened: a tick that nobody took is gone, a function was called, and perhaps still runs.
 * Who waits on it goes on waiting.
 * Callers: any thread; never waits. */
WEIR_API bool weir_timer_stop(weir_timer *timer);

/* Waits for a tick and takes it.  One tick goes to one waiter, the one that came first.
 *
 *   ticks  how many periods it stands for: 1, and one more for each that nobody took; may be NULL
 *
 *   0                a tick
 *   WEIR_ETIMEDOUT, WEIR_ECANCELED  none was taken
 *
 * On a timer that stands still, or has a function, nothing but the deadline ends the wait.
 * Callers: task (parks), thread (blocks). */
WEIR_API WEIR_CHECK int weir_timer_wait(weir_timer *timer, int64_t *ticks, weir_time deadline);

#endif
