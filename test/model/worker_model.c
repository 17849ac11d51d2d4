/* SPDX-License-Identifier: MIT */
/* The scheduler: workers that run tasks, steal, sleep and are woken; tasks that park and are woken;
 * a monitor that takes a worker from a task that does not come back.  No task is left with
 * everybody asleep, none runs before its registers are saved, and a worker's fields have one user
 * at a time.
 *
 * explores: task/worker.c task/ready.c task/run.c task/current.c sync/runq.c sync/deque.c waits */
#include "model/scheduler.h"

/* -- sleep and wake ---------------------------------------------------------------------------- */

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
