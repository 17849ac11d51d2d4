/* SPDX-License-Identifier: MIT */
/* A mutex that parks.  Locking and unlocking are one compare-and-swap each while nobody waits.
 *
 * Word: the address of the holder's parker (0: free) and two bits.
 *   WAITERS  somebody is on the queue, or was and gave up: unlocking has to look
 *   WOKEN    a waiter was woken and is on its way to try again: no need to wake another
 * Invariant: a free mutex with a bit set has WOKEN set, and the woken one is inside its call.
 *
 * Protocol.
 *   a: lock: 0 -> self.  Who finds it free with bits set takes it too, and leaves the bits (it
 *      overtakes those that wait, which costs no switch).
 *   b: else, while the holder runs on another core, spins for a microsecond at most, and tries a.
 *   c: else, under `lock`: sets WAITERS, or takes it if it has become free; queues itself.
 *   d: unlock: self -> 0.
 *   e: with WOKEN set: clears the holder and leaves the bits.
 *   f: with WAITERS set: under `lock` takes the oldest waiter.  If that has waited FAIR_NS, or was
 *      overtaken in vain, it is written down as the holder.  If not, the mutex is free with WOKEN
 *      set, and the waiter is told to try again: it clears WOKEN as it takes the mutex or queues
 *      itself, now at the front.
 *   g: with WAITERS set and nobody on the queue: clears the bit while it still holds, and does d.
 * So who waits is overtaken for FAIR_NS and one lock's time at most.  In vain: the woken one found
 * it held by somebody who did not run, so that overtaking has cost a switch and saved none.
 *
 * While it is held, the holder's part changes only by the holder, WAITERS only under `lock`, WOKEN
 * is cleared only by who was woken; so f, which holds all three, may store.
 * Last touch: d and e are the unlocker's.  In f it touches `lock` after the mutex is free, but then
 * a waiter is still inside its call, until wi_waiter_done() has told it.
 * Pairing: the acquire of a and c meets the release of d, e and f.  Their release publishes the
 * parker to the acquire of b, which looks into it.
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
#define WOKEN ((uint64_t)2)
#define BITS (WAITERS | WOKEN)
#define FAIR_NS WEIR_NS_PER_MS

_Static_assert(_Alignof(struct wi_parker) > BITS, "the bits have room below the address");

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
    return (struct wi_parker *)(uintptr_t)(word & ~BITS);
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
    wi_list_init(&mutex->waiters);
    *out = mutex;
    return 0;
}

void weir_mutex_destroy(weir_mutex *mutex)
{
    wi_bug_unless(mutex != NULL);
    const uint64_t word = wi_load_acquire(&mutex->word);
    if (wi_unlikely(word != 0))
        wi_bug_misuse_values("weir_mutex_destroy", "held, or waited for, by task",
                             wi_parker_number(holder_in(word)), "the caller is task",
                             wi_parker_number(wi_current_parker()));
    wi_free(mutex);
}

/* a; true: the caller holds it. */
static bool try_take(struct weir_mutex *mutex, const struct wi_parker *self, bool woken)
{
    const uint64_t cleared = woken ? WOKEN : 0;
    uint64_t word = wi_load_relaxed(&mutex->word);
    while (holder_in(word) == NULL) {
        if (wi_cas_acq_rel(&mutex->word, &word, word_of(self) | (word & BITS & ~cleared)))
            return true;
    }
    return false;
}

/* b; true: the caller holds it. */
static bool spin(struct weir_mutex *mutex, const struct wi_parker *self, bool woken)
{
    struct wi_spin spin = { 0 };
    for (;;) {
        const struct wi_parker *holder = holder_in(wi_load_acquire(&mutex->word));
        if (holder == NULL) {
            if (try_take(mutex, self, woken))
                return true;
        } else if (!wi_spin_turn(&spin, self, holder)) {
            return false;
        }
    }
}

