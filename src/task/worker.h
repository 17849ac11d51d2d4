/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_WORKER_H
#define WI_TASK_WORKER_H

/* Workers, the threads that hold them, and how a worker is taken from a thread that hogs it.
 *
 * A worker is a scheduling context: run queue, timers, stack cache.  A thread holds at most one and
 * runs tasks in it; the thread's own stack is the scheduler's context, so after every switch back
 * the scheduler looks at its thread anew: the worker may be gone.
 *
 * Each thread has two words, `state` that it alone writes and `claim` that the monitor and it write
 * by turns; a worker names the thread that holds it.
 *   state USER     the thread runs a task's own code: the monitor may take its worker
 *         RUNTIME  the thread works on the worker's fields: nobody else may
 *   claim NONE, ASKED (the monitor is about to decide), TAKEN (the thread has lost its worker)
 * Protocol, a lopsided handshake (sync/handshake.h): entering costs a plain store, since only
 * a worker that looks stuck is ever asked for.
 *   a: wi_worker_enter(): state = RUNTIME (light store); b: reads claim; if it is not NONE, waits
 *      while it is ASKED; TAKEN: notes that it has no worker, and sets NONE.
 *   c: wi_worker_leave() and the start of a task: state = USER, release.
 *   d: monitor: claim = ASKED (seq_cst), heavy barrier; e: reads state, acquire, pairs with c:
 *      USER: the worker is the monitor's, claim = TAKEN; else claim = NONE (release, pairs with b).
 *      Of a-b and d-e at least one sees the other: a thread that e saw in USER comes to b after d.
 *   f: the monitor hands the worker to a spare thread, then sets the spare's wake word, release;
 *      the spare's acquire of that word pairs with it.
 * A thread that comes back to its scheduler without a worker has queued its task globally and waits
 * among the spares.
 *
 * Under `loop` no worker is taken, since no second thread may run handlers; but what needs none
 * (the edge of servers, wakes) must not wait for one.  While a task keeps the thread the monitor
 * stands in at the poller: it needs nothing of the worker, as threads without one can do all that
 * the loop's callbacks do, and what it makes ready goes to the global queue.  Only the poller
 * itself is used by one at a time, by the word `driver` of the runtime:
 *   g: monitor: driver 0 -> 1, acquire, or leaves it; turns the loop once, without waiting; notes
 *      that it was there, for the turn may have eaten a kick that was meant for the worker's
 *      thread;
 *   h: driver = 0, release (pairs with g and i), and wakes who sleeps on the word.
 *   i: the worker's thread, before it sleeps in the poller or leaves that to a foreign loop: driver
 *      0 -> 1, acquire; while it is 1 sleeps on the word.  If the monitor was there since its last
 *      time it does not wait in the poller, but looks at everything anew.
 * Between tasks it passes by a poller where the monitor is.  So the worker's thread waits for one
 * turn of the monitor's at most, and never inside a task. */

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/slab.h"
#include "loop/wheel.h"
#include "os/thread.h"
#include "sync/deque.h"
#include "sync/handshake.h"
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

enum {
    WI_STATE_USER = 0,
    WI_STATE_RUNTIME = 1
};

enum {
    WI_CLAIM_NONE = 0,
    WI_CLAIM_ASKED = 1,
    WI_CLAIM_TAKEN = 2
};

struct wi_thread {
    /* owner: the thread; `worker` also the monitor, while the thread waits as a spare */
    struct wi_worker *worker;
    struct weir_task *left;     /* that was switched away from, with `action` still to be done */
    struct wi_parker **current; /* where the thread keeps its current parker */
    void *context;              /* the scheduler's, while a task runs */
    int depth;                  /* > 0: inside the runtime, and `state` says RUNTIME */
    enum wi_action action;      /* what the task that just left wants done with it */
    bool dispatching;           /* handles events: wakes of other workers wait until the end */
    bool parked;                /* turns a `loop` runtime until its parker is woken */
    bool stands_in;             /* the monitor's own: it never holds a worker */
    void *scratch;
    int64_t cpu_ns;        /* a vehicle's CPU time when it was read last; 0: it must be read */
    struct wi_meter meter; /* of a vehicle's task, if that is metered */
    const void *stack_low; /* of the thread's own stack, NULL if it cannot be told */
    size_t stack_bytes;
    WI_FIBER_MEMBER
    struct wi_parker parker; /* of a thread that turns a `loop` runtime */
    /* atomic */
    wi_atomic_ptr task;  /* that runs on it now; the thread writes, a dump reads */
    wi_atomic_u32 state; /* see above */
    wi_atomic_u32 claim;
    wi_atomic_u32 wake; /* futex: 1 when a spare was given a worker or shall end */
    wi_atomic_u32 hog;  /* 1: its worker was taken while its task ran */
    /* guarded by the runtime's thread lock */
    struct wi_thread *next_spare;
    struct wi_thread *next_all;
    struct wi_os_thread os;
};

