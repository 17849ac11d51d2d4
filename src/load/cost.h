/* SPDX-License-Identifier: MIT */
#ifndef WI_LOAD_COST_H
#define WI_LOAD_COST_H

/* What a route costs, learned from its requests: worker time and held time, both as means.
 *
 * Means are exponential with weight 1/256: what the load estimate needs where single costs differ
 * by ten (a standard error of 9 % at a squared coefficient of variation of 4.5).  The first 256
 * weigh in by powers of two, so the first request already tells.
 *
 * Threads: any.  Atomic, relaxed; two requests that end at once may lose one of them to the mean,
 * never more. */

#include <stdint.h>

#include "base/atomic.h"

/* A cost above is taken for it: 68.7 s. */
#define WI_COST_MAX_NS (INT64_C(1) << 36)

/* All-zero: unknown. */
struct wi_cost {
    /* atomic */
    _Alignas(64) wi_atomic_i64 work; /* mean, times 256 */
    wi_atomic_i64 held;              /* mean, times 256 */
    wi_atomic_u32 samples;           /* up to 256 */
};

/* Within 0 to WI_COST_MAX_NS. */
static inline int64_t wi_cost_bound(int64_t ns)
{
    return ns < 0 ? 0 : ns > WI_COST_MAX_NS ? WI_COST_MAX_NS : ns;
}

/* 0 is possible; unknown is -1. */
static inline int64_t wi_cost_work(const struct wi_cost *cost)
{
    return wi_load_relaxed(&cost->samples) == 0 ? -1 : wi_load_relaxed(&cost->work) >> 8;
}

static inline int64_t wi_cost_held(const struct wi_cost *cost)
{
    return wi_load_relaxed(&cost->samples) == 0 ? -1 : wi_load_relaxed(&cost->held) >> 8;
}

/* What of one request's work counts, where `mean_ns` is known of its route: no more than 32 times
 * as much.  A slice that was on a worker while the whole process was stopped says nothing about the
 * route; so one request moves the mean by an eighth at most. */
static inline int64_t wi_cost_plausible(int64_t mean_ns, int64_t ns)
{
    const int64_t most = mean_ns * 32 + 1000000;
    return mean_ns < 0 || ns < most ? ns : most;
}

/* One request's; both bounded. */
void wi_cost_learn(struct wi_cost *cost, int64_t work_ns, int64_t held_ns);

#endif
