/* SPDX-License-Identifier: MIT */
#ifndef WI_LOAD_COST_H
#define WI_LOAD_COST_H

/* What requests of a kind take, learned from each as a mean.
 *
 * The mean is exponential with weight 1/256: what the load estimate needs where single costs differ
 * by ten (a standard error of 9 % at a squared coefficient of variation of 4.5).  The first 256
 * weigh in by powers of two, so the first request already tells.
 *
 * Threads: any.  Atomic, relaxed; two requests that end at once may lose one of them to the mean,
 * never more. */

#include <stdint.h>

#include "base/atomic.h"
#include "base/check.h"

/* A cost above is taken for it: 68.7 s. */
#define WI_COST_MAX_NS (INT64_C(1) << 36)

#define WI_COST_UNKNOWN INT64_C(-1)

enum {
    WI_COST_SHIFT = 8,
    WI_COST_SAMPLES = 1 << WI_COST_SHIFT,
};

struct wi_cost {
    /* atomic */
    wi_atomic_i64 mean;    /* times WI_COST_SAMPLES; negative while unknown */
    wi_atomic_u32 samples; /* up to WI_COST_SAMPLES */
};

void wi_cost_init(struct wi_cost *cost);

/* Within 0 to WI_COST_MAX_NS. */
static inline int64_t wi_cost_bound(int64_t ns)
{
    return ns < 0 ? 0 : ns > WI_COST_MAX_NS ? WI_COST_MAX_NS : ns;
}

/* In ns; negative while unknown. */
static inline int64_t wi_cost_mean(const struct wi_cost *cost)
{
    return wi_load_relaxed(&cost->mean) >> WI_COST_SHIFT;
}

/* Learns what one request took: what of it counts.  That is no more than 32 times the mean, and
 * 1 ms: a slice that was on a worker while the whole process was stopped says nothing about its
 * kind, so one request moves the mean by an eighth at most. */
int64_t wi_cost_learn(struct wi_cost *cost, int64_t ns);

/* The same for a mean that is settled (samples == WI_COST_SAMPLES). */
static inline int64_t wi_cost_learn_settled(struct wi_cost *cost, int64_t ns)
{
    const int64_t scaled = wi_load_relaxed(&cost->mean);
    const int64_t wide = (scaled >> (WI_COST_SHIFT - 5)) + 1000000;
    const int64_t most = wide < WI_COST_MAX_NS ? wide : WI_COST_MAX_NS;
    if (wi_unlikely((uint64_t)ns > (uint64_t)most)) /* or negative */
        ns = ns < 0 ? 0 : most;
    wi_store_relaxed(&cost->mean, scaled + ns - (scaled >> WI_COST_SHIFT));
    return ns;
}

#endif
