/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_COMPARE_RECORD_H
#define WEIR_TOOL_COMPARE_RECORD_H

/* Writing the report's document (report.h): its frame first, then what each measurement found.
 *
 * Without memory a function leaves its part out and record_complete() says so.
 *
 * Threads: one. */

#include <stdbool.h>

#include <jansson.h>

#include "compare/contest.h"
#include "compare/plan.h"

#define ROWS_MAX (CONTESTANTS_MAX * WORKLOADS_MAX)

struct record {
    json_t *report; /* all three are owned, also where the report could not take a part in */
    json_t *rows[ROWS_MAX]; /* in the order of the plan */
    json_t *people[CONTESTANTS_MAX];
    const struct contestants *list;
    bool incomplete;
};

/* The frame: all that is known before the first measurement.  busy: the share of this machine that
 * others use. */
void record_begin(struct record *record, const struct wish *wish, const struct programme *programme,
                  const struct meter *meter, double busy);

/* Releases what it owns; one of all zeros too. */
void record_fini(struct record *record);

/* Adds what a measurement found; borrowed, and shared with the journal. */
void record_add(struct record *record, const struct cell *cell, json_t *found);

/* Says in a row why it has no figures, or no more of them: "refused" or "failed". */
void record_say(struct record *record, const struct cell *cell, const char *member,
                const char *text);

/* Capacity that the row has so far, on one core or on all; 0 without. */
double record_capacity(const struct record *record, const struct cell *cell);

/* CPU time of a request at saturation, likewise. */
double record_cpu_us(const struct record *record, const struct cell *cell);

#endif
