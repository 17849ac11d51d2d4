/* SPDX-License-Identifier: MIT */
#ifndef WI_SYNC_LOCK_H
#define WI_SYNC_LOCK_H

/* The runtime's own lock, for sections of some dozen instructions that never wait and call no user
 * code.
 *
 * Word: 0 free, 1 held.  Who finds it held spins a little and then sleeps on the word.  Sleepers
 * are counted outside the lock, in a table by its address, so that unlocking is one plain store and
 * a look at a count that is nearly always 0:
 *   sleeper: a: counts itself (seq_cst) and makes a barrier (sync/handshake.h); b: tries, sleeps
 *            while the word is 1, and so on.
 *   holder:  c: word = 0 (light store); d: reads the count, and wakes one sleeper if it is not 0.
 * Of a-b and c-d at least one sees the other.  Locks that share a count cost a vain wake.
 * Pairing: the acquire in wi_lock() meets the release in wi_unlock().
 * Last touch: c is the holder's final access to the lock's memory; the wake that may follow uses
 * the address only as a key, so whoever learns under the lock that the object is his may free it at
 * once.
 *
 * Own; the usual futex mutex (Drepper 2011) keeps the count in the word and so unlocks by a locked
 * instruction. */

#include <stdbool.h>

#include "base/atomic.h"
#include "base/check.h"
#include "sync/handshake.h"

struct wi_lock {
    wi_atomic_u32 word;
};

enum {
    WI_LOCK_COUNTS = 256
};

extern wi_atomic_u32 wi_lock_sleepers[WI_LOCK_COUNTS];

void wi_lock_slow(struct wi_lock *lock);
void wi_unlock_slow(struct wi_lock *lock);

static inline wi_atomic_u32 *wi_lock_sleepers_of(const struct wi_lock *lock)
{
    return &wi_lock_sleepers[((uintptr_t)lock >> 6) % WI_LOCK_COUNTS];
}

static inline void wi_lock_init(struct wi_lock *lock)
{
    wi_store_relaxed(&lock->word, 0);
}

static inline bool wi_try_lock(struct wi_lock *lock)
{
    uint32_t expected = 0;
    return wi_cas_acquire(&lock->word, &expected, 1);
}

static inline void wi_lock(struct wi_lock *lock)
{
    if (wi_unlikely(!wi_try_lock(lock)))
        wi_lock_slow(lock);
}

static inline void wi_unlock(struct wi_lock *lock)
{
    wi_atomic_u32 *sleepers = wi_lock_sleepers_of(lock);
    wi_store_light(&lock->word, 0);                  /* c */
    if (wi_unlikely(wi_load_seq_cst(sleepers) != 0)) /* d */
        wi_unlock_slow(lock);
}

#endif
