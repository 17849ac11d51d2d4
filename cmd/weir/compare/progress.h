/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_COMPARE_PROGRESS_H
#define WEIR_TOOL_COMPARE_PROGRESS_H

/* What a person sees while a comparison runs, on standard error: one line for each measurement, and
 * how long all of it will still take.
 *
 * The remaining time is the planned one of what is left, stretched by how much longer than planned
 * the measurements have taken so far.
 *
 * Threads: one. */

#include <stdbool.h>

#include "weir/err.h"
#include "weir/time.h"

struct progress {
    bool live; /* a terminal: the line of the present measurement is written over */
    int done;
    int total;
    double planned_s; /* of all that is to be measured */
    double passed_s;  /* of what has been: planned, and as it was */
    double taken_s;
    weir_time began; /* the present measurement */
    double present_s;
};

/* A time as people say it: "40 s", "2:10 min".  In a buffer of the caller's. */
const char *minutes(double seconds, char text[static 32]);

void progress_begin(struct progress *progress, int total, double planned_s);

/* One measurement begins; `what` names it. */
void progress_start(struct progress *progress, const char *what, double planned_s);

/* It has ended; the text says with what. */
void progress_end(struct progress *progress, const char *what, const char *came_of_it);

/* A measurement is left out: its row has failed, or it was measured before. */
void progress_skip(struct progress *progress, double planned_s);

#endif
