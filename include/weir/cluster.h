/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CLUSTER_H
#define WEIR_CLUSTER_H

/* Processes that share listeners under one primary, as Node's cluster module.
 *
 * The primary is single-threaded for life, forks before anything else runs, respawns workers with
 * back-off, and takes them with it when it dies. */

#include <stdbool.h>
#include <stddef.h>

#include "weir/err.h"
#include "weir/time.h"

/* Whether the calling process is no worker of weir_cluster_fork().  Callers: any; never waits. */
WEIR_API bool weir_is_primary(void);

/* The number of this worker, from 0; -1 in the primary.  A respawned worker keeps its number.
 * Callers: any; never waits. */
WEIR_API int weir_worker_index(void);

/* Forks one worker; it returns in both processes, as fork() does, and the worker is killed when
 * the primary ends.
 * 0 in the worker, its process id in the primary, or a code: WEIR_EPERM (in a worker),
 * WEIR_EALREADY (a runtime is open: fork first), WEIR_EAGAIN (also: 256 workers live), WEIR_ENOMEM,
 * WEIR_EMFILE, WEIR_ENOTSUP (the process has other threads).  Callers: thread: the only
 * one; never waits. */
WEIR_API WEIR_CHECK int weir_cluster_fork(void);

/* Waits for the end of any worker.  Its process id, and how it ended (exit status, or minus the
 * signal) in *status (may be NULL); WEIR_ENOENT without workers, WEIR_ETIMEDOUT.
 * Callers: thread (blocks): of the primary. */
WEIR_API WEIR_CHECK int weir_cluster_wait(int *status, weir_time deadline);

#endif
