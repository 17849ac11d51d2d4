/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_READY_H
#define WI_TASK_READY_H

/* Ready tasks: a worker's own (the slot of the task woken last, the queue, what was spawned and has
 * not begun) and the runtime's (the global queue, the backlog, and what stands back while there are
 * too many hogs).  What is next, and why, is told in ready.c.
 *
 * Callers: who holds the worker, unless said otherwise; none waits. */

#include <stdbool.h>
#include <stdint.h>

#include "task/worker.h"

enum {
    WI_READY_GLOBAL_FIRST_AFTER = 61, /* runs, before the global queue comes first once */
    WI_READY_LIFO_MAX = 8             /* newest tasks in a row before the queue has a turn */
};

/* A slice that takes longer is long: others shall not wait behind it. */
#define WI_LONG_SLICE_NS (50 * WEIR_NS_PER_US)

/* To the end of the worker's own queue. */
void wi_ready_push_full(struct wi_worker *worker, struct weir_task *task);
static inline void wi_ready_push(struct wi_worker *worker, struct weir_task *task)
{
    if (wi_unlikely(!wi_runq_push(&worker->queue, task)))
        wi_ready_push_full(worker, task);
}

/* What lies on the worker itself; NULL: nothing. */
struct weir_task *wi_ready_pop(struct wi_worker *worker);

/* From the global queue, and a fair share of the rest to the worker's own; NULL: it is empty. */
struct weir_task *wi_ready_pop_global(struct wi_worker *worker);
/* As wi_ready_pop_global(), from the backlog. */
struct weir_task *wi_ready_pop_backlog(struct wi_worker *worker);

/* From another worker; NULL: none has anything. */
struct weir_task *wi_ready_steal(struct wi_worker *worker);

/* Appends a chain of tasks to the global queue.  Callers: any thread. */
void wi_ready_push_global(struct weir_task *first, struct weir_task *last, int64_t count);

/* Whether a task lies anywhere but on a worker that runs it; a hint.  Callers: any thread. */
bool wi_ready_anywhere(void);

/* Whether a task that is made ready now will run here sooner than a worker that has to be woken
 * could come for it and bring its own caches up: those before it, and the running one, take a
 * moment by what a slice takes on average.  Where slices are long others shall come at once: the
 * stages of a pipeline run beside each other.  A slice may turn out longer than the average; then
 * the monitor wakes somebody for what waits. */
bool wi_ready_runs_here_soon(struct wi_worker *worker);

/* Sees to it that what has lain for too long comes to its turn. */
void wi_ready_age(struct wi_worker *worker, weir_time now);

/* -- hogs: beyond a number of them no task begins ---------------------------------------------- */

/* Callers: any thread. */
bool wi_ready_too_many_hogs(void);
/* A hog has ended, or is none.  Callers: any thread. */
void wi_ready_one_hog_less(void);
/* A task that has not begun stands back until hogs end.  If they have ended meanwhile, either
 * wi_ready_one_hog_less() finds the task on the list, or we find too few hogs: the lock orders the
 * two. */
void wi_ready_hold_back(struct weir_task *task);

#endif
