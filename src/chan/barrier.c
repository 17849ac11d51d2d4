/* SPDX-License-Identifier: MIT */
/* Barriers: all parties of a generation pass, or none does.
 *
 * A party that gives up decides so by its own word (sync/wait.h), not under the lock, so that the
 * last to come can tell: of those that came before it one cannot be claimed.  Then the generation
 * is broken, and nobody passes; the party that gave up finds it so.  If all can be claimed, all
 * pass, and whoever is told so may free the barrier at once, for nobody will touch it again.
 * Invariant under the lock: `arrived` < parties; 0 while broken. */
#include "weir/barrier.h"

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/check.h"
#include "sync/lock.h"
#include "sync/wait.h"

struct weir_barrier {
    /* constant after init */
    int parties;
    /* guarded by lock */
    struct wi_lock lock;
    int arrived; /* in this generation */
    bool broken;
    uint64_t generation; /* counts those that have ended, however */
    struct wi_list waiters;
};

static const struct wi_waitable barrier_waitable = { .what = "wait at barrier" };

int weir_barrier_create(weir_barrier **out, int parties)
{
    wi_bug_unless(out != NULL);
    if (parties < 1)
        return WEIR_EINVAL;
    struct weir_barrier *barrier = wi_alloc(sizeof(*barrier));
    if (barrier == NULL)
        return WEIR_ENOMEM;
    barrier->parties = parties;
    wi_lock_init(&barrier->lock);
    barrier->arrived = 0;
    barrier->broken = false;
    barrier->generation = 0;
    wi_list_init(&barrier->waiters);
    *out = barrier;
    return 0;
}

void weir_barrier_destroy(weir_barrier *barrier)
{
    wi_bug_unless(barrier != NULL);
    const size_t waiting = wi_list_count(&barrier->waiters);
    if (waiting > 0)
        wi_bug_misuse_values("weir_barrier_destroy", "waiting", (int64_t)waiting, "of",
                             barrier->parties);
    wi_free(barrier);
}

/* Ends the generation; who waited is on `claimed`, for wi_waitlist_finish() after the unlock. */
static void end_locked(struct weir_barrier *barrier, bool broken, struct wi_list *claimed)
{
    wi_waitlist_claim_all(&barrier->waiters, claimed);
    barrier->arrived = 0;
    barrier->broken = broken;
    barrier->generation++;
}

static void end(struct weir_barrier *barrier, bool broken)
{
    struct wi_list claimed;
    wi_list_init(&claimed);
    wi_lock(&barrier->lock);
    end_locked(barrier, broken, &claimed);
    wi_unlock(&barrier->lock);
    wi_waitlist_finish(&claimed, WEIR_EBROKEN);
}

/* The last to come; the lock is held, and released here. */
static int pass(struct weir_barrier *barrier)
{
    const int others = barrier->parties - 1;
    struct wi_list claimed;
    wi_list_init(&claimed);
    end_locked(barrier, false, &claimed);
    const bool all = wi_list_count(&claimed) == (size_t)others;
    barrier->broken = !all;
    wi_unlock(&barrier->lock);
    wi_waitlist_finish(&claimed, all ? 0 : WEIR_EBROKEN);
    return all ? others : WEIR_EBROKEN;
}

/* The caller gives up, or (NULL) does not begin: breaks its generation, unless that has ended. */
static void give_up(struct weir_barrier *barrier, struct wi_waiter *waiter, uint64_t generation)
{
    struct wi_list claimed;
    wi_list_init(&claimed);
    wi_lock(&barrier->lock);
    if (waiter != NULL)
        wi_list_remove(&waiter->node);
    if (waiter == NULL ? !barrier->broken : barrier->generation == generation)
        end_locked(barrier, true, &claimed);
    wi_unlock(&barrier->lock);
    wi_waitlist_finish(&claimed, WEIR_EBROKEN);
}

int weir_barrier_wait(weir_barrier *barrier, weir_time deadline)
{
    wi_bug_unless(barrier != NULL);
    if (wi_entry_canceled(deadline)) {
        give_up(barrier, NULL, 0);
        return WEIR_ECANCELED;
    }
    struct wi_wait wait;
    struct wi_waiter self;
    wi_wait_init(&wait, &barrier_waitable, barrier);
    wi_waiter_init(&self, &wait, 0, NULL);

    wi_lock(&barrier->lock);
    if (barrier->broken) {
        wi_unlock(&barrier->lock);
        return WEIR_EBROKEN;
    }
    if (barrier->arrived + 1 == barrier->parties)
        return pass(barrier);
    const int index = barrier->arrived++;
    const uint64_t generation = barrier->generation;
    wi_list_push_back(&barrier->waiters, &self.node);
    wi_unlock(&barrier->lock);

    const int rc = wi_wait(&wait, deadline, WI_WAIT_CANCELABLE);
    if (rc < 0) {
        give_up(barrier, &self, generation);
        return rc;
    }
    return self.result != 0 ? self.result : index;
}

void weir_barrier_abort(weir_barrier *barrier)
{
    wi_bug_unless(barrier != NULL);
    end(barrier, true);
}

void weir_barrier_reset(weir_barrier *barrier)
{
    wi_bug_unless(barrier != NULL);
    end(barrier, false);
}

bool weir_barrier_is_broken(weir_barrier *barrier)
{
    wi_bug_unless(barrier != NULL);
    wi_lock(&barrier->lock);
    const bool broken = barrier->broken;
    wi_unlock(&barrier->lock);
    return broken;
}
