/* SPDX-License-Identifier: MIT */
#ifndef WI_BASE_RNG_H
#define WI_BASE_RNG_H

/* A small fast random sequence for victims, jitter and simulation; never for secrets.
 *
 * The same seed gives the same sequence on every machine.  Seeds of any quality will do, 0 too:
 * the state is filled by splitmix64.
 * Threads: one owner.
 * Source: xoshiro256** and splitmix64, Blackman and Vigna, "Scrambled linear pseudorandom number
 * generators", 2021; bounded numbers by multiplication, Lemire 2019. */

#include <stdint.h>

#include "base/check.h"

struct wi_rng {
    uint64_t state[4]; /* never all zero */
};

static inline uint64_t wi_rng_rotate(uint64_t word, int bits)
{
    return (word << bits) | (word >> (64 - bits));
}

/* The next value of splitmix64; also a good mixer for a single number. */
static inline uint64_t wi_rng_split(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t word = *state;
    word = (word ^ (word >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ (word >> 27)) * UINT64_C(0x94d049bb133111eb);
    return word ^ (word >> 31);
}

static inline void wi_rng_init(struct wi_rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        rng->state[i] = wi_rng_split(&seed);
}

/* 64 random bits. */
static inline uint64_t wi_rng_next(struct wi_rng *rng)
{
    uint64_t *const s = rng->state;
    const uint64_t result = wi_rng_rotate(s[1] * 5, 7) * 9;
    const uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = wi_rng_rotate(s[3], 45);
    return result;
}

/* A number from 0 to count - 1.  Without the rejection step that would make it exactly uniform:
 * the error is below count / 2^32. */
static inline uint32_t wi_rng_below(struct wi_rng *rng, uint32_t count)
{
    wi_bug_unless(count > 0);
    return (uint32_t)(((wi_rng_next(rng) >> 32) * count) >> 32);
}

/* A number in [0, 1), uniform in steps of 2^-53. */
static inline double wi_rng_unit(struct wi_rng *rng)
{
    return (double)(wi_rng_next(rng) >> 11) * 0x1.0p-53;
}

#endif
