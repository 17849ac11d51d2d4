/* SPDX-License-Identifier: MIT */
/* The report on a terminal.
 *
 * A workload has more columns (columns.h) than 80 characters hold.  They flow into as many blocks
 * as the width asks for, each of which begins with the names again.  '*' marks the winner, or all
 * who are within the spread of it.  What the contestants are, and what had to be set, comes once,
 * at the end.
 *
 * Threads: one. */

#include "compare/report.h"

#include <math.h>
#include <string.h>

#include "base/check.h"
#include "compare/columns.h"
#include "compare/document.h"
#include "compare/terminal.h"

#define COLUMNS_LEAST 80
#define NAME_CHARACTERS_MAX 28
#define GAP 2
#define VOID_NOTES_MAX 2 /* reasons that are told in full; a busy machine makes every point void */

/* -- Tables ----------------------------------------------------------------------------------- */

static bool is_even(const json_t *verdict, const char *name)
{
    const json_t *even = list_of(verdict, "even");
    for (size_t i = 0; i < json_array_size(even); i++) {
        const char *text = json_string_value(json_array_get(even, i));
        if (text != NULL && strcmp(text, name) == 0)
            return true;
    }
    return false;
}

/* One of the two lines above the columns [first, end), without blanks at its end. */
static void put_headings(FILE *out, const struct table *t, size_t first, size_t end, bool units)
{
    int blanks = t->view.name_width + 2;
    for (size_t c = first; c < end; c++) {
        const struct column *column = &t->columns[c];
        const char *text = units ? column->unit : column->heading;
        blanks += column->width + GAP;
        if (text[0] == '\0')
            continue;
        put_right(out, text, blanks);
        blanks = 0;
    }
    fputc('\n', out);
}

/* The columns [first, end) of all rows. */
static void put_block(FILE *out, const struct table *t, size_t first, size_t end)
{
    int width = t->view.name_width + 2;
    for (size_t c = first; c < end; c++)
        width += t->columns[c].width + GAP;
    put_headings(out, t, first, end, false);
    put_headings(out, t, first, end, true);
    for (int i = 0; i < width; i++)
        fputc('-', out);
    fputc('\n', out);
    for (size_t i = 0; i < json_array_size(t->view.rows); i++) {
        const json_t *row = json_array_get(t->view.rows, i);
        const char *name = text_of(row, "contestant");
        if (!row_has_figures(row))
            continue;
        fputs(is_even(t->view.verdict, name) ? "* " : "  ", out);
        put_left(out, name, t->view.name_width);
        for (size_t c = first; c < end; c++) {
            char text[CELL_BYTES];
            t->columns[c].cell(&t->view, &t->columns[c], row, text);
            put_right(out, text, t->columns[c].width + GAP);
        }
        fputc('\n', out);
    }
    fputc('\n', out);
}

static void put_blocks(FILE *out, const struct table *t, int columns)
{
    size_t first = 0;
    while (first < t->count) {
        int width = t->view.name_width + 2;
        size_t end = first;
        /* A column that is too wide for any block stands alone all the same. */
        while (end < t->count && (end == first || width + t->columns[end].width + GAP <= columns)) {
            width += t->columns[end].width + GAP;
            end++;
        }
        put_block(out, t, first, end);
        first = end;
    }
}

/* The points that do not count, the first few with their reason. */
static void put_void_notes(FILE *out, const json_t *rows, int columns)
{
    size_t voids = 0;
    size_t all = 0;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const json_t *points = list_of(row, "points");
        for (size_t at = 0; at < json_array_size(points); at++) {
            const json_t *point = json_array_get(points, at);
            char where[64];
            all++;
            if (!is_void(point) || ++voids > VOID_NOTES_MAX)
                continue;
            snprintf(where, sizeof where, " at %gx (%s) is void", figure_of(point, "multiple"),
                     strcmp(text_of(point, "cores"), "all") == 0 ? "all cores" : "one core");
            put_note(out, columns, text_of(row, "contestant"), where, text_of(point, "void"));
        }
    }
    if (voids == 0)
        return;
    struct words words = { 0 };
    words_say(&words,
              "%zu of %zu points are void: marked %s, they decide nothing. The generator was held "
              "up; close what else runs on this machine and try again.",
              voids, all, DOUBT_MARK);
    if (!words.failed)
        put_paragraph(out, words.text, 2, 4, columns);
    words_fini(&words);
}

/* What has no figures, or figures that do not count, and why. */
static void put_row_notes(FILE *out, const json_t *rows, int columns)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *name = text_of(row, "contestant");
        if (json_object_get(row, "refused") != NULL)
            put_note(out, columns, name, " was refused", text_of(row, "refused"));
        if (json_object_get(row, "failed") != NULL)
            put_note(out, columns, name, " failed", text_of(row, "failed"));
        if (json_object_get(row, "note") != NULL)
            put_note(out, columns, name, "", text_of(row, "note"));
    }
    put_void_notes(out, rows, columns);
}

static int widest_name(const json_t *list, const char *key)
{
    int width = 12;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const int own = characters(text_of(json_array_get(list, i), key));
        width = own > width ? own : width;
    }
    return width < NAME_CHARACTERS_MAX ? width : NAME_CHARACTERS_MAX;
}

static void put_heading(FILE *out, const char *name, const char *what)
{
    put_right(out, name, 0);
    fputs(": ", out);
    put_right(out, what, 0);
    fputs("\n\n", out);
}

/* Everybody at the same multiple of what each can do. */
static void put_overload(FILE *out, const struct table *whole, int columns)
{
    struct table t = { .view = whole->view };
    if (!columns_of_overload(&t))
        return;
    fprintf(out, "At %g times the capacity of each\n\n", OVERLOAD_MULTIPLE);
    put_blocks(out, &t, columns);
}

