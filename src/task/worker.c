/* SPDX-License-Identifier: MIT */
/* The scheduler: how a worker finds the next task (where it lies: ready.c; how it runs: run.c),
 * sleeps and is woken.  Who holds a worker, and how it is taken away, is told in worker.h.
 *
 * Sleep and wake.  At most one worker is on its way to find work (`searching`), and it wakes the
 * next when it has found some (Go's and tokio's rule).
 *   sleeper: a: enters the idle stack (idle_count, seq_cst); gives `searching` back (seq_cst);
 *            b: looks at all queues once more; then blocks.
 *   pusher:  c: publishes a task; d: reads idle_count and searching (seq_cst); wakes if somebody is
 *            idle and nobody searches.
 * Of a-b and c-d at least one side sees the other: no task is left with every worker asleep.  A
 * pusher that will soon come to the task itself leaves d out (wi_ready_runs_here_soon()): it is
 * awake, and does d at its next look at the poller if the task still lies there.
 *
 * The poller is looked at whenever a worker has nothing to do, and between tasks at intervals of
 * about POLL_NS, counted in task runs and tuned by the clock, so that the clock is not read at
 * every switch.  A worker that leaves the poller with work whose kind runs long has another idle
 * worker take its place there; the monitor looks after the rest.
 *
 * Source: Go's proc.go (spinning threads), tokio's idle.rs. */
#include "task/worker.h"

#include <stddef.h>

#include "arch/cpu.h"
#include "base/check.h"
#include "os/clock.h"
#include "os/futex.h"
#include "sync/handshake.h"
#include "task/exceptions.h"
#include "task/ready.h"
#include "task/rt.h"
#include "task/run.h"
#include "task/runtime.h"

enum {
    POLL_INTERVAL_MAX = 64,
    TIMERS_MAX = 256,
    RUNS_PER_TURN_MAX = 1024,
};

static const int64_t POLL_NS = 500 * WEIR_NS_PER_US;

void wi_worker_init(struct wi_worker *worker, int index)
{
    worker->index = index;
    worker->lifo_left = WI_READY_LIFO_MAX;
    worker->poll_interval = 1;
    worker->slice_mean_ns = WI_LONG_SLICE_NS; /* until it is known */
    wi_store_relaxed(&worker->poll_countdown, 1);
    worker->random = (uint64_t)index * 0x9e3779b97f4a7c15u + 1;
    wi_runq_init(&worker->queue, wi_rt.worker_count > 1);
    wi_deque_init(&worker->fresh, wi_rt.worker_count > 1);
    wi_wheel_init(&worker->wheel, wi_clock_now());
}

/* -- ownership -------------------------------------------------------------------------------- */

bool wi_worker_keeps(struct wi_thread *thread)
{
    uint32_t claim;
    while ((claim = wi_load_acquire(&thread->claim)) == WI_CLAIM_ASKED)
        wi_os_thread_yield();
    if (claim == WI_CLAIM_NONE)
        return true;
    wi_store_relaxed(&thread->claim, WI_CLAIM_NONE);
    thread->worker = NULL;
    return false;
}

struct wi_worker *wi_worker_enter(void)
{
    struct wi_thread *thread = wi_thread_self();
    return thread != NULL ? wi_worker_enter_on(thread) : NULL;
}

void wi_worker_leave(struct wi_worker *worker)
{
    if (worker != NULL)
        wi_worker_leave_on(wi_thread_self());
}

bool wi_worker_take(struct wi_worker *worker)
{
    struct wi_thread *thread = wi_load_acquire(&worker->holder);
    if (thread == NULL || wi_load_relaxed(&thread->state) != WI_STATE_USER)
        return false;
    /* Before the claim: once that says TAKEN the thread may come back at any moment. */
    (void)wi_add_acq_rel(&wi_rt.hogs, 1);
    wi_store_relaxed(&thread->hog, 1);
    wi_store_seq_cst(&thread->claim, WI_CLAIM_ASKED); /* d */
    wi_handshake_barrier();
    if (wi_load_seq_cst(&thread->state) != WI_STATE_USER) { /* e */
        wi_store_relaxed(&thread->hog, 0);
        wi_store_release(&thread->claim, WI_CLAIM_NONE);
        wi_ready_one_hog_less();
        return false;
    }
    wi_store_relaxed(&worker->holder, NULL);
    wi_store_relaxed(&worker->metered_since, 0);
    wi_store_release(&thread->claim, WI_CLAIM_TAKEN);
    return true;
}

