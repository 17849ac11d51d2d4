/* SPDX-License-Identifier: MIT */
/* The scheduler: how a worker finds the next task, runs it, sleeps and is woken.  The ownership
 * word is explained in worker.h.
 *
 * Order of the search: every 61st time the global queue first; the slot of the task woken last (at
 * most LIFO_MAX times in a row); the own queue; the global queue; then, as a searcher, the queues
 * of the others; then sleep, in the poller if nobody else is there.
 *
 * Sleep and wake.  At most one worker is on its way to find work (`searching`), and it wakes the
 * next when it has found some (Go's and tokio's rule).
 *   sleeper: a: enters the idle stack (idle_count, seq_cst); gives `searching` back (seq_cst);
 *            b: looks at all queues once more; then blocks.
 *   pusher:  c: publishes a task; d: reads idle_count and searching (seq_cst); wakes if somebody is
 *            idle and nobody searches.
 * Of a-b and c-d at least one side sees the other: no task is left with every worker asleep.
 *
 * The poller is looked at whenever a worker has nothing to do, and between tasks at intervals of
 * about POLL_NS, counted in task runs and tuned by the clock, so that the clock is not read at
 * every switch.  A worker that leaves the poller with work whose kind runs long has another idle
 * worker take its place there; the monitor looks after the rest.
 *
 * Source: Go's proc.go (spinning threads), tokio's idle.rs; Blumofe and Leiserson 1999. */
#include "task/worker.h"

#include <stddef.h>

#include "arch/context.h"
#include "arch/cpu.h"
#include "base/check.h"
#include "os/clock.h"
#include "os/futex.h"
#include "sync/handshake.h"
#include "task/exceptions.h"
#include "task/held.h"
#include "task/rt.h"
#include "task/runtime.h"

enum {
    GLOBAL_FIRST_EVERY = 61,
    LIFO_MAX = 8,
    POLL_INTERVAL_MAX = 64,
    TIMERS_MAX = 256,
    RUNS_PER_TURN_MAX = 1024,
    INJECT_BATCH_MAX = WI_RUNQ_SLOTS / 2,
};

static const int64_t POLL_NS = 500 * WEIR_NS_PER_US;
static const int64_t LONG_SLICE_NS = 50 * WEIR_NS_PER_US;
static const int64_t SOON_NS = 20 * WEIR_NS_PER_US;
static const int64_t STACK_RETRY_NS = 10 * WEIR_NS_PER_MS;

void wi_worker_init(struct wi_worker *worker, int index)
{
    worker->index = index;
    worker->lifo_left = LIFO_MAX;
    worker->poll_interval = 1;
    worker->slice_mean_ns = LONG_SLICE_NS; /* until it is known */
    wi_store_relaxed(&worker->poll_countdown, 1);
    worker->random = (uint64_t)index * 0x9e3779b97f4a7c15u + 1;
    wi_runq_init(&worker->queue, wi_rt.worker_count > 1);
    wi_wheel_init(&worker->wheel, wi_clock_now());
}

/* -- the global queue ------------------------------------------------------------------------- */

static void inject_push_list(struct weir_task *first, struct weir_task *last, int64_t count)
{
    last->next = NULL;
    wi_lock(&wi_rt.inject_lock);
    if (wi_rt.inject_last == NULL)
        wi_rt.inject_first = first;
    else
        wi_rt.inject_last->next = first;
    wi_rt.inject_last = last;
    wi_store_seq_cst(&wi_rt.inject_count, wi_load_relaxed(&wi_rt.inject_count) + count); /* c */
    wi_unlock(&wi_rt.inject_lock);
}

/* Takes one task from the global queue, and moves a fair share of the rest to the worker's own.
 * Where slices are long it takes one alone: those behind it are as long, and what is woken
 * meanwhile would wait for all of them in the worker's queue. */