static void put_workload(FILE *out, const json_t *report, const json_t *workload, int columns)
{
    const json_t *verdict = json_object_get(workload, "verdict");
    const json_t *rows = list_of(workload, "rows");
    struct table t = { .view = { .rows = rows, .verdict = verdict } };
    t.view.speed_up_most = speed_up_most(report);
    t.view.name_width = widest_name(rows, "contestant");
    t.view.cores = text_of(verdict, "cores")[0] != '\0' ? text_of(verdict, "cores") : "one";
    fputc('\n', out);
    put_heading(out, text_of(workload, "name"), text_of(workload, "what"));
    columns_of_workload(&t);
    put_blocks(out, &t, columns);
    put_overload(out, &t, columns);
    put_row_notes(out, rows, columns);
    put_paragraph(out, text_of(verdict, "words"), 0, 0, columns);
}

/* What runs, in the article's words, and what it takes before the first request. */
static void put_contestants(FILE *out, const json_t *report, int columns)
{
    const json_t *all = list_of(report, "contestants");
    const int width = widest_name(all, "name");
    const int model_width = columns - width - 2 - 36;
    fputs("\nWhat they are, before the first request\n\n", out);
    put_right(out, "", width + 2);
    fprintf(out, "%8s%10s%7s%9s  model\n", "memory", "start ms", "MB", "threads");
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *contestant = json_array_get(all, i);
        char texts[3][32];
        if (json_object_get(contestant, "left_out") != NULL)
            continue;
        fputs("  ", out);
        put_left(out, text_of(contestant, "name"), width);
        fprintf(out, "%8s%10s%7s%9s  ", flag_of(contestant, "shares_memory") ? "shared" : "apart",
                short_number(figure_of(contestant, "start_ms"), texts[0]),
                short_number(figure_of(contestant, "resident_bytes") / 1e6, texts[1]),
                short_number(figure_of(contestant, "threads"), texts[2]));
        const char *model = text_of(contestant, "model");
        put_left(out, model, characters(model) < model_width ? characters(model) : model_width);
        fputc('\n', out);
    }
}

static void put_settings(FILE *out, const json_t *report, int columns)
{
    const json_t *all = list_of(report, "contestants");
    bool none = true;
    fputs("\nSettings that had to be made\n", out);
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *contestant = json_array_get(all, i);
        const json_t *settings = list_of(contestant, "settings");
        struct words words = { 0 };
        if (json_object_get(contestant, "left_out") != NULL)
            continue;
        for (size_t at = 0; at < json_array_size(settings); at++) {
            const char *text = json_string_value(json_array_get(settings, at));
            words_say(&words, "%s%s", at == 0 ? "" : ", ", text != NULL ? text : "?");
        }
        if (words.bytes > 0)
            put_note(out, columns, text_of(contestant, "name"), "", words.text);
        none &= words.bytes == 0;
        words_fini(&words);
    }
    if (none)
        fputs("  none\n", out);
}

/* Those from `first` on that share its reason, separated as the comma is part of names. */
static void put_left_out_for(FILE *out, const json_t *all, size_t first, int columns)
{
    const char *reason = text_of(json_array_get(all, first), "left_out");
    struct words words = { 0 };
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *contestant = json_array_get(all, i);
        if (json_object_get(contestant, "left_out") == NULL ||
            strcmp(text_of(contestant, "left_out"), reason) != 0)
            continue;
        if (i < first) {
            words_fini(&words);
            return; /* it was told there */
        }
        words_say(&words, "%s%s", words.bytes > 0 ? "; " : "", text_of(contestant, "name"));
    }
    if (!words.failed)
        put_note(out, columns, words.text, "", reason);
    words_fini(&words);
}

static void put_left_out(FILE *out, const json_t *report, int columns)
{
    const json_t *all = list_of(report, "contestants");
    bool first = true;
    for (size_t i = 0; i < json_array_size(all); i++) {
        if (json_object_get(json_array_get(all, i), "left_out") == NULL)
            continue;
        if (first)
            fputs("\nLeft out\n", out);
        first = false;
        put_left_out_for(out, all, i, columns);
    }
}

static void put_legend(FILE *out, const json_t *report, int columns)
{
    struct words words = { 0 };
    const double timeout = figure_of(report, "timeout_ms");
    words_say(
        &words,
        "goodput: replies a second within %g ms of when they were due, at multiples of each "
        "one's own capacity. In percent of what was offered, adding up to 100 with goodput: "
        "503; late, answered after that or not at all; errors, which are broken connections "
        "and other statuses; not sent, given up by the generator. *: the winner, or within "
        "the spread of it. CPU us per 503: what the good replies leave over of the "
        "server's time. Storm: a burst upon 0.7 times the capacity, from clients that try "
        "three times again; seconds until 95 %% of each second's requests are answered. " DOUBT_MARK
        ": void; of a speed-up: more than the cores can give, so one core was disturbed.",
        isnan(timeout) ? 1000 : timeout);
    fputc('\n', out);
    if (!words.failed)
        put_paragraph(out, words.text, 0, 0, columns);
    words_fini(&words);
}

void table_print(FILE *out, const json_t *report, int columns)
{
    const int width = columns > COLUMNS_LEAST ? columns : COLUMNS_LEAST;
    const json_t *workloads = list_of(report, "workloads");
    for (size_t i = 0; i < json_array_size(workloads); i++)
        put_workload(out, report, json_array_get(workloads, i), width);
    put_contestants(out, report, width);
    put_settings(out, report, width);
    put_left_out(out, report, width);
    put_legend(out, report, width);
    fputc('\n', out);
    put_paragraph(out, text_of(report, "advice"), 0, 0, width);
}
