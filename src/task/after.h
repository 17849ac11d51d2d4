/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_AFTER_H
#define WI_TASK_AFTER_H

/* Functions that wait for the cancellation of a scope: see include/weir/defer.h, and scope.c for
 * when they are started.
 *
 * What the start needs is there since the registration: a task's record, so that it cannot fail.
 * The registration is the scope's, which frees it when it is closed and the function has ended. */

#include <stdbool.h>

#include "base/list.h"
#include "weir/defer.h"

struct weir_after {
    /* constant after init */
    weir_scope *scope;
    void (*fn)(void *arg);
    void *arg;
    struct weir_task *task; /* reserved; after the start, not ours any more */
    /* guarded by the scope's lock */
    struct wi_list node; /* of scope->afters */
    bool started;
    /* owner: the cancellation that starts it */
    struct weir_after *next;
};

/* The scope has counted it as a child; no lock is held. */
void wi_after_start(struct weir_after *after);

/* Frees those of a scope that has ended. */
void wi_after_forget_all(struct wi_list *afters);

#endif
