/* SPDX-License-Identifier: MIT */
/* The brake; see the header. */
#include "load/brake.h"

#include "load/vqueue.h"

/* Of the averages: longer than a pause of 200 ms and its wake are felt; some requests' stays. */
#define EXCESS_TAU_S 0.2
#define STAY_TAU_S 0.5
/* What may be: as much again as the depth, and no less than half of what clients may notice. */
#define SLACK_MIN_S 0.05
/* Per s.  At the most an error of a tenth of the rate shows as 20 ms; at the least, 50 ms. */
#define GAIN_MAX 5.0
#define GAIN_MIN 2.0
#define RATE_MIN 0.5

static void average(double *mean, uint64_t tally, double dt_s, double tau_s)
{
    const double count = wi_tally_count(tally);
    if (count > 0.0)
        *mean += dt_s / (tau_s + dt_s) * (wi_tally_s(tally) / count - *mean);
}

double wi_brake_tick(struct wi_brake *brake, const struct wi_brake_sample *sample)
{
    average(&brake->excess_s, sample->starts, sample->dt_s, EXCESS_TAU_S);
    average(&brake->stay_s, sample->ends, sample->dt_s, STAY_TAU_S);
    const double slack_s = sample->depth_s > SLACK_MIN_S ? sample->depth_s : SLACK_MIN_S;
    if (brake->excess_s <= slack_s)
        return 1.0;
    double gain = brake->stay_s * GAIN_MAX > 0.25 ? 0.25 / brake->stay_s : GAIN_MAX;
    gain = gain > GAIN_MIN ? gain : GAIN_MIN;
    const double rate = 1.0 - gain * (brake->excess_s - slack_s);
    return rate > RATE_MIN ? rate : RATE_MIN;
}
