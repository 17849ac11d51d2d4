/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_HELD_H
#define WI_TASK_HELD_H

/* In Debug builds: a task that leaves its thread while it holds one of the C library's mutexes. */

#include "task/task.h"

#ifdef WI_WATCH_MUTEXES

/* Aborts, with task, mutex and place, if the calling task, about to leave its thread (to wait, to
 * let others run, or at its end), holds a mutex of that thread.  Nothing under `loop`, whose one
 * thread it comes back to. */
void wi_held_check(const struct weir_task *task);

#else

static inline void wi_held_check(const struct weir_task *task)
{
    (void)task;
}

#endif

#endif