bool wi_worker_give(struct wi_worker *worker)
{
    wi_lock(&wi_rt.thread_lock);
    struct wi_thread *spare = wi_rt.spares;
    if (spare != NULL)
        wi_rt.spares = spare->next_spare;
    wi_unlock(&wi_rt.thread_lock);
    if (spare == NULL)
        return wi_thread_create(worker) == 0;
    spare->worker = worker;
    wi_store_release(&worker->holder, spare);
    wi_store_release(&spare->wake, 1); /* f */
    wi_futex_wake(&spare->wake, 1);
    return true;
}

/* -- sleep and wake --------------------------------------------------------------------------- */

void wi_worker_wake_one(void)
{
    if (wi_load_seq_cst(&wi_rt.idle_count) == 0)
        return;
    uint32_t none = 0;
    if (!wi_cas_seq_cst(&wi_rt.searching, &none, 1))
        return;
    struct wi_worker *worker = NULL;
    wi_lock(&wi_rt.idle_lock);
    uint32_t count = wi_load_relaxed(&wi_rt.idle_count);
    if (count > 0) {
        worker = wi_rt.idle[count - 1];
        worker->idle = false;
        wi_store_seq_cst(&wi_rt.idle_count, count - 1);
    }
    wi_unlock(&wi_rt.idle_lock);
    if (worker == NULL) {
        (void)wi_sub_seq_cst(&wi_rt.searching, 1);
        return;
    }
    wi_store_seq_cst(&worker->park_word, 1);
    if (wi_load_seq_cst(&worker->driving) != 0)
        wi_loop_kick(&wi_rt.loop);
    else
        wi_futex_wake(&worker->park_word, 1);
}

void wi_worker_wake_all(void)
{
    for (int i = 0; i < wi_rt.worker_count; i++) {
        wi_store_seq_cst(&wi_rt.workers[i].park_word, 1);
        wi_futex_wake(&wi_rt.workers[i].park_word, 1);
    }
    wi_loop_kick(&wi_rt.loop);
    wi_lock(&wi_rt.thread_lock);
    for (struct wi_thread *spare = wi_rt.spares; spare != NULL; spare = spare->next_spare) {
        wi_store_release(&spare->wake, 1);
        wi_futex_wake(&spare->wake, 1);
    }
    wi_unlock(&wi_rt.thread_lock);
}

static void idle_enter(struct wi_worker *worker)
{
    /* Sequentially consistent: either wi_worker_wake_all() comes after it, or b sees `stopping`. */
    wi_store_seq_cst(&worker->park_word, 0);
    wi_lock(&wi_rt.idle_lock);
    uint32_t count = wi_load_relaxed(&wi_rt.idle_count);
    wi_rt.idle[count] = worker;
    worker->idle = true;
    wi_store_seq_cst(&wi_rt.idle_count, count + 1); /* a */
    wi_unlock(&wi_rt.idle_lock);
    if (worker->searching) {
        worker->searching = false;
        (void)wi_sub_seq_cst(&wi_rt.searching, 1);
    }
}

static void idle_leave(struct wi_worker *worker)
{
    wi_lock(&wi_rt.idle_lock);
    if (worker->idle) {
        uint32_t count = wi_load_relaxed(&wi_rt.idle_count);
        uint32_t at = 0;
        while (wi_rt.idle[at] != worker)
            at++;
        wi_rt.idle[at] = wi_rt.idle[count - 1];
        worker->idle = false;
        wi_store_seq_cst(&wi_rt.idle_count, count - 1);
    } else {
        worker->searching = true; /* wi_worker_wake_one() has counted it */
    }
    wi_unlock(&wi_rt.idle_lock);
    wi_monitor_notice();
}

static void stop_searching(struct wi_worker *worker)
{
    if (!worker->searching)
        return;
    worker->searching = false;
    /* The last searcher that found work has the next one look for more. */
    if (wi_sub_seq_cst(&wi_rt.searching, 1) == 1)
        wi_worker_wake_one();
}

/* -- the poller ------------------------------------------------------------------------------- */

static bool driver_try(void)
{
    uint32_t nobody = 0;
    return wi_load_relaxed(&wi_rt.driver) == 0 && wi_cas_acquire(&wi_rt.driver, &nobody, 1);
}

