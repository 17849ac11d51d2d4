/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TIMEOUT_H
#define WEIR_TIMEOUT_H

/* Timeouts: a piece of code that is canceled when its time is up, however many waits it makes.
 *
 *     struct weir_timeout timeout;
 *     weir_timeout_begin(&timeout, weir_in_ms(200));
 *     int rc = talk(stream);
 *     rc = weir_timeout_end(&timeout, rc);
 *
 * In between the instant is the ambient deadline, also of tasks that are started there, unless an
 * earlier one holds.  Once it has passed, waits return WEIR_ECANCELED, as after any cancellation;
 * at the end the timeout turns that into WEIR_ETIMEDOUT if it was its own time that was up, and the
 * cancellation is over.  Timeouts nest.  Whoever is canceled from farther out, by an outer timeout
 * too, hears of that and not of the inner one: of several that are up the outermost reports it.
 *
 * Timeouts and scopes end in the reverse order of their beginning, by the task that began them. */

#include <stdint.h>

#include "weir/err.h"
#include "weir/time.h"

/* Lies in the caller's frame from beginning to end; what is in it is the library's. */
struct weir_timeout {
    int64_t reserved[6];
};

/* Begins a timeout.  An instant in the past cancels at once.
 *   timeout   borrowed until weir_timeout_end()
 *   deadline  absolute ns of weir_now(); WEIR_NO_DEADLINE for none as yet
 * Callers: task, thread; never waits. */
WEIR_API void weir_timeout_begin(struct weir_timeout *timeout, weir_time deadline);

/* Moves the instant of a timeout that has begun, to either side.  Tasks that were started before
 * keep the deadline that they got.
 *
 *   0                moved
 *   WEIR_ETIMEDOUT   its time is up already; nothing is changed
 *
 * Callers: task, thread: who began it; never waits. */
WEIR_API WEIR_CHECK int weir_timeout_move(struct weir_timeout *timeout, weir_time deadline);

/* Ends it: the ambient deadline is what it was before, and so is the caller's cancellation.
 *
 *   result  what the code in between has come to
 *
 *   WEIR_ECANCELED  the caller is canceled from outside of the timeout: this wins over any result
 *                   but an error that is neither WEIR_ECANCELED nor WEIR_ETIMEDOUT.  What the code
 *                   has got the caller still has
 *   WEIR_ETIMEDOUT  result is WEIR_ECANCELED and the time is up; or result is WEIR_ETIMEDOUT
 *   result          otherwise; a result of 0 or more also when the time was up
 *
 * Callers: task, thread: who began it; never waits. */
WEIR_API WEIR_CHECK int weir_timeout_end(struct weir_timeout *timeout, int result);

#endif
