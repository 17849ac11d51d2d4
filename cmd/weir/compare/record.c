/* SPDX-License-Identifier: MIT */
/* The report's document.  See record.h. */

#include "compare/record.h"

#include <time.h>

#include "base/check.h"
#include "compare/document.h"
#include "compare/report.h"
#include "system_machine.h"
#include "weir/runtime.h"

/* Takes the value over. */
static void set(struct record *record, json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, value) != 0)
        record->incomplete = true;
}

static void append(struct record *record, json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0)
        record->incomplete = true;
}

/* -- the frame -------------------------------------------------------------------------------- */

static json_t *core_list(struct record *record, const struct cores *cores)
{
    json_t *list = json_array();
    for (int i = 0; i < cores->count; i++)
        append(record, list, json_integer(cores->ids[i]));
    return list;
}

static void set_time(struct record *record)
{
    char text[32] = "";
    const time_t now = time(NULL);
    const struct tm *parts = gmtime(&now);
    if (parts != NULL)
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", parts);
    set(record, record->report, "started", json_string(text));
}

static void set_machine(struct record *record, const struct meter *meter, double busy)
{
    char processor[128];
    char kernel[128];
    machine_names(processor, sizeof processor, kernel, sizeof kernel);
    set(record, record->report, "machine",
        json_pack("{s:s, s:s, s:i, s:f}", "processor", processor, "kernel", kernel, "cores",
                  meter->all.count, "busy", busy));
    json_t *layout = json_object();
    set(record, layout, "server_cores", core_list(record, &meter->one));
    set(record, layout, "generator_cores", core_list(record, &meter->generator));
    set(record, layout, "separate", json_boolean(meter->all.count > 1));
    set(record, record->report, "layout", layout);
}

static json_t *person(struct record *record, const struct contestant *who)
{
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:b, s:b}", "name", who->name, "family", who->family, "model",
                  who->model, "guarded", who->guarded, "shares_memory", who->shares_memory);
    set(record, json, "settings", contestant_settings(record->list, who));
    if (who->left_out[0] != '\0')
        set(record, json, "left_out", json_string(who->left_out));
    return json;
}

static void set_contestants(struct record *record)
{
    json_t *people = json_array();
    for (int i = 0; i < record->list->count; i++) {
        record->people[i] = person(record, &record->list->all[i]);
        append(record, people, json_incref(record->people[i]));
    }
    set(record, record->report, "contestants", people);
}

static void set_workloads(struct record *record, const struct programme *programme)
{
    json_t *workloads = json_array();
    int row = 0;
    for (int w = 0; w < programme->workload_count; w++) {
        const struct workload *workload = programme->workloads[w];
        json_t *rows = json_array();
        for (int c = 0; c < record->list->count; c++) {
            const struct contestant *who = &record->list->all[c];
            if (!plan_has_row(programme, workload, who))
                continue;
            record->rows[row] = json_pack("{s:s}", "contestant", who->name);
            if (who->left_out[0] == '\0')
                append(record, rows, json_incref(record->rows[row]));
            row++;
        }
        append(record, workloads,
               json_pack("{s:s, s:s, s:o}", "name", workload->name, "what", workload->what, "rows",
                         rows));
    }
    set(record, record->report, "workloads", workloads);
}

void record_begin(struct record *record, const struct wish *wish, const struct programme *programme,
                  const struct meter *meter, double busy)
{
    const struct form *form = &wish->form;
    *record = (struct record){ .list = programme->list };
    record->report =
        json_pack("{s:i, s:s, s:s, s:I, s:s, s:i, s:{s:f, s:f}}", "version", REPORT_VERSION, "weir",
                  weir_version(), "form", form->name, "seed", (json_int_t)wish->seed, "command",
                  wish->command, "timeout_ms", wish->timeout_ms, "seconds", "probe", form->probe_s,
                  "point", form->point_s);
    set_time(record);
    set_machine(record, meter, busy);
    if (wish->choice.app != NULL)
        set(record, record->report, "app",
            json_pack("{s:o, s:s}", "command", clean_json(wish->choice.app), "url",
                      wish->choice.app_url));
    set_contestants(record);
    set_workloads(record, programme);
}

void record_fini(struct record *record)
{
    for (int i = 0; i < ROWS_MAX; i++)
        json_decref(record->rows[i]);
    for (int i = 0; i < CONTESTANTS_MAX; i++)
        json_decref(record->people[i]);
    json_decref(record->report);
    *record = (struct record){ 0 };
}

/* -- what was found --------------------------------------------------------------------------- */

static void take_all(struct record *record, json_t *into, json_t *found)
{
    if (json_object_update(into, found) != 0)
        record->incomplete = true;
}

/* One on all cores is a further figure of a row, and the figure of one without the other: then its
 * members stand for themselves. */
static void take_capacity(struct record *record, const struct cell *cell, json_t *row,
                          json_t *found)
{
    if (!cell->subject.all_cores) {
        take_all(record, row, found);
        return;
    }
    const double one = json_number_value(json_object_get(row, "saturation"));
    const double all = json_number_value(json_object_get(found, "saturation"));
    if (one > 0) {
        set(record, row, "speed_up", json_real(all / one));
    } else {
        take_all(record, row, found);
        (void)json_object_del(row, "capacity");
        (void)json_object_del(row, "saturation");
    }
    set(record, row, "capacity_all", json_real(all));
}

static json_t *points_of(struct record *record, json_t *row)
{
    json_t *points = json_object_get(row, "points");
    if (points == NULL) {
        points = json_array();
        set(record, row, "points", points);
    }
    return points;
}

static json_t *person_of(const struct record *record, const struct cell *cell)
{
    const long index = cell->subject.who - record->list->all;
    wi_bug_unless(index >= 0 && index < CONTESTANTS_MAX);
    return record->people[index];
}

void record_add(struct record *record, const struct cell *cell, json_t *found)
{
    json_t *row = record->rows[cell->row];
    switch (cell->kind) {
    case CELL_START:
        take_all(record, person_of(record, cell), found);
        break;
    case CELL_CAPACITY:
        take_capacity(record, cell, row, found);
        break;
    case CELL_POINT:
        append(record, points_of(record, row), json_deep_copy(found));
        break;
    case CELL_STEP:
    case CELL_STORM:
    case CELL_CRASH:
    case CELL_STATE:
        take_all(record, row, found);
        break;
    }
    /* A word about the whole row stands in the row. */
    json_t *note = json_object_get(found, "note");
    if (note != NULL && json_object_set(row, "note", note) != 0)
        record->incomplete = true;
}

void record_say(struct record *record, const struct cell *cell, const char *member,
                const char *text)
{
    set(record, record->rows[cell->row], member, json_string(text));
}

double record_capacity(const struct record *record, const struct cell *cell)
{
    const char *member = cell->subject.all_cores ? "capacity_all" : "capacity";
    return json_number_value(json_object_get(record->rows[cell->row], member));
}

double record_cpu_us(const struct record *record, const struct cell *cell)
{
    return json_number_value(json_object_get(record->rows[cell->row], "cpu_us_per_request"));
}