static void driver_release(void)
{
    wi_store_release(&wi_rt.driver, 0);
}

/* worker.h: i.  For who must have it under `loop`, where only the monitor can be there instead.
 * Whether what the caller has looked at holds: the monitor has not been there meanwhile. */
static bool driver_take(void)
{
    while (!driver_try())
        (void)wi_futex_wait(&wi_rt.driver, 1, WEIR_NO_DEADLINE);
    const bool holds = !wi_rt.stood_in;
    wi_rt.stood_in = false;
    return holds;
}

int wi_worker_stand_in(void)
{
    if (!driver_try()) /* g */
        return 0;
    const int handled = wi_loop_turn(&wi_rt.loop, WEIR_DONT_WAIT);
    wi_rt.stood_in = true;
    driver_release(); /* h */
    wi_futex_wake(&wi_rt.driver, 1);
    return handled;
}

static void announce_queued(struct wi_worker *worker)
{
    uint32_t queued = wi_runq_count(&worker->queue) + wi_deque_count(&worker->fresh);
    if (queued > 1 || (queued == 1 && worker->slice_mean_ns > WI_LONG_SLICE_NS))
        wi_worker_wake_one();
}

/* Handles fetched events; the tasks they make ready are announced once, at the end.  *looked is
 * when they were handled. */
static int handle_events(struct wi_thread *thread, struct wi_worker *worker, int count,
                         weir_time *looked)
{
    thread->dispatching = true;
    int handled = wi_loop_handle(&wi_rt.loop, count);
    thread->dispatching = false;
    *looked = wi_rt.loop.looked;
    driver_release();
    announce_queued(worker);
    return handled;
}

/* The same for the worker's timers.  Their tasks run in the order of their instants: the slot of
 * the task woken last would let the latest run first. */
static int handle_timers(struct wi_thread *thread, struct wi_worker *worker, weir_time now)
{
    thread->dispatching = true;
    int fired = wi_wheel_advance(&worker->wheel, now, TIMERS_MAX);
    thread->dispatching = false;
    if (fired > 0)
        announce_queued(worker);
    return fired;
}

/* Looks at poller and timers without blocking, and tunes the interval until the next time. */
static int poll_now(struct wi_thread *thread, struct wi_worker *worker)
{
    weir_time now = wi_clock_now();
    int64_t elapsed = now - worker->polled;
    const int64_t runs = (int64_t)(wi_load_relaxed(&worker->runs) - worker->polled_runs);
    if (runs > 0) {
        /* Up at once, down by halves: among hogs a short run or two says little of the next. */
        const int64_t mean = elapsed / runs;
        const int64_t faded = (worker->slice_mean_ns + mean) / 2;
        worker->slice_mean_ns = mean > faded ? mean : faded;
        int64_t interval = POLL_NS / (worker->slice_mean_ns + 1);
        worker->poll_interval = interval < 1 ? 1 : (int)interval;
        if (interval > POLL_INTERVAL_MAX)
            worker->poll_interval = POLL_INTERVAL_MAX;
    }
    wi_store_relaxed(&worker->poll_countdown, worker->poll_interval);
    worker->polled = now;
    worker->polled_runs = wi_load_relaxed(&worker->runs);
    wi_ready_age(worker, now);
    /* What was queued without a word, when slices were short. */
    if (wi_worker_has_work(worker) && !wi_ready_runs_here_soon(worker))
        wi_worker_wake_one();
    int handled = handle_timers(thread, worker, now);
    if (!driver_try())
        return handled;
    wi_store_relaxed(&wi_rt.polled, now);
    return handled + handle_events(thread, worker, wi_loop_wait(&wi_rt.loop, WEIR_DONT_WAIT), &now);
}

/* Whether the worker shall sleep in the poller; else somebody else is there. */
static bool takes_poller(weir_time *until)
{
    if (wi_rt.scheduler != WEIR_SCHEDULER_LOOP)
        return driver_try();
    if (!driver_take())
        *until = WEIR_DONT_WAIT;
    return true;
}

