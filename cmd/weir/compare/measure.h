/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_COMPARE_MEASURE_H
#define WEIR_TOOL_COMPARE_MEASURE_H

/* The single measurements.  Each starts the server if it does not run yet, and gives members for
 * the report (report.h) as a new JSON object.
 *
 * All return 0 with *out set; CONTEST_REFUSED or CONTEST_FAILED with the reason in `why`; or
 * CONTEST_STOPPED.
 *
 * Threads: one. */

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "compare/generator.h"
#include "compare/server.h"
#include "compare/workload.h"

struct meter {
    struct server server;
    struct form form;
    struct cores one; /* for the server, apart from the generator's if there are two */
    struct cores generator;
    struct cores all;
    char load_log[PATH_BYTES];
    uint64_t seed;
    int timeout_ms;
};

/* Who is measured, doing what, where. */
struct subject {
    struct contestant *who;
    const struct workload *workload;
    bool all_cores; /* which the generator then shares */
};

/* Sorts the figures, of which there is at least one, and returns the middle one. */
double median_of(double *figures, int count);

/* One load, after what earlier ones left behind is done. */
WEIR_CHECK int meter_load(struct meter *m, const struct subject *subject,
                          const struct shot_opts *opts, struct shot *shot, char why[REASON_BYTES]);

/* Members of a contestant: start_ms, resident_bytes, processes, threads before any load. */
WEIR_CHECK int measure_start(struct meter *m, const struct subject *subject, json_t **out,
                             char why[REASON_BYTES]);

/* Members of a row: capacity, saturation, spread, cpu_us_per_request, resident_bytes, processes,
 * threads. */
WEIR_CHECK int measure_capacity(struct meter *m, const struct subject *subject, json_t **out,
                                char why[REASON_BYTES]);

/* What a row knows before its loads. */
struct level {
    double capacity;
    double ok_us; /* of the server's CPU time, for each request at saturation; 0: not known */
};

/* A point: the multiple of that capacity offered in an open loop.  One that the generator spoiled
 * by being late is repeated if the form permits; one that is still void says so. */
WEIR_CHECK int measure_point(struct meter *m, const struct subject *subject,
                             const struct level *level, double multiple, json_t **out,
                             char why[REASON_BYTES]);

/* { "series": [...] }: 0.5, 5 and 0.5 times the capacity without a pause. */
WEIR_CHECK int measure_step(struct meter *m, const struct subject *subject, double capacity,
                            json_t **out, char why[REASON_BYTES]);

/* { "storm": {...} }: a burst upon 0.7 times the capacity, from clients that try again, and whether
 * goodput comes back after it. */
WEIR_CHECK int measure_storm(struct meter *m, const struct subject *subject, double capacity,
                             json_t **out, char why[REASON_BYTES]);

/* How long the load lasts before the burst of a storm. */
double storm_lead_s(const struct form *form);

/* Members of a row: lost_per_crash, crashes, recover_ms. */
WEIR_CHECK int measure_crash(struct meter *m, const struct subject *subject, double capacity,
                             json_t **out, char why[REASON_BYTES]);

/* Members of a row: state_expected, state_seen. */
WEIR_CHECK int measure_state(struct meter *m, const struct subject *subject, json_t **out,
                             char why[REASON_BYTES]);

#endif
