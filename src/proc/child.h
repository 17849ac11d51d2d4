/* SPDX-License-Identifier: MIT */
#ifndef WI_PROC_CHILD_H
#define WI_PROC_CHILD_H

/* A forked child: what every process that weir makes has in common.
 *
 * Only a process with one thread forks: the child would inherit the locks of the others, held for
 * ever.  The child begins with default dispositions and an empty signal mask, dies when its parent
 * does, and holds the write end of a pipe that nobody writes: its end makes end_fd readable, which
 * a task can wait for.
 *
 * Threads: the calling process has one; a record is its owner's. */

#include <stdbool.h>

#include "os/process.h"
#include "weir/err.h"
#include "weir/time.h"

struct wi_child {
    /* owner: who forked */
    int process_id;
    int end_fd; /* readable once the child has ended; -1 if it was not asked for */
};

/* Forks.  What standard output and its like had buffered is written first, so that it does not
 * come out twice.  With `watched` the record gets an end_fd.
 *
 *   0                          in the child; *out is not set
 *   > 0                        in the parent: the child's process id
 *   WEIR_ENOTSUP               the process has other threads
 *   WEIR_EAGAIN, WEIR_ENOMEM, WEIR_EMFILE  the system's limits
 *
 * Callers: the only thread. */
WEIR_CHECK int wi_child_fork(struct wi_child *out, bool watched);

/* Whether the child has ended; then it is reaped, end_fd is closed and *out says how.  Somebody
 * else may have reaped it: then *out is an exit with status 0.  Never waits. */
bool wi_child_ended(struct wi_child *child, struct wi_process_end *out);

/* As wi_child_ended(), but waits: for its end, or until the deadline (false).  Blocks the thread,
 * or parks the task that calls.  Ambient cancellation does not end it: it is a join. */
bool wi_child_join(struct wi_child *child, struct wi_process_end *out, weir_time deadline);

/* Forgets a child that is somebody else's: in a forked process. */
void wi_child_forget(struct wi_child *child);

/* The exit status, or minus the signal. */
int wi_child_status(const struct wi_process_end *end);

#endif
