/* SPDX-License-Identifier: MIT */
/* Readers-writer locks whose phases alternate while both kinds wait.
 *
 * Word: WAITERS: somebody is on a queue, or was and gave up; WRITER: the rest is the address of the
 * writer's parker; else the rest is the number of readers, times ONE_READER.
 *   a: read lock, without WAITERS and WRITER: adds a reader.  Write lock: 0 -> writer.
 *   b: else under the lock: enters if it can (a reader: no writer holds it or is queued), else sets
 *      WAITERS and queues itself.
 *   c: unlock, without WAITERS, or by a reader that is not the last: one compare-and-swap, the
 *      last touch.
 *   d: else under the lock passes it on: the writer to all readers that are queued, if any are,
 *      else to the oldest writer; the last reader to the oldest writer, else to all readers.  They
 *      are told after the unlock; until then they are inside their calls, so the lock exists.  If
 *      nobody is queued: clears WAITERS, still holding it, and does c.
 *   e: a writer that gave up lets those readers in that queued behind it, if readers hold the lock.
 * Invariant: a word of 0 means that nobody is queued.
 * With WAITERS set nobody enters but under the lock, and the last to leave leaves under it; so d
 * may store.
 * Pairing: the release of c and d meets the acquire of a and b, which also publishes the parker.
 *
 * Source: the phases are those of Brandenburg and Anderson 2010, section 3, as in Go's
 * sync.RWMutex; the queue is our own. */
#include "weir/rwlock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/check.h"
#include "sync/lock.h"
#include "sync/wait.h"

#define WAITERS ((uint64_t)1)
#define WRITER ((uint64_t)2)
#define ONE_READER ((uint64_t)4)
#define BITS (WAITERS | WRITER)

_Static_assert(_Alignof(struct wi_parker) > BITS, "the bits have room below the address");

struct weir_rwlock {
    wi_atomic_u64 word;
    /* guarded by lock */
    struct wi_lock lock;
    struct wi_list readers; /* waiters */
    struct wi_list writers; /* waiters */
};

static uint64_t word_of(const struct wi_parker *writer)
{
    return (uint64_t)(uintptr_t)writer | WRITER;
}

/* NULL: no writer holds it. */
static struct wi_parker *writer_in(uint64_t word)
{
    return (word & WRITER) != 0 ? (struct wi_parker *)(uintptr_t)(word & ~BITS) : NULL;
}

static int64_t readers_in(uint64_t word)
{
    return (word & WRITER) != 0 ? 0 : (int64_t)(word / ONE_READER);
}

static struct wi_parker *holder_of(const void *object)
{
    const struct weir_rwlock *lock = object;
    return writer_in(wi_load_acquire(&lock->word));
}

static const struct wi_waitable read_waitable = { .what = "lock rwlock for reading",
                                                  .holder = holder_of };
static const struct wi_waitable write_waitable = { .what = "lock rwlock for writing",
                                                   .holder = holder_of };

int weir_rwlock_create(weir_rwlock **out)
{
    wi_bug_unless(out != NULL);
    struct weir_rwlock *lock = wi_alloc(sizeof(*lock));
    if (lock == NULL)
        return WEIR_ENOMEM;
    wi_store_relaxed(&lock->word, 0);
    wi_lock_init(&lock->lock);
    wi_list_init(&lock->readers);
    wi_list_init(&lock->writers);
    *out = lock;
    return 0;
}

void weir_rwlock_destroy(weir_rwlock *lock)
{
    wi_bug_unless(lock != NULL);
    const uint64_t word = wi_load_acquire(&lock->word);
    if (word != 0)
        wi_bug_misuse_values("weir_rwlock_destroy", "readers", readers_in(word), "writer is task",
                             wi_parker_number(writer_in(word)));
    wi_free(lock);
}

/* Lets all readers in that are queued, besides `inside` ones; a writer must not hold it. */
static void admit_readers_locked(struct weir_rwlock *lock, uint64_t inside,
                                 struct wi_list *admitted)
{
    wi_waitlist_claim_all(&lock->readers, admitted);
    const uint64_t waiters = wi_list_empty(&lock->writers) ? 0 : WAITERS;
    const uint64_t count = inside + wi_list_count(admitted);
    wi_store_release(&lock->word, count * ONE_READER | waiters);
}

/* e */
static void admit_those_behind(struct weir_rwlock *lock)
{
    struct wi_list admitted;
    wi_list_init(&admitted);
    wi_lock(&lock->lock);
    /* The number of readers may go down meanwhile, but not to 0 with WAITERS set. */
    uint64_t word = wi_load_acquire(&lock->word);
    if ((word & BITS) == WAITERS && wi_list_empty(&lock->writers)) {
        wi_waitlist_claim_all(&lock->readers, &admitted);
        const uint64_t added = wi_list_count(&admitted) * ONE_READER;
        while (!wi_cas_acq_rel(&lock->word, &word, (word + added) & ~WAITERS))
            ;
    }
    wi_unlock(&lock->lock);
    wi_waitlist_finish(&admitted, 0);
}

/* -- locking ---------------------------------------------------------------------------------- */

/* What the word becomes if the caller enters now; 0 if it cannot. */
static uint64_t entered(const struct weir_rwlock *lock, uint64_t word, struct wi_parker *writer)
{
    if (writer != NULL)
        return word == 0 ? word_of(writer) : 0;
    const bool open = (word & WRITER) == 0 && wi_list_empty(&lock->writers);
    return open ? word + ONE_READER : 0;
}

