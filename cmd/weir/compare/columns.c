/* SPDX-License-Identifier: MIT */
/* Columns and their cells.  See columns.h.
 *
 * Threads: one. */

#include "compare/columns.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "compare/document.h"
#include "compare/terminal.h"

#define MULTIPLES_SHOWN_MAX 12
#define SECONDS_MOST 1e6 /* a report may say anything */

/* -- Cells ------------------------------------------------------------------------------------ */

static void put_figure(char *text, double value)
{
    char number[32];
    snprintf(text, CELL_BYTES, "%s", short_number(value, number));
}

static void row_cell(const struct view *v, const struct column *c, const json_t *row, char *text)
{
    (void)v;
    put_figure(text, figure_of(row, c->key) * c->scale);
}

/* More than the cores can give is marked: the figure on one core was disturbed. */
static void speed_up_cell(const struct view *v, const struct column *c, const json_t *row,
                          char *text)
{
    const double value = figure_of(row, c->key);
    put_figure(text, value);
    if (value > v->speed_up_most)
        strcat(text, DOUBT_MARK);
}

/* A figure of a void point decides nothing, but it is better than none to look at. */
static void put_point_figure(char *text, const json_t *point, double value)
{
    put_figure(text, value);
    if (is_void(point) && !isnan(value))
        strcat(text, DOUBT_MARK);
}

static void point_cell(const struct view *v, const struct column *c, const json_t *row, char *text)
{
    const json_t *point = point_of(row, v->cores, c->multiple);
    put_point_figure(text, point, figure_of(point, c->key) * c->scale);
}

/* The part of what was offered, in percent. */
static void share_cell(const struct view *v, const struct column *c, const json_t *row, char *text)
{
    const json_t *point = point_of(row, v->cores, c->multiple);
    const double offered = figure_of(point, "offered");
    double part = strcmp(c->key, "not_sent") == 0 ? not_sent_of(point) : figure_of(point, c->key);
    if (strcmp(c->key, "late") == 0)
        part += figure_of(point, "timeout");
    if (strcmp(c->key, "error") == 0)
        part += figure_of(point, "other");
    put_point_figure(text, point, offered > 0 ? round(1000 * part / offered) / 10 : (double)NAN);
}

/* Of what the row can do. */
static void kept_cell(const struct view *v, const struct column *c, const json_t *row, char *text)
{
    const json_t *point = point_of(row, v->cores, c->multiple);
    const double capacity = figure_of(row, "capacity");
    const double part = capacity > 0 ? figure_of(point, c->key) / capacity : (double)NAN;
    put_point_figure(text, point, round(100 * part));
}

static void megabytes_cell(const struct view *v, const struct column *c, const json_t *row,
                           char *text)
{
    put_figure(text, figure_of(point_of(row, v->cores, c->multiple), c->key) / 1e6);
}

static void storm_cell(const struct view *v, const struct column *c, const json_t *row, char *text)
{
    (void)v;
    (void)c;
    const json_t *storm = json_object_get(row, "storm");
    const double watched_s = figure_of(storm, "watched_s");
    if (isnan(watched_s)) {
        snprintf(text, CELL_BYTES, "-");
        return;
    }
    if (flag_of(storm, "recovered"))
        snprintf(text, CELL_BYTES, "%.1f", fmin(figure_of(storm, "recover_s"), SECONDS_MOST));
    else
        snprintf(text, CELL_BYTES, ">%.3g", watched_s);
    if (is_void(storm))
        strcat(text, DOUBT_MARK);
}

static void counter_cell(const struct view *v, const struct column *c, const json_t *row,
                         char *text)
{
    (void)v;
    (void)c;
    const double due = figure_of(row, "state_expected");
    const double seen = figure_of(row, "state_seen");
    if (isnan(due) || isnan(seen))
        snprintf(text, CELL_BYTES, "-");
    else
        snprintf(text, CELL_BYTES, "%.0f of %.0f", seen, due);
}

bool row_has_figures(const json_t *row)
{
    static const char *const keys[] = { "capacity", "lost_per_crash", "state_seen" };
    for (size_t i = 0; i < wi_count_of(keys); i++) {
        if (!isnan(figure_of(row, keys[i])))
            return true;
    }
    return json_array_size(list_of(row, "points")) > 0;
}

/* -- Columns ---------------------------------------------------------------------------------- */

/* Adds the column if any row has a figure for it. */
static void add_column(struct table *t, struct column column)
{
    bool used = false;
    const int unit = characters(column.unit);
    column.width = characters(column.heading) > unit ? characters(column.heading) : unit;
    for (size_t i = 0; i < json_array_size(t->view.rows); i++) {
        char text[CELL_BYTES];
        column.cell(&t->view, &column, json_array_get(t->view.rows, i), text);
        used |= strcmp(text, "-") != 0 && (!column.only_beyond_zero || text[0] != '0' ||
                                           strspn(text, "0" DOUBT_MARK) != strlen(text));
        if (characters(text) > column.width)
            column.width = characters(text);
    }
    if (used && t->count < TABLE_COLUMNS_MAX)
        t->columns[t->count++] = column;
}

