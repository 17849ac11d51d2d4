/* SPDX-License-Identifier: MIT */
#ifndef WI_LOAD_LATENCY_H
#define WI_LOAD_LATENCY_H

/* How long calls to one destination take: quantiles of the last 30 to 60 s.
 *
 * Two halves of 30 s, the present and the one before it, each a small log-linear histogram from 1
 * us to about 67 s: values below that count as the least, those above as the most.  A bucket is
 * never wider than an eighth of its values, and a quantile is the upper end of its bucket: told a
 * little too long rather than too short.
 *
 * Threads: one owner, or a lock around it.
 * Source: after HdrHistogram (Tene); base/hist.h is the exact one, and ten times as large. */

#include <stdint.h>

#include "weir/time.h"

enum {
    WI_LATENCY_OCTAVES = 26, /* powers of two from 1,024 ns on */
    WI_LATENCY_SPLIT = 8,
    WI_LATENCY_BUCKETS = WI_LATENCY_OCTAVES * WI_LATENCY_SPLIT,
};

#define WI_LATENCY_HALF_NS (30 * WEIR_NS_PER_S)

struct wi_latency {
    weir_time since; /* the present half began */
    uint32_t count[2][WI_LATENCY_BUCKETS];
    uint32_t total[2];
    uint8_t present; /* index of the present half */
};

void wi_latency_init(struct wi_latency *latency, weir_time now);

/* Negative durations count as 0. */
void wi_latency_note(struct wi_latency *latency, int64_t took_ns, weir_time now);

/* How many are in sight. */
int64_t wi_latency_count(struct wi_latency *latency, weir_time now);

/* The duration that `percent` (1 to 100) of those in sight do not exceed; 0 without any. */
int64_t wi_latency_quantile(struct wi_latency *latency, int percent, weir_time now);

#endif
