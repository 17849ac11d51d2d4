/* SPDX-License-Identifier: MIT */
/* "Choose X because ...; Y wins if ...": from what was measured, and nothing else.
 *
 * X is who is best, or within the spread of the best, in the most workloads; among equals who on
 * average has the largest part of the best figure.  With --app only models of the user's program
 * that ran are candidates: what was refused is said with its reason.  A thread that many requests
 * share, and that leaves its core idle at capacity, has handlers that block it.
 *
 * When every workload is in doubt (ranking.h) nobody is recommended: what was seen is said instead,
 * and how to repeat it; else those in doubt do not count.  What was refused stays refused.
 *
 * Threads: one. */

#include "compare/ranking.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

/* So many conditions: who reads more has the tables. */
#define CONDITIONS_MAX 5

/* Who is busy for less than half of its time at capacity does not lack CPU.  Its handlers block
 * when it serves less than a third of a sibling, or about one request at a time: some queueing
 * makes that look like up to four. */
#define BUSY_LEAST 0.5
#define SIBLING_LEAST 3.0
#define AT_A_TIME_MOST 4.0

/* Less is no gain from more cores. */
#define SPEED_UP_LEAST 1.3

#define REASONS_MAX 4
#define REASON_CHARACTERS 160

/* Less memory than this part of the choice's is a reason. */
#define MEMORY_MOST 0.7

struct score {
    size_t even;  /* workloads in which it is among the best */
    double share; /* sum of its parts of the best figures, and of the best with all cores */
};

/* What a workload stands for in "wins if ..."; an own name stands for itself. */
static const struct {
    const char *workload;
    const char *condition;
} conditions[] = {
    { "api", "requests burn CPU" },
    { "wait", "requests wait for a backend" },
    { "mix", "requests both wait and burn CPU" },
    { "block", "handlers call a library that blocks" },
    { "stream", "replies are streams" },
    { "crash", "a request may crash its process" },
    { "state", "requests share state" },
};

static const char *condition_of(const json_t *workload)
{
    const char *name = text_of(workload, "name");
    for (size_t i = 0; i < wi_count_of(conditions); i++) {
        if (strcmp(name, conditions[i].workload) == 0)
            return conditions[i].condition;
    }
    return NULL;
}

/* The part of the best figure that the entry reaches, from 0 to 1. */
static double share_of_best(const struct ranking *ranking, const struct entry *entry)
{
    return 1 - ranking_lead(ranking, &ranking->entries[0], entry);
}

/* The same for the capacity with all cores, which decides among those that are even. */
static double share_of_all_cores(const struct ranking *ranking, const struct entry *entry)
{
    double most = 0;
    for (size_t i = 0; i < ranking->count; i++)
        most = fmax(most, figure_of(ranking->entries[i].row, "capacity_all"));
    const double own = figure_of(entry->row, "capacity_all");
    return most > 0 && !isnan(own) ? own / most : 0;
}

static bool is_candidate(const json_t *report, const json_t *contestant)
{
    return json_object_get(report, "app") == NULL ||
           strcmp(text_of(contestant, "family"), "app") == 0;
}

static struct score score_of(const struct ranking *rankings, size_t count, const char *name)
{
    struct score score = { 0 };
    for (size_t i = 0; i < count; i++) {
        const struct entry *entry = ranking_find(&rankings[i], name);
        if (entry == NULL)
            continue;
        score.even += ranking_is_even(&rankings[i], entry);
        score.share += share_of_best(&rankings[i], entry);
        score.share += share_of_all_cores(&rankings[i], entry);
    }
    return score;
}

/* The name of the choice, NULL when nobody has figures to be chosen by. */
static const char *choose(const json_t *report, const struct ranking *rankings, size_t count)
{
    const json_t *all = list_of(report, "contestants");
    struct score best = { 0 };
    const char *choice = NULL;
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *contestant = json_array_get(all, i);
        const char *name = text_of(contestant, "name");
        if (!is_candidate(report, contestant))
            continue;
        const struct score score = score_of(rankings, count, name);
        if (score.even > best.even || (score.even == best.even && score.share > best.share)) {
            best = score;
            choice = name;
        }
    }
    return choice;
}

/* The first workload that the choice is ranked in: its figures are the reasons. */
static const struct ranking *main_ranking(const struct ranking *rankings, size_t count,
                                          const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (ranking_find(&rankings[i], name) != NULL)
            return &rankings[i];
    }
    return NULL;
}