static struct weir_task *inject_pop(struct wi_worker *worker)
{
    if (wi_load_relaxed(&wi_rt.inject_count) == 0)
        return NULL;
    wi_lock(&wi_rt.inject_lock);
    int64_t count = wi_load_relaxed(&wi_rt.inject_count);
    int64_t share = worker->slice_mean_ns > LONG_SLICE_NS ? 1 : count / wi_rt.worker_count + 1;
    if (share > INJECT_BATCH_MAX)
        share = INJECT_BATCH_MAX;
    if (share > count)
        share = count;
    struct weir_task *task = wi_rt.inject_first;
    int64_t taken = 0;
    for (; taken < share; taken++) {
        struct weir_task *item = wi_rt.inject_first;
        struct weir_task *rest = item->next; /* once pushed, a thief may run and requeue it */
        if (taken > 0 && !wi_runq_push(&worker->queue, item))
            break;
        wi_rt.inject_first = rest;
    }
    if (wi_rt.inject_first == NULL)
        wi_rt.inject_last = NULL;
    wi_store_seq_cst(&wi_rt.inject_count, count - taken);
    wi_unlock(&wi_rt.inject_lock);
    return task;
}

/* -- too many hogs ---------------------------------------------------------------------------- */

static uint32_t hogs_max(void)
{
    return 2 * (uint32_t)wi_rt.worker_count;
}

static bool too_many_hogs(void)
{
    return wi_load_relaxed(&wi_rt.hogs) > hogs_max();
}

/* Lets the tasks go that stood back; they may have to stand back again. */
static void release_held_back(void)
{
    wi_lock(&wi_rt.inject_lock);
    struct weir_task *first = wi_rt.held_first;
    struct weir_task *last = wi_rt.held_last;
    wi_rt.held_first = NULL;
    wi_rt.held_last = NULL;
    wi_unlock(&wi_rt.inject_lock);
    if (first == NULL)
        return;
    int64_t count = 1;
    for (struct weir_task *task = first; task != last; task = task->next)
        count++;
    inject_push_list(first, last, count);
    wi_worker_wake_one();
}

/* A task that has not started stands back until hogs end.  If they have ended meanwhile, either
 * one_hog_less() finds the task on the list, or we find too few hogs: the lock orders the two. */
static void hold_back(struct weir_task *task)
{
    task->next = NULL;
    wi_lock(&wi_rt.inject_lock);
    if (wi_rt.held_last == NULL)
        wi_rt.held_first = task;
    else
        wi_rt.held_last->next = task;
    wi_rt.held_last = task;
    wi_unlock(&wi_rt.inject_lock);
    if (!too_many_hogs())
        release_held_back();
}

static void one_hog_less(void)
{
    if (wi_sub_acq_rel(&wi_rt.hogs, 1) == hogs_max() + 1)
        release_held_back();
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
        one_hog_less();
        return false;
    }
    wi_store_relaxed(&worker->holder, NULL);
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

/* -- the worker's own queue -------------------------------------------------------------------- */

static void queue_push(struct wi_worker *worker, struct weir_task *task)
{
    while (!wi_runq_push(&worker->queue, task)) {
        void *items[WI_RUNQ_SLOTS / 2];
        int count = wi_runq_spill(&worker->queue, items);
        if (count == 0)
            continue;
        for (int i = 0; i + 1 < count; i++)
            ((struct weir_task *)items[i])->next = items[i + 1];
        inject_push_list(items[0], items[count - 1], count);
        wi_worker_wake_one(); /* d */
    }
}

/* Whether a task that is made ready now will run here sooner than a worker that has to be woken
 * could come for it and bring its own caches up: those before it, and the running one, take a
 * moment by what a slice takes on average.  Where slices are long others shall come at once: the
 * stages of a pipeline run beside each other.  A slice may turn out longer than the average; then
 * the monitor wakes somebody for what waits. */
static bool runs_here_soon(struct wi_worker *worker)
{
    const int64_t before = 1 + (int64_t)wi_runq_own_count(&worker->queue);
    return before * worker->slice_mean_ns <= SOON_NS;
}

