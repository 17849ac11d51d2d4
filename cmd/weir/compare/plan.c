/* SPDX-License-Identifier: MIT */
/* The list of measurements.  See plan.h. */

#include "compare/plan.h"

#include <stdio.h>

#include "base/check.h"

/* What a measurement takes beside its loads: starting and stopping processes. */
#define OVERHEAD_S 0.15
#define START_S 0.3

#define SEARCHES_USUAL 4

/* A point runs for a while before it counts. */
#define LEAD_USUAL 1.3

static double seconds_of(const struct form *form, enum cell_kind kind, bool all, double multiple)
{
    const double capacity_s =
        START_S + form->warm_s + SEARCHES_USUAL * form->search_s + form->probes * form->probe_s;
    /* Beyond capacity the load goes on for a timeout, and the last requests are given up another
     * one later. */
    const double giving_up_s = 2 * form->timeout_ms / 1000.0;
    switch (kind) {
    case CELL_START:
        return form->starts * START_S;
    case CELL_CAPACITY:
        return OVERHEAD_S + capacity_s + (all ? 0 : form->bisections * form->bisect_s);
    case CELL_POINT:
        return OVERHEAD_S + form->point_s * LEAD_USUAL + (multiple > 1 ? giving_up_s : 0);
    case CELL_STEP:
        return OVERHEAD_S + 3 * form->step_s + giving_up_s;
    case CELL_STORM:
        return OVERHEAD_S + storm_lead_s(form) + form->trigger_s + form->storm_s + 4 * giving_up_s;
    case CELL_CRASH:
        return START_S + OVERHEAD_S + form->crash_s;
    case CELL_STATE:
        return START_S + OVERHEAD_S + form->state_s;
    }
    return 0;
}

bool plan_has_row(const struct programme *programme, const struct workload *workload,
                  const struct contestant *who)
{
    return programme->own == NULL || (workload == programme->own) == (who->source == SOURCE_APP);
}

struct planner {
    struct plan *plan;
    const struct programme *programme;
    struct subject subject;
};

static void add(struct planner *planner, enum cell_kind kind, bool all, double multiple)
{
    struct plan *plan = planner->plan;
    if (plan->count == CELLS_MAX)
        return;
    struct cell *cell = &plan->cells[plan->count++];
    *cell = (struct cell){
        .kind = kind,
        .subject = planner->subject,
        .multiple = multiple,
        .seconds = seconds_of(planner->programme->form, kind, all, multiple),
        .row = plan->rows,
    };
    cell->subject.all_cores = all;
}

static void add_loads(struct planner *planner)
{
    const struct form *form = planner->programme->form;
    add(planner, CELL_CAPACITY, false, 0);
    for (int i = 0; i < MULTIPLES_MAX && form->multiples[i] > 0; i++)
        add(planner, CELL_POINT, false, form->multiples[i]);
    if (form->step)
        add(planner, CELL_STEP, false, 0);
    if (form->storm_s > 0 && planner->subject.workload->storm)
        add(planner, CELL_STORM, false, 0);
    if (planner->programme->cores > 1)
        add(planner, CELL_CAPACITY, true, 0);
}

static void add_row(struct planner *planner, bool first)
{
    if (first)
        add(planner, CELL_START, false, 0);
    switch (planner->subject.workload->kind) {
    case WORKLOAD_LOAD:
        add_loads(planner);
        break;
    case WORKLOAD_CRASH:
        add(planner, CELL_CAPACITY, true, 0);
        add(planner, CELL_CRASH, true, 0);
        break;
    case WORKLOAD_STATE:
        add(planner, CELL_STATE, true, 0);
        break;
    }
}

bool plan_make(struct plan *plan, const struct programme *programme)
{
    bool seen[CONTESTANTS_MAX] = { false };
    plan->count = 0;
    plan->rows = 0;
    for (int w = 0; w < programme->workload_count; w++) {
        for (int c = 0; c < programme->list->count; c++) {
            struct contestant *who = &programme->list->all[c];
            if (!plan_has_row(programme, programme->workloads[w], who))
                continue;
            struct planner planner = {
                .plan = plan,
                .programme = programme,
                .subject = { .who = who, .workload = programme->workloads[w] },
            };
            if (who->left_out[0] == '\0')
                add_row(&planner, !seen[c]);
            seen[c] = true;
            plan->rows++;
        }
    }
    return plan->count < CELLS_MAX;
}

static const char *kind_name(const struct cell *cell, char text[32])
{
    static const char *const names[] = {
        [CELL_START] = "start", [CELL_CAPACITY] = "capacity", [CELL_STEP] = "step",
        [CELL_STORM] = "storm", [CELL_CRASH] = "crash",       [CELL_STATE] = "state",
    };
    if (cell->kind != CELL_POINT)
        return names[cell->kind];
    snprintf(text, 32, "%gx", cell->multiple);
    return text;
}

void cell_key(const struct cell *cell, char key[160])
{
    char text[32];
    snprintf(key, 160, "%s|%s|%s|%s", cell->subject.workload->name, cell->subject.who->name,
             cell->subject.all_cores ? "all" : "one", kind_name(cell, text));
}

void cell_name(const struct cell *cell, char name[160])
{
    char text[32];
    snprintf(name, 160, "%-6s %-26.26s %s%s", cell->subject.workload->name, cell->subject.who->name,
             kind_name(cell, text), cell->subject.all_cores ? " all" : "");
}
