/* SPDX-License-Identifier: MIT */
/* Wait groups: a count, and waiting until it is 0.
 *
 * Word: the count, shifted, and WAITERS: somebody is on the queue, or was and gave up.
 *   a: wait: count 0: return.  Else under the lock sets WAITERS and queues itself.
 *   b: add: one compare-and-swap, unless it leaves 0 with WAITERS set.  Where it leaves 0 it is the
 *      last touch.
 *   c: to 0 with WAITERS: under the lock, if somebody is queued: the word becomes 0, all are woken
 *      after the unlock.  Until then they are inside their calls, so the group exists.  If nobody
 *      is queued: clears WAITERS and does b, for who sees 0 may free the group at once.
 * Pairing: the release of b and c meets the acquire of a. */
#include "weir/wait_group.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/alloc.h"
#include "base/check.h"
#include "sync/lock.h"
#include "sync/wait.h"

#define WAITERS ((uint64_t)1)

enum {
    COUNT_SHIFT = 1
};

struct weir_wait_group {
    wi_atomic_u64 word; /* WAITERS is set and cleared under lock */
    struct wi_lock lock;
    struct wi_list waiters; /* guarded by lock */
};

static const struct wi_waitable group_waitable = { .what = "wait for wait group" };

int weir_wait_group_create(weir_wait_group **out)
{
    wi_bug_unless(out != NULL);
    struct weir_wait_group *group = wi_alloc(sizeof(*group));
    if (group == NULL)
        return WEIR_ENOMEM;
    wi_store_relaxed(&group->word, 0);
    wi_lock_init(&group->lock);
    wi_list_init(&group->waiters);
    *out = group;
    return 0;
}

static int64_t count_in(uint64_t word)
{
    return (int64_t)(word >> COUNT_SHIFT);
}

void weir_wait_group_destroy(weir_wait_group *group)
{
    wi_bug_unless(group != NULL);
    const int64_t count = count_in(wi_load_acquire(&group->word));
    const size_t waiting = wi_list_count(&group->waiters);
    if (count != 0 || waiting != 0)
        wi_bug_misuse_values("weir_wait_group_destroy", "the count is", count, "waiters",
                             (int64_t)waiting);
    wi_free(group);
}

/* c; false: nobody is queued, or the count has changed from that of `word`. */
static bool end_and_wake(struct weir_wait_group *group, uint64_t word)
{
    struct wi_list claimed;
    wi_list_init(&claimed);
    wi_lock(&group->lock);
    bool ended = false;
    if (wi_list_empty(&group->waiters))
        (void)wi_and_acq_rel(&group->word, ~WAITERS);
    else
        ended = wi_cas_acq_rel(&group->word, &word, 0);
    if (ended)
        wi_waitlist_claim_all(&group->waiters, &claimed);
    wi_unlock(&group->lock);
    wi_waitlist_finish(&claimed, 0);
    return ended;
}

void weir_wait_group_add(weir_wait_group *group, int32_t count)
{
    wi_bug_unless(group != NULL);
    uint64_t word = wi_load_relaxed(&group->word);
    for (;;) {
        const int64_t sum = count_in(word) + count;
        if (sum < 0 || sum > WEIR_WAIT_GROUP_MAX)
            wi_bug_misuse_values("weir_wait_group_add", "the count is", count_in(word), "added",
                                 count);
        const uint64_t waiters = word & WAITERS;
        if (sum != 0 || waiters == 0) {
            if (wi_cas_acq_rel(&group->word, &word, (uint64_t)sum << COUNT_SHIFT | waiters)) /* b */
                return;
        } else if (end_and_wake(group, word)) {
            return;
        } else {
            word = wi_load_relaxed(&group->word);
        }
    }
}

void weir_wait_group_done(weir_wait_group *group)
{
    weir_wait_group_add(group, -1);
}

int weir_wait_group_wait(weir_wait_group *group, weir_time deadline)
{
    wi_bug_unless(group != NULL);
    if (wi_entry_canceled(deadline))
        return WEIR_ECANCELED;
    if (count_in(wi_load_acquire(&group->word)) == 0) /* a */
        return 0;
    if (deadline == WEIR_DONT_WAIT)
        return WEIR_ETIMEDOUT;

    struct wi_wait wait;
    struct wi_waiter self;
    wi_wait_init_single(&wait, &self, &group_waitable, group, NULL);
    wi_lock(&group->lock);
    uint64_t word = wi_load_acquire(&group->word);
    while (count_in(word) != 0) {
        if (wi_cas_acq_rel(&group->word, &word, word | WAITERS)) {
            wi_list_push_back(&group->waiters, &self.node);
            return wi_wait_single(&self, &group->lock, deadline, WI_WAIT_CANCELABLE);
        }
    }
    wi_unlock(&group->lock);
    return 0;
}