void wi_task_start_ready(struct wi_thread *thread, struct weir_task *task)
{
    struct wi_worker *worker = thread->worker;
    const bool quiet = thread->dispatching || (wi_load_relaxed(&thread->task) != NULL &&
                                               (!worker->queue.shared || runs_here_soon(worker)));
    queue_push(worker, task);
    /* Without a task the thread turns a loop, or lets its owner sleep between turns. */
    if (!quiet)
        wi_worker_wake_one(); /* d */
}

/* Puts a task, or none, into the slot of the task woken last; what was there. */
static struct weir_task *next_swap(struct wi_worker *worker, struct weir_task *task)
{
    if (worker->queue.shared)
        return wi_swap_seq_cst(&worker->next, task);
    struct weir_task *before = wi_load_relaxed(&worker->next);
    wi_store_relaxed(&worker->next, task);
    return before;
}

void wi_task_make_ready(struct weir_task *task, bool woken)
{
    struct wi_thread *thread = wi_thread_self();
    struct wi_worker *worker = thread != NULL ? wi_worker_enter_on(thread) : NULL;
    if (worker == NULL) {
        /* The task may have ended, and everything with it, before the wake below is through: so
         * closing waits for us.  Counted before the push, which the task's end comes after. */
        (void)wi_add_relaxed(&wi_rt.outsiders, 1);
        inject_push_list(task, task, 1);
        wi_worker_wake_one();                      /* d */
        (void)wi_sub_acq_rel(&wi_rt.outsiders, 1); /* pairs with weir_close() */
        return;
    }
    const bool turned_from_outside =
        thread->depth == 1 && wi_load_relaxed(&thread->task) == NULL && !thread->dispatching;
    const bool quiet = thread->dispatching || (!turned_from_outside && runs_here_soon(worker));
    if (woken && !thread->dispatching && worker->lifo_left > 0)
        task = next_swap(worker, task); /* c */
    if (task != NULL)
        queue_push(worker, task); /* c */
    wi_worker_leave_on(thread);
    if (!quiet)
        wi_worker_wake_one(); /* d */
}

bool wi_worker_has_work(struct wi_worker *worker)
{
    return wi_load_seq_cst(&worker->next) != NULL || wi_runq_count(&worker->queue) > 0;
}

void wi_worker_look_soon(struct wi_worker *worker)
{
    wi_store_relaxed(&worker->poll_countdown, 1);
}

static bool somebody_has_work(void)
{
    if (wi_load_seq_cst(&wi_rt.inject_count) > 0)
        return true;
    for (int i = 0; i < wi_rt.worker_count; i++) {
        if (wi_worker_has_work(&wi_rt.workers[i]))
            return true;
    }
    return false;
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

static void announce_queued(struct wi_worker *worker)
{
    uint32_t queued = wi_runq_count(&worker->queue);
    if (queued > 1 || (queued == 1 && worker->slice_mean_ns > LONG_SLICE_NS))
        wi_worker_wake_one();
}

/* Handles fetched events; the tasks they make ready are announced once, at the end. */
static int handle_events(struct wi_thread *thread, struct wi_worker *worker, int count)
{
    thread->dispatching = true;
    int handled = wi_loop_handle(&wi_rt.loop, count);
    thread->dispatching = false;
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
    /* What was queued without a word, when slices were short. */
    if (wi_worker_has_work(worker) && !runs_here_soon(worker))
        wi_worker_wake_one();
    int handled = handle_timers(thread, worker, now);
    if (!driver_try())
        return handled;
    wi_store_relaxed(&wi_rt.polled, now);
    return handled + handle_events(thread, worker, wi_loop_wait(&wi_rt.loop, WEIR_DONT_WAIT));
}

/* Blocks until an event, a timer, a wake or the deadline.  The number of things handled. */
static int sleep_idle(struct wi_thread *thread, struct wi_worker *worker, weir_time deadline)
{
    weir_time until = wi_wheel_next(&worker->wheel);
    if (deadline < until)
        until = deadline;
    int handled = 0;
    if (driver_try()) {
        wi_store_seq_cst(&worker->driving, 1);
        if (wi_load_seq_cst(&worker->park_word) != 0)
            until = WEIR_DONT_WAIT;
        int count = wi_loop_wait(&wi_rt.loop, until);
        wi_store_seq_cst(&worker->driving, 0);
        idle_leave(worker);
        handled = handle_events(thread, worker, count);
    } else {
        (void)wi_futex_wait(&worker->park_word, 0, until);
        idle_leave(worker);
    }
    worker->polled = wi_clock_now();
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
        inject_push_list(task, task, 1);
    }
}

