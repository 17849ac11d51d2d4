/* SPDX-License-Identifier: MIT */
/* Running a task: its stack, the switch to it, and what it leaves to be done.
 *
 * A task that leaves switches straight to the next one where that is at hand, else to its thread's
 * scheduler (worker.c).  In both cases something is left to do that must not be done before its
 * registers are saved (making it PARKED, queueing it, giving its stack away): `left` and `action`
 * of the thread say what, and whoever arrives does it first, on his own stack.
 *   leave:  a: left = the task, action; b: switch.
 *   arrive: c: does what `left` wants; from then on that task may run elsewhere; d: state USER.
 * Between a and d the thread is inside the runtime and keeps its worker, or has none.  So a task
 * that yields may be queued before the switch where nobody else takes from the queue: the only
 * worker's, which nobody can take from its thread before d.
 * Pairing: whoever runs the task elsewhere after c has it from its parker or a queue, whose release
 * c makes; the acquire there meets it, so the registers are saved. */
#include "task/run.h"

#include <stddef.h>

#include "arch/context.h"
#include "base/check.h"
#include "os/clock.h"
#include "task/exceptions.h"
#include "task/held.h"
#include "task/meter.h"
#include "task/ready.h"
#include "task/rt.h"

static void arrive(struct weir_task *task);

static void task_entry(void *arg)
{
    struct weir_task *task = arg;
    arrive(task);
    wi_task_run(task);
    if (wi_unlikely(wi_task_is(task, WI_TASK_METERED)))
        wi_meter_end(task);
    /* Who waits for the end is told from here, so that the switch can go straight to him: nothing
     * of the task but its record, which the run still holds, and its stack are touched after. */
    struct wi_thread *thread = wi_thread_self();
    (void)wi_worker_enter_on(thread); /* once for all that follows */
    wi_task_finish(task);
    wi_task_leave(thread, WI_ACTION_EXIT);
    wi_bug(__FILE__, __LINE__, "a task that ended does not run again");
}

/* False: no memory for its stack now. */
static bool attach_stack(struct wi_worker *worker, struct weir_task *task)
{
    const size_t wanted = wi_task_stack_bytes(task);
    struct wi_stack *stack = wanted == 0 ? wi_stack_take_cached(&worker->stacks) : NULL;
    if (stack == NULL && wi_stack_take(&worker->stacks, wanted, &stack) != 0)
        return false;
    task->stack = stack;
    wi_meter_init(&stack->meter);
    void *start = wi_stack_start(stack, wi_task_id(task));
    task->context = wi_context_make(start, task_entry, task);
    wi_fiber_on(wi_fiber_of(task), stack->low, wi_stack_bytes(stack));
    wi_tsan_begin(wi_fiber_of(task), stack);
    return true;
}

static void detach_stack(struct wi_thread *thread, struct weir_task *task)
{
    wi_asan_clear(task->stack->low, wi_stack_bytes(task->stack));
    wi_tsan_end(task->stack);
    wi_stack_give(thread->worker != NULL ? &thread->worker->stacks : NULL, task->stack);
    task->stack = NULL;
}

static void check_canary(const struct weir_task *task)
{
    if (wi_unlikely(!wi_stack_intact(task->stack)))
        wi_bug_misuse("a task's stack", "it overflowed; bytes it has",
                      (int64_t)wi_stack_bytes(task->stack));
}

/* Back to the end of the line. */
static void requeue(struct wi_thread *thread, struct weir_task *task)
{
    if (wi_unlikely(thread->worker == NULL)) {
        wi_task_make_ready(task, false);
        return;
    }
    wi_ready_push(thread->worker, task);
    if (thread->worker->queue.shared)
        wi_worker_wake_one(); /* worker.c: d */
}

static void finish_park(struct wi_thread *thread, struct weir_task *task)
{
    /* For dumps, which need no more than about when: the clock is not read here. */
    task->stack->parked_at = thread->worker != NULL ? thread->worker->polled : wi_clock_coarse();
    uint32_t word = WI_PARKER_EMPTY;
    if (!wi_cas_acq_rel(&task->parker.word, &word, WI_PARKER_PARKED)) { /* parker.h: d */
        (void)wi_swap_acq_rel(&task->parker.word, WI_PARKER_EMPTY);
        wi_task_make_ready(task, true);
    }
}

/* c: what a task that left its stack asked for.  From the PARKED on it may run elsewhere. */
static inline void finish_switch(struct wi_thread *thread, struct weir_task *task)
{
    check_canary(task);
    if (thread->action == WI_ACTION_PARK) {
        finish_park(thread, task);
    } else if (thread->action == WI_ACTION_YIELD) {
        requeue(thread, task);
    } else {
        wi_bug_unless_cmp(thread->action, ==, WI_ACTION_EXIT);
        detach_stack(thread, task);
        wi_task_drop_run(thread->worker, task);
    }
}