/* c, up to the queue; true: the caller holds it. */
static bool take_or_announce_locked(struct weir_mutex *mutex, const struct wi_parker *self,
                                    bool woken)
{
    const uint64_t cleared = woken ? WOKEN : 0;
    uint64_t word = wi_load_relaxed(&mutex->word);
    for (;;) {
        if (holder_in(word) == NULL) {
            if (wi_cas_acq_rel(&mutex->word, &word, word_of(self) | (word & BITS & ~cleared)))
                return true;
        } else if (wi_cas_acq_rel(&mutex->word, &word, (word | WAITERS) & ~cleared)) {
            return false;
        }
    }
}

/* The woken one tries again; true: the caller holds it. */
static bool retry(struct weir_mutex *mutex, const struct wi_parker *self, struct patience *patience)
{
    if (spin(mutex, self, true))
        return true;
    const struct wi_parker *holder = holder_in(wi_load_acquire(&mutex->word));
    patience->in_vain = holder != NULL && !wi_spin_may_help(self, holder);
    return false;
}

/* Never inlined, nor is unlock_slow(): the fast paths would save registers for it. */
__attribute__((noinline)) static int lock_slow(struct weir_mutex *mutex, struct wi_parker *self,
                                               weir_time deadline)
{
    if (holder_in(wi_load_relaxed(&mutex->word)) == self)
        return WEIR_EDEADLK;
    if (deadline == WEIR_DONT_WAIT)
        return try_take(mutex, self, false) ? 0 : WEIR_ETIMEDOUT;
    if (spin(mutex, self, false))
        return 0;

    struct patience patience = { .since = weir_now() };
    for (bool woken = false;; woken = true) {
        if (woken && retry(mutex, self, &patience))
            return 0;
        struct wi_wait wait;
        struct wi_waiter waiter;
        wi_wait_init_single(&wait, &waiter, &mutex_waitable, mutex, &patience);
        wi_lock(&mutex->lock);
        if (take_or_announce_locked(mutex, self, woken)) {
            wi_unlock(&mutex->lock);
            return 0;
        }
        if (woken)
            wi_list_push_front(&mutex->waiters, &waiter.node);
        else
            wi_list_push_back(&mutex->waiters, &waiter.node);
        const int rc = wi_wait_single(&waiter, &mutex->lock, deadline, WI_WAIT_UNCANCELABLE);
        if (rc != 0 || waiter.result == 0)
            return rc; /* gave up; or the unlocker has written us down as the holder */
    }
}

int weir_mutex_lock(weir_mutex *mutex, weir_time deadline)
{
    wi_bug_unless(mutex != NULL);
    struct wi_parker *self = wi_current_parker();
    uint64_t word = 0;
    if (wi_likely(wi_cas_acq_rel(&mutex->word, &word, word_of(self)))) /* a */
        return 0;
    return lock_slow(mutex, self, deadline);
}

/* f and g; false: nobody was on the queue. */
static bool pass_on(struct weir_mutex *mutex)
{
    wi_lock(&mutex->lock);
    struct wi_waiter *first = wi_waitlist_claim_first(&mutex->waiters);
    const uint64_t rest = wi_list_empty(&mutex->waiters) ? 0 : WAITERS;
    if (first == NULL) {
        (void)wi_and_acq_rel(&mutex->word, ~WAITERS); /* g */
        wi_unlock(&mutex->lock);
        return false;
    }
    const struct patience *patience = first->data;
    const bool starved = patience->in_vain || weir_now() - patience->since >= FAIR_NS;
    const uint64_t next = starved ? word_of(first->wait->parker) : WOKEN;
    wi_store_release(&mutex->word, next | rest); /* f */
    wi_unlock(&mutex->lock);
    wi_waiter_done(first, starved ? 0 : WEIR_EAGAIN);
    return true;
}

__attribute__((noinline)) static void unlock_slow(struct weir_mutex *mutex,
                                                  const struct wi_parker *self, uint64_t word)
{
    if (wi_unlikely(holder_in(word) != self))
        not_the_holder("weir_mutex_unlock", word, self);
    for (;;) {
        const bool look = (word & BITS) == WAITERS;
        if (look && pass_on(mutex))
            return;
        if (!look && wi_cas_acq_rel(&mutex->word, &word, word & BITS)) /* d, e */
            return;
        word = wi_load_relaxed(&mutex->word);
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
