/* SPDX-License-Identifier: MIT */
#ifndef WEIR_SIGNAL_H
#define WEIR_SIGNAL_H

/* Signals as something to wait for.
 *
 * This is the one header whose calls change signal dispositions: from weir_signals_open() to
 * weir_signals_close() the listed signals are caught and counted instead of doing what they did.
 * Some thread must have them unblocked for that, as the program's first thread does; the runtime's
 * own threads block them.  weir_main() takes SIGTERM, SIGINT and
 * SIGQUIT for itself (app.h). */

#include <stddef.h>
#include <stdint.h>

#include "weir/err.h"
#include "weir/time.h"

typedef struct weir_signals weir_signals;

/* Signals of one number that have arrived since the last time. */
struct weir_signal_event {
    int signal;
    int64_t count;
};

/* Catches signals from now on.  Several objects may list the same signal: each hears of it.
 *
 *   signals  their numbers; borrowed for the call
 *   count    from 1 to 64
 *
 *   0              *out stands for them until weir_signals_close()
 *   WEIR_EINVAL    no such signal, or one that cannot be caught or is a fault of the program
 *                  (SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT)
 *   WEIR_ENOMEM, WEIR_EMFILE, WEIR_ENFILE, WEIR_ENOSPC, WEIR_ENOTOPEN, WEIR_EFORKED
 * In the failing cases no disposition has changed.
 *
 * Callers: task, thread; never waits. */
WEIR_API WEIR_CHECK int weir_signals_open(weir_signals **out, const int *signals, int count);

/* Lets go of them: a signal that no other object lists has the disposition again that it had
 * before.  What arrived and was not taken is dropped.  Aborts while somebody waits on the object.
 * Callers: task, thread; never waits. */
WEIR_API void weir_signals_close(weir_signals *signals);

/* Waits for a signal.  One arrival goes to one waiter of an object, the one that came first.
 *
 *   event  which one, and how often it has arrived since it was last taken; may be NULL
 *
 *   0               a signal was taken
 *   WEIR_ETIMEDOUT, WEIR_ECANCELED  none was
 *
 * Order: of several that are pending each gets its turn; not the order of their arrival.
 * Callers: task (parks), thread (blocks). */
WEIR_API WEIR_CHECK int weir_signals_wait(weir_signals *signals, struct weir_signal_event *event,
                                          weir_time deadline);

#endif
