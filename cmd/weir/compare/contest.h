/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_COMPARE_CONTEST_H
#define WEIR_TOOL_COMPARE_CONTEST_H

/* The contest itself: everything that a plan names is measured, journalled, and put into the report
 * that report.h describes.
 *
 * One that cannot be measured is named in its row, and the rest goes on.
 *
 * Threads: one. */

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "compare/contestant.h"
#include "compare/workload.h"

/* What the command line asks for. */
struct wish {
    struct form form;
    const char *workloads; /* with commas; NULL: the form's, or those that fit an app */
    struct choice choice;
    const char *out_folder;
    uint64_t seed;
    double seconds; /* of every measurement; 0: the form's */
    int timeout_ms; /* after which an answer is worth nothing */
    int start_timeout_ms;
    bool fresh;
    const char *command; /* as it was typed */
};

struct outcome {
    json_t *report; /* owned by the caller; NULL if there is none */
    int failed;     /* rows that could not be measured */
};

/* Runs the whole.
 *   0                it is complete, with out->failed rows that are not
 *   WEIR_EINVAL      it was asked wrongly; a line has said so
 *   CONTEST_STOPPED  by a signal; a line has said how to go on
 *   CONTEST_SPOILED  it cannot go on, for example on a full disk; a line has said so */
WEIR_CHECK int contest_run(const struct wish *wish, struct outcome *out);

/* The journal of a complete contest is of no more use. */
void contest_forget(const struct wish *wish);

#endif
