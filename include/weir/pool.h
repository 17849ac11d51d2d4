/* SPDX-License-Identifier: MIT */
#ifndef WEIR_POOL_H
#define WEIR_POOL_H

/* Bounded pools of OS threads for code that blocks: libpq, libcurl, file systems.
 *
 * Make one for each thing that may become slow, or a slow database takes the threads of all the
 * rest.  Jobs are taken in the order of their submission; there are no priorities, since a pool of
 * its own is what keeps one kind of work from waiting behind another. */

#include <stddef.h>

#include "weir/err.h"
#include "weir/time.h"

typedef struct weir_pool weir_pool;

/* All-zero is the sensible default. */
struct weir_pool_opts {
    size_t size;      /* sizeof(struct weir_pool_opts); 0 counts as that */
    const char *name; /* static text, of its threads; NULL: "weir-pool" */
    int threads_max;  /* 0: 16 */
    int waiting_max;  /* jobs that may wait for a thread; 0: 1024 */
    int64_t idle_ns;  /* an idle thread ends after this; 0: 10 s */
};

/* Makes a pool; threads start on demand.
 *
 *   opts  borrowed for the call; NULL: all defaults
 *
 * 0; WEIR_EINVAL (an option is negative or of a later version); WEIR_ENOMEM.
 * Callers: any thread; never waits. */
WEIR_API WEIR_CHECK int weir_pool_create(weir_pool **out, const struct weir_pool_opts *opts);

/* Ends its threads, waits for them, and frees it.  No call may follow, and none may be under way,
 * its job in line or running: that aborts, with how many of each.  In a forked child, which has
 * none of the threads, it only frees.
 * Callers: task (blocks), thread (blocks): for a moment. */
WEIR_API void weir_pool_destroy(weir_pool *pool);

/* Runs fn(arg) on a thread of the pool and waits for its end.
 *
 *   pool      borrowed; NULL: the runtime's own
 *   deadline  until when the job may wait for a thread; an idle one too takes a moment to come, so
 *             with an instant that has passed fn is hardly ever called
 *
 *   0                fn has returned
 *   WEIR_ETIMEDOUT, WEIR_ECANCELED  fn was not started and never will be
 *   WEIR_EOVERFLOW   waiting_max jobs wait already
 *   WEIR_EAGAIN      no thread could be started at all
 *   WEIR_EFORKED     the pool's threads are in the parent process
 *   WEIR_ENOMEM      no memory for the runtime's own pool
 *
 * Once started, fn is not interrupted and the call returns only when it has ended; cancellation and
 * the deadline reach a job in line, which then leaves it.  fn runs as no task: weir_task_id() is 0
 * there, and a weir call that waits blocks the thread of the pool, until the caller's ambient
 * deadline at most: then such calls return WEIR_ECANCELED; it sees and sets the caller's
 * task-locals (local.h).
 * Order:   jobs of one pool begin in the order of their calls.
 * Callers: task (parks), thread (blocks). */
WEIR_API WEIR_CHECK int weir_blocking(weir_pool *pool, void (*fn)(void *arg), void *arg,
                                      weir_time deadline);

/* What a pool has and does; a row of one instant.  `size` as everywhere. */
struct weir_pool_stats {
    size_t size;       /* in: sizeof(struct weir_pool_stats); 0 counts as that */
    int64_t threads;   /* it has now, busy or idle; at most threads_max */
    int64_t running;   /* jobs that are being run */
    int64_t waiting;   /* jobs in line for a thread */
    int64_t done;      /* jobs run to their end so far */
    int64_t rejected;  /* calls refused so far: the line was full, or no thread could be started */
    int64_t withdrawn; /* jobs that left the line by deadline or cancellation so far */
};

/* Reads them, as many as out->size has room for; all zero in a forked child.
 *   pool  borrowed; NULL: the runtime's own
 * Callers: any thread; never waits. */
WEIR_API void weir_pool_stats_read(weir_pool *pool, struct weir_pool_stats *out);

#endif
