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
 * On a machine that others use nothing of this means anything, whatever the spreads say: who ran in
 * a quiet moment looks best.  So a workload is in doubt when others used more than OTHERS_MOST of
 * the machine, when most points at its highest multiple are void, or when most services that burn
 * CPU got well under the core that they had to themselves.
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

/* The part of the machine that others may use: beyond it, an idle-looking core may have been
 * theirs, and so may every difference.  What a desktop or a monitor takes is below it. */
#define OTHERS_MOST 0.15

/* What speaks against judging a workload, as it was seen. */
struct doubt {
    double others;   /* the part of the machine that others used; NAN when that is not known */
    double multiple; /* the highest that rows have points at; 0 without one */
    size_t points;   /* at that multiple */
    size_t voids;    /* so many of them are void */
    size_t known;    /* rows of which it is known how much of their core they got */
    size_t starved;  /* so many of them got too little */
    bool any;        /* it is in doubt */
};

struct ranking {
    const char *own_family; /* whose program this is about: "app" if there is one, else "weir" */
    enum headline headline;
    const char *cores; /* KEPT */
    double multiple;   /* KEPT */
    struct entry *entries;
    size_t count;
    size_t even; /* so many from the best on are within the spread of the best */
    struct doubt doubt;
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

/* Whether it is one of the first, which are within the spread of the best.  One that is not may
 * still not be apart from the best: its own spread may be so large that nothing is known of it. */
bool ranking_is_even(const struct ranking *ranking, const struct entry *entry);

/* Whether it is one of those that this is about, and not there for reference. */
bool ranking_is_ours(const struct ranking *ranking, const struct entry *entry);

/* What was seen that puts it in doubt, as in "others used 40 % of it; 7 of 8 points are void". */
void doubt_say(struct words *words, const struct doubt *doubt);

/* What closes the report.  Appends to words. */
void advice_say(struct words *words, const json_t *report, const struct ranking *rankings,
                size_t count);

#endif
