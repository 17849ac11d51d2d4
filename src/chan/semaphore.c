/* SPDX-License-Identifier: MIT */
/* Semaphores, first come, first served.
 *
 * Word: the permits, shifted, and WAITERS: somebody is on the queue, or was and gave up.
 *   a: acquire, without WAITERS and with enough permits: one compare-and-swap.
 *   b: else under the lock: takes them if there are enough and nobody is queued, else sets WAITERS
 *      and queues itself.
 *   c: release, without WAITERS: one compare-and-swap, the releaser's last touch.
 *   d: release, with WAITERS: under the lock, if somebody is queued: adds the permits, takes them
 *      again for as many of the oldest waiters as they suffice for, and wakes those after the
 *      unlock.  If nobody is queued: clears WAITERS and does c.
 *   e: who gave up looks whether those behind it can be served now.
 * With WAITERS set the word changes only under the lock.
 * Invariant under the lock: the oldest waiter wants more than there is.
 * Pairing: the release of c and d meets the acquire of a and b. */
#include "weir/semaphore.h"

#include <stdbool.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/sized.h"
#include "chan/selectables.h"
#include "sync/lock.h"
#include "sync/wait.h"

#define WAITERS ((uint64_t)1)

enum {
    PERMITS_SHIFT = 1
};

struct weir_semaphore {
    /* constant after init */
    int64_t permits_max;
    /* atomic; see above */
    wi_atomic_u64 word;
    /* guarded by lock */
    struct wi_lock lock;
    struct wi_list waiters; /* data: an int64_t, how many it wants */
};

static const struct wi_waitable semaphore_waitable = { .what = "acquire semaphore" };

static int64_t permits_in(uint64_t word)
{
    return (int64_t)(word >> PERMITS_SHIFT);
}

static uint64_t word_of(int64_t permits)
{
    return (uint64_t)permits << PERMITS_SHIFT;
}

int weir_semaphore_create(weir_semaphore **out, const struct weir_semaphore_opts *opts)
{
    wi_bug_unless(out != NULL);
    struct weir_semaphore_opts wanted;
    const int rc = wi_sized_take(&wanted, sizeof(wanted), opts);
    if (rc != 0)
        return rc;
    if (wanted.permits_max == 0)
        wanted.permits_max = WEIR_SEMAPHORE_PERMITS_MAX;
    if (wanted.permits_max < 0 || wanted.permits_max > WEIR_SEMAPHORE_PERMITS_MAX)
        return WEIR_EINVAL;
    if (wanted.permits < 0 || wanted.permits > wanted.permits_max)
        return WEIR_EINVAL;
    struct weir_semaphore *semaphore = wi_alloc(sizeof(*semaphore));
    if (semaphore == NULL)
        return WEIR_ENOMEM;
    semaphore->permits_max = wanted.permits_max;
    wi_store_relaxed(&semaphore->word, word_of(wanted.permits));
    wi_lock_init(&semaphore->lock);
    wi_list_init(&semaphore->waiters);
    *out = semaphore;
    return 0;
}

void weir_semaphore_destroy(weir_semaphore *semaphore)
{
    wi_bug_unless(semaphore != NULL);
    const size_t waiting = wi_list_count(&semaphore->waiters);
    if (waiting > 0)
        wi_bug_misuse("weir_semaphore_destroy", "so many wait for permits", (int64_t)waiting);
    wi_free(semaphore);
}

/* Serves the oldest waiters out of `permits`, and writes down what is left. */
static void serve_locked(struct weir_semaphore *semaphore, int64_t permits, struct wi_list *served)
{
    while (!wi_list_empty(&semaphore->waiters)) {
        struct wi_list *first = semaphore->waiters.next;
        struct wi_waiter *waiter = wi_container_of(first, struct wi_waiter, node);
        const int64_t wants = *(const int64_t *)waiter->data;
        if (wants > permits)
            break;
        wi_list_remove(first);
        if (!wi_waiter_claim(waiter)) /* a select that something else has ended */
            continue;
        permits -= wants;
        wi_list_push_back(served, first);
    }
    const uint64_t waiters = wi_list_empty(&semaphore->waiters) ? 0 : WAITERS;
    wi_store_release(&semaphore->word, word_of(permits) | waiters);
}

/* e */
static void serve_those_behind(struct weir_semaphore *semaphore)
{
    struct wi_list served;
    wi_list_init(&served);
    wi_lock(&semaphore->lock);
    const uint64_t word = wi_load_acquire(&semaphore->word);
    if ((word & WAITERS) != 0)
        serve_locked(semaphore, permits_in(word), &served);
    wi_unlock(&semaphore->lock);
    wi_waitlist_finish(&served, 0);
}

/* b, up to the queue.  0: the caller has them; WEIR_ETIMEDOUT: it does not, and shall not wait;
 * WEIR_EAGAIN: WAITERS is set. */
static int take_or_announce_locked(struct weir_semaphore *semaphore, int64_t permits, bool may_wait)
{
    const bool first = wi_list_empty(&semaphore->waiters);
    uint64_t word = wi_load_acquire(&semaphore->word);
    for (;;) {
        const bool enough = first && permits_in(word) >= permits;
        if (!enough && !may_wait)
            return WEIR_ETIMEDOUT;
        const uint64_t next = enough ? word_of(permits_in(word) - permits) : word | WAITERS;
        if (wi_cas_acq_rel(&semaphore->word, &word, next))
            return enough ? 0 : WEIR_EAGAIN;
    }
}

