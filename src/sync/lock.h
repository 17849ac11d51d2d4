/* SPDX-License-Identifier: MIT */
#ifndef WI_SYNC_LOCK_H
#define WI_SYNC_LOCK_H

/* The runtime's own lock, for sections of some dozen instructions that never wait and call no user
 * code.  Three states on a futex (Drepper 2011, "Futexes Are Tricky", mutex 2).
 *
 * Word: 0 free, 1 held, 2 held and somebody may sleep.
 * Pairing: the acquire in wi_lock() meets the release in wi_unlock().
 * Last touch: the unlocking swap is the holder's final access to the lock's memory; the wake that
 * may follow uses the address only as a key, so whoever learns under the lock that the object is
 * his may free it at once. */

#include <stdbool.h>

#include "base/atomic.h"
#include "base/check.h"

struct wi_lock {
    wi_atomic_u32 word;
};

void wi_lock_slow(struct wi_lock *lock);
void wi_unlock_slow(struct wi_lock *lock);

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
    uint32_t before = wi_swap_release(&lock->word, 0);
    if (wi_unlikely(before == 2))
        wi_unlock_slow(lock);
}

#endif
