/* SPDX-License-Identifier: MIT */
/* Quantiles of recent durations; see latency.h. */
#include "load/latency.h"

#include <string.h>

#include "base/check.h"

enum {
    UNIT_BITS = 10, /* the first octave begins at 1,024 ns */
    SPLIT_BITS = 3,
};

static int bucket_of(int64_t took_ns)
{
    if (took_ns < (INT64_C(1) << UNIT_BITS))
        return 0;
    const int high = 63 - __builtin_clzll((unsigned long long)took_ns);
    if (high >= UNIT_BITS + WI_LATENCY_OCTAVES)
        return WI_LATENCY_BUCKETS - 1;
    const int within = (int)(took_ns >> (high - SPLIT_BITS)) & (WI_LATENCY_SPLIT - 1);
    return (high - UNIT_BITS) * WI_LATENCY_SPLIT + within;
}

static int64_t upper_end(int bucket)
{
    const int shift = UNIT_BITS + bucket / WI_LATENCY_SPLIT - SPLIT_BITS;
    const int64_t mantissa = WI_LATENCY_SPLIT + bucket % WI_LATENCY_SPLIT + 1;
    return mantissa << shift;
}

static void clear_half(struct wi_latency *latency, int half)
{
    memset(latency->count[half], 0, sizeof(latency->count[half]));
    latency->total[half] = 0;
}

/* Turns to the next half when the present one is over; both are stale after two.  A clock that went
 * back begins the present half anew, with what is in it. */
static void turn(struct wi_latency *latency, weir_time now)
{
    if (now < latency->since) {
        latency->since = now;
        return;
    }
    const uint64_t passed = (uint64_t)now - (uint64_t)latency->since;
    if (passed < (uint64_t)WI_LATENCY_HALF_NS)
        return;
    latency->since = now;
    latency->present ^= 1;
    clear_half(latency, latency->present);
    if (passed >= 2 * (uint64_t)WI_LATENCY_HALF_NS)
        clear_half(latency, latency->present ^ 1);
}

void wi_latency_init(struct wi_latency *latency, weir_time now)
{
    memset(latency, 0, sizeof(*latency));
    latency->since = now;
}

void wi_latency_note(struct wi_latency *latency, int64_t took_ns, weir_time now)
{
    turn(latency, now);
    if (latency->total[latency->present] == UINT32_MAX)
        return; /* 143 million a second: more of the same says nothing new */
    latency->count[latency->present][bucket_of(took_ns)]++;
    latency->total[latency->present]++;
}

int64_t wi_latency_count(struct wi_latency *latency, weir_time now)
{
    turn(latency, now);
    return (int64_t)latency->total[0] + latency->total[1];
}

int64_t wi_latency_quantile(struct wi_latency *latency, int percent, weir_time now)
{
    wi_bug_unless_cmp(percent, >=, 1);
    wi_bug_unless_cmp(percent, <=, 100);
    const int64_t total = wi_latency_count(latency, now);
    if (total == 0)
        return 0;
    const int64_t rank = (total * percent + 99) / 100;
    int64_t seen = 0;
    int bucket = 0;
    for (; bucket < WI_LATENCY_BUCKETS - 1; bucket++) {
        seen += (int64_t)latency->count[0][bucket] + latency->count[1][bucket];
        if (seen >= rank)
            break;
    }
    return upper_end(bucket);
}
