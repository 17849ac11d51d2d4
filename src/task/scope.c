/* SPDX-License-Identifier: MIT */
/* Scopes; see scope.h and include/weir/scope.h.  Source: Sústrik 2016 (structured concurrency in
 * libdill), Smith 2018 (nurseries).
 *
 * Lock order: a scope's lock, then queues of the scheduler (waking a child under it pushes the
 * child to a run queue).  No user code runs under it.
 *
 * Errors.  The first child that returns an error before the scope is canceled gives the scope its
 * result, and cancels it unless it keeps going.  WEIR_ECANCELED, and the cause of the scope's own
 * cancellation, are no errors: so says a child that was told to end.
 *
 * Slots.  In a scope with a limit `count` never exceeds it.  A child that ends while somebody waits
 * to spawn hands its slot over without counting down, so nobody who comes later overtakes, and the
 * scope is not empty meanwhile.  When the scope is canceled all who wait are refused. */
#include "task/scope.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/sized.h"
#include "task/extras.h"
#include "task/report.h"
#include "task/runtime.h"
#include "task/task.h"
#include "task/worker.h"

void wi_scope_init(struct weir_scope *scope)
{
    *scope = (struct weir_scope){ .deadline = WEIR_NO_DEADLINE };
    wi_region_init(&scope->region);
    wi_lock_init(&scope->lock);
    wi_list_init(&scope->children);
    wi_list_init(&scope->closers);
    wi_list_init(&scope->spawners);
}

/* Who waits to spawn is refused under the lock: the opener cannot free the scope before. */
static void cancel_locked(struct weir_scope *scope, int cause)
{
    if (!wi_region_cancel(&scope->region, cause))
        return;
    for (struct wi_list *node = scope->children.next; node != &scope->children; node = node->next) {
        struct weir_task *child = wi_container_of(node, struct weir_task, sibling);
        wi_parker_cancel(&child->parker, cause);
    }
    struct wi_waiter *spawner;
    while ((spawner = wi_waitlist_claim_first(&scope->spawners)) != NULL)
        wi_waiter_done(spawner, WEIR_ECANCELED);
}

/* -- children --------------------------------------------------------------------------------- */

static bool takes_none_locked(const struct weir_scope *scope)
{
    return scope->closing || wi_region_cause(&scope->region) != 0;
}

/* Gives back what a child counts for; who hears of it is to be told after the unlock. */
static void leave_locked(struct weir_scope *scope, struct wi_list *claimed)
{
    if (wi_unlikely(!wi_list_empty(&scope->spawners))) {
        struct wi_waiter *spawner = wi_waitlist_claim_first(&scope->spawners);
        if (spawner != NULL) {
            wi_list_push_back(claimed, &spawner->node);
            return;
        }
    }
    if (--scope->count == 0)
        wi_waitlist_claim_all(&scope->closers, claimed);
}

static const struct wi_waitable slot_waitable = { .what = "slot of a limited scope" };

/* With the lock held, which is released.  On success a slot is counted. */
static int wait_for_slot_locked(struct weir_scope *scope)
{
    struct wi_wait wait;
    struct wi_waiter waiter;
    wi_wait_init_single(&wait, &waiter, &slot_waitable, scope, NULL);
    wi_list_push_back(&scope->spawners, &waiter.node);
    const int rc = wi_wait_single(&waiter, &scope->lock, WEIR_NO_DEADLINE, WI_WAIT_CANCELABLE);
    return rc == 0 ? waiter.result : rc;
}

int wi_scope_slot_take_limited(struct weir_scope *scope, bool may_wait)
{
    wi_lock(&scope->lock);
    int rc = 0;
    if (takes_none_locked(scope))
        rc = WEIR_ECANCELED;
    else if (scope->count < scope->limit)
        scope->count++;
    else if (may_wait)
        return wait_for_slot_locked(scope);
    else
        rc = WEIR_EAGAIN;
    wi_unlock(&scope->lock);
    return rc;
}

void wi_scope_slot_give_limited(struct weir_scope *scope)
{
    struct wi_list claimed;
    wi_list_init(&claimed);
    wi_lock(&scope->lock);
    leave_locked(scope, &claimed);
    wi_unlock(&scope->lock);
    wi_waitlist_finish(&claimed, 0);
}

int wi_scope_child_begin(struct weir_scope *scope, struct weir_task *task)
{
    wi_lock(&scope->lock);
    if (wi_unlikely(takes_none_locked(scope))) {
        wi_unlock(&scope->lock);
        wi_scope_slot_give(scope);
        return WEIR_ECANCELED;
    }
    if (scope->limit == 0)
        scope->count++;
    wi_list_push_back(&scope->children, &task->sibling);
    wi_unlock(&scope->lock);
    return 0;
}

static void child_failed_locked(struct weir_scope *scope, const struct weir_task *task, int result)
{
    const int cause = wi_region_cause(&scope->region);
    if (result == WEIR_ECANCELED || result == cause)
        return;
    scope->error.failed++;
    if (scope->error.code == 0) {
        scope->error.code = result;
        scope->error.task_id = wi_task_id(task);
        scope->error.name = wi_task_name(task);
        scope->error.site = wi_task_site(task);
    }
    if (cause != 0)
        return;
    if (scope->first_error == 0)
        scope->first_error = result;
    if (!scope->keep_going)
        cancel_locked(scope, result);
}

