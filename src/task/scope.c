/* SPDX-License-Identifier: MIT */
/* Scopes; see scope.h and include/weir/scope.h.  Source: Sústrik 2016 (structured concurrency in
 * libdill), Smith 2018 (nurseries).
 *
 * Lock order: a scope's lock, then queues of the scheduler (waking a child under it pushes the
 * child to a run queue).  No user code runs under it. */
#include "task/scope.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/sized.h"
#include "task/runtime.h"
#include "task/task.h"
#include "task/worker.h"

void wi_scope_init(struct weir_scope *scope)
{
    *scope = (struct weir_scope){ .deadline = WEIR_NO_DEADLINE };
    wi_lock_init(&scope->lock);
    wi_list_init(&scope->children);
    wi_list_init(&scope->closers);
}

int wi_scope_child_begin(struct weir_scope *scope, struct weir_task *task)
{
    wi_lock(&scope->lock);
    if (scope->closing || scope->cause != 0) {
        wi_unlock(&scope->lock);
        return WEIR_ECANCELED;
    }
    wi_list_push_back(&scope->children, &task->sibling);
    scope->count++;
    wi_unlock(&scope->lock);
    return 0;
}

static void cancel_locked(struct weir_scope *scope, int cause)
{
    if (scope->cause != 0)
        return;
    scope->cause = cause;
    for (struct wi_list *node = scope->children.next; node != &scope->children; node = node->next) {
        struct weir_task *child = wi_container_of(node, struct weir_task, sibling);
        wi_parker_cancel(&child->parker, cause);
    }
}

void wi_scope_child_ended(struct weir_scope *scope, struct weir_task *task, int result)
{
    struct wi_list claimed;
    wi_list_init(&claimed);
    wi_lock(&scope->lock);
    wi_list_remove(&task->sibling);
    scope->count--;
    if (result < 0 && scope->first_error == 0 && scope->cause == 0) {
        scope->first_error = result;
        if (!scope->keep_going)
            cancel_locked(scope, result);
    }
    if (scope->count == 0)
        wi_waitlist_claim_all(&scope->closers, &claimed);
    wi_unlock(&scope->lock);
    wi_waitlist_finish(&claimed, 0);
}

static const struct wi_waitable scope_waitable = { .what = "end of scope" };

int wi_scope_wait(struct weir_scope *scope, weir_time deadline, enum wi_wait_kind kind)
{
    struct wi_wait wait;
    struct wi_waiter waiter;
    wi_wait_init_single(&wait, &waiter, &scope_waitable, scope, NULL);
    wi_lock(&scope->lock);
    if (scope->count == 0) {
        wi_unlock(&scope->lock);
        return 0;
    }
    wi_list_push_back(&scope->closers, &waiter.node);
    return wi_wait_single(&waiter, &scope->lock, deadline, kind);
}

/* Where the calling task or thread keeps its innermost scope. */
static struct weir_scope **innermost_place(void)
{
    struct weir_task *task = wi_task_current();
    return task != NULL ? &task->innermost : wi_thread_innermost();
}

struct weir_scope *wi_scope_ambient(void)
{
    struct weir_task *task = wi_task_current();
    if (task == NULL) {
        struct weir_scope *scope = *wi_thread_innermost();
        return scope != NULL ? scope : wi_runtime_root();
    }
    return task->innermost != NULL ? task->innermost : task->scope;
}

/* -- the library's own scopes ----------------------------------------------------------------- */

int wi_scope_create(weir_scope **out)
{
    struct weir_scope *scope = wi_alloc(sizeof(*scope));
    if (scope == NULL)
        return WEIR_ENOMEM;
    wi_scope_init(scope);
    scope->keep_going = true;
    *out = scope;
    return 0;
}

int wi_scope_drain(weir_scope *scope, weir_time deadline)
{
    return wi_scope_wait(scope, deadline, WI_WAIT_UNCANCELABLE);
}

void wi_scope_destroy(weir_scope *scope)
{
    wi_bug_unless_cmp(scope->count, ==, 0);
    wi_free(scope);
}

int64_t wi_scope_children(weir_scope *scope)
{
    wi_lock(&scope->lock);
    int64_t count = scope->count;
    wi_unlock(&scope->lock);
    return count;
}

/* -- public ----------------------------------------------------------------------------------- */

int weir_scope_open(weir_scope **out, const struct weir_scope_opts *opts)
{
    wi_bug_unless(out != NULL);
    int rc = wi_runtime_check();
    if (rc != 0)
        return rc;
    struct weir_scope_opts wanted;
    rc = wi_sized_take(&wanted, sizeof(wanted), opts);
    if (rc != 0)
        return rc;
    struct weir_scope *scope = wi_alloc(sizeof(*scope));
    if (scope == NULL)
        return WEIR_ENOMEM;
    wi_scope_init(scope);
    scope->keep_going = wanted.keep_going;
    if (wanted.deadline != 0)
        scope->deadline = wanted.deadline;
    struct weir_scope **place = innermost_place();
    scope->outer = *place;
    scope->opener = wi_current_parker();
    *place = scope;
    *out = scope;
    return 0;
}

void weir_scope_cancel(weir_scope *scope, int cause)
{
    wi_bug_unless(scope != NULL);
    wi_bug_unless_cmp(cause, <, 0);
    wi_lock(&scope->lock);
    cancel_locked(scope, cause);
    wi_unlock(&scope->lock);
}

int weir_scope_close(weir_scope *scope, weir_time deadline)
{
    wi_bug_unless(scope != NULL);
    if (scope->opener != (const void *)wi_current_parker())
        wi_bug_misuse("weir_scope_close", "only the task that opened it may close it", 0);
    struct weir_scope **place = innermost_place();
    if (*place != scope)
        wi_bug_misuse("weir_scope_close", "scopes close in the reverse order of their opening", 0);

    int rc = wi_scope_wait(scope, deadline, WI_WAIT_CANCELABLE);
    if (rc < 0) {
        const int cause = rc == WEIR_ETIMEDOUT ? WEIR_ETIMEDOUT : weir_cancel_cause();
        weir_scope_cancel(scope, cause != 0 ? cause : WEIR_ECANCELED);
    }
    /* Children may spawn siblings until the last has ended. */
    while (rc != 0)
        rc = wi_scope_wait(scope, WEIR_NO_DEADLINE, WI_WAIT_UNCANCELABLE);

    wi_lock(&scope->lock);
    scope->closing = true;
    int result = scope->first_error != 0 ? scope->first_error : scope->cause;
    wi_unlock(&scope->lock);
    *place = scope->outer;
    wi_free(scope);
    return result;
}
