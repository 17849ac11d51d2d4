/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_TASK_H
#define WI_TASK_TASK_H

/* The control block of a task, and a task's life.
 *
 * Life: taken from the slab, linked into its scope, queued; at its first run a stack is attached;
 * it runs and parks; its end tells joiner and scope and gives the stack back; the record goes back
 * when run and handle have both let go.  Records are type-stable and never unmapped, so that a late
 * wake touches a parker, whoever's it is by then. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "loop/wheel.h"
#include "sync/lock.h"
#include "sync/parker.h"
#include "sync/wait.h"
#include "task/sanitize.h"
#include "task/stack.h"
#include "weir/scope.h"
#include "weir/task.h"

enum {
    WI_TASK_VEHICLE = 1u,        /* runs on an OS thread of its own, not on a stack of ours */
    WI_TASK_STARTED = 2u,        /* a vehicle's: it has its thread */
    WI_TASK_QUEUED_VEHICLE = 4u, /* may wait for a vehicle (.blocking), else refused (.pinned) */
    WI_TASK_FAILURE_TOLD = 8u,   /* its scope knows of its error */
    WI_TASK_FINISHED = 16u,      /* its function has returned */
    WI_TASK_METERED = 32u,       /* its cost is wanted: meter.h */
    WI_TASK_PAGES_SHIFT = 16,    /* pages of the stack it wants; 0: the default */
};

enum {
    WI_TASK_PAGE_BYTES = 4096
};

/* Who keeps a record. */
enum {
    WI_TASK_RUN = 1u,
    WI_TASK_HANDLE = 2u
};

struct wi_worker;

/* What a vehicle says while it sleeps; in its frame, and guarded by its task's lock. */
struct wi_nap {
    void *context;
    weir_time since;
    weir_time until;
};

/* Four cache lines: what a spawn and a run touch lies in the first three, and a task that waits for
 * no instant never touches the last. */
struct weir_task {
    _Alignas(64) struct wi_parker parker; /* see parker.h */
    /* owner: the queue it lies in, else whoever runs it */
    struct weir_task *next;
    /* owner: the task, and the scheduler while it does not run */
    void *context; /* a vehicle's: its meter */
    struct wi_stack *stack;
    weir_task_fn *fn;
    void *arg;
    struct wi_extras *extras; /* what few tasks have: extras.h; NULL: nothing */
    /* constant while it lives; atomic because a dump reads what may be another task's by now */
    struct weir_scope *scope; /* that it belongs to */
    wi_atomic_u64 id;
    wi_atomic_ptr name;
    wi_atomic_ptr site;
    wi_atomic_u32 flags; /* WI_TASK_ bits, written by whoever runs it, FINISHED under lock; above
                            them the pages of the stack it wants */
    /* atomic */
    wi_atomic_u32 references; /* WI_TASK_RUN, WI_TASK_HANDLE; the last to go gives it back */
    /* guarded by scope->lock */
    struct wi_list sibling;
    /* guarded by lock, which is a record's and outlives its task; joiners empty between two */
    struct wi_list joiners; /* wi_waiter.node: at most one */
    struct wi_nap *nap;     /* a vehicle's while it sleeps, else NULL */
    struct wi_lock lock;
    int result;            /* owner: the task, then who joins */
    struct wi_timer timer; /* wakes the parker; started and stopped by the task */
    WI_FIBER_MEMBER        /* owner: as context */
};

static inline uint64_t wi_task_id(const struct weir_task *task)
{
    return wi_load_relaxed(&task->id);
}
static inline const char *wi_task_name(const struct weir_task *task)
{
    return wi_load_relaxed(&task->name);
}
static inline const char *wi_task_site(const struct weir_task *task)
{
    return wi_load_relaxed(&task->site);
}
static inline bool wi_task_is(const struct weir_task *task, uint32_t flag)
{
    return (wi_load_relaxed(&task->flags) & flag) != 0;
}
static inline size_t wi_task_stack_bytes(const struct weir_task *task)
{
    return (size_t)(wi_load_relaxed(&task->flags) >> WI_TASK_PAGES_SHIFT) * WI_TASK_PAGE_BYTES;
}
/* Whoever may write it, see there. */
static inline void wi_task_mark(struct weir_task *task, uint32_t flag)
{
    wi_store_relaxed(&task->flags, wi_load_relaxed(&task->flags) | flag);
}

/* The calling code's task, NULL outside tasks.  Not to be cached over a wait. */
struct weir_task *wi_task_current(void);

/* A record that is kept for a task which must not fail to start.  0, WEIR_ENOMEM, or
 * WEIR_EOVERFLOW. */
WEIR_CHECK int wi_task_reserve(struct weir_task **out);
void wi_task_unreserve(struct weir_task *task);
/* Starts it as a child that the scope has counted; nothing cancels it.  Where no thread can be had
 * for a task, the caller calls fn(arg) itself: so it must hold no lock. */
void wi_task_spawn_reserved(struct weir_task *task, weir_scope *scope, weir_task_fn *fn, void *arg,
                            const char *name, weir_time deadline);

/* What runs on the task's own stack or thread: fn, then the end of its open scopes is checked. */
void wi_task_run(struct weir_task *task);

/* After fn has returned: tells joiner and scope, which may free what they own at once.  The record
 * stays the task's until the run lets go of it, when it has left its stack or thread. */
void wi_task_finish(struct weir_task *task);
/* `worker`: the calling thread's, which has entered it, or NULL. */
void wi_task_drop_run(struct wi_worker *worker, struct weir_task *task);

/* For what takes a handle: aborts, naming the call, if it was given back; gives it back. */
void wi_task_check_handle(const struct weir_task *task, const char *call);
void wi_task_drop_handle(struct weir_task *task);

/* Tasks started since wi_task_count_from_zero(), and those of them that live.  Any thread. */
void wi_task_count_from_zero(void);
int64_t wi_task_count_started(void);
int64_t wi_task_count_live(void);

#endif
