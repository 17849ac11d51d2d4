/* SPDX-License-Identifier: MIT */
/* The law of a client's throttle; see throttle.h. */
#include "load/throttle.h"

#include "load/decay.h"

#define WINDOW_NS (30 * WEIR_NS_PER_S)

/* Accepted requests times this may be wanted before any is turned away: the destination is offered
 * up to twice what it takes, so that a client alone does not hold it below its capacity. */
static const double multiplier = 2;
static const double requests_min = 10;
static const double probability_max = 0.95;

static void fade(struct wi_throttle *throttle, weir_time now)
{
    const int64_t elapsed_ns = wi_elapsed(&throttle->last, now, WINDOW_NS);
    throttle->requests = wi_decay(throttle->requests, elapsed_ns, WINDOW_NS);
    throttle->accepts = wi_decay(throttle->accepts, elapsed_ns, WINDOW_NS);
}

static double probability_of(const struct wi_throttle *throttle)
{
    if (throttle->requests < requests_min)
        return 0;
    const double over = throttle->requests - multiplier * throttle->accepts;
    if (over <= 0)
        return 0;
    const double probability = over / (throttle->requests + 1);
    return probability < probability_max ? probability : probability_max;
}

void wi_throttle_init(struct wi_throttle *throttle, weir_time now)
{
    *throttle = (struct wi_throttle){ .last = now };
}

bool wi_throttle_admit(struct wi_throttle *throttle, double chance, weir_time now)
{
    fade(throttle, now);
    const bool admitted = chance >= probability_of(throttle);
    if (!admitted)
        throttle->requests += 1;
    return admitted;
}

void wi_throttle_end(struct wi_throttle *throttle, bool accepted, weir_time now)
{
    fade(throttle, now);
    throttle->requests += 1;
    if (accepted)
        throttle->accepts += 1;
}

double wi_throttle_probability(struct wi_throttle *throttle, weir_time now)
{
    fade(throttle, now);
    return probability_of(throttle);
}
