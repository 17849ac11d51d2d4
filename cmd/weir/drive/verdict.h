/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_DRIVE_VERDICT_H
#define WEIR_TOOL_DRIVE_VERDICT_H

/* Whether the figures of a run count.
 *
 * A measurement that its own instrument has spoiled is worse than none.  A run is void when 1 % of
 * its requests were sent more than 1 ms late, when this program used more than 70 % of the one core
 * that it runs on (over the run, or over a step of a second and more), when a request was not sent,
 * and when this machine had no more ports, files or memory for it.  A closed loop has no schedule
 * and is meant to be busy: only the last holds for it.
 *
 * Threads: one. */

#include "drive/drive.h"

#define CPU_MAX 0.70

#define REASONS_MAX 5
#define VERDICT_REASON_BYTES 160

struct verdict {
    int count; /* 0: the figures count */
    char reasons[REASONS_MAX][VERDICT_REASON_BYTES];
};

void verdict_of(struct verdict *verdict, const struct plan *plan, const struct tally *tally);

/* The share of a core that this program used in a step; 0 where it was not measured. */
double step_cpu(const struct step_tally *step);

#endif
