/* SPDX-License-Identifier: MIT */
/* A mutex that parks.  Locking and unlocking are one compare-and-swap each, unless one has to wake
 * somebody.
 *
 * Word: 0: free; else the address of the holder's parker, and WAITERS: unlocking has to look at the
 * queue.  While a woken waiter is on its way to try again nobody need look, so the bit is not set
 * then: the woken one will set it, or be on the queue itself.  It may have to wait long for a core,
 * and until then the others go on as fast as if nobody waited.
 *
 * Protocol.
 *   a: lock: 0 -> self, also while others wait (overtaking them costs no switch).
 *   b: else, while the holder runs on another core, spins for a microsecond at most, and tries a.
 *   c: else, under `lock`: takes it if it has become free, or queues itself and sees to WAITERS.
 *   d: unlock: self -> 0.
 *   e: with WAITERS set: under `lock` takes the oldest waiter.  If that has waited FAIR_NS, or was
 *      overtaken in vain, it is written down as the holder.  If not, the mutex is free, `woken` is
 *      set, and the waiter is told to try again.
 *   f: the woken one does a, b and c; at the end of it, under `lock`, it clears `woken` and sets
 *      WAITERS if anybody is queued.  If that is itself it is at the front.
 *   g: with WAITERS set and nobody queued (who was gave up): clears the bit and does d.
 * So who waits is overtaken for FAIR_NS and one lock's time at most.  In vain: the woken one found
 * it held by somebody who did not run, so that overtaking has cost a switch and saved none.
 *
 * Invariant under `lock`: if somebody is queued, `woken` or WAITERS is set.
 * While it is held, the holder's part changes only by the holder, WAITERS only under `lock`; so e
 * may store.
 * Last touch: d is the unlocker's.  In e it touches `lock` after the mutex is free, but then a
 * waiter is still inside its call, until wi_waiter_done() has told it; as in d while one is woken.
 * Pairing: the acquire of a and c meets the release of d and e.  Their release publishes the parker
 * to the acquire of b, which looks into it.
 *
 * Source: own; the hand-over after a millisecond is Go's (sync.Mutex since 1.9).  Handing over each
 * time is fair too, but costs two switches for each lock once two tasks meet. */
#include "chan/mutex.h"

#include <stddef.h>

#include "base/alloc.h"
#include "base/check.h"
#include "sync/spin.h"
#include "sync/wait.h"

#define WAITERS ((uint64_t)1)
#define FAIR_NS WEIR_NS_PER_MS

_Static_assert(_Alignof(struct wi_parker) > WAITERS, "the bit has room below the address");

/* What a waiter tells the unlocker. */
struct patience {
    weir_time since;
    bool in_vain; /* was overtaken by somebody who then stopped */
};

static uint64_t word_of(const struct wi_parker *parker)
{
    return (uint64_t)(uintptr_t)parker;
}

static struct wi_parker *holder_in(uint64_t word)
{
    return (struct wi_parker *)(uintptr_t)(word & ~WAITERS);
}

/* The mutex exists while somebody waits for it. */
static struct wi_parker *holder_of(const void *object)
{
    const struct weir_mutex *mutex = object;
    return holder_in(wi_load_acquire(&mutex->word));
}

static const struct wi_waitable mutex_waitable = { .what = "lock mutex", .holder = holder_of };

static _Noreturn void not_the_holder(const char *call, uint64_t word, const struct wi_parker *self)
{
    wi_bug_misuse_values(call, "the holder is task", wi_parker_number(holder_in(word)),
                         "the caller is task", wi_parker_number(self));
}

void wi_mutex_check_holder(const struct weir_mutex *mutex, const char *call)
{
    const struct wi_parker *self = wi_current_parker();
    const uint64_t word = wi_load_relaxed(&mutex->word);
    if (wi_unlikely(holder_in(word) != self))
        not_the_holder(call, word, self);
}

int weir_mutex_create(weir_mutex **out)
{
    wi_bug_unless(out != NULL);
    struct weir_mutex *mutex = wi_alloc(sizeof(*mutex));
    if (mutex == NULL)
        return WEIR_ENOMEM;
    wi_store_relaxed(&mutex->word, 0);
    wi_lock_init(&mutex->lock);
    mutex->woken = false;
    wi_list_init(&mutex->waiters);
    *out = mutex;
    return 0;
}

void weir_mutex_destroy(weir_mutex *mutex)
{
    wi_bug_unless(mutex != NULL);
    const uint64_t word = wi_load_acquire(&mutex->word);
    if (wi_unlikely(word != 0))
        wi_bug_misuse_values("weir_mutex_destroy", "held by task",
                             wi_parker_number(holder_in(word)), "the caller is task",
                             wi_parker_number(wi_current_parker()));
    const size_t waiting = wi_list_count(&mutex->waiters) + mutex->woken;
    if (wi_unlikely(waiting > 0))
        wi_bug_misuse("weir_mutex_destroy", "so many wait for it", (int64_t)waiting);
    wi_free(mutex);
}

/* a; true: the caller holds it. */
static bool try_take(struct weir_mutex *mutex, const struct wi_parker *self)
{
    uint64_t word = 0;
    return wi_cas_acq_rel(&mutex->word, &word, word_of(self));
}

