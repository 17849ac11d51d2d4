/* SPDX-License-Identifier: MIT */
/* Runs a contest.  See contest.h.
 *
 * Flow: the programme (who, what, where), the plan (which measurements), then each measurement
 * that the journal does not have yet: server, load, result, journal, report.  A row ends with the
 * first measurement that fails, or that the contestant refuses. */

#include "compare/contest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "compare/document.h"
#include "compare/journal.h"
#include "compare/measure.h"
#include "compare/plan.h"
#include "compare/progress.h"
#include "compare/record.h"
#include "system_machine.h"
#include "weir/runtime.h"

/* For the path of the report's folder; the rest is for the names in it. */
#define ROOM ((int)PATH_BYTES - 64)

/* What others use of the machine just before the start, and how much of it is worth a warning. */
#define BUSY_LOOK_MS 300
#define BUSY_MAX 0.15

struct contest {
    const struct wish *wish;
    struct contestants list;
    struct programme programme;
    struct plan plan;
    struct meter meter;
    struct journal journal;
    struct record record;
    struct progress progress;
    bool over[ROWS_MAX]; /* the row has ended early */
    int failed;
    char work_folder[PATH_BYTES];
    char log_folder[PATH_BYTES];
};

static int complain(const char *what)
{
    fprintf(stderr, "weir compare: %s\n", what);
    return WEIR_EINVAL;
}

/* -- who, what, where ------------------------------------------------------------------------- */

static bool has_workload(const struct programme *programme, const struct workload *workload)
{
    for (int i = 0; i < programme->workload_count; i++) {
        if (programme->workloads[i] == workload)
            return true;
    }
    return false;
}

static int name_workloads(struct contest *contest, const char *names)
{
    struct programme *programme = &contest->programme;
    for (const char *word = names; *word != '\0';) {
        char name[NAME_BYTES];
        const size_t length = strcspn(word, ",");
        snprintf(name, sizeof name, "%.*s", (int)length, word);
        const struct workload *workload = workload_find(name);
        if (workload == NULL || programme->workload_count == WORKLOADS_MAX) {
            fprintf(stderr, "weir compare: there is no workload '%s'; there are %s\n", name,
                    workload_names());
            return WEIR_EINVAL;
        }
        if (has_workload(programme, workload)) {
            fprintf(stderr, "weir compare: --workloads names %s twice\n", name);
            return WEIR_EINVAL;
        }
        programme->workloads[programme->workload_count++] = workload;
        word += length + (word[length] == ',');
    }
    return programme->workload_count > 0 ? 0 : complain("--workloads names none");
}

/* Without further word a user's program is compared under its own url, and the peers beside it
 * show what this machine does with a known work. */
static int choose_workloads(struct contest *contest)
{
    const struct wish *wish = contest->wish;
    struct programme *programme = &contest->programme;
    if (wish->workloads != NULL)
        return name_workloads(contest, wish->workloads);
    if (wish->choice.app == NULL)
        return name_workloads(contest, wish->form.workloads);
    programme->own = workload_of_app(wish->choice.app_url);
    programme->workloads[programme->workload_count++] = programme->own;
    for (int i = 0; i < contest->list.count; i++) {
        if (contest->list.all[i].source != SOURCE_APP)
            return name_workloads(contest, "api");
    }
    return 0;
}

/* The server gets the first core and the generator the last; with one core they share it. */
static void lay_out(struct meter *meter)
{
    cores_usable(&meter->all);
    const int last = meter->all.count - 1;
    meter->one = (struct cores){ .count = 1, .ids = { meter->all.ids[0] } };
    meter->generator = (struct cores){ .count = 1, .ids = { meter->all.ids[last] } };
    cores_confine(&meter->generator); /* this process looks on from there */
}

/* Two at once would take each other's journal, logs and cores. */
static int claim_folder(const struct contest *contest, const char *whole)
{
    char path[PATH_BYTES + 16];
    snprintf(path, sizeof path, "%s/claim", contest->work_folder);
    if (file_claim(path))
        return 0;
    fprintf(stderr,
            "weir compare: another one is at work in %s; wait for it, or give this one a folder "
            "of its own with --out\n",
            whole);
    return CONTEST_SPOILED;
}

