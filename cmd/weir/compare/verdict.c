/* SPDX-License-Identifier: MIT */
/* Says in words who wins each workload, by how much, and who loses.
 *
 * The order of the rows and what counts as a lead are in ranking.h.  A lead within the spread is
 * called that, and then nobody is called the winner in words; on a machine that was too busy
 * nothing is decided at all.  Two more sentences are there because
 * a reader needs them and a table hides them: how the best of weir's models stands to the best
 * peer, weir's losses included, and which of weir's own models does badly here.
 *
 * Threads: one. */

#include "compare/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare/ranking.h"

/* So many names stand in a sentence; more are counted. */
#define NAMES_MAX 4

static int percent(double part)
{
    return (int)(part * 100 + 0.5);
}

/* The figure with what it is, as in "weir tasks with 470 replies a second". */
static void say_value(struct words *words, const struct ranking *ranking, const struct entry *entry)
{
    char text[32];
    short_number(entry->value, text);
    switch (ranking->headline) {
    case COUNTED:
        if (entry->wrong > 0)
            words_say(words, "a counter off by %.3g %%", entry->wrong * 100);
        else
            words_say(words, "a right counter and %s a second", text);
        return;
    case LOST:
        words_say(words, "%s request%s lost per crash", text, entry->value == 1 ? "" : "s");
        return;
    case KEPT:
    case CAPACITY:
    case NO_HEADLINE:
        words_say(words, "%s a second", text);
    }
}

/* What the figure is measured by, closing the first sentence. */
static void say_measure(struct words *words, const struct ranking *ranking, bool several)
{
    switch (ranking->headline) {
    case COUNTED:
        words_say(words, "right counting, then capacity");
        return;
    case LOST:
        words_say(words, "requests lost per crash");
        return;
    case KEPT:
        words_say(words, "replies in time at %g times %s capacity%s", ranking->multiple,
                  several ? "their" : "its",
                  strcmp(ranking->cores, "all") == 0 ? ", server and load on all cores" : "");
        return;
    case CAPACITY:
    case NO_HEADLINE:
        words_say(words, "capacity");
    }
}

static void say_lead(struct words *words, const struct ranking *ranking, const struct entry *a,
                     const struct entry *b)
{
    words_say(words, "lead %d %%, spread %d %%", percent(ranking_lead(ranking, a, b)),
              percent(ranking_spread(ranking, a, b)));
}

static void say_even(struct words *words, const struct ranking *ranking)
{
    const size_t named = ranking->even < NAMES_MAX ? ranking->even : NAMES_MAX;
    for (size_t i = 0; i < named; i++) {
        const bool last = i + 1 == ranking->even;
        words_say(words, "%s%s (", i == 0 ? "" : last ? " and " : ", ", ranking->entries[i].name);
        say_value(words, ranking, &ranking->entries[i]);
        words_say(words, ")");
    }
    if (ranking->even > named)
        words_say(words, " and %zu more", ranking->even - named);
    double spread = 0;
    for (size_t i = 1; i < ranking->even; i++)
        spread = fmax(spread, ranking_spread(ranking, &ranking->entries[0], &ranking->entries[i]));
    words_say(words, " are within the spread (%d %%): no clear winner by ", percent(spread));
    say_measure(words, ranking, true);
    words_say(words, ".");
}

/* Where goodput does not decide, who answers sooner may. */
static void say_soonest(struct words *words, const struct ranking *ranking)
{
    const struct entry *soonest = NULL;
    size_t known = 0;
    for (size_t i = 0; i < ranking->even; i++) {
        const struct entry *entry = &ranking->entries[i];
        known += isnan(entry->p99_ms) ? 0 : 1;
        if (!isnan(entry->p99_ms) && (soonest == NULL || entry->p99_ms < soonest->p99_ms))
            soonest = entry;
    }
    char text[32];
    if (known >= 2)
        words_say(words, " Of these %s answers soonest (p99 %s ms).", soonest->name,
                  short_number(soonest->p99_ms, text));
}

static void say_best(struct words *words, const struct ranking *ranking)
{
    const struct entry *best = &ranking->entries[0];
    char text[32];
    if (ranking->even > 1) {
        say_even(words, ranking);
        say_soonest(words, ranking);
        return;
    }
    words_say(words, "%s wins with ", best->name);
    say_value(words, ranking, best);
    words_say(words, " (");
    say_measure(words, ranking, false);
    if (!isnan(best->p99_ms))
        words_say(words, "; p99 %s ms", short_number(best->p99_ms, text));
    words_say(words, "), ahead of %s with ", ranking->entries[1].name);
    say_value(words, ranking, &ranking->entries[1]);
    words_say(words, ": ");
    say_lead(words, ranking, best, &ranking->entries[1]);
    words_say(words, ".");
}

static const struct entry *first_of(const struct ranking *ranking, bool ours)
{
    for (size_t i = 0; i < ranking->count; i++) {
        if (ranking_is_ours(ranking, &ranking->entries[i]) == ours)
            return &ranking->entries[i];
    }
    return NULL;
}

