/* SPDX-License-Identifier: MIT */
/* The learned timeout of an attempt; see patience.h. */
#include "load/patience.h"

#include <string.h>

/* Quantiles are looked up again after so long, and after each of the first samples. */
#define FRESH_NS (100 * WEIR_NS_PER_MS)

static int64_t clamp(int64_t value, int64_t least, int64_t most)
{
    if (value < least)
        return least;
    return value < most ? value : most;
}

static void look_up(struct wi_patience *patience, weir_time now)
{
    const bool known = patience->latency.total[0] + (uint64_t)patience->latency.total[1] >=
                       WI_PATIENCE_SAMPLES_MIN;
    const bool fresh = now >= patience->learned_at && now - patience->learned_at < FRESH_NS;
    if (fresh && known && patience->learned_ns > 0)
        return;
    patience->learned_at = now;
    patience->p10_ns = wi_latency_quantile(&patience->latency, 10, now);
    patience->p50_ns = wi_latency_quantile(&patience->latency, 50, now);
    patience->p99_ns = wi_latency_quantile(&patience->latency, 99, now);
    patience->learned_ns = wi_patience_knows(patience, now)
                               ? clamp(3 * patience->p99_ns, WI_PATIENCE_NS_MIN, WI_PATIENCE_NS_MAX)
                               : 0;
}

/* What holds in this period. */
static int64_t timeout_of(struct wi_patience *patience, weir_time now)
{
    look_up(patience, now);
    int64_t timeout_ns = WI_PATIENCE_NS_FIRST;
    if (patience->learned_ns > 0)
        timeout_ns = clamp(patience->learned_ns, WI_PATIENCE_NS_MIN, 2 * patience->begin_ns);
    return timeout_ns > patience->stretched_ns ? timeout_ns : patience->stretched_ns;
}

static void begin_period(struct wi_patience *patience, weir_time now)
{
    const int64_t timeout_ns = timeout_of(patience, now);
    if (patience->ran_out > 0 && patience->ran_out * 2 >= patience->ended)
        patience->stretched_ns = clamp(2 * timeout_ns, WI_PATIENCE_NS_MIN, WI_PATIENCE_NS_MAX);
    else if (patience->ended > 0)
        patience->stretched_ns = 0;
    patience->begin_ns = timeout_ns > patience->stretched_ns ? timeout_ns : patience->stretched_ns;
    patience->since = now;
    patience->ended = 0;
    patience->ran_out = 0;
}

static void turn(struct wi_patience *patience, weir_time now)
{
    if (now < patience->since)
        patience->since = now; /* the clock was set back */
    else if (now - patience->since >= WI_PATIENCE_PERIOD_NS)
        begin_period(patience, now);
}

void wi_patience_init(struct wi_patience *patience, weir_time now)
{
    memset(patience, 0, sizeof(*patience));
    wi_latency_init(&patience->latency, now);
    patience->since = now;
    patience->begin_ns = WI_PATIENCE_NS_FIRST;
}

static void count(uint32_t *counter)
{
    if (*counter < UINT32_MAX / 2)
        ++*counter;
}

void wi_patience_note(struct wi_patience *patience, int64_t took_ns, weir_time now)
{
    turn(patience, now);
    wi_latency_note(&patience->latency, took_ns, now);
    count(&patience->ended);
}

void wi_patience_ran_out(struct wi_patience *patience, weir_time now)
{
    turn(patience, now);
    count(&patience->ended);
    count(&patience->ran_out);
}

int64_t wi_patience_ns(struct wi_patience *patience, weir_time now)
{
    turn(patience, now);
    return timeout_of(patience, now);
}

bool wi_patience_knows(struct wi_patience *patience, weir_time now)
{
    return wi_latency_count(&patience->latency, now) >= WI_PATIENCE_SAMPLES_MIN;
}

struct wi_patience_quantiles wi_patience_quantiles(struct wi_patience *patience, weir_time now)
{
    turn(patience, now);
    look_up(patience, now);
    return (struct wi_patience_quantiles){ patience->p10_ns, patience->p50_ns, patience->p99_ns };
}