/* What speaks for the choice, to be joined into one sentence. */
struct reasons {
    char texts[REASONS_MAX][REASON_CHARACTERS];
    size_t count;
};

static void add_reason(struct reasons *reasons, const char *format, ...) WEIR_PRINTF(2, 3);
static void add_reason(struct reasons *reasons, const char *format, ...)
{
    wi_bug_unless(reasons->count < REASONS_MAX);
    va_list values;
    va_start(values, format);
    (void)vsnprintf(reasons->texts[reasons->count++], REASON_CHARACTERS, format, values);
    va_end(values);
}

static void add_figures(struct reasons *reasons, const struct ranking *ranking,
                        const struct entry *entry)
{
    char text[32];
    char point[64] = "";
    char p99[64] = "";
    if (ranking->headline == KEPT)
        snprintf(point, sizeof point, " at %g times its capacity", ranking->multiple);
    if (!isnan(entry->p99_ms))
        snprintf(p99, sizeof p99, " (p99 %s ms)", short_number(entry->p99_ms, text));
    add_reason(reasons, "it answers %s requests a second in time%s%s",
               short_number(entry->value, text), point, p99);
}

static void say_reasons(struct words *words, const json_t *report, const struct ranking *rankings,
                        size_t count, const char *choice)
{
    struct reasons reasons = { .count = 0 };
    size_t judged = 0;
    for (size_t i = 0; i < count; i++)
        judged += rankings[i].count > 1;
    const struct ranking *ranking = main_ranking(rankings, count, choice);
    const struct entry *entry = ranking_find(ranking, choice);
    if (judged > 1)
        add_reason(&reasons,
                   "it is best, or within the spread of the best, in %zu of %zu workloads",
                   score_of(rankings, count, choice).even, judged);
    if (ranking->headline == KEPT || ranking->headline == CAPACITY)
        add_figures(&reasons, ranking, entry);
    else if (judged <= 1)
        add_reason(&reasons, "it is best at what was measured");
    const double speed_up = figure_of(entry->row, "speed_up");
    if (speed_up > SPEED_UP_LEAST && speed_up <= speed_up_most(report))
        add_reason(&reasons, "all cores make it %.2f times as fast as one", speed_up);
    if (flag_of(contestant_of(report, choice), "shares_memory"))
        add_reason(&reasons, "its requests may share memory");
    words_say(words, "Choose %s because ", choice);
    for (size_t i = 0; i < reasons.count; i++) {
        const char *between = i == 0                  ? ""
                              : i + 1 < reasons.count ? ", "
                              : reasons.count == 2    ? " and "
                                                      : ", and ";
        words_say(words, "%s%s", between, reasons.texts[i]);
    }
    words_say(words, ".");
}

/* "Y wins if ...", one after the other. */
struct conditions {
    struct words *words;
    size_t said;
};

static void say_condition(struct conditions *so_far, const char *name)
{
    words_say(so_far->words, "%s%s wins if ", so_far->said == 0 ? " " : "; ", name);
    so_far->said++;
}

/* The best among those who may be chosen. */
static const struct entry *best_candidate(const json_t *report, const struct ranking *ranking)
{
    for (size_t i = 0; i < ranking->count; i++) {
        if (is_candidate(report, contestant_of(report, ranking->entries[i].name)))
            return &ranking->entries[i];
    }
    return NULL;
}

static void say_other_workloads(struct conditions *so_far, const json_t *report,
                                const struct ranking *rankings, size_t count, const char *choice)
{
    const json_t *workloads = list_of(report, "workloads");
    for (size_t i = 0; i < count && so_far->said < CONDITIONS_MAX; i++) {
        const json_t *workload = json_array_get(workloads, i);
        const struct entry *best = best_candidate(report, &rankings[i]);
        const struct entry *own = ranking_find(&rankings[i], choice);
        if (best == NULL || best == own || (own != NULL && !ranking_apart(&rankings[i], best, own)))
            continue;
        say_condition(so_far, best->name);
        const char *condition = condition_of(workload);
        if (condition != NULL)
            words_say(so_far->words, "%s (%s: ", condition, text_of(workload, "name"));
        else
            words_say(so_far->words, "the work is as in %s (", text_of(workload, "name"));
        if (own == NULL)
            words_say(so_far->words, "%s has no figures there)", choice);
        else
            words_say(so_far->words, "%d %% ahead)",
                      (int)(ranking_lead(&rankings[i], best, own) * 100 + 0.5));
    }
}