static int make_folders(struct contest *contest)
{
    const char *out = contest->wish->out_folder;
    char whole[PATH_BYTES];
    const char *why = "its path is too long";
    if (strlen(out) > ROOM || !folder_make(out, &why) || !path_whole(out, whole) ||
        strlen(whole) > ROOM) {
        fprintf(stderr, "weir compare: the folder %s cannot be made: %s\n", out, why);
        return CONTEST_SPOILED;
    }
    snprintf(contest->work_folder, sizeof contest->work_folder, "%.*s/work", ROOM, whole);
    snprintf(contest->log_folder, sizeof contest->log_folder, "%.*s/logs", ROOM, whole);
    snprintf(contest->meter.load_log, sizeof contest->meter.load_log, "%.*s/logs/load.log", ROOM,
             whole);
    if (!folder_make(contest->work_folder, &why) || !folder_make(contest->log_folder, &why)) {
        fprintf(stderr, "weir compare: no folder can be made in %s: %s\n", whole, why);
        return CONTEST_SPOILED;
    }
    return claim_folder(contest, whole);
}

static int prepare(struct contest *contest)
{
    const struct wish *wish = contest->wish;
    char why[REASON_BYTES];
    int rc = make_folders(contest);
    if (rc < 0)
        return rc;
    if (contestants_list(&contest->list, &wish->choice, contest->work_folder, why) < 0) {
        clean_text(why); /* names and paths, perhaps cut */
        return complain(why);
    }
    rc = choose_workloads(contest);
    if (rc < 0)
        return rc;
    lay_out(&contest->meter);
    contest->meter.form = wish->form;
    contest->meter.seed = wish->seed;
    contest->meter.timeout_ms = wish->timeout_ms;
    contest->meter.server = (struct server){
        .list = &contest->list,
        .log_folder = contest->log_folder,
        .build_cores = &contest->meter.all,
        .start_timeout_ms = wish->start_timeout_ms,
        .child = { .output = -1 },
    };
    contest->programme.list = &contest->list;
    contest->programme.form = &wish->form;
    contest->programme.cores = contest->meter.all.count;
    if (!plan_make(&contest->plan, &contest->programme))
        return complain("that is too much for one comparison");
    return 0;
}

/* -- the journal ------------------------------------------------------------------------------ */

/* Adds where peers.json is and what state it is in: one of the same names elsewhere, or an edited
 * one, may start other servers.  A comparison without peers has no need of either.  NULL without
 * memory. */
static json_t *with_peers(json_t *settings, const char *path)
{
    char stamp[64];
    if (path[0] == '\0')
        return settings;
    file_stamp(path, stamp);
    if (json_object_set_new(settings, "path of peers.json", clean_json(path)) == 0 &&
        json_object_set_new(settings, "content of peers.json", json_string(stamp)) == 0)
        return settings;
    json_decref(settings);
    return NULL;
}

/* Everything under which a figure means something else. */
static json_t *settings(const struct contest *contest)
{
    const struct wish *wish = contest->wish;
    char weir_stamp[64];
    char app_stamp[64] = "";
    char app[PATH_BYTES];
    static const char *const nowhere[] = { NULL };
    char processor[128];
    char kernel[128];
    machine_names(processor, sizeof processor, kernel, sizeof kernel);
    file_stamp(contest->list.executable, weir_stamp);
    if (wish->choice.app != NULL && command_find(wish->choice.app, nowhere, app))
        file_stamp(app, app_stamp);
    json_t *arguments = json_array();
    for (int i = 0; i < wish->choice.app_argument_count; i++)
        (void)json_array_append_new(arguments, clean_json(wish->choice.app_arguments[i]));
    json_t *all = json_pack(
        "{s:s, s:s, s:s, s:I, s:f, s:i, s:s, s:s, s:i, s:o, s:s, s:s, s:o}", "version of weir",
        weir_version(), "build of weir", weir_stamp, "form", wish->form.name, "seed",
        (json_int_t)wish->seed, "seconds", wish->seconds, "timeout", wish->timeout_ms, "processor",
        processor, "kernel", kernel, "cores", contest->meter.all.count, "app",
        clean_json(wish->choice.app != NULL ? wish->choice.app : ""), "build of the app", app_stamp,
        "url", wish->choice.app_url != NULL ? wish->choice.app_url : "", "app's arguments",
        arguments);
    return with_peers(all, contest->list.manifest_path);
}

static int cannot_keep(const struct contest *contest)
{
    fprintf(stderr,
            "\nweir compare: %s cannot be written (is the disk full?); nothing goes on without "
            "it\n",
            contest->journal.path);
    return CONTEST_SPOILED;
}

static int open_journal(struct contest *contest)
{
    char said[REASON_BYTES];
    json_t *under = settings(contest);
    const int rc = journal_open(&contest->journal, contest->wish->out_folder, under,
                                contest->wish->fresh, said);
    json_decref(under);
    if (rc < 0)
        return cannot_keep(contest);
    if (said[0] != '\0')
        fprintf(stderr, "%s\n", said);
    else if (contest->journal.found > 0)
        fprintf(stderr,
                "Going on where an earlier comparison was interrupted, with %d measurements done"
                " (--fresh begins anew).\n",
                contest->journal.found);
    return 0;
}