/* What lies in the worker's own queue and slot. */
static inline struct weir_task *find_queued(struct wi_worker *worker)
{
    struct weir_task *task;
    if (worker->lifo_left > 0 && wi_load_relaxed(&worker->next) != NULL &&
        (task = next_swap(worker, NULL)) != NULL) {
        worker->lifo_left--;
        return task;
    }
    worker->lifo_left = LIFO_MAX;
    if ((task = wi_runq_pop(&worker->queue)) != NULL)
        return task;
    return wi_load_relaxed(&worker->next) != NULL ? next_swap(worker, NULL) : NULL;
}

static struct weir_task *find_own(struct wi_thread *thread, struct wi_worker *worker)
{
    worker->tick++;
    const int countdown = wi_load_relaxed(&worker->poll_countdown) - 1;
    wi_store_relaxed(&worker->poll_countdown, countdown);
    if (countdown <= 0) {
        release_held(worker);
        (void)poll_now(thread, worker);
    }
    struct weir_task *task;
    if (worker->tick % GLOBAL_FIRST_EVERY == 0 && (task = inject_pop(worker)) != NULL)
        return task;
    task = find_queued(worker);
    return task != NULL ? task : inject_pop(worker);
}

/* The next task if it is at hand and nothing else is due: what a task that leaves switches to
 * without going by way of the scheduler's own stack. */
static struct weir_task *find_at_once(struct wi_worker *worker)
{
    const int countdown = wi_load_relaxed(&worker->poll_countdown);
    if (countdown <= 1 || (worker->tick + 1) % GLOBAL_FIRST_EVERY == 0 || worker->searching)
        return NULL;
    struct weir_task *task = find_queued(worker);
    if (task != NULL) {
        worker->tick++;
        wi_store_relaxed(&worker->poll_countdown, countdown - 1);
    }
    return task;
}

static struct weir_task *steal(struct wi_worker *worker)
{
    const int count = wi_rt.worker_count;
    if (count == 1)
        return NULL;
    worker->random = worker->random * 6364136223846793005u + 1442695040888963407u;
    int start = (int)((worker->random >> 33) % (uint64_t)count);
    for (int i = 0; i < count; i++) {
        struct wi_worker *victim = &wi_rt.workers[(start + i) % count];
        if (victim != worker && wi_runq_steal(&victim->queue, &worker->queue) > 0)
            return wi_runq_pop(&worker->queue);
    }
    for (int i = 0; i < count; i++) {
        struct wi_worker *victim = &wi_rt.workers[(start + i) % count];
        if (victim == worker || wi_load_relaxed(&victim->next) == NULL)
            continue;
        struct weir_task *task = wi_swap_acq_rel(&victim->next, NULL);
        if (task != NULL)
            return task;
    }
    return NULL;
}