/* Beyond the figure that decides: all cores, and memory, in the main workload. */
static void say_other_measures(struct conditions *so_far, const json_t *report,
                               const struct ranking *ranking, const char *choice)
{
    const struct entry *own = ranking_find(ranking, choice);
    const struct entry *fastest = own;
    const struct entry *smallest = own;
    for (size_t i = 0; i < ranking->count; i++) {
        const struct entry *entry = &ranking->entries[i];
        if (!is_candidate(report, contestant_of(report, entry->name)) ||
            (ranking->headline == KEPT && entry->value <= 0))
            continue;
        if (figure_of(entry->row, "capacity_all") > figure_of(fastest->row, "capacity_all"))
            fastest = entry;
        if (figure_of(entry->row, "resident_bytes") < figure_of(smallest->row, "resident_bytes"))
            smallest = entry;
    }
    char text[32];
    char other[32];
    const double all = figure_of(own->row, "capacity_all");
    const double most = figure_of(fastest->row, "capacity_all");
    if (so_far->said < CONDITIONS_MAX &&
        most - all > ranking_spread(ranking, fastest, own) * most) {
        say_condition(so_far, fastest->name);
        words_say(so_far->words, "capacity on all cores is what counts (%s a second against %s)",
                  short_number(most, text), short_number(all, other));
    }
    const double bytes = figure_of(own->row, "resident_bytes");
    const double least = figure_of(smallest->row, "resident_bytes");
    if (so_far->said < CONDITIONS_MAX && least < MEMORY_MOST * bytes) {
        say_condition(so_far, smallest->name);
        words_say(so_far->words, "memory is scarce (%s MB against %s MB)",
                  short_number(least / 1e6, text), short_number(bytes / 1e6, other));
    }
}

/* These run many requests on one thread, where one that blocks keeps up the others.  Only the model
 * tells: the name begins with that of the user's program, which may be anything. */
static bool shares_its_thread(const json_t *contestant)
{
    static const char *const words[] = { "loop", "cluster", "tasks" };
    for (size_t i = 0; i < wi_count_of(words); i++) {
        if (strstr(text_of(contestant, "model"), words[i]) != NULL)
            return true;
    }
    return false;
}

/* How many requests are served at the same time, by Little's law, at the lowest load that was
 * measured on one core.  INFINITY when that is not known. */
static double at_a_time(const json_t *row)
{
    const json_t *points = list_of(row, "points");
    double lowest = INFINITY;
    double count = INFINITY;
    for (size_t i = 0; i < json_array_size(points); i++) {
        const json_t *point = json_array_get(points, i);
        const double multiple = figure_of(point, "multiple");
        const double p50_ms = figure_of(point, "p50_ms");
        if (strcmp(text_of(point, "cores"), "one") != 0 || isnan(p50_ms) ||
            !(multiple <= 1 && multiple < lowest))
            continue;
        lowest = multiple;
        count = figure_of(row, "capacity") * p50_ms / 1000;
    }
    return count;
}

/* The sibling of the largest capacity. */
static const json_t *best_sibling(const json_t *report, const json_t *rows, const char *family)
{
    const json_t *best = NULL;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const json_t *contestant = contestant_of(report, text_of(row, "contestant"));
        if (strcmp(text_of(contestant, "family"), family) != 0 ||
            json_object_get(row, "refused") != NULL || json_object_get(row, "failed") != NULL)
            continue;
        const double capacity = figure_of(row, "capacity");
        if (!isnan(capacity) && (best == NULL || capacity > figure_of(best, "capacity")))
            best = row;
    }
    return best;
}

/* How busy a core is whose program waits although more is asked of it: from 0 to 1; NAN for any
 * other. */
static double blocked_busy(const json_t *report, const json_t *rows, const json_t *row)
{
    const json_t *contestant = contestant_of(report, text_of(row, "contestant"));
    const char *family = text_of(contestant, "family");
    const double capacity = figure_of(row, "capacity");
    const double busy = capacity * figure_of(row, "cpu_us_per_request") / 1e6;
    const json_t *sibling = best_sibling(report, rows, family);
    const bool app = json_object_get(report, "app") != NULL;
    const bool own = strcmp(family, app ? "app" : "weir") == 0;
    if (!own || !shares_its_thread(contestant) || sibling == NULL || !(busy < BUSY_LEAST))
        return NAN;
    if (at_a_time(row) < AT_A_TIME_MOST ||
        figure_of(sibling, "capacity") > SIBLING_LEAST * capacity)
        return busy;
    return NAN;
}

