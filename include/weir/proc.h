/* SPDX-License-Identifier: MIT */
#ifndef WEIR_PROC_H
#define WEIR_PROC_H

/* Functions in a process or an OS thread of their own: Python's multiprocessing.Process and
 * threading.Thread. */

#include "weir/err.h"
#include "weir/time.h"

typedef struct weir_process weir_process;
typedef struct weir_thread weir_thread;

/* Runs fn(arg) in a forked child of this (single-threaded) process; the child exits with what fn
 * returns, cut to 0..255.  The child ends when its parent does.
 * 0, WEIR_ENOTSUP (the process has other threads: start processes before the runtime opens),
 * WEIR_EAGAIN, WEIR_ENOMEM, WEIR_EMFILE.  *out is the caller's, until weir_process_join().
 * Callers: thread: the only one; never waits. */
WEIR_API WEIR_CHECK int weir_process_start(weir_process **out, int (*fn)(void *arg), void *arg);

/* The child's process id.  Callers: any; never waits. */
WEIR_API int weir_process_id(const weir_process *process);

/* Waits for its end and frees the handle.  *status (may be NULL): exit status, or minus the signal.
 * 0 or WEIR_ETIMEDOUT (the handle stays).  Ambient cancellation does not interrupt it.
 * Callers: task (parks), thread (blocks). */
WEIR_API WEIR_CHECK int weir_process_join(weir_process *process, int *status, weir_time deadline);

/* Runs fn(arg) in a new OS thread.  The thread may call any weir function; it then blocks.
 * 0, WEIR_EAGAIN, WEIR_ENOMEM.  *out is the caller's, until weir_thread_join().
 * Callers: any thread; never waits. */
WEIR_API WEIR_CHECK int weir_thread_start(weir_thread **out, int (*fn)(void *arg), void *arg);

/* Waits for its end and frees the handle.  *result (may be NULL): what fn returned.
 * 0 or WEIR_ETIMEDOUT (the handle stays).  Ambient cancellation does not interrupt it.
 * Callers: task (parks), thread (blocks). */
WEIR_API WEIR_CHECK int weir_thread_join(weir_thread *thread, int *result, weir_time deadline);

#endif
