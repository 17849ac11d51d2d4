/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MUTEX_H
#define WEIR_MUTEX_H

/* Mutual exclusion between tasks and threads.  A holder may wait in weir calls: others park, and
 * no core is held up.
 *
 * Who finds a mutex free takes it, also while others wait: that saves two switches.  But who has
 * waited for a millisecond is handed it by the unlocker, and nobody overtakes.  While the holder
 * runs on another core a locker spins, for a microsecond at most, before it parks. */

#include "weir/err.h"
#include "weir/time.h"

typedef struct weir_mutex weir_mutex;

/* Makes an unlocked mutex.  0 or WEIR_ENOMEM.  Callers: any thread; never waits. */
WEIR_API WEIR_CHECK int weir_mutex_create(weir_mutex **out);

/* Frees it.  Aborts if it is held or waited for, and says by whom and who called.
 * Callers: any thread; never waits. */
WEIR_API void weir_mutex_destroy(weir_mutex *mutex);

/* Locks.  Ambient cancellation does not interrupt it; an explicit deadline does.
 *
 *   deadline  absolute ns of weir_now(); WEIR_DONT_WAIT tries once
 *
 *   0               the caller holds it
 *   WEIR_ETIMEDOUT  the deadline came first; the caller does not hold it
 *   WEIR_EDEADLK    the caller holds it already (it is not recursive), and still does
 *
 * Callers: task (parks), thread (blocks).
 * Order: waiters get it in the order of their coming, but may be overtaken for a millisecond by
 * those who do not wait.
 * Cost: one atomic instruction while nobody else holds it. */
WEIR_API WEIR_CHECK int weir_mutex_lock(weir_mutex *mutex, weir_time deadline);

/* Unlocks.  Aborts unless the caller holds it, and says who does and who called: the number of a
 * task, or minus the kernel's number of a thread; 0 nobody.
 * Callers: task, thread: the holder; never waits. */
WEIR_API void weir_mutex_unlock(weir_mutex *mutex);

#endif
