/* SPDX-License-Identifier: MIT */
/* Scopes; see scope.h and include/weir/scope.h.  Source: Sústrik 2016 (structured concurrency in
 * libdill), Smith 2018 (nurseries).
 *
 * Lock order: a scope's lock, then the chain's lock of one parker or queues of the scheduler
 * (waking a child under it pushes the child to a run queue).  No two scopes are locked at once, and
 * no user code runs under a lock.
 *
 * Cancellation goes down the whole tree before the call that causes it returns: who is below a task
 * that computes, or waits for a lock or a join, need not wait until that task notices.  It may come
 * by any thread, on a small stack, while scopes open and close everywhere: so it keeps a list of
 * the scopes that are still to be canceled, and never has but one of them locked.
 *   a: cancels a task: sets its word, then claims its open scopes that no shield holds back, and
 *      puts them on the list.  Claiming is by the chain's lock and happens once, and takes a
 *      reference: the scope's memory stays until d, whoever closes the scope.
 *   b: cancels a scope, under its lock: sets the cause, then does a to each child, claims what the
 *      body has open farther in, refuses who waits to spawn, and counts in the functions of
 *      weir_after_cancel(), which are children from now on.
 *   c: after the unlock takes a scope off the list and does b to it, unless it is closing, by its
 *      lock: then it has no child left, and its opener's parker is not looked at.
 *   d: gives the reference back; the last one out frees the scope.  When the list is empty, starts
 *      the functions, whose scopes wait for them.
 *   e: opens a scope: links it, then reads its own word: canceled, if a or b came first.  Children
 *      are refused under the scope's lock from b on.
 * Of a-claim and e-link, by the chain's lock, the later one sees the other, so nobody is left out.
 * A scope is canceled by one; another that meets it goes on without waiting for what is below it.
 * What a shield holds back, and deadlines that pass, their owner notices by himself.
 *
 * Errors.  The first child that returns an error before the scope is canceled gives the scope its
 * result, and cancels it unless it keeps going.  WEIR_ECANCELED, and the cause of the scope's own
 * cancellation, are no errors: so says a child that was told to end.
 *
 * Slots.  In a scope with a limit `count` never exceeds it.  A child that ends while somebody waits
 * to spawn hands its slot over without counting down, so nobody who comes later overtakes, and the
 * scope is not empty meanwhile.  When the scope is canceled all who wait are refused; what is
 * counted in then is not held to the limit. */
#include "task/scope.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/sized.h"
#include "task/after.h"
#include "task/extras.h"
#include "task/guests.h"
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
    wi_list_init(&scope->afters);
    wi_store_relaxed(&scope->references, 1);
}

/* Pairs with itself: what the one who lets go first did to the scope comes before it is freed. */
void wi_scope_let_go(struct weir_scope *scope)
{
    if (wi_load_acquire(&scope->references) == 1 || wi_sub_acq_rel(&scope->references, 1) == 1)
        wi_free(scope);
}

/* -- cancellation ----------------------------------------------------------------------------- */

/* Claims the scopes that the parker's owner has open inside of `within`, NULL: all. */
static void claim_open(struct wi_scope_work *work, struct wi_parker *parker,
                       struct wi_region *within, int cause)
{
    wi_lock(&parker->regions_lock);
    struct wi_region *at = wi_region_reached(parker, within);
    for (; at != within; at = at->outer) {
        struct weir_scope *scope = wi_container_of(at, struct weir_scope, region);
        if (at->kind != WI_REGION_SCOPE || scope->claim != 0)
            continue;
        scope->claim = cause;
        wi_scope_retain(scope);
        scope->next_claimed = work->scopes;
        work->scopes = scope;
    }
    wi_unlock(&parker->regions_lock);
}

void wi_scope_cancel_owner(struct wi_scope_work *work, struct wi_parker *parker, int cause)
{
    const int first = wi_parker_cancel(parker, cause); /* a */
    claim_open(work, parker, NULL, first);
}

static void start_after_locked(struct wi_scope_work *work, struct weir_scope *scope,
                               struct weir_after *after)
{
    after->started = true;
    after->next = work->afters;
    work->afters = after;
    scope->count++;
}

/* Who waits to spawn is refused under the lock: the opener cannot free the scope before. */
static void cancel_locked(struct wi_scope_work *work, struct weir_scope *scope, int cause)
{
    if (scope->closing || !wi_region_cancel(&scope->region, cause)) /* b */
        return;
    for (struct wi_list *node = scope->children.next; node != &scope->children; node = node->next) {
        struct weir_task *child = wi_container_of(node, struct weir_task, sibling);
        wi_scope_cancel_owner(work, &child->parker, cause);
    }
    if (scope->region.parker != NULL)
        claim_open(work, scope->region.parker, &scope->region, cause);
    struct wi_waiter *spawner;
    while ((spawner = wi_waitlist_claim_first(&scope->spawners)) != NULL)
        wi_waiter_done(spawner, WEIR_ECANCELED);
    for (struct wi_list *node = scope->afters.next; node != &scope->afters; node = node->next)
        start_after_locked(work, scope, wi_container_of(node, struct weir_after, node));
}

void wi_scope_cancel_rest(struct wi_scope_work *work)
{
    struct weir_scope *scope;
    while ((scope = work->scopes) != NULL) {
        work->scopes = scope->next_claimed;
        wi_lock(&scope->lock);
        cancel_locked(work, scope, scope->claim); /* c */
        wi_unlock(&scope->lock);
        wi_scope_let_go(scope); /* d */
    }
    struct weir_after *after;
    while ((after = work->afters) != NULL) {
        work->afters = after->next;
        wi_after_start(after);
    }
}