static void add_row_column(struct table *t, const char *heading, const char *unit, const char *key,
                           double scale)
{
    struct column column = { .heading = heading, .cell = row_cell, .key = key, .scale = scale };
    snprintf(column.unit, sizeof column.unit, "%s", unit);
    add_column(t, column);
}

static void add_point_column(struct table *t, const char *heading, const char *unit,
                             const char *key, double multiple)
{
    struct column column = {
        .heading = heading, .cell = point_cell, .key = key, .scale = 1, .multiple = multiple
    };
    if (unit[0] == '%')
        column.cell = share_cell;
    column.only_beyond_zero = strcmp(key, "error") == 0 || strcmp(key, "not_sent") == 0;
    snprintf(column.unit, sizeof column.unit, "%sat %gx", unit, multiple);
    add_column(t, column);
}

/* The multiples of the points of `cores`, in rising order; returns how many. */
static size_t read_multiples(const json_t *rows, const char *cores, double out[MULTIPLES_SHOWN_MAX])
{
    size_t count = 0;
    double last = -1;
    while (count < MULTIPLES_SHOWN_MAX) {
        double next = INFINITY;
        for (size_t i = 0; i < json_array_size(rows); i++) {
            const json_t *points = list_of(json_array_get(rows, i), "points");
            for (size_t at = 0; at < json_array_size(points); at++) {
                const json_t *point = json_array_get(points, at);
                const double multiple = figure_of(point, "multiple");
                if (strcmp(text_of(point, "cores"), cores) == 0 && multiple > last &&
                    multiple < next)
                    next = multiple;
            }
        }
        if (isinf(next))
            break;
        out[count++] = last = next;
    }
    return count;
}

void columns_of_workload(struct table *t)
{
    double multiples[MULTIPLES_SHOWN_MAX];
    const size_t count = read_multiples(t->view.rows, t->view.cores, multiples);
    const double top = count > 0 ? multiples[count - 1] : 0;
    add_column(t, (struct column){ .heading = "counted", .unit = "of due", .cell = counter_cell });
    add_row_column(t, "lost", "per crash", "lost_per_crash", 1);
    add_row_column(t, "crashes", "", "crashes", 1);
    add_row_column(t, "recovers", "in ms", "recover_ms", 1);
    add_row_column(t, "capacity", "per s", "capacity", 1);
    for (size_t i = 0; i < count; i++)
        add_point_column(t, i == 0 ? "goodput" : "", "", "goodput", multiples[i]);
    add_point_column(t, "503", "% ", "shed", top);
    add_point_column(t, "late", "% ", "late", top);
    add_point_column(t, "errors", "% ", "error", top);
    add_point_column(t, "not sent", "% ", "not_sent", top);
    add_point_column(t, "p50 ms", "", "p50_ms", top);
    add_point_column(t, "p99 ms", "", "p99_ms", top);
    add_row_column(t, "CPU us", "per req.", "cpu_us_per_request", 1);
    add_row_column(t, "all cores", "per s", "capacity_all", 1);
    add_column(t, (struct column){ .heading = "speed-up",
                                   .unit = "by cores",
                                   .cell = speed_up_cell,
                                   .key = "speed_up" });
    add_row_column(t, "resident", "MB", "resident_bytes", 1e-6);
    add_row_column(t, "pro-", "cesses", "processes", 1);
    add_row_column(t, "threads", "", "threads", 1);
    add_row_column(t, "spread", "%", "spread", 100);
}

bool columns_of_overload(struct table *t)
{
    double multiples[MULTIPLES_SHOWN_MAX];
    const size_t count = read_multiples(t->view.rows, t->view.cores, multiples);
    const double high = OVERLOAD_MULTIPLE;
    bool measured = false;
    for (size_t i = 0; i < count; i++)
        measured |= multiples[i] == high;
    if (!measured)
        return false;
    const double top = multiples[count - 1];
    add_column(t, (struct column){ .heading = "goodput",
                                   .unit = "% of cap.",
                                   .cell = kept_cell,
                                   .key = "goodput",
                                   .multiple = high });
    add_column(t, (struct column){ .heading = "p99",
                                   .unit = "ms",
                                   .cell = point_cell,
                                   .key = "p99_ms",
                                   .scale = 1,
                                   .multiple = high });
    add_column(t, (struct column){ .heading = "503",
                                   .unit = "% of all",
                                   .cell = share_cell,
                                   .key = "shed",
                                   .multiple = high });
    add_column(t, (struct column){ .heading = "late",
                                   .unit = "% of all",
                                   .cell = share_cell,
                                   .key = "late",
                                   .multiple = high });
    add_column(t, (struct column){ .heading = "CPU us",
                                   .unit = "per 503",
                                   .cell = point_cell,
                                   .key = "cpu_us_per_refusal",
                                   .scale = 1,
                                   .multiple = high });
    add_column(t, (struct column){ .heading = "storm", .unit = "over in s", .cell = storm_cell });
    struct column memory = { .heading = "MB", .cell = megabytes_cell, .key = "resident_bytes" };
    const double at[] = { multiples[0] < 1 && count > 1 ? 1 : multiples[0], top };
    for (size_t i = 0; i < wi_count_of(at); i++) {
        memory.multiple = at[i];
        snprintf(memory.unit, sizeof memory.unit, "at %gx", at[i]);
        add_column(t, memory);
    }
    return true;
}
