/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_COMPARE_RANKING_H
#define WEIR_TOOL_COMPARE_RANKING_H

/* One workload's rows in the order of the one figure that decides it, best first.
 *
 * Which figure that is follows from what was measured, not from the workload's name:
 *
 *   COUNTED   the counter that was read back is right; then the capacity
 *   LOST      requests lost per crash, fewer first
 *   KEPT      replies a second in time at the highest multiple of its own capacity (above one)
 *             that two rows have a point for that is not void: both a high capacity and keeping it
 *             when more is asked for make it large, and it is what users of an overloaded service
 *             get.  One core, if there are such points, because then the generator has the other
 *   CAPACITY  the capacity, where nothing beyond it was measured
 *
 * A lead is the difference as a part of the larger of both figures: from 0 to 1, also beside 0.
 * It counts only beyond the spread: the larger of both rows' own, never taken for less than
 * SPREAD_LEAST, because a few repetitions in one run show less than two runs differ by, and
 * SPREAD_UNKNOWN for a row that has none.  Crashes are few and counted, so for LOST the spread is
 * two standard deviations of such counts, if that is more.
 *
 * Threads: one. */

#include <stdbool.h>
#include <stddef.h>

#include "compare/document.h"

enum headline {
    NO_HEADLINE,
    COUNTED,
    LOST,
    KEPT,
    CAPACITY
};

struct entry {
    const char *name;   /* of the contestant */
    const char *family; /* "weir", "app", or a peer's */
    const json_t *row;
    double value;   /* the figure that decides */
    double spread;  /* the row's own; NAN without one */
    double p99_ms;  /* at the point that decides; NAN without one */
    double wrong;   /* COUNTED: how far off the counter is, as a part of what was counted */
    double crashes; /* LOST */
};

struct ranking {
    const char *own_family; /* whose program this is about: "app" if there is one, else "weir" */
    enum headline headline;
    const char *cores; /* KEPT */
    double multiple;   /* KEPT */
    struct entry *entries;
    size_t count;
    size_t even; /* so many from the best on are within the spread of the best */
};

/* 0 or WEIR_ENOMEM.  Rows without the figure, failed or refused ones are not in it. */
WEIR_CHECK int ranking_init(struct ranking *ranking, const json_t *report, const json_t *workload);
void ranking_fini(struct ranking *ranking);

/* From 0 to 1; below 0 never. */
double ranking_lead(const struct ranking *ranking, const struct entry *a, const struct entry *b);
double ranking_spread(const struct ranking *ranking, const struct entry *a, const struct entry *b);

/* Whether they are further apart than the spread. */
bool ranking_apart(const struct ranking *ranking, const struct entry *a, const struct entry *b);

/* The entry of that name; NULL when it is not ranked. */
const struct entry *ranking_find(const struct ranking *ranking, const char *name);

/* Whether it is one of those within the spread of the best. */
bool ranking_is_even(const struct ranking *ranking, const struct entry *entry);

/* Whether it is one of those that this is about, and not there for reference. */
bool ranking_is_ours(const struct ranking *ranking, const struct entry *entry);

/* What closes the report.  Appends to words. */
void advice_say(struct words *words, const json_t *report, const struct ranking *rankings,
                size_t count);

#endif
