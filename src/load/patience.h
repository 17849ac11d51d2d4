/* SPDX-License-Identifier: MIT */
#ifndef WI_LOAD_PATIENCE_H
#define WI_LOAD_PATIENCE_H

/* How long one attempt of a call may take, learned from those that came to their end.
 *
 *   timeout = clamp(3 * p99, 50 ms, 10 s); 1 s until 100 are in sight
 *
 * It learns from completed attempts only and at most doubles in 10 s: a stall must not teach
 * patience.  But a destination that has become slower for good would then never complete an attempt
 * again.  So a period of 10 s in which at least half of the attempts ran out of this time doubles
 * it for the next, until attempts complete.
 *
 * Threads: one owner, or a lock around it.
 * Source: own; the multiple of p99 as gRPC and Envoy users set per-try timeouts by hand. */

#include <stdbool.h>

#include "load/latency.h"

#define WI_PATIENCE_NS_MIN (50 * WEIR_NS_PER_MS)
#define WI_PATIENCE_NS_MAX (10 * WEIR_NS_PER_S)
#define WI_PATIENCE_NS_FIRST WEIR_NS_PER_S
#define WI_PATIENCE_PERIOD_NS (10 * WEIR_NS_PER_S)

enum {
    WI_PATIENCE_SAMPLES_MIN = 100
};

struct wi_patience {
    struct wi_latency latency; /* of completed attempts */
    weir_time since;           /* the period began */
    int64_t begin_ns;          /* the timeout when it began */
    int64_t stretched_ns;      /* at least this, because attempts ran out of time; 0: nothing */
    int64_t learned_ns;        /* 3 * p99, clamped, as of `learned_at` */
    weir_time learned_at;
    uint32_t ended, ran_out; /* attempts in this period */
    /* cached with learned_ns */
    int64_t p10_ns, p50_ns, p99_ns;
};

void wi_patience_init(struct wi_patience *patience, weir_time now);

/* An attempt was completed. */
void wi_patience_note(struct wi_patience *patience, int64_t took_ns, weir_time now);

/* An attempt ran out of the time that wi_patience_ns() gave it. */
void wi_patience_ran_out(struct wi_patience *patience, weir_time now);

/* The timeout for an attempt that begins now. */
int64_t wi_patience_ns(struct wi_patience *patience, weir_time now);

/* Whether the timeout rests on attempts enough; if not it is a guess. */
bool wi_patience_knows(struct wi_patience *patience, weir_time now);

/* p10, p50 and p99 of completed attempts, up to 100 ms old; 0 without any. */
struct wi_patience_quantiles {
    int64_t p10_ns, p50_ns, p99_ns;
};
struct wi_patience_quantiles wi_patience_quantiles(struct wi_patience *patience, weir_time now);

#endif