/* Who waits although more is asked of it. */
static void say_blocked(struct words *words, const json_t *report, const json_t *workload)
{
    const json_t *rows = list_of(workload, "rows");
    char text[32];
    bool first = true;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *name = text_of(row, "contestant");
        const double capacity = figure_of(row, "capacity");
        const double busy = blocked_busy(report, rows, row);
        if (isnan(busy))
            continue;
        short_number(capacity, text);
        if (!first) {
            words_say(words, "; %s likewise (%s)", name, text);
            continue;
        }
        first = false;
        words_say(words,
                  " In %s %s loses because its handlers block the thread that runs them: %s a "
                  "second, while its core is busy %.2g %% of the time",
                  text_of(workload, "name"), name, text, busy * 100);
        const json_t *sibling =
            best_sibling(report, rows, text_of(contestant_of(report, name), "family"));
        if (figure_of(sibling, "capacity") > SIBLING_LEAST * capacity)
            words_say(words, ", and %s serves %s", text_of(sibling, "contestant"),
                      short_number(figure_of(sibling, "capacity"), text));
    }
    if (!first)
        words_say(words, ". Mark what blocks (.blocking), or choose another model.");
}

static void say_refused(struct words *words, const json_t *report, const json_t *workload)
{
    const json_t *rows = list_of(workload, "rows");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *name = text_of(row, "contestant");
        if (!is_candidate(report, contestant_of(report, name)))
            continue;
        if (json_object_get(row, "refused") != NULL)
            words_say(words, " %s was refused: %s.", name, text_of(row, "refused"));
        else if (json_object_get(row, "failed") != NULL)
            words_say(words, " %s failed: %s.", name, text_of(row, "failed"));
    }
}

/* All that was seen in the workloads that are in doubt; whether no other one is left to go by. */
static bool sum_doubts(const struct ranking *rankings, size_t count, struct doubt *sum)
{
    *sum = (struct doubt){ .others = NAN };
    bool rest = false;
    for (size_t i = 0; i < count; i++) {
        const struct doubt *doubt = &rankings[i].doubt;
        if (!doubt->any) {
            rest |= rankings[i].count > 0;
            continue;
        }
        sum->any = true;
        sum->others = doubt->others;
        sum->points += doubt->points;
        sum->voids += doubt->voids;
        sum->known += doubt->known;
        sum->starved += doubt->starved;
    }
    return sum->any && !rest;
}

static void say_doubt(struct words *words, const json_t *report, const struct doubt *doubt)
{
    const char *command = text_of(report, "command");
    words_say(words, "No recommendation: this machine was too busy for one (");
    doubt_say(words, doubt);
    words_say(words,
              "). Close what else runs on it, or take a machine that nobody else uses, and repeat "
              "it%s%s.",
              command[0] != '\0' ? ": " : "", command);
}

static void say_choice(struct words *words, const json_t *report, const struct ranking *rankings,
                       size_t count, const char *choice)
{
    struct conditions so_far = { .words = words };
    say_reasons(words, report, rankings, count, choice);
    say_other_workloads(&so_far, report, rankings, count, choice);
    say_other_measures(&so_far, report, main_ranking(rankings, count, choice), choice);
    if (so_far.said > 0)
        words_say(words, ".");
}

void advice_say(struct words *words, const json_t *report, const struct ranking *rankings,
                size_t count)
{
    const json_t *workloads = list_of(report, "workloads");
    const bool own = json_object_get(report, "app") != NULL;
    const char *choice = choose(report, rankings, count);
    struct doubt doubt;
    const bool in_doubt = sum_doubts(rankings, count, &doubt);
    if (in_doubt && (choice != NULL || doubt.voids > 0))
        say_doubt(words, report, &doubt);
    else if (choice != NULL)
        say_choice(words, report, rankings, count, choice);
    else if (own)
        words_say(words, "No model can be recommended: none of them has figures.");
    for (size_t i = 0; i < count; i++) {
        if (own)
            say_refused(words, report, json_array_get(workloads, i));
        /* On a machine that others use, an idle-looking core may have been theirs. */
        if (!rankings[i].doubt.any)
            say_blocked(words, report, json_array_get(workloads, i));
    }
}