struct wi_worker {
    /* atomic: the monitor writes, and who opens the runtime */
    wi_atomic_ptr holder; /* the thread; NULL: the monitor */
    /* owner: the holder in state RUNTIME, see above */
    int index;
    uint64_t global_first_at; /* `runs` when the global queue came first last */
    int lifo_left;            /* how often the slot `next` may still be taken in a row */
    int poll_interval;
    weir_time polled;       /* when the poller was looked at last */
    uint64_t polled_runs;   /* `runs` then */
    int64_t slice_mean_ns;  /* of a task run, as of then */
    uint32_t aging_top;     /* where the oldest of `fresh` lay when this was looked at */
    weir_time aging_since;  /* and since when it has lain there */
    struct weir_task *held; /* not started: no stack to be had */
    weir_time held_until;   /* when to try again for one */
    struct wi_stack_cache stacks;
    struct weir_task *free_tasks;
    int free_task_count;
    uint64_t id_next; /* of the next task that is spawned here, up to id_end (exclusive) */
    uint64_t id_end;
    struct wi_slab_cache timers; /* free records of weir_timer */
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
    wi_atomic_i64 spawned; /* the holder writes, for statistics */
    wi_atomic_i64 ended;
    wi_atomic_i64 metered_ns;    /* the holder writes: had by metered tasks (meter.h) */
    wi_atomic_i64 metered_since; /* and by the one that runs, since then; 0: none does.  Who takes
                                    the worker from it says so too */
    wi_atomic_u64 runs;          /* task runs begun: an unchanged one is a hog's */
    wi_atomic_ptr running; /* the task that runs, NULL between tasks; its record is type-stable */
    wi_atomic_ptr next;    /* slot for a task that was just woken; thieves may take it */
    struct wi_runq queue;  /* own protocol */
    struct wi_deque fresh; /* own protocol: spawned by tasks of this worker and not begun */
    struct wi_wheel wheel; /* own lock */
};

/* The calling thread's record; NULL if it is none of the runtime's.  Ask again after a wait. */
struct wi_thread *wi_thread_self(void);
void wi_thread_set_self(struct wi_thread *thread);

/* b: the monitor has asked for the worker of the calling thread.  Whether the thread keeps it. */
bool wi_worker_keeps(struct wi_thread *thread);

/* wi_worker_enter() and leave for who knows the calling thread's record already; leave only after
 * an enter that did not give NULL. */
static inline struct wi_worker *wi_worker_enter_on(struct wi_thread *thread)
{
    if (thread->depth > 0) {
        thread->depth++;
        return thread->worker;
    }
    if (wi_unlikely(thread->worker == NULL))
        return NULL;
    wi_store_light(&thread->state, WI_STATE_RUNTIME);                    /* a */
    if (wi_unlikely(wi_load_seq_cst(&thread->claim) != WI_CLAIM_NONE) && /* b */
        !wi_worker_keeps(thread))
        return NULL;
    thread->depth = 1;
    return thread->worker;
}

static inline void wi_worker_leave_on(struct wi_thread *thread)
{
    if (--thread->depth == 0)
        wi_store_release(&thread->state, WI_STATE_USER); /* c */
}

/* Where a thread that runs no task keeps its extras (extras.h), or where those are that it was
 * lent: see wi_extras_lend(). */
struct wi_extras **wi_thread_extras(void);
bool wi_thread_extras_lent(void);

/* The calling thread's worker, for its fields, until wi_worker_leave(); NULL if it has none.
 * Nests.  The caller must not wait in between. */
struct wi_worker *wi_worker_enter(void);
void wi_worker_leave(struct wi_worker *worker);

/* Makes a new task ready on the worker of the calling thread, which has entered it. */
void wi_task_start_ready(struct wi_thread *thread, struct weir_task *task);

/* Makes a task ready: a `woken` one may go first (its data is hot), others go last. */
void wi_task_make_ready(struct weir_task *task, bool woken);

/* Stops the task that runs on the calling thread with the given action; returns when it runs again,
 * maybe on another thread (never, for EXIT). */
void wi_task_leave(struct wi_thread *thread, enum wi_action action);

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

/* Monitor, under `loop`: turns the runtime's loop once in the place of a worker that does not come
 * to it, if nobody else does.  The number of things handled. */
int wi_worker_stand_in(void);

/* Wakes one idle worker unless one is on its way. */
void wi_worker_wake_one(void);

/* Wakes every idle worker and spare thread: the runtime stops. */
void wi_worker_wake_all(void);

/* Monitor: takes the worker from its holder if that runs a task's own code now.  Whether it did. */
bool wi_worker_take(struct wi_worker *worker);
/* Monitor: gives a taken worker to a spare thread, or a new one.  False: there is no thread, and
 * the worker stays the monitor's, which tries again. */
bool wi_worker_give(struct wi_worker *worker);

#endif
