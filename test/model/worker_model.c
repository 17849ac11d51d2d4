/* SPDX-License-Identifier: MIT */
/* The scheduler: workers that run tasks, steal, sleep and are woken; tasks that park and are woken;
 * a monitor that takes a worker from a task that does not come back.  No task is left with
 * everybody asleep, none runs before its registers are saved, and a worker's fields have one user
 * at a time.
 *
 * Threads of the model are the runtime's: they run wi_thread_main() and switch to tasks' stacks as
 * they do outside.  What lies below (poller, timers, stacks) and above (a task's life) is replaced
 * here by as little as possible.
 *
 * explores: task/worker.c task/ready.c task/run.c task/current.c sync/runq.c sync/deque.c waits */
#include "model/parkers.h"

#include <stddef.h>

#include "base/alloc.h"
#include "base/check.h"
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
static bool finished[TASKS];
static int runs[TASKS]; /* plain: of a task's function, whoever runs it */

/* -- what lies below --------------------------------------------------------------------------- */

void wi_wheel_init(struct wi_wheel *wheel, weir_time now)
{
    (void)now;
    wi_store_relaxed(&wheel->next, WEIR_NO_DEADLINE);
}

int wi_wheel_advance(struct wi_wheel *wheel, weir_time now, int max)
{
    (void)wheel;
    (void)now;
    (void)max;
    return 0;
}

/* The poller as an eventfd that a kick makes readable. */
int wi_loop_wait(struct wi_loop *loop, weir_time deadline)
{
    (void)loop;
    if (deadline != WEIR_DONT_WAIT)
        (void)wi_futex_wait(&kicked, 0, deadline);
    (void)wi_swap_acq_rel(&kicked, 0);
    return 0;
}

