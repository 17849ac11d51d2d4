/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_COMPARE_COLUMNS_H
#define WEIR_TOOL_COMPARE_COLUMNS_H

/* The columns of the report's tables on a terminal: which there are, and what stands in a cell.
 *
 * They stand in the order in which they decide; those without any figure are left out.
 *
 * Threads: one. */

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#define TABLE_COLUMNS_MAX 32
#define CELL_BYTES 40
#define DOUBT_MARK "?" /* void, or not to be believed */

/* Of the table that puts everybody beside each other. */
#define OVERLOAD_MULTIPLE 5.0

/* What the cells of a table are taken from. */
struct view {
    const json_t *rows;
    const json_t *verdict;
    const char *cores; /* of the points that are shown */
    double speed_up_most;
    int name_width;
};

struct column {
    const char *heading;
    char unit[32];
    /* Prints the row's figure, "-" when it is absent. */
    void (*cell)(const struct view *v, const struct column *c, const json_t *row, char *text);
    const char *key; /* the figure's name */
    double scale;    /* what it is multiplied with */
    double multiple; /* of the point that it is taken from */
    int width;
    bool only_beyond_zero; /* left out also when it is 0 everywhere */
};

struct table {
    struct view view;
    struct column columns[TABLE_COLUMNS_MAX];
    size_t count;
};

/* Whether the row has anything that a table shows. */
bool row_has_figures(const json_t *row);

/* Both fill the columns of a table whose view is set.  The second one is for overload alone; false:
 * nobody was measured there. */
void columns_of_workload(struct table *t);
bool columns_of_overload(struct table *t);

#endif
