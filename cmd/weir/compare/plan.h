/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_COMPARE_PLAN_H
#define WEIR_TOOL_COMPARE_PLAN_H

/* A comparison as a list of measurements, in the order in which they are made: for each workload,
 * for each contestant, what makes up its row.
 *
 * Threads: one. */

#include <stdbool.h>

#include "compare/contestant.h"
#include "compare/measure.h"
#include "compare/workload.h"

#define CELLS_MAX 8192

enum cell_kind {
    CELL_START,
    CELL_CAPACITY,
    CELL_POINT,
    CELL_STEP,
    CELL_STORM,
    CELL_CRASH,
    CELL_STATE,
};

struct cell {
    enum cell_kind kind;
    struct subject subject;
    double multiple; /* of a point */
    double seconds;  /* that it is expected to take */
    int row;         /* index of its row: a contestant in a workload */
};

struct plan {
    struct cell cells[CELLS_MAX];
    int count;
    int rows;
};

/* What is compared. */
struct programme {
    struct contestants *list;
    const struct workload *workloads[WORKLOADS_MAX];
    int workload_count;
    const struct workload *own; /* only the user's program does it, and nothing else; or NULL */
    const struct form *form;
    int cores;
};

/* Lists the measurements; who is left out has none.  False: more than CELLS_MAX. */
bool plan_make(struct plan *plan, const struct programme *programme);

/* Whether that contestant has a row in that workload. */
bool plan_has_row(const struct programme *programme, const struct workload *workload,
                  const struct contestant *who);

/* What is unique about a measurement, for the journal. */
void cell_key(const struct cell *cell, char key[160]);

/* The same for people. */
void cell_name(const struct cell *cell, char name[160]);

#endif
