/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_SCOPE_H
#define WI_TASK_SCOPE_H

/* The inside of a scope.  A child's last touch of its scope is the unlock in
 * wi_scope_child_ended(); after it only the closer's waiter and parker are touched, so the closer
 * may free the scope. */

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "sync/lock.h"
#include "sync/wait.h"
#include "weir/scope.h"

struct weir_task;

struct weir_scope {
    /* constant after init */
    bool keep_going;
    struct weir_scope *outer; /* the opener's innermost before this one */
    const void *opener;       /* its parker */
    weir_time deadline;
    /* guarded by lock */
    struct wi_lock lock;
    bool closing; /* no more children may start */
    int cause;    /* of its cancellation, 0 */
    int first_error;
    int64_t count;
    struct wi_list children; /* weir_task.sibling */
    struct wi_list closers;  /* waiters */
};

void wi_scope_init(struct weir_scope *scope);

/* 0 or WEIR_ECANCELED.  On success the task is a child. */
int wi_scope_child_begin(struct weir_scope *scope, struct weir_task *task);
void wi_scope_child_ended(struct weir_scope *scope, struct weir_task *task, int result);

/* Waits until there is no child. 0, WEIR_ETIMEDOUT or (CANCELABLE) WEIR_ECANCELED. */
int wi_scope_wait(struct weir_scope *scope, weir_time deadline, enum wi_wait_kind kind);

/* Where weir_go() of the calling code puts a task: its innermost scope, else its own, else the
 * root. */
struct weir_scope *wi_scope_ambient(void);

#endif