static const struct entry *last_of_ours(const struct ranking *ranking)
{
    for (size_t i = ranking->count; i > 0; i--) {
        if (ranking_is_ours(ranking, &ranking->entries[i - 1]))
            return &ranking->entries[i - 1];
    }
    return NULL;
}

static bool is_last(const struct ranking *ranking, const struct entry *entry)
{
    return entry == &ranking->entries[ranking->count - 1];
}

/* weir against its peers, whoever of them is ahead.  One of the two is the best of all. */
static void say_sides(struct words *words, const struct ranking *ranking)
{
    const struct entry *ours = first_of(ranking, true);
    const struct entry *peer = first_of(ranking, false);
    if (ours == NULL || peer == NULL)
        return;
    const struct entry *best = &ranking->entries[0];
    const struct entry *behind = ours == best ? peer : ours;
    const bool apart = ranking_apart(ranking, best, behind);
    if (ranking_is_even(ranking, behind) || (apart && behind == peer && is_last(ranking, peer)))
        return; /* both are among the best, or the loser is said next */
    const bool app = strcmp(ours->family, "app") == 0;
    if (behind == peer)
        words_say(words, " The best %s, %s, has ", app ? "for reference" : "peer", peer->name);
    else if (apart)
        words_say(words, " %s loses here: %s, its best, has ", app ? "Your program" : "weir",
                  ours->name);
    else
        words_say(words, " The best of %s, %s, has ", app ? "your program" : "weir", ours->name);
    say_value(words, ranking, behind);
    words_say(words, " (");
    say_lead(words, ranking, best, behind);
    words_say(words, apart ? ")." : "): too uneven to say that it is beaten.");
}

/* The last of all, and the last of weir's own models if that is another. */
static void say_losers(struct words *words, const struct ranking *ranking)
{
    const struct entry *last = &ranking->entries[ranking->count - 1];
    const struct entry *ours = last_of_ours(ranking);
    const bool loses = ranking_apart(ranking, &ranking->entries[0], last);
    size_t zeros = 0;
    for (size_t i = 0; i < ranking->count; i++)
        zeros += ranking->headline == KEPT && ranking->entries[i].value <= 0;
    if (loses && zeros > 1) {
        words_say(words, " %s and %zu more lose%s: not one reply in time.", last->name, zeros - 1,
                  zeros == 2 ? " with it" : "");
    } else if (loses && last != first_of(ranking, true)) {
        words_say(words, " %s loses with ", last->name);
        say_value(words, ranking, last);
        words_say(words, ".");
    }
    if (ours == NULL || ours == last || ranking_is_even(ranking, ours) ||
        !ranking_apart(ranking, first_of(ranking, true), ours))
        return;
    words_say(words, " Of %s %s does worst, with ",
              strcmp(ours->family, "app") == 0 ? "your program's models" : "weir's models",
              ours->name);
    say_value(words, ranking, ours);
    words_say(words, ".");
}

/* Why a row that is there was not ranked. */
static const char *not_judged(const struct ranking *ranking, const json_t *row)
{
    if (json_object_get(row, "refused") != NULL)
        return "refused";
    if (json_object_get(row, "failed") != NULL)
        return "failed";
    const json_t *point =
        ranking->headline == KEPT ? point_of(row, ranking->cores, ranking->multiple) : NULL;
    return point != NULL && is_void(point) ? "void" : "not measured";
}

static void say_unranked(struct words *words, const struct ranking *ranking, const json_t *workload)
{
    const json_t *rows = list_of(workload, "rows");
    bool first = true;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *name = text_of(row, "contestant");
        if (ranking_find(ranking, name) != NULL)
            continue;
        words_say(words, "%s%s (%s)", first ? " Not judged: " : ", ", name,
                  not_judged(ranking, row));
        first = false;
    }
    if (!first)
        words_say(words, ".");
}

/* Whether there is something to judge, and the machine forbids it.  Without points that are void
 * too few figures have their own sentence. */
static bool is_in_doubt(const struct ranking *ranking)
{
    return ranking->doubt.any && (ranking->count > 1 || ranking->doubt.voids > 0);
}

/* A wrong counter is wrong on any machine. */
static void say_wrong_counters(struct words *words, const struct ranking *ranking)
{
    bool first = true;
    for (size_t i = 0; i < ranking->count; i++) {
        const struct entry *entry = &ranking->entries[i];
        if (ranking->headline != COUNTED || entry->wrong <= 0)
            continue;
        words_say(words, "%s%s (", first ? " Wrong on any machine: " : ", ", entry->name);
        say_value(words, ranking, entry);
        words_say(words, ")");
        first = false;
    }
    if (!first)
        words_say(words, ".");
}

static void say_no_verdict(struct words *words, const struct ranking *ranking)
{
    words_say(words, "No verdict: this machine was too busy to tell (");
    doubt_say(words, &ranking->doubt);
    words_say(words, ").");
    say_wrong_counters(words, ranking);
}

