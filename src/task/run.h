/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_RUN_H
#define WI_TASK_RUN_H

/* From the scheduler's stack to a task and back; how tasks leave is in worker.h. */

#include "task/worker.h"

/* How long a task waits that found no memory for a stack. */
#define WI_STACK_RETRY_NS (10 * WEIR_NS_PER_MS)

/* Runs the task, and maybe others after it, until one of them finds nothing at hand to switch to.
 * The thread may have lost its worker meanwhile.  Callers: the scheduler, on the thread's own
 * stack, inside the runtime. */
void wi_run(struct wi_thread *thread, struct wi_worker *worker, struct weir_task *task);

#endif
