/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MUTEX_H
#define WEIR_MUTEX_H

/* Mutual exclusion between tasks and threads.  A holder may wait in weir calls: others park, and
 * no core is held up. */

#include "weir/err.h"
#include "weir/time.h"

typedef struct weir_mutex weir_mutex;

/* Makes an unlocked mutex.  0 or WEIR_ENOMEM.  Callers: any thread; never waits. */
WEIR_API WEIR_CHECK int weir_mutex_create(weir_mutex **out);

/* Frees it.  Aborts if it is held.  Callers: any thread; never waits. */
WEIR_API void weir_mutex_destroy(weir_mutex *mutex);

/* Locks.  Ambient cancellation does not interrupt it; an explicit deadline does.
 * 0: the caller holds it.  WEIR_ETIMEDOUT: it does not.  Not recursive: the holder that locks
 * again gets WEIR_EDEADLK.  Callers: task (parks), thread (blocks).
 * Order: waiters get it in the order of their coming. */
WEIR_API WEIR_CHECK int weir_mutex_lock(weir_mutex *mutex, weir_time deadline);

/* Unlocks.  Aborts unless the caller holds it.  Callers: the holder; never waits. */
WEIR_API void weir_mutex_unlock(weir_mutex *mutex);

#endif
