/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_DRIVE_REPORT_H
#define WEIR_TOOL_DRIVE_REPORT_H

/* What `weir load` says in the end: report.c for people, report_json.c for programs.  Whether it
 * could be written is the file's error flag.
 *
 * Threads: one. */

#include <stdio.h>

#include "drive/drive.h"
#include "drive/histfile.h"
#include "drive/verdict.h"

struct report {
    const struct plan *plan;
    const struct tally *tally;
    const struct verdict *verdict;
    bool series; /* show the bins of time as text too */
};

/* The percentiles that every report gives. */
#define PERCENTS 5
extern const double report_percents[PERCENTS];
extern const char *const report_percent_names[PERCENTS];

/* The account on one screen; steps, URLs and series have tables of their own. */
void report_text(FILE *out, const struct report *report);

/* The same as one JSON object, a member a line and an element of a list a line, times in
 * milliseconds.  doc/guide/load.md lists the members. */
void report_json(FILE *out, const struct report *report);

/* What --merge gives. */
void report_merged_text(FILE *out, int files, const struct histograms *merged);
void report_merged_json(FILE *out, int files, const struct histograms *merged);

/* Attempts for each request that was sent; 0 if none was. */
double report_attempts_each(uint64_t attempts, const struct counts *counts);

/* What an error's code means here. */
const char *report_error_text(int code);

#endif
