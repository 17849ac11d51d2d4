/* SPDX-License-Identifier: MIT */
#ifndef WEIR_POOL_H
#define WEIR_POOL_H

/* Bounded pools of OS threads for code that blocks: libpq, libcurl, file systems. */

#include <stddef.h>

#include "weir/err.h"
#include "weir/time.h"

typedef struct weir_pool weir_pool;

struct weir_pool_opts {
    size_t size;
    const char *name; /* static text; NULL: "pool" */
    int threads_max;  /* 0: 16 */
    int waiting_max;  /* jobs that may wait for a thread; 0: 1024 */
    int64_t idle_ns;  /* an idle thread ends after this; 0: 10 s */
};

/* Makes a pool; threads start on demand.  0, WEIR_EINVAL, WEIR_ENOMEM.  Callers: any thread. */
WEIR_API WEIR_CHECK int weir_pool_create(weir_pool **out, const struct weir_pool_opts *opts);

/* Ends its threads and frees it.  No call on it may be under way.  Callers: thread, task. */
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
 *
 * Once started, fn is not interrupted and the call returns only when it has ended.
 * Callers: task (parks), thread (blocks). */
WEIR_API WEIR_CHECK int weir_blocking(weir_pool *pool, void (*fn)(void *arg), void *arg,
                                      weir_time deadline);

#endif
