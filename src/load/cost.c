/* SPDX-License-Identifier: MIT */
/* Means from their first sample on; see the header. */
#include "load/cost.h"

void wi_cost_init(struct wi_cost *cost)
{
    wi_store_relaxed(&cost->mean, WI_COST_UNKNOWN);
    wi_store_relaxed(&cost->samples, 0);
}

int64_t wi_cost_learn(struct wi_cost *cost, int64_t ns)
{
    const uint32_t samples = wi_load_relaxed(&cost->samples);
    if (samples == WI_COST_SAMPLES)
        return wi_cost_learn_settled(cost, ns);
    ns = wi_cost_bound(ns);
    const int64_t sample = ns << WI_COST_SHIFT;
    const int64_t scaled = wi_load_relaxed(&cost->mean);
    /* The weight is one half for the second, a quarter for the third and fourth, and so on. */
    const int bits = samples == 0 ? 0 : 32 - __builtin_clz(samples);
    const int shift = bits < WI_COST_SHIFT ? bits : WI_COST_SHIFT;
    wi_store_relaxed(&cost->mean, scaled < 0 ? sample : scaled + ((sample - scaled) >> shift));
    wi_store_relaxed(&cost->samples, samples + 1);
    return ns;
}
