/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_SCOPE_H
#define WI_TASK_SCOPE_H

/* The inside of a scope.  A child's last touch of its scope is the unlock in
 * wi_scope_child_ended(); after it only the closer's waiter and parker are touched, so the closer
 * may free the scope.
 *
 * A scope that was opened is a region of its opener's code (sync/cancel.h): once canceled, it has
 * canceled its children and its body, the latter until it is closed, and whatever is below them:
 * see scope.c. */

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "sync/cancel.h"
#include "sync/lock.h"
#include "sync/wait.h"
#include "weir/scope.h"

struct weir_after;
struct weir_task;
struct wi_deferred;
struct wi_extras;

struct weir_scope {
    /* owner: the opener, except what sync/cancel.h says of it */
    struct wi_region region;
    /* constant after init */
    bool keep_going;
    int64_t limit; /* children at a time; 0: any number */
    weir_time deadline;
    const struct wi_deferred *deferred; /* the opener's last handler when it was opened */
    /* guarded by lock */
    struct wi_lock lock;
    bool closing;                  /* no more children may start */
    int first_error;               /* of a child, before the scope was canceled */
    int64_t count;                 /* children, and slots that were handed to a spawner */
    struct wi_list children;       /* weir_task.sibling */
    struct wi_list closers;        /* waiters */
    struct wi_list spawners;       /* waiters, while `limit` children are there */
    struct wi_list afters;         /* weir_after.node: registered, or started since */
    struct weir_scope_error error; /* the first; code 0: none */
    /* guarded by the chain's lock of the opener's parker */
    int claim; /* the cause for which a cancellation has taken it to its list, 0 */
    /* owner: that cancellation */
    struct weir_scope *next_claimed;
    /* guarded by the lock of guests.c, if a plain thread has opened it */
    struct wi_list guest;
    bool guest_told; /* by weir_close() */
    /* atomic: the opener; that cancellation while it has it on its list; who closes the runtime */
    wi_atomic_u32 references;
};

void wi_scope_init(struct weir_scope *scope);

/* One more reference to the memory, and one less: the last one frees it. */
static inline void wi_scope_retain(struct weir_scope *scope)
{
    (void)wi_add_relaxed(&scope->references, 1);
}
void wi_scope_let_go(struct weir_scope *scope);

/* In a scope with a limit every child needs a slot first, for which the caller may wait: so not
 * while it holds a worker.  0; WEIR_ECANCELED; WEIR_EAGAIN if it is full and may not wait. */
int wi_scope_slot_take_limited(struct weir_scope *scope, bool may_wait);
/* Gives back one that no child came to use. */
void wi_scope_slot_give_limited(struct weir_scope *scope);

static inline int wi_scope_slot_take(struct weir_scope *scope, bool may_wait)
{
    return wi_unlikely(scope->limit != 0) ? wi_scope_slot_take_limited(scope, may_wait) : 0;
}
static inline void wi_scope_slot_give(struct weir_scope *scope)
{
    if (wi_unlikely(scope->limit != 0))
        wi_scope_slot_give_limited(scope);
}

/* Makes the task a child, which uses a slot that was taken; a failure has given that back.
 * 0 or WEIR_ECANCELED. */
int wi_scope_child_begin(struct weir_scope *scope, struct weir_task *task);
/* A task that is about to end with an error and its detail.  True: the scope has taken note of
 * both, and wi_scope_child_failed() does not again. */
bool wi_scope_child_failing(struct weir_scope *scope, struct weir_task *task,
                            const struct wi_extras *extras);
/* A task that has ended with an error, and still counts as a child. */
void wi_scope_child_failed(struct weir_scope *scope, const struct weir_task *task, int result);
void wi_scope_child_ended(struct weir_scope *scope, struct weir_task *task);

/* Makes a task that was counted before (by after.c) a child, whatever the scope's state. */
void wi_scope_child_join(struct weir_scope *scope, struct weir_task *task);

/* Registers: it is started when the scope is canceled, at once if it was.  0, or WEIR_ECANCELED if
 * the scope is closing. */
int wi_scope_after_add(struct weir_scope *scope, struct weir_after *after);
/* False: it was started. */
bool wi_scope_after_remove(struct weir_scope *scope, struct weir_after *after);

/* Cancels whoever the parker is of, and everything below; the caller has a handle of the task. */
void wi_scope_cancel_below(struct wi_parker *parker, int cause);

/* The same in two halves: while the caller knows that the owner cannot end or become another's,
 * also under a lock of his; and the rest, without a lock, when that does not matter any more. */
struct wi_scope_work {
    struct weir_scope *scopes; /* next_claimed */
    struct weir_after *afters; /* next */
};
void wi_scope_cancel_owner(struct wi_scope_work *work, struct wi_parker *parker, int cause);
void wi_scope_cancel_rest(struct wi_scope_work *work);

/* Waits until there is no child. 0, WEIR_ETIMEDOUT or (CANCELABLE) WEIR_ECANCELED. */
int wi_scope_wait(struct weir_scope *scope, weir_time deadline, enum wi_wait_kind kind);

/* Calls fn for each child until it returns false.  It holds the scope's lock, so fn must not wait,
 * and must not end, start or cancel a child. */
void wi_scope_each_child(struct weir_scope *scope, bool (*fn)(struct weir_task *task, void *arg),
                         void *arg);

/* The innermost scope that the parker's owner has open, NULL without one. */
struct weir_scope *wi_scope_innermost(const struct wi_parker *parker);

/* Where weir_go() of the calling code puts a task: its innermost scope, else its own, else the
 * root. */
struct weir_scope *wi_scope_ambient(void);

#endif