static int acquire_slow(struct weir_semaphore *semaphore, int64_t permits, weir_time deadline)
{
    struct wi_wait wait;
    struct wi_waiter self;
    wi_wait_init_single(&wait, &self, &semaphore_waitable, semaphore, &permits);
    wi_lock(&semaphore->lock);
    int rc = take_or_announce_locked(semaphore, permits, deadline != WEIR_DONT_WAIT);
    if (rc != WEIR_EAGAIN) {
        wi_unlock(&semaphore->lock);
        return rc;
    }
    wi_list_push_back(&semaphore->waiters, &self.node);
    rc = wi_wait_single(&self, &semaphore->lock, deadline, WI_WAIT_CANCELABLE);
    if (rc != 0)
        serve_those_behind(semaphore);
    return rc;
}

int weir_semaphore_acquire(weir_semaphore *semaphore, int64_t permits, weir_time deadline)
{
    wi_bug_unless(semaphore != NULL);
    if (permits < 1 || permits > semaphore->permits_max)
        return WEIR_EINVAL;
    if (wi_entry_canceled(deadline))
        return WEIR_ECANCELED;
    uint64_t word = wi_load_relaxed(&semaphore->word);
    while ((word & WAITERS) == 0 && permits_in(word) >= permits) {
        if (wi_cas_acq_rel(&semaphore->word, &word, word - word_of(permits))) /* a */
            return 0;
    }
    return acquire_slow(semaphore, permits, deadline);
}

static void check_room(const struct weir_semaphore *semaphore, uint64_t word, int64_t permits)
{
    if (wi_unlikely(permits > semaphore->permits_max - permits_in(word)))
        wi_bug_misuse_values("weir_semaphore_release", "permits would be",
                             permits_in(word) + permits, "the maximum is", semaphore->permits_max);
}

/* d; false: nobody is queued. */
static bool release_and_wake(struct weir_semaphore *semaphore, int64_t permits)
{
    struct wi_list served;
    wi_list_init(&served);
    wi_lock(&semaphore->lock);
    const bool somebody = !wi_list_empty(&semaphore->waiters);
    if (somebody) {
        const uint64_t word = wi_load_acquire(&semaphore->word);
        check_room(semaphore, word, permits);
        serve_locked(semaphore, permits_in(word) + permits, &served);
    } else {
        (void)wi_and_acq_rel(&semaphore->word, ~WAITERS);
    }
    wi_unlock(&semaphore->lock);
    wi_waitlist_finish(&served, 0);
    return somebody;
}

void weir_semaphore_release(weir_semaphore *semaphore, int64_t permits)
{
    wi_bug_unless(semaphore != NULL);
    wi_bug_unless_cmp(permits, >, 0);
    uint64_t word = wi_load_relaxed(&semaphore->word);
    for (;;) {
        if ((word & WAITERS) == 0) {
            check_room(semaphore, word, permits);
            if (wi_cas_acq_rel(&semaphore->word, &word, word + word_of(permits))) /* c */
                return;
        } else if (release_and_wake(semaphore, permits)) {
            return;
        } else {
            word = wi_load_relaxed(&semaphore->word);
        }
    }
}

int64_t weir_semaphore_available(const weir_semaphore *semaphore)
{
    wi_bug_unless(semaphore != NULL);
    return permits_in(wi_load_relaxed(&semaphore->word));
}

/* -- in a select: one permit ------------------------------------------------------------------ */

static bool select_begin(struct wi_selected *selected, bool may_wait)
{
    (void)may_wait;
    selected->object = selected->one->semaphore;
    return false;
}

static struct wi_lock *select_lock(void *object)
{
    return &((struct weir_semaphore *)object)->lock;
}

static bool select_ready(const struct wi_selected *selected)
{
    struct weir_semaphore *semaphore = selected->object;
    if (!wi_list_empty(&semaphore->waiters))
        return false; /* and WAITERS is set */
    uint64_t word = wi_load_acquire(&semaphore->word);
    while (permits_in(word) == 0) {
        if (wi_cas_acq_rel(&semaphore->word, &word, word | WAITERS))
            return false;
    }
    return true; /* unless somebody is faster than select_take() */
}

static int select_take(struct wi_selected *selected, struct wi_waiter **served)
{
    (void)served;
    selected->one->result = 0;
    return take_or_announce_locked(selected->object, 1, true);
}

/* Who wants one permit and does not get it leaves none behind for others, so e has nothing to do
 * when the select ends otherwise. */
static struct wi_list *select_queue(struct wi_selected *selected)
{
    static const int64_t one_permit = 1;
    selected->waiter.data = (void *)(uintptr_t)&one_permit;
    return &((struct weir_semaphore *)selected->object)->waiters;
}

const struct wi_selectable wi_semaphore_selectable = {
    .begin = select_begin,
    .lock = select_lock,
    .ready_locked = select_ready,
    .take_locked = select_take,
    .queue_locked = select_queue,
};
