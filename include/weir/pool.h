/* SPDX-License-Identifier: MIT */
#ifndef WEIR_POOL_H
#define WEIR_POOL_H

/* Bounded pools of OS threads for code that blocks: libpq, libcurl, file systems. */

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

/* Makes a pool; threads start on demand.  0; WEIR_EINVAL a negative option; WEIR_ENOMEM.
 *   opts  borrowed for the call; NULL: all defaults
 * Callers: any thread; never waits. */
WEIR_API WEIR_CHECK int weir_pool_create(weir_pool **out, const struct weir_pool_opts *opts);

/* Ends its threads, waits for them, and frees it.  No call on it may be under way, nor follow.
 * Callers: thread, task; blocks the thread for a moment. */
WEIR_API void weir_pool_destroy(weir_pool *pool);

/* Runs fn(arg) on a thread of the pool and waits for its end.
 *
 *   pool      borrowed; NULL: the runtime's own
 *   deadline  until when the job may wait for a thread
 *
 *   0                fn has returned
 *   WEIR_ETIMEDOUT, WEIR_ECANCELED  fn was not started and never will be
 *   WEIR_EOVERFLOW   waiting_max jobs wait already
 *   WEIR_EAGAIN      no thread could be started at all
 *   WEIR_EFORKED     the pool's threads are in the parent process
 *   WEIR_ENOMEM      no memory for the runtime's own pool
 *
 * Once started, fn is not interrupted and the call returns only when it has ended.
 * Callers: task (parks), thread (blocks). */
WEIR_API WEIR_CHECK int weir_blocking(weir_pool *pool, void (*fn)(void *arg), void *arg,
                                      weir_time deadline);

#endif
