/* SPDX-License-Identifier: MIT */
/* A mutex that parks: the runtime's lock guards a few words and the queue of waiters.
 *
 * Unlocking hands over to the oldest waiter, so nobody starves; the holder is known by its parker.
 * Invariant under the lock: waiters exist only while it is held. */
#include "weir/mutex.h"

#include <stddef.h>

#include "base/alloc.h"
#include "base/check.h"
#include "sync/lock.h"
#include "sync/wait.h"

struct weir_mutex {
    struct wi_lock lock;
    /* guarded by lock */
    struct wi_parker *holder; /* NULL: free */
    struct wi_list waiters;
};

/* The holder's parker; the mutex exists while somebody waits for it. */
static struct wi_parker *holder_of(const void *object)
{
    const struct weir_mutex *mutex = object;
    return mutex->holder;
}

static const struct wi_waitable mutex_waitable = { .what = "lock mutex", .holder = holder_of };

int weir_mutex_create(weir_mutex **out)
{
    wi_bug_unless(out != NULL);
    struct weir_mutex *mutex = wi_alloc(sizeof(*mutex));
    if (mutex == NULL)
        return WEIR_ENOMEM;
    wi_lock_init(&mutex->lock);
    mutex->holder = NULL;
    wi_list_init(&mutex->waiters);
    *out = mutex;
    return 0;
}

void weir_mutex_destroy(weir_mutex *mutex)
{
    wi_bug_unless(mutex != NULL);
    wi_bug_unless(mutex->holder == NULL);
    wi_free(mutex);
}

int weir_mutex_lock(weir_mutex *mutex, weir_time deadline)
{
    wi_bug_unless(mutex != NULL);
    struct wi_parker *self = wi_current_parker();
    wi_lock(&mutex->lock);
    if (mutex->holder == NULL) {
        mutex->holder = self;
        wi_unlock(&mutex->lock);
        return 0;
    }
    if (mutex->holder == self || deadline == WEIR_DONT_WAIT) {
        bool recursive = mutex->holder == self;
        wi_unlock(&mutex->lock);
        return recursive ? WEIR_EDEADLK : WEIR_ETIMEDOUT;
    }

    struct wi_wait wait;
    struct wi_waiter waiter;
    wi_wait_init_single(&wait, &waiter, &mutex_waitable, mutex, NULL);
    wi_list_push_back(&mutex->waiters, &waiter.node);
    /* 0: the unlocker has written us down as the holder. */
    return wi_wait_single(&waiter, &mutex->lock, deadline, WI_WAIT_UNCANCELABLE);
}

void weir_mutex_unlock(weir_mutex *mutex)
{
    wi_bug_unless(mutex != NULL);
    struct wi_parker *self = wi_current_parker();
    wi_lock(&mutex->lock);
    if (mutex->holder != self)
        wi_bug_misuse("weir_mutex_unlock", "the caller does not hold it; holder is",
                      (int64_t)(intptr_t)mutex->holder);
    struct wi_waiter *next = wi_waitlist_claim_first(&mutex->waiters);
    mutex->holder = next != NULL ? next->wait->parker : NULL;
    wi_unlock(&mutex->lock);
    if (next != NULL)
        wi_waiter_done(next, 0);
}
