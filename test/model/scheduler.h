/* SPDX-License-Identifier: MIT */
#ifndef TEST_MODEL_SCHEDULER_H
#define TEST_MODEL_SCHEDULER_H

/* What the models of the scheduler share, each of which includes it once.
 *
 * Threads of the model are the runtime's: they run wi_thread_main() and switch to tasks' stacks as
 * they do outside.  What lies below (poller, timers, stacks) and above (a task's life) is replaced
 * here by as little as possible. */
#include "model/parkers.h"

#include <stddef.h>

#include "base/alloc.h"
#include "base/check.h"
#include "os/clock.h"
#include "task/rt.h"
#include "task/worker.h"

enum {
    WORKERS = 2,
    THREADS = 3,
    TASKS = 3,
    TASK_STACK_BYTES = 1 << WI_STACK_CLASS_MIN,
    STACK_WORDS_USED = 128
};

struct wi_runtime wi_rt;

static struct wi_worker workers[WORKERS];
static struct wi_thread threads[THREADS];
static struct weir_task tasks[TASKS];
static wi_atomic_u32 left;          /* tasks that have not ended */
static wi_atomic_u32 monitor_works; /* it ends before the runtime stops, see weir_close() */
static volatile bool monitor_through = true; /* the same for who waits */
static wi_atomic_u32 kicked;
static wi_atomic_u32 arrived;         /* what the poller has to tell, and has not */
static int events_told;               /* plain: who turns the loop */
static struct weir_task *event_wakes; /* the task that an event makes ready */
static bool finished[TASKS];
static int runs[TASKS]; /* plain: of a task's function, whoever runs it */

/* -- what lies below --------------------------------------------------------------------------- */

void wi_wheel_init(struct wi_wheel *wheel, weir_time now)
{
    (void)now;
    wi_store_relaxed(&wheel->next, WEIR_NO_DEADLINE);
}

int wi_wheel_fire(struct wi_wheel *wheel, weir_time now, int max)
{
    (void)wheel;
    (void)now;
    (void)max;
    return 0;
}

/* The poller as an eventfd that a kick makes readable, and an event as well. */
int wi_loop_wait(struct wi_loop *loop, weir_time deadline)
{
    (void)loop;
    if (deadline != WEIR_DONT_WAIT)
        (void)wi_futex_wait(&kicked, 0, deadline);
    (void)wi_swap_acq_rel(&kicked, 0);
    return (int)wi_swap_acq_rel(&arrived, 0);
}

int wi_loop_handle(struct wi_loop *loop, int event_count)
{
    loop->looked = wi_clock_now();
    events_told += event_count;
    if (event_count > 0)
        wi_task_make_ready(event_wakes, true);
    return event_count;
}

int wi_loop_turn(struct wi_loop *loop, weir_time deadline)
{
    return wi_loop_handle(loop, wi_loop_wait(loop, deadline));
}

void wi_loop_rest(struct wi_loop *loop)
{
    (void)loop;
}

void wi_loop_resume(struct wi_loop *loop)
{
    (void)loop;
}

struct wi_loop *wi_monitor_loop(void)
{
    return &wi_rt.loop;
}

void wi_loop_kick(struct wi_loop *loop)
{
    (void)loop;
    wi_store_seq_cst(&kicked, 1);
    wi_futex_wake(&kicked, 1);
}

int wi_stack_take(struct wi_stack_cache *cache, size_t bytes, struct wi_stack **out)
{
    (void)cache;
    (void)bytes;
    struct wi_stack *stack = wi_alloc_zeroed(1, sizeof(*stack));
    stack->low = wi_alloc(TASK_STACK_BYTES);
    stack->size_class = WI_STACK_CLASS_MIN;
    *out = stack;
    return 0;
}

/* A stack that was given back is not touched any more: to write all of it that was in use shows
 * whoever is not ordered before. */
void wi_stack_give(struct wi_stack_cache *cache, struct wi_stack *stack)
{
    (void)cache;
    volatile uint64_t *words = (volatile uint64_t *)(void *)(stack->low + TASK_STACK_BYTES);
    for (int i = 1; i <= STACK_WORDS_USED; i++)
        words[-i] = words[-i];
}

void wi_stack_watch_fresh(const struct wi_stack *stack)
{
    (void)stack;
}

bool wi_stack_intact(const struct wi_stack *stack)
{
    (void)stack;
    return true;
}

int wi_os_thread_stack(void **low, void **high)
{
    (void)low;
    (void)high;
    return WEIR_ENOTSUP;
}

void wi_monitor_notice(void)
{
}

/* The spare thread is there from the beginning. */
int wi_thread_create(struct wi_worker *worker)
{
    (void)worker;
    return WEIR_EAGAIN;
}

#ifdef WI_WATCH_MUTEXES
void wi_held_check(const struct weir_task *task)
{
    (void)task;
}
#endif

/* -- what lies above --------------------------------------------------------------------------- */

void wi_task_run(struct weir_task *task)
{
    explore_check_eq(task->fn(task->arg), 0);
}

void wi_task_finish(struct weir_task *task)
{
    finished[task - tasks] = true;
}

__attribute__((no_sanitize_thread)) static bool monitor_is_through(void *unused)
{
    (void)unused;
    return monitor_through;
}

/* After the last one the runtime stops. */
void wi_task_drop_run(struct wi_worker *worker, struct weir_task *task)
{
    (void)worker;
    explore_check(finished[task - tasks]);
    if (wi_sub_seq_cst(&left, 1) > 1)
        return;
    explore_block("the monitor works", monitor_is_through, NULL, WEIR_NO_DEADLINE);
    explore_check_eq(wi_swap_acq_rel(&monitor_works, 0), 0); /* as a join: sees the last write */
    wi_store_seq_cst(&wi_rt.stopping, 1);
    wi_worker_wake_all();
}

static void task_park(struct wi_parker *parker, weir_time deadline)
{
    (void)deadline;
    if (!wi_parker_take_notice(parker))
        wi_task_leave(wi_thread_self(), WI_ACTION_PARK);
}

static void task_resume(struct wi_parker *parker)
{
    wi_task_make_ready(wi_container_of(parker, struct weir_task, parker), true);
}

static const struct wi_parker_ops task_ops = { .park = task_park,
                                               .resume = task_resume,
                                               .on_worker = true };

/* -- set up ------------------------------------------------------------------------------------ */

__attribute__((unused)) static void begin(int worker_count, int task_count,
                                          weir_task_fn *const *functions)
{
    wi_handshake_open(false);
    wi_rt.scheduler = WEIR_SCHEDULER_TASKS;
    wi_rt.worker_count = worker_count;
    wi_rt.workers = workers;
    wi_store_relaxed(&left, (uint32_t)task_count);
    for (int i = 0; i < worker_count; i++) {
        wi_worker_init(&workers[i], i);
        threads[i].worker = &workers[i];
        threads[i].depth = 1;
        wi_store_relaxed(&threads[i].state, WI_STATE_RUNTIME);
        wi_store_relaxed(&workers[i].holder, &threads[i]);
    }
    for (int i = 0; i < task_count; i++) {
        wi_parker_init(&tasks[i].parker, &task_ops);
        tasks[i].fn = functions[i];
        tasks[i].arg = &tasks[i];
    }
}

__attribute__((unused)) static int count_run(struct weir_task *task)
{
    runs[task - tasks]++;
    return 0;
}

__attribute__((unused)) static void check_runs(int task_count)
{
    for (int i = 0; i < task_count; i++)
        explore_check_eq(runs[i], 1);
}

__attribute__((unused)) static int run_once(void *arg)
{
    return count_run(arg);
}

#endif
