/* SPDX-License-Identifier: MIT */
/* Learned costs; see the header. */
#include "load/cost.h"

enum {
    MEAN_SHIFT = 8,
};

static void blend(wi_atomic_i64 *mean, int64_t sample, int shift)
{
    const int64_t old = wi_load_relaxed(mean);
    wi_store_relaxed(mean, old + (((sample << MEAN_SHIFT) - old) >> shift));
}

void wi_cost_learn(struct wi_cost *cost, int64_t work_ns, int64_t held_ns)
{
    const uint32_t samples = wi_load_relaxed(&cost->samples);
    int shift = MEAN_SHIFT;
    if (samples < 1U << MEAN_SHIFT)
        shift = samples == 0 ? 0 : 32 - __builtin_clz(samples);
    if (shift > MEAN_SHIFT)
        shift = MEAN_SHIFT;
    blend(&cost->work, work_ns, shift);
    blend(&cost->held, held_ns, shift);
    /* Last, so that who sees a sample sees a mean. */
    if (samples < 1U << MEAN_SHIFT)
        wi_store_release(&cost->samples, samples + 1);
}