/* b; true: the caller holds it. */
static bool spin(struct weir_mutex *mutex, const struct wi_parker *self)
{
    struct wi_spin spin = { 0 };
    for (;;) {
        const struct wi_parker *holder = holder_in(wi_load_acquire(&mutex->word));
        if (holder == NULL) {
            if (try_take(mutex, self))
                return true;
        } else if (!wi_spin_turn(&spin, self, holder)) {
            return false;
        }
    }
}

/* Sees to the invariant after `woken` was cleared or somebody was queued; it is held. */
static void announce_locked(struct weir_mutex *mutex)
{
    if (!mutex->woken && !wi_list_empty(&mutex->waiters))
        (void)wi_or_acq_rel(&mutex->word, WAITERS);
}

/* c; true: the caller holds it.  False: its waiter is queued. */
static bool take_or_queue_locked(struct weir_mutex *mutex, const struct wi_parker *self,
                                 struct wi_waiter *waiter, bool first)
{
    uint64_t word = wi_load_acquire(&mutex->word);
    for (;;) {
        if (word == 0) {
            if (wi_cas_acq_rel(&mutex->word, &word, word_of(self)))
                break;
        } else if (mutex->woken || wi_cas_acq_rel(&mutex->word, &word, word | WAITERS)) {
            if (first)
                wi_list_push_front(&mutex->waiters, &waiter->node);
            else
                wi_list_push_back(&mutex->waiters, &waiter->node);
            return false;
        }
    }
    announce_locked(mutex);
    return true;
}

/* f, as far as a and b; true: the caller holds it. */
static bool retry(struct weir_mutex *mutex, const struct wi_parker *self, struct patience *patience)
{
    if (!spin(mutex, self)) {
        const struct wi_parker *holder = holder_in(wi_load_acquire(&mutex->word));
        patience->in_vain = holder != NULL && !wi_spin_may_help(self, holder);
        return false;
    }
    wi_lock(&mutex->lock);
    mutex->woken = false;
    announce_locked(mutex);
    wi_unlock(&mutex->lock);
    return true;
}

/* Never inlined, nor is unlock_slow(): the fast paths would save registers for it. */
__attribute__((noinline)) static int lock_slow(struct weir_mutex *mutex, struct wi_parker *self,
                                               weir_time deadline)
{
    if (holder_in(wi_load_relaxed(&mutex->word)) == self)
        return WEIR_EDEADLK;
    if (deadline == WEIR_DONT_WAIT)
        return try_take(mutex, self) ? 0 : WEIR_ETIMEDOUT;
    if (spin(mutex, self))
        return 0;

    struct patience patience = { .since = weir_now() };
    for (bool woken = false;; woken = true) {
        if (woken && retry(mutex, self, &patience))
            return 0;
        struct wi_wait wait;
        struct wi_waiter waiter;
        wi_wait_init_single(&wait, &waiter, &mutex_waitable, mutex, &patience);
        wi_lock(&mutex->lock);
        if (woken)
            mutex->woken = false;
        if (take_or_queue_locked(mutex, self, &waiter, woken)) {
            wi_unlock(&mutex->lock);
            return 0;
        }
        const int rc = wi_wait_single(&waiter, &mutex->lock, deadline, WI_WAIT_UNCANCELABLE);
        if (rc != 0 || waiter.result == 0)
            return rc; /* gave up; or the unlocker has written us down as the holder */
    }
}

int weir_mutex_lock(weir_mutex *mutex, weir_time deadline)
{
    wi_bug_unless(mutex != NULL);
    struct wi_parker *self = wi_current_parker();
    if (wi_likely(try_take(mutex, self))) /* a */
        return 0;
    return lock_slow(mutex, self, deadline);
}

/* e and g; false: nobody was on the queue. */
static bool pass_on(struct weir_mutex *mutex)
{
    wi_lock(&mutex->lock);
    struct wi_waiter *first = wi_waitlist_claim_first(&mutex->waiters);
    if (first == NULL) {
        (void)wi_and_acq_rel(&mutex->word, ~WAITERS); /* g */
        wi_unlock(&mutex->lock);
        return false;
    }
    const struct patience *patience = first->data;
    const bool starved = patience->in_vain || weir_now() - patience->since >= FAIR_NS;
    const uint64_t waiters = wi_list_empty(&mutex->waiters) ? 0 : WAITERS;
    mutex->woken = !starved;
    wi_store_release(&mutex->word, starved ? word_of(first->wait->parker) | waiters : 0); /* e */
    wi_unlock(&mutex->lock);
    wi_waiter_done(first, starved ? 0 : WEIR_EAGAIN);
    return true;
}

__attribute__((noinline)) static void unlock_slow(struct weir_mutex *mutex,
                                                  const struct wi_parker *self, uint64_t word)
{
    if (wi_unlikely(holder_in(word) != self))
        not_the_holder("weir_mutex_unlock", word, self);
    while (!pass_on(mutex)) {
        word = word_of(self);
        if (wi_cas_acq_rel(&mutex->word, &word, 0)) /* d */
            return;
    }
}

void weir_mutex_unlock(weir_mutex *mutex)
{
    wi_bug_unless(mutex != NULL);
    const struct wi_parker *self = wi_current_parker();
    uint64_t word = word_of(self);
    if (wi_unlikely(!wi_cas_acq_rel(&mutex->word, &word, 0))) /* d */
        unlock_slow(mutex, self, word);
}