/* -- measuring -------------------------------------------------------------------------------- */

static int measure(struct contest *contest, const struct cell *cell, json_t **found,
                   char why[REASON_BYTES])
{
    struct meter *meter = &contest->meter;
    const struct level level = {
        .capacity = record_capacity(&contest->record, cell),
        .ok_us = record_cpu_us(&contest->record, cell),
    };
    switch (cell->kind) {
    case CELL_START:
        return measure_start(meter, &cell->subject, found, why);
    case CELL_CAPACITY:
        return measure_capacity(meter, &cell->subject, found, why);
    case CELL_POINT:
        return measure_point(meter, &cell->subject, &level, cell->multiple, found, why);
    case CELL_STEP:
        return measure_step(meter, &cell->subject, level.capacity, found, why);
    case CELL_STORM:
        return measure_storm(meter, &cell->subject, level.capacity, found, why);
    case CELL_CRASH:
        return measure_crash(meter, &cell->subject, level.capacity, found, why);
    case CELL_STATE:
        return measure_state(meter, &cell->subject, found, why);
    }
    return CONTEST_FAILED;
}

static double figure(const json_t *found, const char *name)
{
    return json_number_value(json_object_get(found, name));
}

/* The figure as text; "-" when it is absent, as p99 is where nothing was answered. */
static const char *shown(const json_t *found, const char *name, int decimals, char text[32])
{
    const json_t *value = json_object_get(found, name);
    snprintf(text, 32, "%.*f", decimals, json_number_value(value));
    return json_is_number(value) ? text : "-";
}

static void summarize_storm(const json_t *storm, char text[96])
{
    if (flag_of(storm, "recovered"))
        snprintf(text, 96, "recovered in %.1f s, %.2f attempts each", figure(storm, "recover_s"),
                 figure(storm, "attempts_per_request"));
    else
        snprintf(text, 96, "not recovered in %.0f s", figure(storm, "watched_s"));
}

/* A measurement in a few words. */
static void summarize(const struct cell *cell, const json_t *found, char text[96])
{
    char number[32];
    switch (cell->kind) {
    case CELL_START:
        snprintf(text, 96, "answers after %.0f ms", figure(found, "start_ms"));
        break;
    case CELL_CAPACITY:
        snprintf(text, 96, "%.0f/s", figure(found, "saturation"));
        break;
    case CELL_POINT:
        snprintf(text, 96, "%.0f/s good, p99 %s ms%s", figure(found, "goodput"),
                 shown(found, "p99_ms", 0, number),
                 json_object_get(found, "void") != NULL ? " (void)" : "");
        break;
    case CELL_STEP:
        snprintf(text, 96, "%zu intervals", json_array_size(json_object_get(found, "series")));
        break;
    case CELL_STORM:
        summarize_storm(json_object_get(found, "storm"), text);
        break;
    case CELL_CRASH:
        snprintf(text, 96, "%.0f crashes, %s lost each", figure(found, "crashes"),
                 shown(found, "lost_per_crash", 1, number));
        break;
    case CELL_STATE:
        snprintf(text, 96, "%.0f of %.0f counted", figure(found, "state_seen"),
                 figure(found, "state_expected"));
        break;
    }
}

static int keep(struct contest *contest, const struct cell *cell, json_t *found)
{
    char key[160];
    cell_key(cell, key);
    record_add(&contest->record, cell, found);
    return journal_add(&contest->journal, key, found) < 0 ? cannot_keep(contest) : 0;
}

/* A row that has come to its end early, and the reason, in the report and on the screen. */
static void end_row(struct contest *contest, const struct cell *cell, bool refused, char *why)
{
    clean_text(why); /* part of it may be what the program wrote */
    contest->over[cell->row] = true;
    contest->failed += !refused;
    record_say(&contest->record, cell, refused ? "refused" : "failed", why);
    fprintf(stderr, "    %s %s: %s\n", cell->subject.who->name,
            refused ? "is refused" : "has failed", why);
}