/* Whether a task that has not run yet may do so now; then it has a stack.  Else it is held. */
static bool may_start(struct wi_worker *worker, struct weir_task *task)
{
    if (wi_unlikely(wi_ready_too_many_hogs())) {
        wi_ready_hold_back(task);
        return false;
    }
    if (attach_stack(worker, task))
        return true;
    worker->held_until = wi_clock_now() + WI_STACK_RETRY_NS;
    task->next = worker->held;
    worker->held = task;
    return false;
}

/* Whether the task can run now: it has a stack, or gets one.  If not it is held. */
static bool prepare_run(struct wi_worker *worker, struct weir_task *task)
{
    return wi_likely(task->stack != NULL) || may_start(worker, task);
}

/* Right before the switch to the task; arrive() follows on its stack. */
WI_INLINE void begin_run(struct wi_thread *thread, struct wi_worker *worker, struct weir_task *task)
{
    wi_store_relaxed(&thread->task, task);
    *thread->current = &task->parker;
    wi_store_relaxed(&worker->running, task);
    wi_store_relaxed(&worker->runs, wi_load_relaxed(&worker->runs) + 1);
    if (wi_unlikely(wi_task_is(task, WI_TASK_METERED)))
        wi_meter_run(worker, task);
}

/* What the task or scheduler that was left for this context wants done with itself. */
static void finish_left(struct wi_thread *thread)
{
    struct weir_task *left = thread->left;
    if (left == NULL)
        return;
    thread->left = NULL;
    finish_switch(thread, left);
}

/* A task begins or goes on, on its own stack, maybe on another thread than before. */
static void arrive(struct weir_task *task)
{
    wi_fiber_arrive(wi_fiber_of(task));
    struct wi_thread *thread = wi_thread_self();
    finish_left(thread);
    thread->depth = 0;
    wi_store_release(&thread->state, WI_STATE_USER); /* d; worker.h: c */
}

/* From the scheduler's own stack. */
void wi_run(struct wi_thread *thread, struct wi_worker *worker, struct weir_task *task)
{
    if (!prepare_run(worker, task))
        return;
    begin_run(thread, worker, task);
    wi_fiber_leave(wi_fiber_of(thread), wi_fiber_of(task));
    wi_context_switch(&thread->context, task->context);
    wi_fiber_arrive(wi_fiber_of(thread));

    /* The worker may be gone: wi_task_leave() has found out. */
    wi_store_relaxed(&thread->task, NULL);
    *thread->current = thread == wi_rt.opener ? &thread->parker : NULL;
    if (thread->worker != NULL)
        wi_store_relaxed(&thread->worker->running, NULL);
    finish_left(thread);
}

/* Apart, so that a C program pays one comparison for it.  ThreadSanitizer is on the other context's
 * books already, which must not see this call. */
WI_TSAN_BLIND __attribute__((noinline)) static void switch_with_exceptions(void **save,
                                                                           void *target)
{
    struct wi_exceptions exceptions;
    wi_exceptions_take(&exceptions);
    wi_context_switch(save, target);
    wi_exceptions_give(&exceptions);
}

/* The next task if it is at hand and nothing else is due: what a task that leaves switches to
 * without going by way of the scheduler's own stack. */
static struct weir_task *find_at_once(struct wi_worker *worker)
{
    const int countdown = wi_load_relaxed(&worker->poll_countdown);
    if (countdown <= 1)
        return NULL;
    struct weir_task *task = wi_ready_pop(worker);
    if (task != NULL)
        wi_store_relaxed(&worker->poll_countdown, countdown - 1);
    return task;
}

void wi_task_leave(struct wi_thread *thread, enum wi_action action)
{
    /* None: the process was forked inside a task, and the child came back from its function. */
    wi_bug_unless(thread != NULL);
    struct wi_worker *worker = wi_worker_enter_on(thread);
    struct weir_task *task = wi_load_relaxed(&thread->task);
    wi_bug_unless(task != NULL);
    wi_held_check(task);
    thread->depth = 1;
    if (wi_unlikely(wi_task_is(task, WI_TASK_METERED)))
        wi_meter_stop(worker, task, action == WI_ACTION_EXIT);
    thread->action = action; /* a */
    thread->left = task;
    struct weir_task *next = worker != NULL ? find_at_once(worker) : NULL;
    struct wi_fiber *from = action == WI_ACTION_EXIT ? NULL : wi_fiber_of(task);
    void *target = thread->context;
    if (next != NULL && prepare_run(worker, next)) {
        if (action == WI_ACTION_YIELD && !worker->queue.shared) {
            /* Nobody else takes from this queue, so the task may lie there before it has left. */
            check_canary(task);
            wi_ready_push(worker, task);
            thread->left = NULL;
        }
        begin_run(thread, worker, next);
        wi_fiber_leave(from, wi_fiber_of(next));
        target = next->context;
    } else {
        wi_fiber_leave(from, wi_fiber_of(thread));
    }
    if (wi_exceptions_exist())
        switch_with_exceptions(&task->context, target);
    else
        wi_context_switch(&task->context, target);
    arrive(task);
}