/* Whether there is something to be best at. */
static bool somebody_wins(const struct ranking *ranking)
{
    if (ranking->count < 2 || is_in_doubt(ranking))
        return false;
    if (ranking->headline == COUNTED)
        return ranking->entries[0].wrong <= 0;
    return ranking->headline == LOST || ranking->entries[0].value > 0;
}

static void say_verdict(struct words *words, const struct ranking *ranking, const json_t *workload)
{
    if (is_in_doubt(ranking)) {
        say_no_verdict(words, ranking);
        return;
    }
    if (ranking->count == 0) {
        words_say(words, "Nobody has figures here, so nothing is decided.");
    } else if (ranking->count == 1) {
        words_say(words, "Only %s has figures here, ", ranking->entries[0].name);
        say_value(words, ranking, &ranking->entries[0]);
        words_say(words, " (");
        say_measure(words, ranking, false);
        words_say(words, "): there is nothing to compare it with.");
    } else if (!somebody_wins(ranking)) {
        words_say(words, ranking->headline == COUNTED
                             ? "Nobody counted right."
                             : "Nobody wins: not one of them has a reply in time.");
    } else {
        say_best(words, ranking);
        say_sides(words, ranking);
        say_losers(words, ranking);
    }
    say_unranked(words, ranking, workload);
}

/* Ratios in the document have three digits: what is more is noise. */
static json_t *ratio(double value)
{
    return json_real(round(value * 1000) / 1000);
}

/* 0, or -1 without memory. */
static int set_figures(json_t *verdict, const struct ranking *ranking)
{
    int rc = 0;
    if (ranking->count > 0 && ranking->headline == KEPT) {
        rc |= json_object_set_new(verdict, "multiple", json_real(ranking->multiple));
        rc |= json_object_set_new(verdict, "cores", json_string(ranking->cores));
    }
    if (is_in_doubt(ranking))
        rc |= json_object_set_new(verdict, "clear", json_false());
    if (!somebody_wins(ranking))
        return rc;
    const struct entry *best = &ranking->entries[0];
    const struct entry *last = &ranking->entries[ranking->count - 1];
    json_t *even = json_array();
    for (size_t i = 0; i < ranking->even; i++)
        rc |= json_array_append_new(even, json_string(ranking->entries[i].name));
    rc |= json_object_set_new(verdict, "even", even);
    rc |= json_object_set_new(verdict, "winner", json_string(best->name));
    rc |= json_object_set_new(verdict, "lead", ratio(ranking_lead(ranking, best, best + 1)));
    rc |= json_object_set_new(verdict, "spread", ratio(ranking_spread(ranking, best, best + 1)));
    rc |= json_object_set_new(verdict, "clear", json_boolean(ranking->even == 1));
    if (ranking_apart(ranking, best, last))
        rc |= json_object_set_new(verdict, "loser", json_string(last->name));
    return rc;
}

static int judge(json_t *workload, const struct ranking *ranking)
{
    struct words words = { 0 };
    say_verdict(&words, ranking, workload);
    json_t *verdict = json_object();
    int rc = words.failed ? -1 : 0;
    rc |= set_figures(verdict, ranking);
    rc |= json_object_set_new(verdict, "words", json_string(words.text));
    words_fini(&words);
    rc |= json_object_set_new(workload, "verdict", verdict);
    return rc == 0 ? 0 : WEIR_ENOMEM;
}

/* What is in doubt recommends nobody, and is no reason to say nothing of the rest: unless there is
 * no rest. */
static void withdraw_doubtful(struct ranking *rankings, size_t count)
{
    bool rest = false;
    for (size_t i = 0; i < count; i++)
        rest |= !rankings[i].doubt.any && rankings[i].count > 0;
    for (size_t i = 0; rest && i < count; i++) {
        if (rankings[i].doubt.any)
            rankings[i].count = rankings[i].even = 0;
    }
}

static int advise(json_t *report, struct ranking *rankings, size_t count)
{
    withdraw_doubtful(rankings, count);
    struct words words = { 0 };
    advice_say(&words, report, rankings, count);
    int rc = words.failed ? WEIR_ENOMEM : 0;
    if (rc == 0 && words.bytes == 0)
        json_object_del(report, "advice");
    else if (rc == 0 && json_object_set_new(report, "advice", json_string(words.text)) != 0)
        rc = WEIR_ENOMEM;
    words_fini(&words);
    return rc;
}

int verdict_add(json_t *report)
{
    json_t *workloads = json_object_get(report, "workloads");
    const size_t count = json_array_size(workloads);
    struct ranking *rankings = calloc(count + 1, sizeof *rankings);
    if (rankings == NULL)
        return WEIR_ENOMEM;
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        json_t *workload = json_array_get(workloads, i);
        rc = ranking_init(&rankings[i], report, workload);
        if (rc == 0)
            rc = judge(workload, &rankings[i]);
    }
    if (rc == 0)
        rc = advise(report, rankings, count);
    for (size_t i = 0; i < count; i++)
        ranking_fini(&rankings[i]);
    free(rankings);
    return rc;
}