static int run_cell(struct contest *contest, const struct cell *cell)
{
    char name[160];
    char why[REASON_BYTES] = "";
    char text[96] = "";
    json_t *found = NULL;
    cell_name(cell, name);
    progress_start(&contest->progress, name, cell->seconds);
    int rc = measure(contest, cell, &found, why);
    if (rc == CONTEST_STOPPED || compare_stopped) {
        json_decref(found);
        return CONTEST_STOPPED;
    }
    if (rc == 0)
        summarize(cell, found, text);
    else if (why[0] == '\0') /* every other failure has a reason of its own */
        snprintf(why, sizeof why, "out of memory");
    progress_end(&contest->progress, name, rc == 0 ? text : "-");
    if (rc == 0)
        rc = keep(contest, cell, found);
    else
        end_row(contest, cell, rc == CONTEST_REFUSED, why);
    json_decref(found);
    return rc == CONTEST_SPOILED ? rc : 0;
}

static int run_cells(struct contest *contest)
{
    for (int i = 0; i < contest->plan.count; i++) {
        const struct cell *cell = &contest->plan.cells[i];
        char key[160];
        cell_key(cell, key);
        const json_t *known = journal_find(&contest->journal, key);
        if (known != NULL)
            record_add(&contest->record, cell, (json_t *)(uintptr_t)known);
        if (known != NULL || contest->over[cell->row]) {
            progress_skip(&contest->progress, known != NULL ? 0 : cell->seconds);
            continue;
        }
        const int rc = run_cell(contest, cell);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* What is still to be measured, in seconds. */
static double planned_s(const struct contest *contest)
{
    double sum = 0;
    for (int i = 0; i < contest->plan.count; i++) {
        char key[160];
        cell_key(&contest->plan.cells[i], key);
        if (journal_find(&contest->journal, key) == NULL)
            sum += contest->plan.cells[i].seconds;
    }
    return sum;
}

static void announce(const struct contest *contest, double busy)
{
    const struct meter *meter = &contest->meter;
    const struct contestants *list = &contest->list;
    char text[32];
    int left_out = 0;
    for (int i = 0; i < list->count; i++)
        left_out += list->all[i].left_out[0] != '\0';
    fprintf(stderr, "Comparing %d service%s in %d workload%s (%s, seed %llu): about %s.\n",
            list->count - left_out, list->count - left_out == 1 ? "" : "s",
            contest->programme.workload_count, contest->programme.workload_count == 1 ? "" : "s",
            contest->wish->form.name, (unsigned long long)contest->wish->seed,
            minutes(planned_s(contest), text));
    if (meter->all.count > 1)
        fprintf(stderr, "Servers run on core %d, the generator on core %d; then on all %d.\n",
                meter->one.ids[0], meter->generator.ids[0], meter->all.count);
    else
        fprintf(stderr, "There is one core here: servers and the generator share it, so its "
                        "figures show their order more than their size.\n");
    for (int i = 0; i < list->count; i++) {
        if (list->all[i].left_out[0] != '\0')
            fprintf(stderr, "Left out: %s (%s)\n", list->all[i].name, list->all[i].left_out);
    }
    if (busy > BUSY_MAX)
        fprintf(stderr,
                "This machine is busy: something else uses %.0f %% of it now.  Figures that are "
                "taken beside that say little; better repeat them when it is quiet.\n",
                busy * 100);
    fprintf(stderr, "Ctrl-C stops; the same command then goes on where it was.\n\n");
}

static int measure_all(struct contest *contest)
{
    int rc = open_journal(contest);
    if (rc < 0)
        return rc;
    const double busy = machine_busy(BUSY_LOOK_MS);
    record_begin(&contest->record, contest->wish, &contest->programme, &contest->meter, busy);
    announce(contest, busy);
    progress_begin(&contest->progress, contest->plan.count, planned_s(contest));
    rc = run_cells(contest);
    server_stop(&contest->meter.server);
    if (rc == CONTEST_STOPPED)
        fprintf(stderr,
                "\nStopped.  What was measured is in %s; the same command goes on from there.\n",
                contest->journal.path);
    if (rc == 0 && contest->record.incomplete) {
        (void)complain("out of memory");
        rc = CONTEST_SPOILED;
    }
    return rc;
}

int contest_run(const struct wish *wish, struct outcome *out)
{
    *out = (struct outcome){ 0 };
    struct contest *contest = calloc(1, sizeof *contest);
    if (contest == NULL)
        return complain("out of memory");
    contest->wish = wish;
    int rc = prepare(contest);
    if (rc == 0)
        rc = measure_all(contest);
    if (rc == 0) {
        out->report = json_incref(contest->record.report);
        out->failed = contest->failed;
    }
    record_fini(&contest->record);
    journal_close(&contest->journal);
    contestants_fini(&contest->list);
    free(contest);
    return rc;
}

void contest_forget(const struct wish *wish)
{
    char path[PATH_BYTES + 32];
    snprintf(path, sizeof path, "%s/journal.jsonl", wish->out_folder);
    (void)remove(path);
}
