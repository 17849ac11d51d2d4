/* SPDX-License-Identifier: MIT */
/* Sleep on a word, simulated: with one thread nobody can wake a sleeper, so a sleep lasts until its
 * deadline, and one without a deadline is a deadlock. */
#include "os/futex.h"

#include "os/sim/world.h"

int wi_futex_wait(wi_atomic_u32 *word, uint32_t expected, weir_time deadline)
{
    wi_sim_enter();
    if (wi_load_seq_cst(word) != expected)
        return WEIR_EAGAIN;
    while (wi_sim_wait(deadline)) {
    }
    return deadline == WEIR_NO_DEADLINE ? 0 : WEIR_ETIMEDOUT;
}

void wi_futex_wake(wi_atomic_u32 *word, int count)
{
    (void)word;
    (void)count;
}