/* b, for a writer or (NULL) a reader. */
static int lock_slow(struct weir_rwlock *lock, struct wi_parker *writer, weir_time deadline)
{
    struct wi_wait wait;
    struct wi_waiter self;
    wi_wait_init_single(&wait, &self, writer != NULL ? &write_waitable : &read_waitable, lock,
                        NULL);
    wi_lock(&lock->lock);
    uint64_t word = wi_load_acquire(&lock->word);
    for (;;) {
        const uint64_t inside = entered(lock, word, writer);
        if (inside == 0 && deadline == WEIR_DONT_WAIT) {
            wi_unlock(&lock->lock);
            return WEIR_ETIMEDOUT;
        }
        if (!wi_cas_acq_rel(&lock->word, &word, inside != 0 ? inside : word | WAITERS))
            continue;
        if (inside == 0)
            break;
        wi_unlock(&lock->lock);
        return 0;
    }
    wi_list_push_back(writer != NULL ? &lock->writers : &lock->readers, &self.node);
    /* 0: whoever unlocked has let us in. */
    const int rc = wi_wait_single(&self, &lock->lock, deadline, WI_WAIT_UNCANCELABLE);
    if (rc != 0 && writer != NULL)
        admit_those_behind(lock);
    return rc;
}

int weir_rwlock_read_lock(weir_rwlock *lock, weir_time deadline)
{
    wi_bug_unless(lock != NULL);
    uint64_t word = wi_load_relaxed(&lock->word);
    while ((word & BITS) == 0) {
        if (wi_cas_acq_rel(&lock->word, &word, word + ONE_READER)) /* a */
            return 0;
    }
    if (writer_in(word) == wi_current_parker())
        return WEIR_EDEADLK;
    return lock_slow(lock, NULL, deadline);
}

int weir_rwlock_write_lock(weir_rwlock *lock, weir_time deadline)
{
    wi_bug_unless(lock != NULL);
    struct wi_parker *self = wi_current_parker();
    uint64_t word = 0;
    if (wi_likely(wi_cas_acq_rel(&lock->word, &word, word_of(self)))) /* a */
        return 0;
    if (writer_in(word) == self)
        return WEIR_EDEADLK;
    return lock_slow(lock, self, deadline);
}

/* -- unlocking -------------------------------------------------------------------------------- */

/* d, by the only holder; false: nobody is queued, WAITERS is cleared. */
static bool pass_on_locked(struct weir_rwlock *lock, bool from_writer, struct wi_list *admitted)
{
    const bool writers = !wi_list_empty(&lock->writers);
    const bool readers = !wi_list_empty(&lock->readers);
    if (readers && (from_writer || !writers)) {
        admit_readers_locked(lock, 0, admitted);
        return true;
    }
    if (!writers) {
        (void)wi_and_acq_rel(&lock->word, ~WAITERS);
        return false;
    }
    struct wi_waiter *next = wi_waitlist_claim_first(&lock->writers);
    wi_list_push_back(admitted, &next->node);
    const uint64_t waiters = readers || !wi_list_empty(&lock->writers) ? WAITERS : 0;
    wi_store_release(&lock->word, word_of(next->wait->parker) | waiters);
    return true;
}

/* d; true: it is passed on.  False: look at the word again, it has changed. */
static bool pass_on(struct weir_rwlock *lock, bool from_writer)
{
    struct wi_list admitted;
    wi_list_init(&admitted);
    wi_lock(&lock->lock);
    /* Readers may have come in under the lock, before the caller took it. */
    const bool only_holder = from_writer || readers_in(wi_load_acquire(&lock->word)) == 1;
    const bool passed = only_holder && pass_on_locked(lock, from_writer, &admitted);
    wi_unlock(&lock->lock);
    wi_waitlist_finish(&admitted, 0);
    return passed;
}

void weir_rwlock_read_unlock(weir_rwlock *lock)
{
    wi_bug_unless(lock != NULL);
    uint64_t word = wi_load_relaxed(&lock->word);
    for (;;) {
        if (wi_unlikely(readers_in(word) == 0))
            wi_bug_misuse_values("weir_rwlock_read_unlock", "readers", 0, "writer is task",
                                 wi_parker_number(writer_in(word)));
        const bool last = readers_in(word) == 1;
        if (!last || (word & WAITERS) == 0) {
            if (wi_cas_acq_rel(&lock->word, &word, word - ONE_READER)) /* c */
                return;
        } else if (pass_on(lock, false)) {
            return;
        } else {
            word = wi_load_relaxed(&lock->word);
        }
    }
}

void weir_rwlock_write_unlock(weir_rwlock *lock)
{
    wi_bug_unless(lock != NULL);
    const struct wi_parker *self = wi_current_parker();
    uint64_t word = word_of(self);
    while (!wi_cas_acq_rel(&lock->word, &word, 0)) { /* c */
        if (wi_unlikely(writer_in(word) != self))
            wi_bug_misuse_values("weir_rwlock_write_unlock", "the writer is task",
                                 wi_parker_number(writer_in(word)), "the caller is task",
                                 wi_parker_number(self));
        if (pass_on(lock, true))
            return;
        word = word_of(self);
    }
}
