/* SPDX-License-Identifier: MIT */
#ifndef WI_LOAD_BRAKE_H
#define WI_LOAD_BRAKE_H

/* Slows a virtual queue down when requests really wait longer than it said they would.
 *
 * The queue does not know of time that nobody accounts for, nor of processors that somebody else
 * took.  Such an error of its rate, left alone, lets the real queue grow without end.  Here the
 * delay of starts beyond what the queue foretold, as far as it exceeds what may be, takes from the
 * rate in proportion.  That it acts in one direction only and not at all up to a slack is on
 * purpose: the queue is right as a rule, and a controller that is always at it costs goodput where
 * work becomes ready late (doc/design/0012-admission-law.md).
 *
 * Threads: one owner. */

#include <stdint.h>

/* All-zero is the start. */
struct wi_brake {
    double excess_s; /* delay of starts beyond what was foretold, lately */
};

struct wi_brake_sample {
    double dt_s;     /* since the last one */
    uint64_t starts; /* a tally of delays less those foretold, see wi_tally() */
    double depth_s;  /* of the queue */
};

/* What to multiply the rate by: 0.5 to 1. */
double wi_brake_tick(struct wi_brake *brake, const struct wi_brake_sample *sample);

#endif