/* The next task for this worker, waiting for one; NULL when the runtime stops. */
static struct weir_task *find_task(struct wi_thread *thread, struct wi_worker *worker)
{
    for (;;) {
        struct weir_task *task = find_own(thread, worker);
        if (task == NULL)
            task = steal(worker);
        if (task != NULL) {
            stop_searching(worker);
            return task;
        }
        if (wi_load_acquire(&wi_rt.stopping) != 0)
            return NULL;
        release_held(worker);
        idle_enter(worker);
        if (somebody_has_work() || wi_load_seq_cst(&wi_rt.stopping) != 0) { /* b */
            idle_leave(worker);
            continue;
        }
        weir_time until = WEIR_NO_DEADLINE;
        if (worker->held != NULL)
            until = wi_clock_now() + STACK_RETRY_NS;
        (void)sleep_idle(thread, worker, until);
    }
}

/* -- running ---------------------------------------------------------------------------------- */

static void arrive(struct weir_task *task);

static void task_entry(void *arg)
{
    struct weir_task *task = arg;
    arrive(task);
    wi_task_run(task);
    /* Who waits for the end is told from here, so that the switch can go straight to him: nothing
     * of the task but its record, which the run still holds, and its stack are touched after. */
    (void)wi_worker_enter_on(wi_thread_self()); /* once for all that follows */
    wi_task_finish(task);
    wi_task_leave(WI_ACTION_EXIT);
    wi_bug(__FILE__, __LINE__, "a task that ended does not run again");
}

/* False: no memory for its stack now. */
static bool attach_stack(struct wi_worker *worker, struct weir_task *task)
{
    struct wi_stack *stack;
    if (wi_stack_take(&worker->stacks, task->stack_bytes_wanted, &stack) != 0)
        return false;
    task->stack = stack;
    void *start = wi_stack_start(stack, wi_task_id(task));
    task->context = wi_context_make(start, task_entry, task);
    task->fiber.stack_low = stack->low;
    task->fiber.stack_bytes = wi_stack_bytes(stack);
    task->fiber.fake_stack = NULL;
    wi_tsan_make(&task->fiber);
    return true;
}

static void detach_stack(struct wi_thread *thread, struct weir_task *task)
{
    wi_asan_clear(task->stack->low, wi_stack_bytes(task->stack));
    wi_tsan_drop(&task->fiber);
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
    queue_push(thread->worker, task);
    if (thread->worker->queue.shared)
        wi_worker_wake_one(); /* d */
}

/* What a task that left its stack asked for.  From the PARKED on it may run elsewhere. */
static void finish_switch(struct wi_thread *thread, struct weir_task *task)
{
    check_canary(task);
    switch (thread->action) {
    case WI_ACTION_PARK: {
        /* For dumps, which need no more than about when: the clock is not read here. */
        task->parked_at = thread->worker != NULL ? thread->worker->polled : wi_clock_coarse();
        uint32_t word = WI_PARKER_EMPTY;
        if (!wi_cas_acq_rel(&task->parker.word, &word, WI_PARKER_PARKED)) { /* parker.h: d */
            (void)wi_swap_acq_rel(&task->parker.word, WI_PARKER_EMPTY);
            wi_task_make_ready(task, true);
        }
        return;
    }
    case WI_ACTION_YIELD:
        requeue(thread, task);
        return;
    case WI_ACTION_EXIT:
        detach_stack(thread, task);
        wi_task_drop_run(task);
        return;
    case WI_ACTION_NONE:
        break;
    }
    wi_bug_unless_cmp(thread->action, !=, WI_ACTION_NONE);
}

