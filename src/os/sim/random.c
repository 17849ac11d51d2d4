/* SPDX-License-Identifier: MIT */
/* Entropy of the simulated system: the next numbers of the world's seed. */
#include "os/random.h"

#include "os/sim/world.h"

uint64_t wi_random_seed(void)
{
    wi_sim_enter();
    return wi_sim_random(UINT64_MAX);
}
