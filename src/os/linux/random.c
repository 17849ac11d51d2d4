/* SPDX-License-Identifier: MIT */
/* Entropy on Linux: getrandom(2), which is never interrupted for so few bytes. */
#define _GNU_SOURCE 1
#include "os/random.h"

#include <sys/random.h>
#include <sys/types.h>
#include <unistd.h>

#include "os/clock.h"

uint64_t wi_random_seed(void)
{
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof(seed), 0) == (ssize_t)sizeof(seed))
        return seed;
    /* A seccomp filter may forbid the call.  Seeds choose victims and jitter, never keys, so time
     * and process number serve. */
    return (uint64_t)wi_clock_now() ^ ((uint64_t)getpid() << 32) ^ (uint64_t)wi_clock_wall();
}
