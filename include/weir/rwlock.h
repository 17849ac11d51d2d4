/* SPDX-License-Identifier: MIT */
#ifndef WEIR_RWLOCK_H
#define WEIR_RWLOCK_H

/* Readers-writer lock between tasks and threads: many readers, or one writer.
 *
 * Neither starves the other: a reader that comes while a writer waits queues behind that writer;
 * when a writer unlocks, all readers that wait then are let in before the next writer.
 *
 * Reading is not recursive: who holds it for reading and locks it for reading again waits for ever
 * once a writer has queued in between.  Nor can it be upgraded: unlock, lock for writing, and look
 * again at what may have changed.  Holders may wait in weir calls. */

#include "weir/err.h"
#include "weir/time.h"

typedef struct weir_rwlock weir_rwlock;

/* Makes an unlocked lock.  0 or WEIR_ENOMEM.  Callers: any thread; never waits. */
WEIR_API WEIR_CHECK int weir_rwlock_create(weir_rwlock **out);

/* Frees it.  Aborts if it is held or waited for.  Callers: any thread; never waits. */
WEIR_API void weir_rwlock_destroy(weir_rwlock *lock);

/* Locks for reading.  Ambient cancellation does not interrupt it; an explicit deadline does.
 *
 *   deadline  absolute ns of weir_now(); WEIR_DONT_WAIT tries once
 *
 *   0               the caller is one of the readers
 *   WEIR_ETIMEDOUT  the deadline came first; it is not
 *   WEIR_EDEADLK    the caller is the writer, and still is
 *
 * Callers: task (parks), thread (blocks).
 * Cost: one atomic instruction while no writer holds it or waits. */
WEIR_API WEIR_CHECK int weir_rwlock_read_lock(weir_rwlock *lock, weir_time deadline);

/* Unlocks what was locked for reading.  Aborts if nobody holds it for reading; who the readers are
 * is not known.  Callers: task, thread: a reader; never waits. */
WEIR_API void weir_rwlock_read_unlock(weir_rwlock *lock);

/* Locks for writing.  As weir_rwlock_read_lock(), but 0: the caller is the writer, alone.
 * Order: writers get it in the order of their coming.
 * Callers: task (parks), thread (blocks). */
WEIR_API WEIR_CHECK int weir_rwlock_write_lock(weir_rwlock *lock, weir_time deadline);

/* Unlocks what was locked for writing.  Aborts unless the caller is the writer, and says who is and
 * who called (as weir_mutex_unlock()).  Callers: task, thread: the writer; never waits. */
WEIR_API void weir_rwlock_write_unlock(weir_rwlock *lock);

#endif
