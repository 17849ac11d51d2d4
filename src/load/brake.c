/* SPDX-License-Identifier: MIT */
/* The brake; see the header. */
#include "load/brake.h"

#include "load/vqueue.h"

/* Of the average: longer than a pause of 200 ms and its wake are felt. */
#define EXCESS_TAU_S 0.2
/* What a single tick may report. */
#define EXCESS_MAX_S 1.0
/* What may be: as much again as the depth, and no less than half of what clients may notice. */
#define SLACK_MIN_S 0.05
/* Per s: an error of a tenth of the rate shows as 33 ms.  An effect shows as late as requests stay,
 * and up to 0.5 s of that gain times dead time is below pi / 2, where loops begin to swing. */
#define GAIN 3.0
#define RATE_MIN 0.5

double wi_brake_tick(struct wi_brake *brake, const struct wi_brake_sample *sample)
{
    const double starts = wi_tally_count(sample->starts);
    if (starts > 0.0) {
        double excess_s = wi_tally_s(sample->starts) / starts;
        excess_s = excess_s > EXCESS_MAX_S ? EXCESS_MAX_S : excess_s;
        excess_s = excess_s < -EXCESS_MAX_S ? -EXCESS_MAX_S : excess_s;
        const double weight = sample->dt_s / (EXCESS_TAU_S + sample->dt_s);
        brake->excess_s += weight * (excess_s - brake->excess_s);
    }
    const double slack_s = sample->depth_s > SLACK_MIN_S ? sample->depth_s : SLACK_MIN_S;
    if (brake->excess_s <= slack_s)
        return 1.0;
    const double rate = 1.0 - GAIN * (brake->excess_s - slack_s);
    return rate > RATE_MIN ? rate : RATE_MIN;
}