/* Blocks until an event, a timer, a wake or the deadline.  The number of things handled. */
static int sleep_idle(struct wi_thread *thread, struct wi_worker *worker, weir_time deadline)
{
    weir_time until = wi_wheel_next(&worker->wheel);
    if (deadline < until)
        until = deadline;
    int handled = 0;
    if (takes_poller(&until)) {
        wi_store_seq_cst(&worker->driving, 1);
        if (wi_load_seq_cst(&worker->park_word) != 0)
            until = WEIR_DONT_WAIT;
        int count = wi_loop_wait(&wi_rt.loop, until);
        wi_store_seq_cst(&worker->driving, 0);
        idle_leave(worker);
        handled = handle_events(thread, worker, count, &worker->polled);
    } else {
        (void)wi_futex_wait(&worker->park_word, 0, until);
        idle_leave(worker);
        worker->polled = wi_clock_now();
    }
    worker->polled_runs = wi_load_relaxed(&worker->runs);
    wi_store_relaxed(&wi_rt.polled, worker->polled);
    wi_store_relaxed(&worker->poll_countdown, worker->poll_interval);
    return handled + handle_timers(thread, worker, worker->polled);
}

/* -- the search ------------------------------------------------------------------------------- */

/* Tasks for which there was no stack go to the global queue once they may try again. */
static void release_held(struct wi_worker *worker)
{
    if (worker->held == NULL || wi_clock_now() < worker->held_until)
        return;
    /* The list is a stack: turned round, those that came first go first. */
    struct weir_task *oldest = NULL;
    while (worker->held != NULL) {
        struct weir_task *task = worker->held;
        worker->held = task->next;
        task->next = oldest;
        oldest = task;
    }
    while (oldest != NULL) {
        struct weir_task *task = oldest;
        oldest = task->next;
        wi_ready_push_global(task, task, 1);
    }
}

static struct weir_task *find_own(struct wi_thread *thread, struct wi_worker *worker)
{
    struct weir_task *task;
    const int countdown = wi_load_relaxed(&worker->poll_countdown) - 1;
    wi_store_relaxed(&worker->poll_countdown, countdown);
    if (countdown <= 0) {
        release_held(worker);
        (void)poll_now(thread, worker);
        const uint64_t runs = wi_load_relaxed(&worker->runs);
        if (runs - worker->global_first_at >= WI_READY_GLOBAL_FIRST_AFTER) {
            worker->global_first_at = runs;
            if ((task = wi_ready_pop_global(worker)) != NULL)
                return task;
        }
    }
    if ((task = wi_ready_pop(worker)) != NULL || (task = wi_ready_pop_global(worker)) != NULL)
        return task;
    return wi_ready_pop_backlog(worker);
}

/* The next task for this worker, waiting for one; NULL when the runtime stops. */
static struct weir_task *find_task(struct wi_thread *thread, struct wi_worker *worker)
{
    for (;;) {
        struct weir_task *task = find_own(thread, worker);
        if (task == NULL)
            task = wi_ready_steal(worker);
        if (task != NULL) {
            stop_searching(worker);
            return task;
        }
        if (wi_load_acquire(&wi_rt.stopping) != 0)
            return NULL;
        release_held(worker);
        idle_enter(worker);
        if (wi_ready_anywhere() || wi_load_seq_cst(&wi_rt.stopping) != 0) { /* b */
            idle_leave(worker);
            continue;
        }
        weir_time until = WEIR_NO_DEADLINE;
        if (worker->held != NULL)
            until = wi_clock_now() + WI_STACK_RETRY_NS;
        (void)sleep_idle(thread, worker, until);
    }
}

/* -- threads ---------------------------------------------------------------------------------- */

/* A thread whose worker was taken has come back from its hog. */
static void end_hog(struct wi_thread *thread)
{
    if (wi_swap_acq_rel(&thread->hog, 0) == 0)
        return;
    wi_ready_one_hog_less();
}

/* Waits among the spares until a worker is given.  False when the runtime stops. */
static bool wait_for_worker(struct wi_thread *thread)
{
    if (thread->worker != NULL)
        return true;
    wi_store_relaxed(&thread->wake, 0);
    wi_lock(&wi_rt.thread_lock);
    thread->next_spare = wi_rt.spares;
    wi_rt.spares = thread;
    wi_unlock(&wi_rt.thread_lock);
    for (;;) {
        if (wi_load_acquire(&thread->wake) != 0 && thread->worker != NULL)
            return true;
        if (wi_load_acquire(&wi_rt.stopping) != 0)
            return false;
        (void)wi_futex_wait(&thread->wake, 0, WEIR_NO_DEADLINE);
    }
}

