/* SPDX-License-Identifier: MIT */
/* Orders the rows of one workload; the rules are in ranking.h.
 *
 * Threads: one. */

#include "compare/ranking.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* The two or three repetitions of a row lie within one run: they may agree to 1 % by chance, while
 * the next run differs by more, with where memory and threads come to lie.  So a tenth is the least
 * that is called a lead. */
#define SPREAD_LEAST 0.10

/* A row that was measured once has shown nothing of its spread.  Twice the least keeps it from
 * winning by what a second measurement could take back. */
#define SPREAD_UNKNOWN 0.20

/* No lead is larger than 1: what is beyond this says the same, and can be written. */
#define SPREAD_MOST 9.99

bool ranking_is_ours(const struct ranking *ranking, const struct entry *entry)
{
    return strcmp(entry->family, ranking->own_family) == 0;
}

/* A row that went wrong has shown that it cannot be relied on, whatever figures it has. */
static bool is_judged(const json_t *row)
{
    return json_object_get(row, "failed") == NULL && json_object_get(row, "refused") == NULL;
}

static bool has_crashes(const json_t *row)
{
    return figure_of(row, "crashes") > 0 && !isnan(figure_of(row, "lost_per_crash"));
}

static bool has_count(const json_t *row)
{
    return figure_of(row, "state_expected") > 0 && !isnan(figure_of(row, "state_seen"));
}

static bool has_capacity(const json_t *row)
{
    return !isnan(figure_of(row, "capacity"));
}

static size_t count_rows(const json_t *rows, bool (*has)(const json_t *row))
{
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        count += is_judged(row) && has(row);
    }
    return count;
}

/* The point that may decide, NULL without one. */
static const json_t *sound_point(const json_t *row, const char *cores, double multiple)
{
    const json_t *point = is_judged(row) ? point_of(row, cores, multiple) : NULL;
    if (point == NULL || is_void(point) || isnan(figure_of(point, "goodput")))
        return NULL;
    return point;
}

static size_t count_points(const json_t *rows, const char *cores, double multiple)
{
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(rows); i++)
        count += sound_point(json_array_get(rows, i), cores, multiple) != NULL;
    return count;
}

/* The highest multiple that at least `least` rows have a sound point for; 0 when there is none. */
static double highest_multiple(const json_t *rows, const char *cores, size_t least)
{
    double highest = 0;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *points = list_of(json_array_get(rows, i), "points");
        for (size_t at = 0; at < json_array_size(points); at++) {
            const double multiple = figure_of(json_array_get(points, at), "multiple");
            /* Up to its capacity everybody answers what is asked: that tells nothing. */
            if (multiple > 1 && multiple > highest && count_points(rows, cores, multiple) >= least)
                highest = multiple;
        }
    }
    return highest;
}

static void choose_headline(struct ranking *ranking, const json_t *rows)
{
    static const char *const cores[] = { "one", "all" };
    if (count_rows(rows, has_count) > 0) {
        ranking->headline = COUNTED;
        return;
    }
    if (count_rows(rows, has_crashes) > 0) {
        ranking->headline = LOST;
        return;
    }
    /* Two rows are a comparison; with one alone its figure is still told. */
    for (size_t least = 2; least > 0; least--) {
        for (size_t i = 0; i < wi_count_of(cores); i++) {
            ranking->multiple = highest_multiple(rows, cores[i], least);
            ranking->cores = cores[i];
            ranking->headline = KEPT;
            if (ranking->multiple > 0)
                return;
        }
        ranking->headline = CAPACITY;
        if (count_rows(rows, has_capacity) >= least)
            return;
    }
    ranking->headline = NO_HEADLINE;
}