/* Whether a task that has not run yet may do so now; then it has a stack.  Else it is held. */
static bool may_start(struct wi_worker *worker, struct weir_task *task)
{
    if (too_many_hogs()) {
        hold_back(task);
        return false;
    }
    if (attach_stack(worker, task))
        return true;
    worker->held_until = wi_clock_now() + STACK_RETRY_NS;
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
static void begin_run(struct wi_thread *thread, struct wi_worker *worker, struct weir_task *task)
{
    wi_store_relaxed(&thread->task, task);
    *thread->current = &task->parker;
    wi_store_relaxed(&worker->run_name, wi_load_relaxed(&task->name));
    wi_store_relaxed(&worker->run_site, wi_load_relaxed(&task->site));
    wi_store_relaxed(&worker->runs, wi_load_relaxed(&worker->runs) + 1);
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
    wi_fiber_arrive(&task->fiber);
    struct wi_thread *thread = wi_thread_self();
    finish_left(thread);
    thread->depth = 0;
    wi_store_release(&thread->state, WI_STATE_USER); /* c */
}

/* From the scheduler's own stack. */
static void run_task(struct wi_thread *thread, struct wi_worker *worker, struct weir_task *task)
{
    if (!prepare_run(worker, task))
        return;
    begin_run(thread, worker, task);
    wi_fiber_leave(&thread->fiber, &task->fiber);
    wi_context_switch(&thread->context, task->context);
    wi_fiber_arrive(&thread->fiber);

    /* The worker may be gone: wi_task_leave() has found out. */
    wi_store_relaxed(&thread->task, NULL);
    *thread->current = thread == wi_rt.opener ? &thread->parker : NULL;
    if (thread->worker != NULL)
        wi_store_relaxed(&thread->worker->run_site, NULL);
    finish_left(thread);
}

/* Apart, so that a C program pays one comparison for it. */
__attribute__((noinline)) static void switch_with_exceptions(void **save, void *target)
{
    struct wi_exceptions exceptions;
    wi_exceptions_take(&exceptions);
    wi_context_switch(save, target);
    wi_exceptions_give(&exceptions);
}

void wi_task_leave(enum wi_action action)
{
    struct wi_thread *thread = wi_thread_self();
    /* None: the process was forked inside a task, and the child came back from its function. */
    wi_bug_unless(thread != NULL);
    struct wi_worker *worker = wi_worker_enter_on(thread);
    struct weir_task *task = wi_load_relaxed(&thread->task);
    wi_bug_unless(task != NULL);
    wi_held_check(task);
    thread->depth = 1;
    thread->action = action;
    thread->left = task;
    struct weir_task *next = worker != NULL ? find_at_once(worker) : NULL;
    struct wi_fiber *from = action == WI_ACTION_EXIT ? NULL : &task->fiber;
    void *target = thread->context;
    if (next != NULL && prepare_run(worker, next)) {
        begin_run(thread, worker, next);
        wi_fiber_leave(from, &next->fiber);
        target = next->context;
    } else {
        wi_fiber_leave(from, &thread->fiber);
    }
    if (wi_exceptions_exist())
        switch_with_exceptions(&task->context, target);
    else
        wi_context_switch(&task->context, target);
    arrive(task);
}

/* -- threads ---------------------------------------------------------------------------------- */

/* A thread whose worker was taken has come back from its hog. */
static void end_hog(struct wi_thread *thread)
{
    if (wi_swap_acq_rel(&thread->hog, 0) == 0)
        return;
    one_hog_less();
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
        thread->fiber.stack_low = low;
        thread->fiber.stack_bytes = (size_t)((char *)high - (char *)low);
    }
    wi_tsan_adopt(&thread->fiber);
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
            run_task(thread, thread->worker, task);
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
    bool drives = driver_try();
    wi_bug_unless(drives);
    wi_store_seq_cst(&worker->driving, 1);
    idle_enter(worker);
    wi_loop_rest(&wi_rt.loop);
    if (somebody_has_work())
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
            run_task(thread, worker, task);
            runs = wi_load_relaxed(&worker->runs) - begin;
        }
        done += (int)runs;
        if (pass > 0)
            break;
        idle_enter(worker);
        bool wait = done == 0 && !somebody_has_work();
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
    if (somebody_has_work() || wi_load_acquire(&wi_rt.loop.posts) != NULL)
        return WEIR_DONT_WAIT;
    weir_time until = wi_wheel_next(&worker->wheel);
    const weir_time shared = wi_wheel_next(&wi_rt.loop.wheel);
    if (shared < until)
        until = shared;
    if (worker->held == NULL)
        return until;
    return worker->held_until < until ? worker->held_until : until;
}