void wi_thread_begin(struct wi_thread *thread)
{
    thread->current = wi_current_place();
    *thread->current = thread == wi_rt.opener ? &thread->parker : NULL;
    void *low = NULL;
    void *high = NULL;
    if (wi_os_thread_stack(&low, &high) == 0) {
        thread->stack_low = low;
        thread->stack_bytes = (size_t)((char *)high - (char *)low);
    }
    wi_fiber_on(wi_fiber_of(thread), thread->stack_low, thread->stack_bytes);
    wi_tsan_adopt(wi_fiber_of(thread));
}

void wi_thread_main(void *arg)
{
    struct wi_thread *thread = arg;
    wi_thread_set_self(thread);
    wi_thread_begin(thread);
    while (wait_for_worker(thread)) {
        while (thread->worker != NULL) {
            struct weir_task *task = find_task(thread, thread->worker);
            if (task == NULL)
                goto stopped;
            wi_run(thread, thread->worker, task);
        }
        end_hog(thread);
    }
stopped:
    wi_thread_set_self(NULL);
}

/* Between turns the worker counts as asleep in the poller, so that whoever makes a task ready
 * kicks, which makes the poller's descriptor readable. */
static void rest_between_turns(struct wi_worker *worker)
{
    const bool holds = driver_take();
    wi_store_seq_cst(&worker->driving, 1);
    idle_enter(worker);
    wi_loop_rest(&wi_rt.loop);
    if (!holds || wi_ready_anywhere())
        wi_loop_kick(&wi_rt.loop);
}

void wi_worker_adopt(struct wi_worker *worker, struct wi_thread *thread)
{
    thread->depth = 1;
    wi_store_relaxed(&worker->holder, thread);
    rest_between_turns(worker);
    wi_worker_leave(worker);
}

int wi_worker_turn(struct wi_thread *thread, weir_time deadline)
{
    struct wi_worker *worker = wi_worker_enter();
    wi_bug_unless(worker != NULL);
    wi_bug_unless_cmp(thread->depth, ==, 1);
    struct wi_exceptions exceptions; /* the opener may wait in a catch block */
    wi_exceptions_take(&exceptions);
    idle_leave(worker);
    stop_searching(worker);
    wi_store_seq_cst(&worker->driving, 0);
    wi_loop_resume(&wi_rt.loop);
    driver_release();
    release_held(worker);

    int done = 0;
    for (int pass = 0; pass < 2; pass++) {
        /* A run may go on to others by itself, until the poller is due. */
        const uint64_t begin = wi_load_relaxed(&worker->runs);
        uint64_t runs = 0;
        while (runs < RUNS_PER_TURN_MAX) {
            struct weir_task *task = find_own(thread, worker);
            if (task == NULL)
                break;
            wi_run(thread, worker, task);
            runs = wi_load_relaxed(&worker->runs) - begin;
        }
        done += (int)runs;
        if (pass > 0)
            break;
        idle_enter(worker);
        bool wait = done == 0 && !wi_ready_anywhere();
        /* Whoever woke the opener kicked too, but the look at the poller between two tasks may have
         * taken that kick already. */
        if (thread->parked && wi_load_acquire(&thread->parker.word) != WI_PARKER_PARKED)
            wait = false;
        weir_time until = wait ? deadline : WEIR_DONT_WAIT;
        if (worker->held != NULL && worker->held_until < until)
            until = worker->held_until;
        done += sleep_idle(thread, worker, until);
        stop_searching(worker);
    }

    rest_between_turns(worker);
    wi_worker_leave(worker);
    wi_exceptions_give(&exceptions);
    if (wi_monitor_loop() == NULL)
        wi_runtime_drain_log();
    return done;
}

weir_time wi_worker_turn_deadline(struct wi_worker *worker)
{
    if (wi_ready_anywhere() || wi_load_acquire(&wi_rt.loop.posts) != NULL)
        return WEIR_DONT_WAIT;
    weir_time until = wi_wheel_next(&worker->wheel);
    const weir_time shared = wi_wheel_next(&wi_rt.loop.wheel);
    if (shared < until)
        until = shared;
    if (worker->held == NULL)
        return until;
    return worker->held_until < until ? worker->held_until : until;
}
