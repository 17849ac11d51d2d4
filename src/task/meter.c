/* SPDX-License-Identifier: MIT */
/* What metered tasks cost.  See meter.h.
 *
 * Each worker keeps what metered tasks have had of it, which its holder writes and anybody adds up;
 * beside that there is one sum for those without a worker.
 *
 * Threads: any. */
#include "task/meter.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "os/clock.h"
#include "task/rt.h"
#include "task/task.h"
#include "task/worker.h"

/* Tasks on threads of their own tell what they have cost as they end, so what is not told yet is
 * taken for the rest in small parts: over this time. */
#define SMOOTH_NS (100 * WEIR_NS_PER_MS)
/* What wall time had more than CPU time, because others have the machine too, is set off against
 * the rest up to this. */
#define DEBT_MAX_NS (20 * WEIR_NS_PER_MS)
/* What is told late was taken for the rest while it was not told, so it is set off too, as what is
 * told next will be taken for it: up to this, some long jobs at once. */
#define LATE_MAX_NS (500 * WEIR_NS_PER_MS)

/* What tasks without a worker have cost: on vehicles, and hogs. */
static wi_atomic_i64 outside_ns;

static struct wi_meter *meter_of(struct weir_task *task)
{
    return task->stack != NULL ? &task->stack->meter : task->context;
}

static struct weir_task *metered_task(void)
{
    struct weir_task *task = wi_task_current();
    wi_bug_unless(task != NULL);
    wi_bug_unless(wi_task_is(task, WI_TASK_METERED));
    return task;
}

/* The CPU time of the calling thread since it was read last. */
static int64_t vehicle_lap(struct wi_thread *thread)
{
    const int64_t before = thread->cpu_ns;
    thread->cpu_ns = wi_clock_thread_cpu();
    const int64_t spent_ns = thread->cpu_ns - before;
    (void)wi_add_relaxed(&outside_ns, spent_ns);
    return spent_ns;
}

void wi_meter_vehicle(struct wi_thread *thread, struct weir_task *task)
{
    task->context = &thread->meter;
    wi_meter_init(&thread->meter);
    /* A thread keeps its reading from one metered task to the next; what it spends on others is
     * nobody's. */
    if (!wi_task_is(task, WI_TASK_METERED))
        thread->cpu_ns = 0;
    else if (thread->cpu_ns == 0)
        thread->cpu_ns = wi_clock_thread_cpu();
}

void wi_meter_run(struct wi_worker *worker, struct weir_task *task)
{
    const weir_time now = wi_clock_now();
    task->stack->meter.since = now;
    task->stack->meter.slice_since = now;
    wi_store_relaxed(&worker->metered_since, now);
}

void wi_meter_stop(struct wi_worker *worker, struct weir_task *task, bool ends)
{
    struct wi_meter *meter = &task->stack->meter;
    const weir_time now = ends ? meter->since : wi_clock_now();
    const int64_t slice_ns = now - meter->slice_since;
    meter->spent_ns += now - meter->since;
    if (wi_unlikely(worker == NULL)) {
        (void)wi_add_relaxed(&outside_ns, slice_ns);
        return;
    }
    wi_store_relaxed(&worker->metered_since, 0);
    wi_store_relaxed(&worker->metered_ns, wi_load_relaxed(&worker->metered_ns) + slice_ns);
}

bool wi_meter_runs(void)
{
    const struct weir_task *task = wi_task_current();
    wi_bug_unless(task != NULL);
    return wi_task_is(task, WI_TASK_METERED);
}

weir_time wi_meter_begin(void)
{
    const struct weir_task *task = metered_task();
    return task->stack != NULL ? task->stack->meter.since : wi_clock_now();
}

static int64_t lap(struct weir_task *task, weir_time *now)
{
    struct wi_meter *meter = meter_of(task);
    int64_t ns = 0;
    *now = wi_clock_now();
    if (task->stack != NULL) {
        ns = meter->spent_ns + *now - meter->since;
        meter->since = *now;
        meter->spent_ns = 0;
    } else {
        ns = vehicle_lap(wi_thread_self());
    }
    if (wi_unlikely(wi_load_relaxed(&meter->below_ns) != 0))
        ns += wi_swap_acq_rel(&meter->below_ns, 0);
    return ns;
}

int64_t wi_meter_lap(weir_time *now)
{
    return lap(metered_task(), now);
}

void wi_meter_end(struct weir_task *task)
{
    const struct wi_parker *opener = task->scope->region.parker;
    if (opener == NULL)
        return; /* it serves, and has asked for itself */
    weir_time now;
    const int64_t ns = lap(task, &now);
    struct weir_task *above = wi_container_of(opener, struct weir_task, parker);
    (void)wi_add_relaxed(&meter_of(above)->below_ns, ns);
}

struct wi_meter *wi_meter_lend(void)
{
    struct weir_task *task = wi_task_current();
    return task != NULL && wi_task_is(task, WI_TASK_METERED) ? meter_of(task) : NULL;
}

void wi_meter_repay(struct wi_meter *meter, int64_t cpu_ns)
{
    (void)wi_add_relaxed(&outside_ns, cpu_ns);
    (void)wi_add_relaxed(&meter->below_ns, cpu_ns); /* the waiter's end hands it over */
}

int64_t wi_meter_total(weir_time now)
{
    int64_t total = wi_load_relaxed(&outside_ns);
    for (int i = 0; i < wi_rt.worker_count; i++) {
        struct wi_worker *worker = &wi_rt.workers[i];
        const weir_time since = wi_load_relaxed(&worker->metered_since);
        total += wi_load_relaxed(&worker->metered_ns);
        if (since != 0 && since < now)
            total += now - since;
    }
    return total;
}

/* The most that may be set off against the rest: what it was, if that was more, and what those
 * without a worker have told since.  Under `threads` nobody has one, and SMOOTH_NS is for that. */
static int64_t debt_max(const struct wi_meter_rest *before, int64_t late_ns)
{
    if (wi_rt.scheduler == WEIR_SCHEDULER_THREADS)
        return DEBT_MAX_NS;
    const int64_t debt_ns = -before->untold_ns;
    const int64_t most_ns = (debt_ns > DEBT_MAX_NS ? debt_ns : DEBT_MAX_NS) + late_ns;
    return most_ns < LATE_MAX_NS ? most_ns : LATE_MAX_NS;
}

int64_t wi_meter_rest(struct wi_meter_rest *rest, weir_time now)
{
    const struct wi_meter_rest before = *rest;
    *rest = (struct wi_meter_rest){ .looked = now,
                                    .cpu_ns = wi_clock_process_cpu(),
                                    .outside_ns = wi_load_relaxed(&outside_ns),
                                    .metered_ns = wi_meter_total(now) };
    if (before.looked == 0)
        return 0;
    int64_t untold_ns =
        before.untold_ns + (rest->cpu_ns - before.cpu_ns) - (rest->metered_ns - before.metered_ns);
    const int64_t debt_max_ns = debt_max(&before, rest->outside_ns - before.outside_ns);
    if (untold_ns < -debt_max_ns)
        untold_ns = -debt_max_ns;
    int64_t told_ns = untold_ns > 0 ? untold_ns : 0;
    const int64_t elapsed_ns = now - before.looked;
    if (wi_rt.scheduler == WEIR_SCHEDULER_THREADS && elapsed_ns < SMOOTH_NS)
        told_ns = (int64_t)((double)told_ns * (double)elapsed_ns / (double)SMOOTH_NS);
    rest->untold_ns = untold_ns - told_ns;
    return told_ns;
}