void wi_scope_cancel_below(struct wi_parker *parker, int cause)
{
    struct wi_scope_work work = { .scopes = NULL };
    wi_scope_cancel_owner(&work, parker, cause);
    wi_scope_cancel_rest(&work);
}

int wi_scope_after_add(struct weir_scope *scope, struct weir_after *after)
{
    struct wi_scope_work work = { .scopes = NULL };
    wi_lock(&scope->lock);
    const bool closing = scope->closing;
    if (!closing) {
        wi_list_push_back(&scope->afters, &after->node);
        if (wi_region_cause(&scope->region) != 0)
            start_after_locked(&work, scope, after);
    }
    wi_unlock(&scope->lock);
    wi_scope_cancel_rest(&work);
    return closing ? WEIR_ECANCELED : 0;
}

bool wi_scope_after_remove(struct weir_scope *scope, struct weir_after *after)
{
    wi_lock(&scope->lock);
    const bool started = after->started;
    if (!started)
        wi_list_remove(&after->node);
    wi_unlock(&scope->lock);
    return !started;
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

void wi_scope_child_join(struct weir_scope *scope, struct weir_task *task)
{
    wi_lock(&scope->lock);
    wi_list_push_back(&scope->children, &task->sibling);
    wi_unlock(&scope->lock);
}

static void child_failed_locked(struct wi_scope_work *work, struct weir_scope *scope,
                                const struct weir_task *task, int result)
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
        cancel_locked(work, scope, result);
}

bool wi_scope_child_failing(struct weir_scope *scope, struct weir_task *task,
                            const struct wi_extras *extras)
{
    struct wi_scope_work work = { .scopes = NULL };
    wi_lock(&scope->lock);
    /* A scope that nobody opened has nobody who would release it. */
    const bool first = scope->region.parker != NULL && scope->error.code == 0;
    if (first && task->result < 0)
        child_failed_locked(&work, scope, task, task->result);
    const bool taken = first && scope->error.code != 0;
    if (taken) {
        scope->error.detail = extras->detail;
        scope->error.release = extras->release_detail;
        wi_store_relaxed(&task->flags, wi_load_relaxed(&task->flags) | WI_TASK_FAILURE_TOLD);
    }
    wi_unlock(&scope->lock);
    wi_scope_cancel_rest(&work);
    return taken;
}

void wi_scope_child_failed(struct weir_scope *scope, const struct weir_task *task, int result)
{
    if (wi_task_is(task, WI_TASK_FAILURE_TOLD))
        return;
    struct wi_scope_work work = { .scopes = NULL };
    wi_lock(&scope->lock);
    child_failed_locked(&work, scope, task, result);
    wi_unlock(&scope->lock);
    wi_scope_cancel_rest(&work);
}

void wi_scope_child_ended(struct weir_scope *scope, struct weir_task *task)
{
    struct wi_list claimed;
    wi_list_init(&claimed);
    wi_lock(&scope->lock);
    wi_list_remove(&task->sibling);
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
    wi_scope_let_go(scope);
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

static bool of_a_thread(const struct wi_parker *parker)
{
    return parker->number <= 0;
}

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
    struct wi_parker *parker = wi_current_parker();
    wi_region_begin(&scope->region, parker, WI_REGION_SCOPE, WEIR_NO_DEADLINE);
    if (wi_unlikely(wi_load_relaxed(&parker->cancel) != 0)) { /* e */
        const int cause = wi_parker_cancel_by_others(parker);
        if (cause != 0)
            weir_scope_cancel(scope, cause);
    }
    if (of_a_thread(parker))
        wi_guest_add(scope);
    *out = scope;
    return 0;
}

void weir_scope_cancel(weir_scope *scope, int cause)
{
    wi_bug_unless(scope != NULL);
    wi_bug_unless_cmp(cause, <, 0);
    struct wi_scope_work work = { .scopes = NULL };
    wi_lock(&scope->lock);
    cancel_locked(&work, scope, cause);
    wi_unlock(&scope->lock);
    wi_scope_cancel_rest(&work);
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

/* Takes the lock and ends the scope; what it has come to. */
static int end_locked(struct weir_scope *scope, weir_time deadline)
{
    for (;;) {
        end_children(scope, deadline);
        wi_lock(&scope->lock);
        if (wi_likely(scope->count == 0))
            break;
        wi_unlock(&scope->lock); /* a cancellation has counted a function in since */
    }
    scope->closing = true;
    scope->error.cause = wi_region_cause(&scope->region);
    return scope->first_error != 0 ? scope->first_error : scope->error.cause;
}

int weir_scope_close_error(weir_scope *scope, struct weir_scope_error *error, weir_time deadline)
{
    struct wi_parker *parker = wi_current_parker();
    check_closer(scope, parker);
    int result = end_locked(scope, deadline);
    wi_unlock(&scope->lock);
    if (of_a_thread(parker))
        wi_guest_remove(scope);
    wi_region_end(&scope->region);
    if (wi_unlikely(!wi_list_empty(&scope->afters)))
        wi_after_forget_all(&scope->afters);
    wi_deferred_run(wi_extras_place(), scope->deferred);
    /* Who is canceled from outside hears of it, though the children were all well. */
    if (result == 0)
        result = wi_parker_cancel_cause(parker);
    if (error == NULL)
        weir_scope_error_release(&scope->error);
    else
        wi_sized_give(error, &scope->error, sizeof(scope->error));
    wi_scope_let_go(scope);
    return result;
}

int weir_scope_close(weir_scope *scope, weir_time deadline)
{
    return weir_scope_close_error(scope, NULL, deadline);
}
