/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_COMPARE_REPORT_H
#define WEIR_TOOL_COMPARE_REPORT_H

/* What a comparison found, as one JSON document: measured by contest.c, judged by verdict.c, shown
 * by table.c and page.c.  The document is all that passes between them, so that a report can be
 * shown again, and what was interrupted can be gone on with, from the file alone.
 *
 * Its shape, version 1.  Rates are per second, times in the unit that the name ends with, figures
 * that were not measured are absent.
 *
 *   { "version": 1, "weir": "0.1.0", "form": "short" | "default" | "full",
 *     "started": "2026-01-31T12:00:00Z", "seed": 1, "command": "weir compare --short",
 *     "machine": { "processor": "...", "kernel": "...", "cores": 2,
 *                  "busy": 0.02 },          the share of it that others used just before
 *     "layout": { "server_cores": [0], "generator_cores": [1], "separate": true },
 *     "timeout_ms": 1000,                  a reply counts within this time of its due moment
 *     "seconds": { "probe": 2, "point": 3 },    how long each measurement lasted
 *     "app": { "command": "./mine", "url": "/path" },                    only with --app
 *     "contestants": [ {
 *         "name": "weir tasks",            unique; what people read
 *         "family": "weir" | "go" | "node" | "python" | "app",
 *         "model": "tasks",                the word in the article's terms: goroutines, event loop
 *         "guarded": false,                a well-known overload guard was added
 *         "shares_memory": true,           its requests may share variables
 *         "settings": [ "GOMAXPROCS=1" ],  what had to be set
 *         "start_ms": 4.1, "resident_bytes": 7000000, "processes": 1, "threads": 3,
 *         "left_out": "go is missing: install golang-go"    instead of figures: why it did not run
 *     } ],
 *     "workloads": [ {
 *         "name": "api", "what": "2 ms of CPU per request",
 *         "rows": [ {
 *             "contestant": "weir tasks",
 *             "refused": "...",            instead of figures: the model does not fit the state
 *             "failed": "...",             instead of, or beside, figures: what went wrong
 *             "capacity": 480.0,           goodput at capacity, server on one core
 *             "capacity_all": 930.0,       of a closed loop with the server on all cores
 *             "saturation": 500.0,         goodput of a closed loop on one core; capacity is found
 *                                          below it, or is it in the short form
 *             "speed_up": 1.94,            saturation on all cores / on one
 *             "spread": 0.03,              (max - min) / median of capacity's repetitions
 *             "note": "...",               beside figures: what they hint at, for a person
 *             "cpu_us_per_request": 2040.0,     at saturation; of all its work, for each good reply
 *             "resident_bytes": 9000000, "processes": 1, "threads": 3,     under load, the most
 *             "lost_per_crash": 1.2, "crashes": 17,          workload crash: not answered in time;
 *                                          the requests that crash are not counted
 *             "recover_ms": 30.0,          crash: median time without an answer
 *             "state_expected": 5000, "state_seen": 2511,  workload state: counted and read back
 *             "points": [ {
 *                 "cores": "one" | "all", "multiple": 5.0, "offered": 2400.0, "seed": 1,
 *                 "goodput": 470.0, "late": 0.0, "shed": 1900.0, "other": 0.0, "error": 0.0,
 *                 "timeout": 0.0, "p50_ms": 2.1, "p99_ms": 80.0, "cpu_us_per_request": 2050.0,
 *                 "cpu_us_per_refusal": 14.0,  of a 503: what those answered well leave over;
 *                                          absent where few were refused, or others failed
 *                 "resident_bytes": 9000000,
 *                 "void": "..."            the generator could not keep its schedule: why
 *             } ],
 *             "series": [ { "s": 0.0, "offered": 240, "goodput": 240, "shed": 0, "p99_ms": 5 } ]
 *                                          the step: one entry per bin
 *             "storm": {                   a burst upon 0.7 times the capacity, clients try again
 *                 "burst_s": 3.0, "burst_end_s": 5.0,      when it came and went
 *                 "watched_s": 60.0,       so long from its end
 *                 "recovered": true, "recover_s": 0.4,     from then on all is well
 *                 "attempts_per_request": 1.01,     from two seconds after the burst on
 *                 "series": [ as above, with "attempts" ],
 *                 "void": "..."            as of a point
 *             }
 *         } ],
 *         "verdict": {                     added by verdict_add()
 *             "winner": "weir tasks",      the best figure; absent when nothing could be decided
 *             "even": [ "weir tasks" ],    the winner, and who is within the spread of it
 *             "lead": 0.12, "spread": 0.03,     over the next, as a part of the larger figure
 *             "clear": true,               the lead is larger than the spread; false without a
 *                                          winner: this machine was too busy for a verdict
 *             "loser": "Node http",        the last; absent when it is within the spread too
 *             "multiple": 5.0, "cores": "one",  the points that decided; absent if none did
 *             "words": "..." }
 *     } ],
 *     "advice": "Choose tasks because ...; loop wins if ..."     added by verdict_add()
 *   }
 *
 * Threads: one. */

#include <stdio.h>

#include <jansson.h>

#include "weir/err.h"

#define REPORT_VERSION 1

/* Reads a report that was written before.  What is not a report of this version, or lacks what the
 * others rely on (contestants and rows are lists, names are there and unique), is not returned:
 * why then says in one line what is wrong with it, naming the file.  NULL, or a new reference. */
json_t *report_load(const char *path, char *why, size_t why_bytes);

/* Judges every workload that has two rows with figures, and the whole; what was judged before is
 * replaced.  Only figures decide: the spread bounds what is called a lead.
 * 0 or WEIR_ENOMEM. */
WEIR_CHECK int verdict_add(json_t *report);

/* The whole on a terminal: one table a workload, then its verdict, then the advice.  columns is the
 * width to keep to, at least 80. */
void table_print(FILE *out, const json_t *report, int columns);

/* One HTML file that needs nothing else: charts, tables and verdicts.
 * 0 or WEIR_EIO; the caller closes and removes. */
WEIR_CHECK int page_write(FILE *out, const json_t *report);

#endif
