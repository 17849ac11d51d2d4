/* SPDX-License-Identifier: MIT */
/* Where ready tasks lie, and which is next.
 *
 * Order of the search: the global queue first, once in 61 runs or a few more (it is seen to when
 * the poller is looked at); the slot of the task woken last, or else the task spawned last (at most
 * LIFO_MAX times in a row); the own queue; the global queue; the backlog; then, as a searcher, what
 * lies on others.
 *
 * Newest first for what a task spawns: a tree of tasks then needs no more stacks than it is deep,
 * and finds its memory in the cache (bench/core.py --rows skynet: a quarter of the time of first
 * come, first served).  It holds only among the last 128 spawns of a worker; older ones go to the
 * backlog, which all workers share and which comes last.  So that newer spawns do not keep an old
 * one from beginning for ever, what nobody has come to for AGE_NS goes to the queue: a few of the
 * worker's own at a time, and a part of the backlog that grows with it.  What comes from outside,
 * from the poller and from yields is served in its order; so is everything under `loop`.
 *
 * Threads: a worker's queue, deque and slot have their own protocols; the lists of the runtime are
 * guarded by inject_lock.  Steps c and d, publishing a task and looking for sleepers, are those of
 * worker.c.
 *
 * Source: Go's proc.go and tokio's idle.rs for slot, ring and global queue; Blumofe and Leiserson
 * 1999 for newest first here and oldest first for thieves. */
#include "task/ready.h"

#include <stddef.h>

#include "base/check.h"
#include "task/rt.h"
#include "task/runtime.h"

enum {
    AGED_AT_ONCE = 4,
    LIFO_MAX = WI_READY_LIFO_MAX,
    BACKLOG_BATCH_MAX = WI_DEQUE_SLOTS / 2,
    INJECT_BATCH_MAX = WI_RUNQ_SLOTS / 2,
};

static const int64_t SOON_NS = 20 * WEIR_NS_PER_US;
static const int64_t AGE_NS = 10 * WEIR_NS_PER_MS;

static void fresh_push(struct wi_worker *worker, struct weir_task *task);

/* Appends a chain.  Whether the list was empty. */
static bool append(struct wi_task_list *list, struct weir_task *first, struct weir_task *last)
{
    const bool was_empty = list->first == NULL;
    last->next = NULL;
    if (was_empty)
        list->first = first;
    else
        list->last->next = first;
    list->last = last;
    return was_empty;
}

/* A fair part of what all workers share: at least one, at most `most`.  Where slices are long it is
 * one alone: those behind it are as long, and what is woken meanwhile would wait for all of them in
 * the worker's queue. */
static int64_t fair_share(const struct wi_worker *worker, int64_t count, int64_t most)
{
    if (worker->slice_mean_ns > WI_LONG_SLICE_NS)
        return 1;
    const int64_t share = count / wi_rt.worker_count + 1;
    return share < most ? share : most;
}

/* -- the global queue ------------------------------------------------------------------------- */

void wi_ready_push_global(struct weir_task *first, struct weir_task *last, int64_t count)
{
    wi_lock(&wi_rt.inject_lock);
    (void)append(&wi_rt.inject, first, last);
    wi_store_seq_cst(&wi_rt.inject_count, wi_load_relaxed(&wi_rt.inject_count) + count); /* c */
    wi_unlock(&wi_rt.inject_lock);
}

struct weir_task *wi_ready_pop_global(struct wi_worker *worker)
{
    if (wi_load_relaxed(&wi_rt.inject_count) == 0)
        return NULL;
    wi_lock(&wi_rt.inject_lock);
    int64_t count = wi_load_relaxed(&wi_rt.inject_count);
    int64_t share = fair_share(worker, count, INJECT_BATCH_MAX);
    if (share > count)
        share = count;
    struct weir_task *task = wi_rt.inject.first;
    int64_t taken = 0;
    for (; taken < share; taken++) {
        struct weir_task *item = wi_rt.inject.first;
        struct weir_task *rest = item->next; /* once pushed, a thief may run and requeue it */
        if (taken > 0 && !wi_runq_push(&worker->queue, item))
            break;
        wi_rt.inject.first = rest;
    }
    wi_store_seq_cst(&wi_rt.inject_count, count - taken);
    wi_unlock(&wi_rt.inject_lock);
    return task;
}

/* -- the backlog: spawned, not begun, and crowded out by newer spawns -------------------------- */

static void backlog_push_list(struct weir_task *first, struct weir_task *last, int64_t count,
                              weir_time now)
{
    wi_lock(&wi_rt.inject_lock);
    if (append(&wi_rt.backlog, first, last))
        wi_store_relaxed(&wi_rt.backlog_taken, now);
    wi_store_seq_cst(&wi_rt.backlog_count, wi_load_relaxed(&wi_rt.backlog_count) + count); /* c */
    wi_unlock(&wi_rt.inject_lock);
}