int wi_loop_handle(struct wi_loop *loop, int event_count)
{
    (void)loop;
    return event_count;
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

static void begin(int worker_count, int task_count, weir_task_fn *const *functions)
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

static int count_run(struct weir_task *task)
{
    runs[task - tasks]++;
    return 0;
}

static void check_runs(int task_count)
{
    for (int i = 0; i < task_count; i++)
        explore_check_eq(runs[i], 1);
}

/* -- sleep and wake ---------------------------------------------------------------------------- */

static int run_once(void *arg)
{
    return count_run(arg);
}

static void push_from_outside(void *arg)
{
    wi_task_make_ready(arg, false);
}

static void a_task_from_outside_wakes_a_worker(void)
{
    static weir_task_fn *const functions[] = { run_once };
    begin(2, 1, functions);
    explore_start(wi_thread_main, &threads[0]);
    explore_start(wi_thread_main, &threads[1]);
    explore_start(push_from_outside, &tasks[0]);
    explore_join();
    check_runs(1);
}

static int run_and_start_next(void *arg)
{
    struct weir_task *task = arg;
    wi_task_make_ready(task + 1, false);
    return count_run(task);
}

static void what_a_task_starts_is_run(void)
{
    static weir_task_fn *const functions[] = { run_and_start_next, run_and_start_next, run_once };
    begin(2, 3, functions);
    wi_task_make_ready(&tasks[0], false);
    explore_start(wi_thread_main, &threads[0]);
    explore_start(wi_thread_main, &threads[1]);
    explore_join();
    check_runs(3);
}

/* -- park and wake ----------------------------------------------------------------------------- */

static wi_atomic_u32 flag;
static int message;

static int wait_for_flag(void *arg)
{
    struct weir_task *task = arg;
    while (wi_load_acquire(&flag) == 0)
        wi_park(&task->parker, WEIR_NO_DEADLINE);
    explore_check_eq(message, 5);
    return count_run(task);
}

static void set_flag(void *arg)
{
    struct weir_task *task = arg;
    message = 5;
    wi_store_release(&flag, 1);
    wi_wake(&task->parker);
}

static void a_parked_task_is_woken_from_outside(void)
{
    static weir_task_fn *const functions[] = { wait_for_flag };
    begin(2, 1, functions);
    wi_task_make_ready(&tasks[0], false);
    explore_start(wi_thread_main, &threads[0]);
    explore_start(wi_thread_main, &threads[1]);
    explore_start(set_flag, &tasks[0]);
    explore_join();
    check_runs(1);
}

static int set_flag_and_end(void *arg)
{
    struct weir_task *task = arg;
    set_flag(task - 1);
    return count_run(task);
}

static void a_parked_task_is_woken_by_another(void)
{
    static weir_task_fn *const functions[] = { wait_for_flag, set_flag_and_end };
    begin(2, 2, functions);
    wi_task_make_ready(&tasks[0], false);
    wi_task_make_ready(&tasks[1], false);
    explore_start(wi_thread_main, &threads[0]);
    explore_start(wi_thread_main, &threads[1]);
    explore_join();
    check_runs(2);
}

static int yield_and_end(void *arg)
{
    wi_task_leave(wi_thread_self(), WI_ACTION_YIELD);
    return count_run(arg);
}

static void tasks_that_yield_may_be_stolen(void)
{
    static weir_task_fn *const functions[] = { yield_and_end, yield_and_end };
    begin(2, 2, functions);
    wi_task_make_ready(&tasks[0], false);
    wi_task_make_ready(&tasks[1], false);
    explore_start(wi_thread_main, &threads[0]);
    explore_start(wi_thread_main, &threads[1]);
    explore_join();
    check_runs(2);
}

/* -- ownership --------------------------------------------------------------------------------- */

/* Enters twice, as a task that calls weir does, and uses what is the worker's. */
static int enter_and_leave(void *arg)
{
    for (int i = 0; i < 2; i++) {
        struct wi_worker *worker = wi_worker_enter();
        if (worker != NULL)
            worker->random++;
        wi_worker_leave(worker);
    }
    return count_run(arg);
}

static void take_and_give(void *arg)
{
    struct wi_worker *worker = arg;
    const bool taken = wi_worker_take(worker);
    explore_saw(taken);
    if (taken) {
        worker->random++;
        while (!wi_worker_give(worker))
            explore_pause();
    }
    wi_store_release(&monitor_works, 0);
    monitor_through = true;
}

/* Entry and claim alone, without the scheduler around them. */
static void enter_as_holder(void *arg)
{
    struct wi_thread *thread = arg;
    wi_thread_set_self(thread);
    for (int i = 0; i < 2; i++) {
        struct wi_worker *worker = wi_worker_enter();
        if (worker == NULL) {
            explore_check_eq(wi_load_relaxed(&thread->hog), 1);
            explore_check(thread->worker == NULL);
            return;
        }
        worker->random++;
        wi_worker_leave(worker);
    }
}

static void take(void *arg)
{
    struct wi_worker *worker = arg;
    const bool taken = wi_worker_take(worker);
    explore_saw(taken);
    if (taken)
        worker->random++;
    else
        explore_check_eq(wi_load_relaxed(&wi_rt.hogs), 0);
}

static void choose_handshake(void)
{
    if (explore_choose(2) == 1) {
        explore_without_membarrier();
        wi_handshake_open(false);
    }
}

static void entry_and_claim_exclude_each_other(void)
{
    begin(1, 0, NULL);
    choose_handshake();
    threads[0].depth = 0;
    wi_store_relaxed(&threads[0].state, WI_STATE_USER);
    explore_start(enter_as_holder, &threads[0]);
    explore_start(take, &workers[0]);
    explore_join();
}

static void begin_hog(int task_count, weir_task_fn *const *functions)
{
    begin(1, task_count, functions);
    choose_handshake();
    for (int i = 0; i < task_count; i++)
        wi_task_make_ready(&tasks[i], false);
    explore_start(wi_thread_main, &threads[0]);
    explore_start(wi_thread_main, &threads[1]); /* a spare */
    wi_store_relaxed(&monitor_works, 1);
    monitor_through = false;
    explore_start(take_and_give, &workers[0]);
}

static void a_worker_is_used_by_one_at_a_time(void)
{
    static weir_task_fn *const functions[] = { enter_and_leave };
    begin_hog(1, functions);
    explore_join();
    check_runs(1);
}

static void the_spare_runs_what_the_hog_left(void)
{
    static weir_task_fn *const functions[] = { enter_and_leave, run_once };
    begin_hog(2, functions);
    explore_join();
    check_runs(2);
    explore_check_eq(wi_load_relaxed(&wi_rt.hogs), 0);
}

EXPLORE_MAIN(EXPLORE(a_task_from_outside_wakes_a_worker), EXPLORE(what_a_task_starts_is_run),
             EXPLORE(a_parked_task_is_woken_from_outside),
             EXPLORE(a_parked_task_is_woken_by_another), EXPLORE(tasks_that_yield_may_be_stolen),
             EXPLORE_WITH(entry_and_claim_exclude_each_other, .outcomes = 2, .preemptions = 3),
             EXPLORE_WITH(a_worker_is_used_by_one_at_a_time, .outcomes = 2),
             EXPLORE_WITH(the_spare_runs_what_the_hog_left, .outcomes = 2))
