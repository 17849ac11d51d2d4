/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_METER_H
#define WI_TASK_METER_H

/* Metering: what the tasks that serve requests cost.  Only tasks that were spawned with
 * WI_SPAWN_METERED are metered, and those that they spawn into a scope which one of them has open:
 * a clock is read where such a task begins or goes on, and where it stops.
 *
 * The cost of a task on a worker's stack is the wall time of its slices, from run to park: what a
 * page fault, a throttled group or a call that blocks takes from the worker is gone for others too.
 * That of a task on a thread of its own is CPU time, because others have the core while it is
 * blocked.
 *
 * What a pool's thread works for a task that waits for it in weir_blocking() is CPU time as well.
 *
 * A task that serves asks what it has cost (wi_meter_lap()), its children included: a child that
 * ends adds its own to that of who has opened its scope, and cannot outlive that.
 *
 * Threads: a meter belongs to its task, `below_ns` excepted, which its children add to.  Pairing:
 * they do so before they end, and the scope's lock hands that to who closes it. */

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "weir/time.h"

struct weir_task;
struct wi_thread;
struct wi_worker;

struct wi_meter {
    weir_time since;        /* of a stack's task that runs: what came before is in `spent_ns` */
    weir_time slice_since;  /* and when its slice began */
    int64_t spent_ns;       /* since the last lap */
    wi_atomic_i64 below_ns; /* and by children that have ended, and on threads of pools */
};

/* Whether the calling task is metered. */
bool wi_meter_runs(void);

/* Of the calling task, at its first instruction: since when it runs. */
weir_time wi_meter_begin(void);

/* What it has cost since it began or its last lap, until *now, which is set. */
int64_t wi_meter_lap(weir_time *now);

/* The meter of the calling task, for a thread that works for it while it waits; NULL if it is not
 * metered.  That thread tells what it was, before the task goes on. */
struct wi_meter *wi_meter_lend(void);
void wi_meter_repay(struct wi_meter *meter, int64_t cpu_ns);

/* What all metered tasks of the process have cost since it began, and those that run until now;
 * of those on threads of their own what they have told.  Any thread. */
int64_t wi_meter_total(weir_time now);

/* What the process has taken of the processors beside metered tasks, from one look to the next.
 * All-zero at first; owner: who looks. */
struct wi_meter_rest {
    weir_time looked;
    int64_t cpu_ns;
    int64_t metered_ns;
    int64_t outside_ns; /* of that, what those without a worker have told, which they do late */
    int64_t untold_ns;  /* negative: more was metered than the processors gave */
};
int64_t wi_meter_rest(struct wi_meter_rest *rest, weir_time now);

/* -- for task/ --------------------------------------------------------------------------------- */

/* Of a task that is about to begin on a stack, or on the calling thread, a vehicle. */
static inline void wi_meter_init(struct wi_meter *meter)
{
    meter->spent_ns = 0;
    wi_store_relaxed(&meter->below_ns, 0);
}
void wi_meter_vehicle(struct wi_thread *thread, struct weir_task *task);

/* The task, which is metered, runs on the worker from now on; and stops (worker NULL: it has lost
 * it).  One that ends has had its last lap. */
void wi_meter_run(struct wi_worker *worker, struct weir_task *task);
void wi_meter_stop(struct wi_worker *worker, struct weir_task *task, bool ends);

/* The calling task, which is metered, is about to end. */
void wi_meter_end(struct weir_task *task);

#endif