/* Takes up to `want` tasks, the oldest first, into `items`.  How many. */
static int backlog_take(struct weir_task **items, int64_t want, weir_time now)
{
    int taken = 0;
    wi_lock(&wi_rt.inject_lock);
    while (taken < want && wi_rt.backlog.first != NULL) {
        items[taken] = wi_rt.backlog.first;
        wi_rt.backlog.first = items[taken]->next;
        taken++;
    }
    wi_store_seq_cst(&wi_rt.backlog_count, wi_load_relaxed(&wi_rt.backlog_count) - taken);
    wi_store_relaxed(&wi_rt.backlog_taken, now);
    wi_unlock(&wi_rt.inject_lock);
    return taken;
}

/* Takes one task, and a fair share of the rest to the worker's own, where the oldest is next. */
struct weir_task *wi_ready_pop_backlog(struct wi_worker *worker)
{
    const int64_t count = wi_load_relaxed(&wi_rt.backlog_count);
    if (count == 0)
        return NULL;
    struct weir_task *items[BACKLOG_BATCH_MAX];
    const int64_t share = fair_share(worker, count, BACKLOG_BATCH_MAX);
    const int taken = backlog_take(items, share, worker->polled);
    for (int i = taken - 1; i > 0; i--)
        fresh_push(worker, items[i]);
    return taken > 0 ? items[0] : NULL;
}

/* -- too many hogs ---------------------------------------------------------------------------- */

static uint32_t hogs_max(void)
{
    return 2 * (uint32_t)wi_rt.worker_count;
}

bool wi_ready_too_many_hogs(void)
{
    return wi_load_relaxed(&wi_rt.hogs) > hogs_max();
}

/* Lets the tasks go that stood back; they may have to stand back again. */
static void release_held_back(void)
{
    wi_lock(&wi_rt.inject_lock);
    const struct wi_task_list released = wi_rt.held;
    wi_rt.held.first = NULL;
    wi_unlock(&wi_rt.inject_lock);
    if (released.first == NULL)
        return;
    int64_t count = 1;
    for (struct weir_task *task = released.first; task != released.last; task = task->next)
        count++;
    wi_ready_push_global(released.first, released.last, count);
    wi_worker_wake_one();
}

void wi_ready_hold_back(struct weir_task *task)
{
    wi_lock(&wi_rt.inject_lock);
    (void)append(&wi_rt.held, task, task);
    wi_unlock(&wi_rt.inject_lock);
    if (!wi_ready_too_many_hogs())
        release_held_back();
}

void wi_ready_one_hog_less(void)
{
    if (wi_sub_acq_rel(&wi_rt.hogs, 1) == hogs_max() + 1)
        release_held_back();
}

/* -- the worker's own queue -------------------------------------------------------------------- */

/* Full: the older half goes to the global queue. */
void wi_ready_push_full(struct wi_worker *worker, struct weir_task *task)
{
    while (!wi_runq_push(&worker->queue, task)) {
        void *items[WI_RUNQ_SLOTS / 2];
        int count = wi_runq_spill(&worker->queue, items);
        if (count == 0)
            continue;
        for (int i = 0; i + 1 < count; i++)
            ((struct weir_task *)items[i])->next = items[i + 1];
        wi_ready_push_global(items[0], items[count - 1], count);
        wi_worker_wake_one(); /* d */
    }
}

/* What does not fit any more has lain there longest. */
__attribute__((noinline)) static void fresh_push_full(struct wi_worker *worker,
                                                      struct weir_task *task)
{
    while (!wi_deque_push(&worker->fresh, task)) {
        struct weir_task *first = wi_deque_pop_oldest(&worker->fresh);
        struct weir_task *last = first;
        int count = first != NULL;
        for (; last != NULL && count < WI_DEQUE_SLOTS / 2; count++) {
            last->next = wi_deque_pop_oldest(&worker->fresh);
            if (last->next == NULL)
                break;
            last = last->next;
        }
        if (first == NULL)
            continue;
        backlog_push_list(first, last, count, worker->polled);
        wi_worker_wake_one(); /* d */
    }
}

static void fresh_push(struct wi_worker *worker, struct weir_task *task)
{
    if (wi_unlikely(!wi_deque_push(&worker->fresh, task)))
        fresh_push_full(worker, task);
}

bool wi_ready_runs_here_soon(struct wi_worker *worker)
{
    const int64_t before =
        1 + (int64_t)wi_runq_own_count(&worker->queue) + (int64_t)wi_deque_count(&worker->fresh);
    return before * worker->slice_mean_ns <= SOON_NS;
}

