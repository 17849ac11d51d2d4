/* SPDX-License-Identifier: MIT */
/* The contended half of the runtime's lock: a short spin, since holders leave within some dozen
 * instructions, then sleep.  The protocol is in lock.h. */
#include "sync/lock.h"

#include "arch/cpu.h"
#include "os/futex.h"

enum {
    SPINS_MAX = 64
};

wi_atomic_u32 wi_lock_sleepers[WI_LOCK_COUNTS];

void wi_lock_slow(struct wi_lock *lock)
{
    for (int spin = 0; spin < SPINS_MAX; spin++) {
        wi_cpu_relax();
        if (wi_load_relaxed(&lock->word) == 0 && wi_try_lock(lock))
            return;
    }
    wi_atomic_u32 *sleepers = wi_lock_sleepers_of(lock);
    (void)wi_add_seq_cst(sleepers, 1); /* a */
    wi_handshake_barrier();
    uint32_t expected = 0;
    while (!wi_cas_seq_cst(&lock->word, &expected, 1)) { /* b */
        (void)wi_futex_wait(&lock->word, 1, WEIR_NO_DEADLINE);
        expected = 0;
    }
    (void)wi_sub_seq_cst(sleepers, 1);
}

void wi_unlock_slow(struct wi_lock *lock)
{
    wi_futex_wake(&lock->word, 1);
}
