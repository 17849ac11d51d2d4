/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_WORKER_H
#define WI_TASK_WORKER_H

/* Workers, the threads that hold them, and the ownership word.
 *
 * A worker is a scheduling context: run queue, timers, stack cache.  A thread holds at most one and
 * runs tasks in it; the thread's own stack is the scheduler's context, so after every switch back
 * the scheduler looks at its thread anew: the worker may be gone.
 *
 * Ownership word of a worker: the holding thread's address, with one bit of state.
 *   USER     the thread runs a task's own code: the monitor may take the worker
 *   RUNTIME  the thread (or the monitor) works on the worker's fields: nobody else may
 * Protocol.
 *   a: wi_worker_enter(): CAS (thread, USER) -> (thread, RUNTIME), acquire.  If it fails, the
 *      worker was taken, and the thread notes that it has none; acquire here too, since it must see
 *      the `hog` that the monitor wrote before c.
 *   b: wi_worker_leave() and the start of a task: store (thread, USER), release.
 *   c: monitor: CAS (thread, USER) -> (nobody, RUNTIME), acquire-release; pairs with b and a.
 *   d: the monitor hands it to a spare thread: store (spare, RUNTIME), release, then the spare's
 *      wake word; the spare's acquire of that word pairs with it.
 * A thread that comes back to its scheduler without a worker has queued its task globally and waits
 * among the spares. */

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "loop/wheel.h"
#include "os/thread.h"
#include "sync/runq.h"
#include "task/sanitize.h"
#include "task/stack.h"
#include "task/task.h"

enum wi_action {
    WI_ACTION_NONE,
    WI_ACTION_PARK,
    WI_ACTION_YIELD,
    WI_ACTION_EXIT
};

struct wi_thread {
    /* owner: the thread; `worker` also the monitor, while the thread waits as a spare */
    struct wi_worker *worker;
    struct weir_task *task; /* that runs on it now */
    void *context;          /* the scheduler's, while a task runs */
    int depth;              /* > 0: inside the runtime, the worker's word says RUNTIME */
    enum wi_action action;  /* what the task that just left wants done with it */
    bool dispatching;       /* handles events: wakes of other workers wait until the end */
    void *scratch;
    struct wi_fiber fiber;
    struct wi_parker parker; /* of a thread that turns a `loop` runtime */
    /* atomic */
    wi_atomic_u32 wake; /* futex: 1 when a spare was given a worker or shall end */
    wi_atomic_u32 hog;  /* 1: its worker was taken while its task ran */
    /* guarded by the runtime's thread lock */
    struct wi_thread *next_spare;
    struct wi_thread *next_all;
    struct wi_os_thread os;
};

struct wi_worker {
    wi_atomic_u64 owner; /* see above */
    /* guarded by the ownership word */
    int index;
    uint32_t tick;
    int lifo_left; /* how often the slot `next` may still be taken in a row */
    int poll_interval;
    weir_time polled;       /* when the poller was looked at last */
    uint64_t polled_runs;   /* `runs` then */
    int64_t slice_mean_ns;  /* of a task run, as of then */
    struct weir_task *held; /* not started: no stack to be had */
    weir_time held_until;   /* when to try again for one */
    struct wi_stack_cache stacks;
    struct weir_task *free_tasks;
    int free_task_count;
    uint64_t random;
    bool searching; /* counts in the runtime's `searching` */
    /* guarded by the runtime's idle lock */
    bool idle;
    /* atomic */
    wi_atomic_u32 park_word; /* futex: 1 wakes an idle worker */
    wi_atomic_u32 driving;   /* 1: idle in the poller */
    /* Task runs until poller and timers are looked at.  The owner counts down, and the monitor's
     * wi_worker_look_soon() cuts it short; when both write at once, one of the two is lost. */
    wi_atomic_int poll_countdown;
    wi_atomic_u64 runs;     /* task runs begun: an unchanged one is a hog's */
    wi_atomic_ptr run_name; /* of the task that runs, NULL between tasks */
    wi_atomic_ptr run_site;
    wi_atomic_ptr next;    /* slot for a task that was just woken; thieves may take it */
    struct wi_runq queue;  /* own protocol */
    struct wi_wheel wheel; /* own lock */
};

/* The calling thread's record; NULL if it is none of the runtime's.  Ask again after a wait. */
struct wi_thread *wi_thread_self(void);
void wi_thread_set_self(struct wi_thread *thread);

/* The calling thread's worker, for its fields, until wi_worker_leave(); NULL if it has none.
 * Nests.  The caller must not wait in between. */
struct wi_worker *wi_worker_enter(void);
void wi_worker_leave(struct wi_worker *worker);

/* Makes a task ready: a `woken` one may go first (its data is hot), others go last. */
void wi_task_make_ready(struct weir_task *task, bool woken);

/* Stops the running task with the given action; returns when it runs again (never, for EXIT). */
void wi_task_leave(enum wi_action action);

/* A thread's life: holds workers and runs tasks until the runtime stops. */
void wi_thread_main(void *thread);

/* What the sanitizers must know of the calling thread's own stack. */
void wi_thread_begin(struct wi_thread *thread);

/* `loop`: the opener's thread holds the worker from now on. */
void wi_worker_adopt(struct wi_worker *worker, struct wi_thread *thread);

/* One turn of a `loop` runtime by the thread that opened it. */
int wi_worker_turn(struct wi_thread *thread, weir_time deadline);

/* When the next turn is due though the poller is silent.  The opener, between turns. */
weir_time wi_worker_turn_deadline(struct wi_worker *worker);

/* Monitor: the worker looks at poller and timers before its next task, whatever it had planned:
 * slices may have become long since it found its interval right. */
void wi_worker_look_soon(struct wi_worker *worker);

/* Whether a task waits on the worker; a hint. */
bool wi_worker_has_work(struct wi_worker *worker);

void wi_worker_init(struct wi_worker *worker, int index);

/* Wakes one idle worker unless one is on its way. */
void wi_worker_wake_one(void);

/* Wakes every idle worker and spare thread: the runtime stops. */
void wi_worker_wake_all(void);

/* Monitor: takes the worker from the thread that `seen_owner` names if that still runs a task in
 * it; the thread, or NULL if this is over. */
struct wi_thread *wi_worker_take(struct wi_worker *worker, uint64_t seen_owner);
/* Monitor: gives a taken worker to a spare thread, or a new one.  False: there is no thread, and
 * the worker stays the monitor's, which tries again. */
bool wi_worker_give(struct wi_worker *worker);

#endif
