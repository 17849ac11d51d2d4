/* SPDX-License-Identifier: MIT */
/* The contended half of the runtime's lock: a short spin, since holders leave within some dozen
 * instructions, then sleep. */
#include "sync/lock.h"

#include "arch/cpu.h"
#include "os/futex.h"

enum {
    SPINS_MAX = 64
};

void wi_lock_slow(struct wi_lock *lock)
{
    for (int spin = 0; spin < SPINS_MAX; spin++) {
        wi_cpu_relax();
        if (wi_load_relaxed(&lock->word) == 0 && wi_try_lock(lock))
            return;
    }
    /* From here on the word says 2: this thread cannot know whether others sleep too. */
    while (wi_swap_acquire(&lock->word, 2) != 0)
        (void)wi_futex_wait(&lock->word, 2, WEIR_NO_DEADLINE);
}

void wi_unlock_slow(struct wi_lock *lock)
{
    wi_futex_wake(&lock->word, 1);
}