bool wi_scope_child_failing(struct weir_scope *scope, struct weir_task *task,
                            const struct wi_extras *extras)
{
    wi_lock(&scope->lock);
    /* A scope that nobody opened has nobody who would release it. */
    const bool first = scope->region.parker != NULL && scope->error.code == 0;
    if (first && task->result < 0)
        child_failed_locked(scope, task, task->result);
    const bool taken = first && scope->error.code != 0;
    if (taken) {
        scope->error.detail = extras->detail;
        scope->error.release = extras->release_detail;
        wi_store_relaxed(&task->flags, wi_load_relaxed(&task->flags) | WI_TASK_FAILURE_TOLD);
    }
    wi_unlock(&scope->lock);
    return taken;
}

void wi_scope_child_ended(struct weir_scope *scope, struct weir_task *task, int result)
{
    struct wi_list claimed;
    wi_list_init(&claimed);
    wi_lock(&scope->lock);
    wi_list_remove(&task->sibling);
    if (wi_unlikely(result < 0) && (wi_load_relaxed(&task->flags) & WI_TASK_FAILURE_TOLD) == 0)
        child_failed_locked(scope, task, result);
    leave_locked(scope, &claimed);
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

/* -- whose scope ------------------------------------------------------------------------------ */

struct weir_scope *wi_scope_innermost(const struct wi_parker *parker)
{
    struct wi_region *at = parker->regions;
    while (at != NULL && at->kind != WI_REGION_SCOPE)
        at = at->outer;
    return at != NULL ? wi_container_of(at, struct weir_scope, region) : NULL;
}

struct weir_scope *wi_scope_ambient(void)
{
    struct weir_task *task = wi_task_current();
    struct weir_scope *scope =
        wi_scope_innermost(task != NULL ? &task->parker : wi_current_parker());
    if (scope != NULL)
        return scope;
    return task != NULL ? task->scope : wi_runtime_root();
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

void wi_scope_each_child(struct weir_scope *scope, bool (*fn)(struct weir_task *task, void *arg),
                         void *arg)
{
    wi_lock(&scope->lock);
    for (struct wi_list *node = scope->children.next; node != &scope->children; node = node->next) {
        if (!fn(wi_container_of(node, struct weir_task, sibling), arg))
            break;
    }
    wi_unlock(&scope->lock);
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
    if (wanted.limit < 0)
        return WEIR_EINVAL;
    struct weir_scope *scope = wi_alloc(sizeof(*scope));
    if (scope == NULL)
        return WEIR_ENOMEM;
    wi_scope_init(scope);
    scope->keep_going = wanted.keep_going;
    scope->limit = wanted.limit;
    if (wanted.deadline != 0)
        scope->deadline = wanted.deadline;
    const struct wi_extras *extras = *wi_extras_place();
    scope->deferred = extras != NULL ? extras->deferred : NULL;
    wi_region_begin(&scope->region, wi_current_parker(), WI_REGION_SCOPE, WEIR_NO_DEADLINE);
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

static void check_closer(const struct weir_scope *scope, const struct wi_parker *parker)
{
    wi_bug_unless(scope != NULL);
    if (scope->region.parker != parker)
        wi_bug_misuse("weir_scope_close", "only the task that opened it may close it", 0);
    if (parker->regions != &scope->region)
        wi_bug_misuse("weir_scope_close",
                      "scopes and timeouts end in the reverse order of their beginning", 0);
}

/* Waits for the children, cancels them when that takes too long, and waits on: they may spawn
 * siblings until the last has ended. */
static void end_children(struct weir_scope *scope, weir_time deadline)
{
    int rc = wi_scope_wait(scope, deadline, WI_WAIT_CANCELABLE);
    if (rc < 0) {
        const int cause = rc == WEIR_ETIMEDOUT ? WEIR_ETIMEDOUT : weir_cancel_cause();
        weir_scope_cancel(scope, cause != 0 ? cause : WEIR_ECANCELED);
    }
    weir_time late = rc != 0 ? wi_report_late() : 0;
    while (rc != 0) {
        rc = wi_scope_wait(scope, late, WI_WAIT_UNCANCELABLE);
        if (rc == WEIR_ETIMEDOUT) {
            wi_report_late_children(scope);
            late = WEIR_NO_DEADLINE;
        }
    }
}

int weir_scope_close_error(weir_scope *scope, struct weir_scope_error *error, weir_time deadline)
{
    struct wi_parker *parker = wi_current_parker();
    check_closer(scope, parker);
    end_children(scope, deadline);

    wi_lock(&scope->lock);
    scope->closing = true;
    scope->error.cause = wi_region_cause(&scope->region);
    int result = scope->first_error != 0 ? scope->first_error : scope->error.cause;
    wi_unlock(&scope->lock);
    wi_region_end(&scope->region);
    wi_deferred_run(wi_extras_place(), scope->deferred);
    /* Who is canceled from outside hears of it, though the children were all well. */
    if (result == 0)
        result = wi_parker_cancel_cause(parker);
    if (error == NULL)
        weir_scope_error_release(&scope->error);
    else
        wi_sized_give(error, &scope->error, sizeof(scope->error));
    wi_free(scope);
    return result;
}

int weir_scope_close(weir_scope *scope, weir_time deadline)
{
    return weir_scope_close_error(scope, NULL, deadline);
}
