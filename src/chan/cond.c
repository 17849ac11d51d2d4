/* SPDX-License-Identifier: MIT */
/* Conditions.  A waiter queues itself while it still holds the mutex, so who changes what the mutex
 * guards, and then signals, finds it.
 *
 * The wait is decided by its word (sync/wait.h), not by the lock: between queueing and parking lies
 * the unlock of the mutex.  A signal that meets a waiter which gave up takes the next.
 * Invariant under the lock: all on the queue wait with `mutex`. */
#include "weir/cond.h"

#include <stddef.h>

#include "base/alloc.h"
#include "base/check.h"
#include "chan/mutex.h"
#include "sync/lock.h"
#include "sync/wait.h"

struct weir_cond {
    struct wi_lock lock;
    /* guarded by lock */
    struct wi_list waiters;
    const struct weir_mutex *mutex; /* of those that wait */
};

static const struct wi_waitable cond_waitable = { .what = "wait for condition" };

int weir_cond_create(weir_cond **out)
{
    wi_bug_unless(out != NULL);
    struct weir_cond *cond = wi_alloc(sizeof(*cond));
    if (cond == NULL)
        return WEIR_ENOMEM;
    wi_lock_init(&cond->lock);
    wi_list_init(&cond->waiters);
    cond->mutex = NULL;
    *out = cond;
    return 0;
}

void weir_cond_destroy(weir_cond *cond)
{
    wi_bug_unless(cond != NULL);
    wi_lock(&cond->lock);
    const size_t waiting = wi_list_count(&cond->waiters);
    wi_unlock(&cond->lock);
    if (waiting > 0)
        wi_bug_misuse("weir_cond_destroy", "so many wait on it", (int64_t)waiting);
    wi_free(cond);
}

static void queue(struct weir_cond *cond, struct wi_waiter *waiter, const struct weir_mutex *mutex)
{
    wi_lock(&cond->lock);
    if (!wi_list_empty(&cond->waiters) && cond->mutex != mutex)
        wi_bug_misuse_values("weir_cond_wait", "others wait with mutex",
                             (int64_t)(intptr_t)cond->mutex, "this one with",
                             (int64_t)(intptr_t)mutex);
    cond->mutex = mutex;
    wi_list_push_back(&cond->waiters, &waiter->node);
    wi_unlock(&cond->lock);
}

int weir_cond_wait(weir_cond *cond, weir_mutex *mutex, weir_time deadline)
{
    wi_bug_unless(cond != NULL);
    wi_bug_unless(mutex != NULL);
    wi_mutex_check_holder(mutex, "weir_cond_wait");
    if (deadline == WEIR_DONT_WAIT)
        return WEIR_ETIMEDOUT;
    if (wi_entry_canceled(deadline))
        return WEIR_ECANCELED;

    struct wi_wait wait;
    struct wi_waiter self;
    wi_wait_init(&wait, &cond_waitable, cond);
    wi_waiter_init(&self, &wait, 0, NULL);
    queue(cond, &self, mutex);
    weir_mutex_unlock(mutex);

    int rc = wi_wait(&wait, deadline, WI_WAIT_CANCELABLE);
    if (rc < 0) {
        wi_lock(&cond->lock);
        wi_list_remove(&self.node);
        wi_unlock(&cond->lock);
    }
    const int relocked = weir_mutex_lock(mutex, WEIR_NO_DEADLINE);
    wi_bug_unless_cmp(relocked, ==, 0);
    return rc;
}

void weir_cond_signal(weir_cond *cond)
{
    wi_bug_unless(cond != NULL);
    wi_lock(&cond->lock);
    struct wi_waiter *oldest = wi_waitlist_claim_first(&cond->waiters);
    wi_unlock(&cond->lock);
    if (oldest != NULL)
        wi_waiter_done(oldest, 0);
}

void weir_cond_broadcast(weir_cond *cond)
{
    wi_bug_unless(cond != NULL);
    struct wi_list claimed;
    wi_list_init(&claimed);
    wi_lock(&cond->lock);
    wi_waitlist_claim_all(&cond->waiters, &claimed);
    wi_unlock(&cond->lock);
    wi_waitlist_finish(&claimed, 0);
}
