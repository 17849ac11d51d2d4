/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_RECORD_H
#define WI_TASK_RECORD_H

/* Where the records of tasks come from and go back to: each worker keeps some free ones, the rest
 * lie in a stock that all share.  They are type-stable and never unmapped (task.h).
 *
 * Threads: any; a worker's own are used by who has entered it. */

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "task/task.h"
#include "task/worker.h"

enum {
    WI_RECORDS_FREE_MAX = 64,
    WI_RECORDS_BATCH = 32,
};

/* open before any record is taken, close after the last came back. */
void wi_records_open(int64_t records_max);
void wi_records_close(void);

/* From the stock: up to `want` as a chain.  How many; WEIR_EOVERFLOW or WEIR_ENOMEM if none. */
WEIR_CHECK int wi_records_take(int want, struct weir_task **out);
/* A chain back to the stock. */
void wi_records_give(struct weir_task *first, struct weir_task *last);

/* Calls fn for every record, in use or not, until it returns false.  The runtime stays open
 * meanwhile; records that are added meanwhile may be left out. */
void wi_records_each(bool (*fn)(struct weir_task *task, void *arg), void *arg);

/* The task whose parker it is; NULL: it is no task's. */
struct weir_task *wi_task_of_parker(struct wi_parker *parker);

/* `worker`: the calling thread's, which has entered it, or NULL.  0 or a code, as above. */
static inline int wi_record_take(struct wi_worker *worker, struct weir_task **out)
{
    if (worker == NULL) {
        const int taken = wi_records_take(1, out);
        return taken > 0 ? 0 : taken;
    }
    if (wi_unlikely(worker->free_tasks == NULL)) {
        const int taken = wi_records_take(WI_RECORDS_BATCH, &worker->free_tasks);
        if (taken <= 0)
            return taken;
        worker->free_task_count = taken;
    }
    struct weir_task *task = worker->free_tasks;
    worker->free_tasks = task->next;
    worker->free_task_count--;
    *out = task;
    return 0;
}

/* `worker`: as wi_record_take(). */
static inline void wi_record_give(struct wi_worker *worker, struct weir_task *task)
{
    if (worker == NULL) {
        wi_records_give(task, task);
        return;
    }
    task->next = worker->free_tasks;
    worker->free_tasks = task;
    if (++worker->free_task_count > WI_RECORDS_FREE_MAX) {
        struct weir_task *first = worker->free_tasks;
        struct weir_task *last = first;
        for (int i = 1; i < WI_RECORDS_BATCH; i++)
            last = last->next;
        worker->free_tasks = last->next;
        worker->free_task_count -= WI_RECORDS_BATCH;
        wi_records_give(first, last);
    }
}

#endif
