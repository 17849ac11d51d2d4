/* SPDX-License-Identifier: MIT */
/* Who is at the poller of a `loop`: its thread, or the monitor while a task keeps the thread.
 * Events are told by one of the two, no wake is lost between them, and the poller has one user at a
 * time.
 *
 * explores: task/worker.c task/ready.c task/run.c task/current.c sync/runq.c sync/deque.c waits */
#include "model/scheduler.h"

static void begin_loop(int task_count, weir_task_fn *const *functions)
{
    begin(1, task_count, functions);
    wi_rt.scheduler = WEIR_SCHEDULER_LOOP;
    event_wakes = &tasks[1];
    wi_store_relaxed(&monitor_works, 1);
    monitor_through = false;
}

static void monitor_ends(void)
{
    wi_store_release(&monitor_works, 0);
    monitor_through = true;
}

static volatile bool kept = false; /* a task keeps the thread, and an event has come */
static volatile bool told = false; /* the monitor was there */

__attribute__((no_sanitize_thread)) static bool is_set(void *what)
{
    return *(volatile bool *)what;
}

static void an_event_comes(void *unused)
{
    (void)unused;
    wi_store_seq_cst(&arrived, 1);
    wi_loop_kick(&wi_rt.loop);
}

static int keep_thread(void *arg)
{
    an_event_comes(NULL);
    kept = true;
    explore_block("the monitor has been there", is_set, (void *)&told, WEIR_NO_DEADLINE);
    return count_run(arg);
}

static void stand_in_for_the_kept(void *unused)
{
    (void)unused;
    explore_block("the thread is kept", is_set, (void *)&kept, WEIR_NO_DEADLINE);
    while (wi_worker_stand_in() == 0) /* it may see the poller taken for a while yet */
        explore_pause();
    told = true;
    monitor_ends();
}

static void events_are_told_while_a_task_keeps_the_thread(void)
{
    static weir_task_fn *const functions[] = { keep_thread, run_once };
    begin_loop(2, functions);
    wi_task_make_ready(&tasks[0], false);
    explore_start(wi_thread_main, &threads[0]);
    explore_start(stand_in_for_the_kept, NULL);
    explore_join();
    check_runs(2);
    explore_check_eq(events_told, 1);
}

static void stand_in_once(void *unused)
{
    (void)unused;
    explore_saw(wi_worker_stand_in() > 0);
    monitor_ends();
}

static void an_event_is_told_by_one_of_the_two(void)
{
    static weir_task_fn *const functions[] = { run_once, run_once };
    begin_loop(2, functions);
    wi_task_make_ready(&tasks[0], false);
    explore_start(wi_thread_main, &threads[0]);
    explore_start(stand_in_once, NULL);
    explore_start(an_event_comes, NULL);
    explore_join();
    check_runs(2);
    explore_check_eq(events_told, 1);
}

/* As opener_park() does. */
static void turn_until_woken(void *arg)
{
    struct wi_thread *thread = arg;
    wi_thread_set_self(thread);
    thread->parked = true;
    while (wi_load_acquire(&thread->parker.word) == WI_PARKER_PARKED)
        (void)wi_worker_turn(thread, WEIR_NO_DEADLINE);
}

/* As opener_resume() does. */
static void wake_turner(void *arg)
{
    struct wi_thread *thread = arg;
    wi_store_seq_cst(&thread->parker.word, WI_PARKER_EMPTY);
    wi_loop_kick(&wi_rt.loop);
}

static void a_kick_that_the_monitor_eats_is_not_missed(void)
{
    begin_loop(0, NULL);
    threads[0].depth = 0;
    wi_store_relaxed(&threads[0].state, WI_STATE_USER);
    wi_store_relaxed(&threads[0].parker.word, WI_PARKER_PARKED);
    wi_thread_set_self(&threads[0]);
    wi_worker_adopt(&workers[0], &threads[0]);
    wi_thread_set_self(NULL);
    explore_start(turn_until_woken, &threads[0]);
    explore_start(wake_turner, &threads[0]);
    explore_start(stand_in_once, NULL);
    explore_join();
}

EXPLORE_MAIN(EXPLORE(events_are_told_while_a_task_keeps_the_thread),
             EXPLORE_WITH(an_event_is_told_by_one_of_the_two, .outcomes = 2),
             EXPLORE(a_kick_that_the_monitor_eats_is_not_missed))
