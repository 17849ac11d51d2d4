/* SPDX-License-Identifier: MIT */
/* The times of arrival.
 *
 * Every kind is the same process in another time: let N(t) be the number of arrivals expected up to
 * t.  Then arrivals are due where N has grown by a gap, which is 1 for even arrivals and
 * exponential with mean 1 for the others.  Within a segment the rate is a straight line, so N is a
 * parabola and inverted in closed form; what a segment does not use up goes on in the next.
 * Counting in N also keeps rounding from adding up: even arrivals at 3 a second are exactly 3 a
 * second after a day.
 *
 * Source: time change of the Poisson process; the two-state MMPP is that of Fischer and
 * Meier-Hellstern 1993, with the rates solved for a given mean.
 *
 * Threads: see arrivals.h. */

#include "drive/arrivals.h"

#include <math.h>

#include "base/check.h"

/* States are drawn from a sequence of their own, so that the gaps are those of the other kinds. */
#define STATE_SEED UINT64_C(0x5bd1e995)

static double exponential(struct wi_rng *rng, double mean)
{
    return -log(1.0 - wi_rng_unit(rng)) * mean;
}

static double burst_share(const struct schedule *s)
{
    return s->burst_s / s->burst_every_s;
}

static void enter_state(struct arrivals *a, bool burst)
{
    const struct schedule *s = a->schedule;
    const double mean = burst ? s->burst_s : s->burst_every_s - s->burst_s;
    a->burst = burst;
    a->state_end_s += exponential(&a->states, mean);
}

/* What the step's rate is multiplied with; its mean over both states is 1. */
static double state_factor(const struct arrivals *a)
{
    const struct schedule *s = a->schedule;
    if (s->kind != ARRIVALS_BURSTY)
        return 1;
    const double share = burst_share(s);
    const double quiet = 1 / (1 - share + share * s->burst_ratio);
    return a->burst ? quiet * s->burst_ratio : quiet;
}

static void measure_segment(struct arrivals *a)
{
    const struct step *step = &a->schedule->steps[a->step];
    const double factor = state_factor(a);
    const double slope = (step->to - step->from) / step->seconds;
    const double length = a->segment_end_s - a->segment_begin_s;
    a->rate = factor * (step->from + slope * (a->segment_begin_s - a->step_begin_s));
    a->slope = factor * slope;
    a->expected = fmax(0, (a->rate + a->slope * length / 2) * length);
    a->used = 0;
}

/* The segment after the present one.  False: there is none. */
static bool next_segment(struct arrivals *a)
{
    const struct schedule *s = a->schedule;
    if (a->segment_end_s >= a->step_end_s) {
        if (a->step + 1 == s->step_count)
            return false;
        a->step++;
        a->step_begin_s = a->step_end_s;
        a->step_end_s += s->steps[a->step].seconds;
    }
    if (s->kind == ARRIVALS_BURSTY && a->segment_end_s >= a->state_end_s)
        enter_state(a, !a->burst);
    a->segment_begin_s = a->segment_end_s;
    a->segment_end_s = fmin(a->step_end_s, a->state_end_s);
    measure_segment(a);
    return true;
}

void arrivals_init(struct arrivals *a, const struct schedule *schedule)
{
    wi_bug_unless(schedule->step_count > 0);
    *a = (struct arrivals){
        .schedule = schedule,
        .step = -1,
        .state_end_s = INFINITY,
        .first = true,
    };
    wi_rng_init(&a->gaps, schedule->seed);
    wi_rng_init(&a->states, schedule->seed ^ STATE_SEED);
    if (schedule->kind != ARRIVALS_BURSTY)
        return;
    a->state_end_s = 0;
    enter_state(a, wi_rng_unit(&a->states) < burst_share(schedule));
}

static double next_gap(struct arrivals *a)
{
    if (a->schedule->kind != ARRIVALS_EVEN)
        return exponential(&a->gaps, 1);
    return a->first ? 0.5 : 1;
}

/* Where in the segment `used` arrivals are expected: the smaller root of
 * rate * t + slope * t * t / 2 = used, in the form that also serves for a slope of zero. */
static double time_in_segment(const struct arrivals *a)
{
    if (a->used <= 0)
        return 0;
    const double root = sqrt(fmax(0, a->rate * a->rate + 2 * a->slope * a->used));
    return 2 * a->used / (a->rate + root);
}

bool arrivals_next(struct arrivals *a, struct arrival *out)
{
    double gap = next_gap(a);
    a->first = false;
    while (a->step < 0 || a->used + gap >= a->expected) {
        gap = fmax(0, gap - (a->expected - a->used));
        a->used = a->expected; /* a call after the end finds it used up */
        if (!next_segment(a))
            return false;
    }
    a->used += gap;
    out->at_s = fmin(a->segment_begin_s + time_in_segment(a), a->segment_end_s);
    out->step = a->step;
    return true;
}

double schedule_seconds(const struct schedule *schedule)
{
    double seconds = 0;
    for (int i = 0; i < schedule->step_count; i++)
        seconds += schedule->steps[i].seconds;
    return seconds;
}

double schedule_mean_rate(const struct schedule *schedule)
{
    double expected = 0;
    for (int i = 0; i < schedule->step_count; i++) {
        const struct step *step = &schedule->steps[i];
        expected += (step->from + step->to) / 2 * step->seconds;
    }
    return expected / schedule_seconds(schedule);
}