/* Fills an entry; false when the row has no figure that counts. */
static bool read_row(const struct ranking *ranking, const json_t *row, struct entry *entry)
{
    if (!is_judged(row))
        return false;
    entry->row = row;
    entry->name = text_of(row, "contestant");
    entry->spread = figure_of(row, "spread");
    entry->p99_ms = NAN;
    entry->crashes = figure_of(row, "crashes");
    const json_t *point = NULL;
    switch (ranking->headline) {
    case COUNTED:
        if (!has_count(row))
            return false;
        entry->value = has_capacity(row) ? figure_of(row, "capacity") : 0;
        entry->wrong = fabs(figure_of(row, "state_seen") - figure_of(row, "state_expected")) /
                       figure_of(row, "state_expected");
        return true;
    case LOST:
        entry->value = figure_of(row, "lost_per_crash");
        return has_crashes(row);
    case KEPT:
        point = sound_point(row, ranking->cores, ranking->multiple);
        entry->value = figure_of(point, "goodput");
        entry->p99_ms = figure_of(point, "p99_ms");
        return point != NULL;
    case CAPACITY:
        entry->value = figure_of(row, "capacity");
        return has_capacity(row);
    case NO_HEADLINE:
        break;
    }
    return false;
}

/* Equal figures keep the order of the document. */
static bool is_better(enum headline headline, const struct entry *a, const struct entry *b)
{
    if (headline == LOST)
        return a->value < b->value;
    if (headline == COUNTED && a->wrong != b->wrong)
        return a->wrong < b->wrong;
    return a->value > b->value;
}

static void insert(struct ranking *ranking, const struct entry *entry)
{
    size_t at = ranking->count++;
    while (at > 0 && is_better(ranking->headline, entry, &ranking->entries[at - 1])) {
        ranking->entries[at] = ranking->entries[at - 1];
        at--;
    }
    ranking->entries[at] = *entry;
}

static size_t count_even(const struct ranking *ranking)
{
    size_t even = ranking->count > 0;
    while (even > 0 && even < ranking->count &&
           !ranking_apart(ranking, &ranking->entries[0], &ranking->entries[even]))
        even++;
    return even;
}

/* -- Doubt ------------------------------------------------------------------------------------ */

/* At saturation a service that burns CPU keeps its core busy.  The system and the load's share of
 * it take less than this leaves. */
#define BUSY_OF_CORE_LEAST 0.7

/* Counts the points at the highest multiple that rows have, on one core if there are such. */
static void count_voids(struct doubt *doubt, const json_t *rows, const char *cores)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const json_t *points = is_judged(row) ? list_of(row, "points") : NULL;
        for (size_t at = 0; at < json_array_size(points); at++) {
            const json_t *point = json_array_get(points, at);
            const double multiple = figure_of(point, "multiple");
            if (strcmp(text_of(point, "cores"), cores) != 0 || !(multiple > 1) ||
                multiple < doubt->multiple)
                continue;
            if (multiple > doubt->multiple)
                doubt->points = doubt->voids = 0;
            doubt->multiple = multiple;
            doubt->points++;
            doubt->voids += is_void(point);
        }
    }
}

/* The CPU time that a row got a second, of one core, when it was asked for all it can; else NAN. */
static double busy_of_core(const json_t *row)
{
    const double saturation = figure_of(row, "saturation");
    const double rate = isnan(saturation) ? figure_of(row, "capacity") : saturation;
    return is_judged(row) ? rate * figure_of(row, "cpu_us_per_request") / 1e6 : (double)NAN;
}

static void count_starved(struct doubt *doubt, const json_t *rows)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const double busy = busy_of_core(json_array_get(rows, i));
        doubt->known += isnan(busy) ? 0 : 1;
        doubt->starved += busy < BUSY_OF_CORE_LEAST ? 1 : 0;
    }
}

static struct doubt doubt_of(const json_t *report, const json_t *workload)
{
    struct doubt doubt = { .others = figure_of(json_object_get(report, "machine"), "busy") };
    const json_t *rows = list_of(workload, "rows");
    count_voids(&doubt, rows, "one");
    if (doubt.points == 0)
        count_voids(&doubt, rows, "all");
    /* Only of this one it is known that it does nothing but burn CPU. */
    if (strcmp(text_of(workload, "name"), "api") == 0 && json_object_get(report, "app") == NULL)
        count_starved(&doubt, rows);
    doubt.any = doubt.others > OTHERS_MOST || 2 * doubt.voids > doubt.points ||
                2 * doubt.starved > doubt.known;
    return doubt;
}

