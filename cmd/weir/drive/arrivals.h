/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_DRIVE_ARRIVALS_H
#define WEIR_TOOL_DRIVE_ARRIVALS_H

/* When requests are due: a pure function of the schedule and its seed, never of the service.
 *
 * The schedule is a row of steps, each with a rate that stays or changes evenly.  It is not stored
 * but computed on the way: a logarithm and a square root for each arrival.
 *
 * Threads: one owner. */

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"

enum arrivals_kind {
    ARRIVALS_POISSON, /* at random, independent of each other */
    ARRIVALS_EVEN,    /* each expected arrival in the middle of its share of time */
    ARRIVALS_BURSTY,  /* Poisson, at a rate that jumps between two states: an MMPP */
};

/* Arrivals a second at the beginning and at the end; seconds > 0. */
struct step {
    double from;
    double to;
    double seconds;
};

struct schedule {
    enum arrivals_kind kind;
    const struct step *steps; /* borrowed */
    int step_count;           /* > 0 */
    uint64_t seed;
    /* Bursty only.  A burst and the quiet between two last exponentially distributed times; the
     * rates of both are such that the mean is the step's. */
    double burst_ratio;   /* rate in a burst over the rate in the quiet */
    double burst_s;       /* mean length of a burst */
    double burst_every_s; /* mean time from one burst's begin to the next; > burst_s */
};

struct arrivals {
    const struct schedule *schedule;
    struct wi_rng gaps;
    struct wi_rng states;
    int step;
    double step_begin_s;
    double step_end_s;
    bool burst;
    double state_end_s;
    /* A segment is a part of one step in one state. */
    double segment_begin_s;
    double segment_end_s;
    double rate;     /* at its begin */
    double slope;    /* change of the rate, per second */
    double expected; /* arrivals in it */
    double used;     /* of those, up to the last arrival: 0 <= used <= expected */
    bool first;
};

struct arrival {
    double at_s; /* from the begin of the schedule */
    int step;
};

/* The schedule is borrowed until the last call. */
void arrivals_init(struct arrivals *a, const struct schedule *schedule);

/* The next arrival, never before the last one.  False: the schedule has ended. */
bool arrivals_next(struct arrivals *a, struct arrival *out);

/* Its length, and its mean rate in arrivals a second. */
double schedule_seconds(const struct schedule *schedule);
double schedule_mean_rate(const struct schedule *schedule);

#endif
