/* SPDX-License-Identifier: MIT */
#ifndef WEIR_COND_H
#define WEIR_COND_H

/* Condition: waiting, without its mutex, until somebody says that what the mutex guards may have
 * changed.
 *
 *     rc = weir_mutex_lock(mutex, WEIR_NO_DEADLINE);
 *     while (rc == 0 && !ready)
 *         rc = weir_cond_wait(cond, mutex, deadline);
 *
 * A wait may return 0 though nothing changed, or though a third one was faster: hence the loop. */

#include "weir/err.h"
#include "weir/mutex.h"
#include "weir/time.h"

typedef struct weir_cond weir_cond;

/* Makes a condition.  0 or WEIR_ENOMEM.  Callers: any thread; never waits. */
WEIR_API WEIR_CHECK int weir_cond_create(weir_cond **out);

/* Frees it.  Aborts if somebody waits on it; who was just woken no longer does.
 * Callers: any thread; never waits. */
WEIR_API void weir_cond_destroy(weir_cond *cond);

/* Unlocks the mutex, waits for a signal, and locks the mutex again.  Unlocking and beginning to
 * wait are one step to those who lock the mutex.
 *
 *   mutex     held by the caller, else it aborts; held again on return, whatever the result.  All
 *             that wait at one time name the same mutex, else it aborts
 *   deadline  absolute ns of weir_now(); WEIR_DONT_WAIT returns at once and does not unlock
 *
 *   0               signaled
 *   WEIR_ETIMEDOUT  the deadline came first
 *   WEIR_ECANCELED  the calling task was canceled first
 *
 * A signal goes to one who returns 0: none is lost to who gave up.  Locking again is not
 * interrupted by anything, and may outlast the deadline.
 * Callers: task (parks), thread (blocks). */
WEIR_API WEIR_CHECK int weir_cond_wait(weir_cond *cond, weir_mutex *mutex, weir_time deadline);

/* Wakes the one that has waited longest, if any does.  The mutex need not be held.
 * Callers: any thread; never waits. */
WEIR_API void weir_cond_signal(weir_cond *cond);

/* Wakes all that wait.  Callers: any thread; never waits.  Cost: grows with their number. */
WEIR_API void weir_cond_broadcast(weir_cond *cond);

#endif