void doubt_say(struct words *words, const struct doubt *doubt)
{
    const char *between = "";
    if (doubt->others > OTHERS_MOST) {
        words_say(words, "others used %.0f %% of it just before", doubt->others * 100);
        between = "; ";
    }
    if (2 * doubt->voids > doubt->points) {
        words_say(words, "%s%zu of %zu points that decide are void", between, doubt->voids,
                  doubt->points);
        between = "; ";
    }
    if (2 * doubt->starved > doubt->known)
        words_say(words, "%s%zu of %zu services got less than %.0f %% of their core in api",
                  between, doubt->starved, doubt->known, BUSY_OF_CORE_LEAST * 100);
}

/* -- Order ------------------------------------------------------------------------------------ */

int ranking_init(struct ranking *ranking, const json_t *report, const json_t *workload)
{
    *ranking = (struct ranking){ 0 };
    const json_t *rows = list_of(workload, "rows");
    ranking->own_family = json_object_get(report, "app") != NULL ? "app" : "weir";
    ranking->doubt = doubt_of(report, workload);
    choose_headline(ranking, rows);
    if (ranking->headline == NO_HEADLINE)
        return 0;
    ranking->entries = calloc(json_array_size(rows), sizeof *ranking->entries);
    if (ranking->entries == NULL)
        return WEIR_ENOMEM;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        struct entry entry = { 0 };
        if (!read_row(ranking, json_array_get(rows, i), &entry))
            continue;
        entry.family = text_of(contestant_of(report, entry.name), "family");
        insert(ranking, &entry);
    }
    ranking->even = count_even(ranking);
    return 0;
}

void ranking_fini(struct ranking *ranking)
{
    free(ranking->entries);
    *ranking = (struct ranking){ 0 };
}

double ranking_lead(const struct ranking *ranking, const struct entry *a, const struct entry *b)
{
    /* A right counter and a wrong one are as far apart as can be. */
    if (ranking->headline == COUNTED && (a->wrong > 0) != (b->wrong > 0))
        return 1;
    const bool by_error = ranking->headline == COUNTED && a->wrong > 0;
    const double one = by_error ? a->wrong : a->value;
    const double other = by_error ? b->wrong : b->value;
    const double larger = fmax(one, other);
    return larger > 0 ? fabs(one - other) / larger : 0;
}

static double own_spread(const struct entry *entry)
{
    return isnan(entry->spread) ? SPREAD_UNKNOWN : fmax(entry->spread, SPREAD_LEAST);
}

/* Two standard deviations of the difference of two rates that are counts divided by crashes. */
static double counted_spread(const struct entry *a, const struct entry *b)
{
    const double larger = fmax(a->value, b->value);
    if (larger <= 0)
        return SPREAD_LEAST;
    return fmax(2 * sqrt(a->value / a->crashes + b->value / b->crashes) / larger, SPREAD_LEAST);
}

double ranking_spread(const struct ranking *ranking, const struct entry *a, const struct entry *b)
{
    const double spread =
        ranking->headline == LOST ? counted_spread(a, b) : fmax(own_spread(a), own_spread(b));
    return fmin(spread, SPREAD_MOST);
}

bool ranking_apart(const struct ranking *ranking, const struct entry *a, const struct entry *b)
{
    if (ranking->headline == COUNTED && (a->wrong > 0) != (b->wrong > 0))
        return true;
    return ranking_lead(ranking, a, b) > ranking_spread(ranking, a, b);
}

const struct entry *ranking_find(const struct ranking *ranking, const char *name)
{
    for (size_t i = 0; i < ranking->count; i++) {
        if (strcmp(ranking->entries[i].name, name) == 0)
            return &ranking->entries[i];
    }
    return NULL;
}

bool ranking_is_even(const struct ranking *ranking, const struct entry *entry)
{
    return entry != NULL && entry < ranking->entries + ranking->even;
}