void wi_task_start_ready(struct wi_thread *thread, struct weir_task *task)
{
    struct wi_worker *worker = thread->worker;
    const bool quiet =
        thread->dispatching || (wi_load_relaxed(&thread->task) != NULL &&
                                (!worker->queue.shared || wi_ready_runs_here_soon(worker)));
    /* Under `loop` tasks begin in the order of their spawns, as asyncio's do. */
    if (wi_load_relaxed(&thread->task) != NULL && wi_rt.scheduler == WEIR_SCHEDULER_TASKS)
        fresh_push(worker, task); /* c */
    else
        wi_ready_push(worker, task); /* c */
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
        wi_ready_push_global(task, task, 1);
        wi_worker_wake_one();                      /* d */
        (void)wi_sub_acq_rel(&wi_rt.outsiders, 1); /* pairs with weir_close() */
        return;
    }
    const bool turned_from_outside =
        thread->depth == 1 && wi_load_relaxed(&thread->task) == NULL && !thread->dispatching;
    const bool quiet =
        thread->dispatching ||
        (!turned_from_outside && (!worker->queue.shared || wi_ready_runs_here_soon(worker)));
    if (woken && !thread->dispatching && worker->lifo_left > 0)
        task = next_swap(worker, task); /* c */
    if (task != NULL)
        wi_ready_push(worker, task); /* c */
    wi_worker_leave_on(thread);
    if (!quiet)
        wi_worker_wake_one(); /* d */
}

bool wi_worker_has_work(struct wi_worker *worker)
{
    return wi_load_seq_cst(&worker->next) != NULL || wi_runq_count(&worker->queue) > 0 ||
           wi_deque_count(&worker->fresh) > 0;
}

void wi_worker_look_soon(struct wi_worker *worker)
{
    wi_store_relaxed(&worker->poll_countdown, 1);
}

bool wi_ready_anywhere(void)
{
    if (wi_load_seq_cst(&wi_rt.inject_count) > 0 || wi_load_seq_cst(&wi_rt.backlog_count) > 0)
        return true;
    for (int i = 0; i < wi_rt.worker_count; i++) {
        if (wi_worker_has_work(&wi_rt.workers[i]))
            return true;
    }
    return false;
}

/* -- what lies too long -------------------------------------------------------------------- */

/* Newer spawns must not keep old ones from beginning for ever: what nobody has come to for AGE_NS
 * goes to the queue, a part of the backlog that grows with it, and a few of the worker's own. */
static void age_backlog(struct wi_worker *worker, weir_time now)
{
    const int64_t count = wi_load_relaxed(&wi_rt.backlog_count);
    if (count == 0 || now - wi_load_relaxed(&wi_rt.backlog_taken) < AGE_NS)
        return;
    struct weir_task *items[BACKLOG_BATCH_MAX];
    int64_t share = AGED_AT_ONCE + count / 8;
    if (share > BACKLOG_BATCH_MAX)
        share = BACKLOG_BATCH_MAX;
    const int taken = backlog_take(items, share, now);
    for (int i = 0; i < taken; i++)
        wi_ready_push(worker, items[i]);
}

static void age_fresh(struct wi_worker *worker, weir_time now)
{
    const uint32_t top = wi_load_relaxed(&worker->fresh.top);
    if (wi_deque_count(&worker->fresh) == 0 || top != worker->aging_top) {
        worker->aging_top = top;
        worker->aging_since = now;
        return;
    }
    if (now - worker->aging_since < AGE_NS)
        return;
    for (int i = 0; i < AGED_AT_ONCE; i++) {
        struct weir_task *oldest = wi_deque_pop_oldest(&worker->fresh);
        if (oldest != NULL)
            wi_ready_push(worker, oldest);
    }
}

void wi_ready_age(struct wi_worker *worker, weir_time now)
{
    age_fresh(worker, now);
    age_backlog(worker, now);
}

/* -- finding ---------------------------------------------------------------------------------- */

/* The task woken last, else the one spawned last: their memory is hot. */
static inline struct weir_task *find_newest(struct wi_worker *worker)
{
    struct weir_task *task = NULL;
    if (wi_load_relaxed(&worker->next) != NULL)
        task = next_swap(worker, NULL);
    return task != NULL ? task : wi_deque_pop(&worker->fresh);
}

/* What lies on the worker itself. */
struct weir_task *wi_ready_pop(struct wi_worker *worker)
{
    struct weir_task *task;
    if (worker->lifo_left > 0 && (task = find_newest(worker)) != NULL) {
        worker->lifo_left--;
        return task;
    }
    worker->lifo_left = LIFO_MAX;
    if ((task = wi_runq_pop(&worker->queue)) != NULL)
        return task;
    return find_newest(worker);
}

struct weir_task *wi_ready_steal(struct wi_worker *worker)
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
        struct weir_task *task = victim != worker ? wi_deque_steal(&victim->fresh) : NULL;
        if (task != NULL)
            return task;
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
