/* SPDX-License-Identifier: MIT */
/* The table of models and the choice of one.  See models.h. */
#include "app/models.h"

#include <string.h>

#include "base/check.h"

/* In the order in which one reads about them. */
const struct wi_model wi_models[WI_MODELS] = {
    { .name = "loop",
      .aliases = { "node", "asyncio" },
      .per_core = false,
      .scheduler = WEIR_SCHEDULER_LOOP,
      .like = "Node, asyncio",
      .cores = "one",
      .memory = "shared, no locks",
      .weak = "CPU work stalls the rest" },
    { .name = "cluster",
      .aliases = { "node-cluster" },
      .per_core = true,
      .scheduler = WEIR_SCHEDULER_LOOP,
      .like = "Node's cluster",
      .cores = "all",
      .memory = "per process",
      .weak = "state shared by requests" },
    { .name = "tasks",
      .aliases = { "go" },
      .per_core = false,
      .scheduler = WEIR_SCHEDULER_TASKS,
      .like = "Go",
      .cores = "all",
      .memory = "shared, locks",
      .weak = "C code bound to a thread" },
    { .name = "threads",
      .aliases = { "python-threads" },
      .per_core = false,
      .scheduler = WEIR_SCHEDULER_THREADS,
      .like = "Python, no GIL",
      .cores = "all",
      .memory = "shared, locks",
      .weak = "thousands at once" },
    { .name = "prefork",
      .aliases = { "gunicorn" },
      .per_core = true,
      .scheduler = WEIR_SCHEDULER_LOOP,
      .running_max = 1,
      .like = "gunicorn",
      .cores = "all",
      .memory = "per process",
      .weak = "requests that wait" },
};

static const char *const scheduler_names[] = {
    [WEIR_SCHEDULER_TASKS] = "tasks",
    [WEIR_SCHEDULER_LOOP] = "loop",
    [WEIR_SCHEDULER_THREADS] = "threads",
};

const struct wi_model *wi_model_find(const char *name)
{
    for (int i = 0; i < WI_MODELS; i++) {
        if (strcmp(wi_models[i].name, name) == 0)
            return &wi_models[i];
        for (int j = 0; j < WI_MODEL_ALIASES_MAX && wi_models[i].aliases[j] != NULL; j++) {
            if (strcmp(wi_models[i].aliases[j], name) == 0)
                return &wi_models[i];
        }
    }
    return NULL;
}

int wi_scheduler_find(const char *name)
{
    for (size_t i = 0; i < wi_count_of(scheduler_names); i++) {
        if (strcmp(scheduler_names[i], name) == 0)
            return (int)i;
    }
    return -1;
}

const char *wi_scheduler_name(enum weir_scheduler scheduler)
{
    wi_bug_unless_cmp((int)scheduler, <, (int)wi_count_of(scheduler_names));
    return scheduler_names[scheduler];
}

/* What each state needs: shared memory wants one process, unguarded memory one thread at a time. */
struct demand {
    bool one_process;
    bool one_thread;
    const char *name;   /* as the app writes it */
    const char *reason; /* why a plan that breaks it cannot be right */
    const char *model;  /* the default */
};

static const struct demand demands[] = {
    [WEIR_STATE_NONE] = { .name = "WEIR_STATE_NONE", .model = "tasks" },
    [WEIR_STATE_LOCKED] = { .one_process = true,
                            .name = "WEIR_STATE_LOCKED",
                            .model = "tasks",
                            .reason = "handlers share memory, which processes do not" },
    [WEIR_STATE_PER_PROCESS] = { .one_thread = true,
                                 .name = "WEIR_STATE_PER_PROCESS",
                                 .model = "cluster",
                                 .reason = "a process's handlers share memory without locks, so "
                                           "only one may run at a time" },
    [WEIR_STATE_LOOP_ONLY] = { .one_process = true,
                               .one_thread = true,
                               .name = "WEIR_STATE_LOOP_ONLY",
                               .model = "loop",
                               .reason = "handlers rely on one thread in one process" },
};

static bool fits(const struct demand *demand, bool supervised, enum weir_scheduler scheduler)
{
    if (demand->one_process && supervised)
        return false;
    return !demand->one_thread || scheduler == WEIR_SCHEDULER_LOOP;
}

static bool declared(enum weir_state state)
{
    return (int)state > WEIR_STATE_UNDECLARED && (int)state <= WEIR_STATE_LOOP_ONLY;
}

const struct wi_model *wi_model_default(enum weir_state state)
{
    return wi_model_find(declared(state) ? demands[state].model : "tasks");
}

/* The preset with the same shape, whatever it was called when it was asked for. */
static const char *name_of(const struct wi_plan *plan)
{
    for (int i = 0; i < WI_MODELS; i++) {
        const struct wi_model *model = &wi_models[i];
        if (model->per_core == plan->supervised && model->scheduler == plan->scheduler &&
            (model->running_max == 1) == (plan->running_max == 1 && plan->supervised))
            return model->name;
    }
    return "custom";
}

static void explain_misfit(const struct wi_plan *plan, const struct demand *demand,
                           struct wi_text *why)
{
    wi_text_add(why, "the app's state is %s (%s), so ", demand->name, demand->reason);
    if (strcmp(plan->model, "custom") == 0)
        wi_text_add(why, "%d processes of scheduler %s do not fit", plan->processes,
                    wi_scheduler_name(plan->scheduler));
    else
        wi_text_add(why, "model %s does not fit", plan->model);
    const char *before = "; possible:";
    for (int i = 0; i < WI_MODELS; i++) {
        if (!fits(demand, wi_models[i].per_core, wi_models[i].scheduler))
            continue;
        wi_text_add(why, "%s %s", before, wi_models[i].name);
        before = ",";
    }
}

int wi_plan_make(struct wi_plan *out, const struct wi_wish *wish, enum weir_state state, int usable,
                 struct wi_text *why)
{
    if (!declared(state)) {
        wi_text_add(why, "the program does not say how its handlers keep state; set .state of "
                         "struct weir_app_spec to WEIR_STATE_NONE, _LOCKED, _PER_PROCESS or "
                         "_LOOP_ONLY");
        return WEIR_EINVAL;
    }
    const struct wi_model *model = wish->model != NULL ? wish->model : wi_model_default(state);
    const int cores = wish->cores > 0 ? wish->cores : usable;
    struct wi_plan plan = {
        .supervised = model->per_core || wish->processes > 1,
        .processes = model->per_core ? cores : 1,
        .scheduler = wish->scheduler >= 0 ? (enum weir_scheduler)wish->scheduler : model->scheduler,
        .workers = 1,
        .running_max = wish->running_max > 0 ? wish->running_max : model->running_max,
    };
    if (wish->processes > 0)
        plan.processes = wish->processes;
    if (plan.processes > WI_PROCESSES_MAX)
        plan.processes = WI_PROCESSES_MAX;
    if (plan.scheduler == WEIR_SCHEDULER_TASKS && cores > plan.processes)
        plan.workers = cores / plan.processes;
    plan.model = name_of(&plan);

    if (!fits(&demands[state], plan.supervised, plan.scheduler)) {
        explain_misfit(&plan, &demands[state], why);
        return WEIR_EINVAL;
    }
    *out = plan;
    return 0;
}

static const char *plural(int count)
{
    return count == 1 ? "" : "s";
}

void wi_plan_describe(const struct wi_plan *plan, struct wi_text *out)
{
    wi_text_add(out, "%s", plan->model);
    if (plan->supervised)
        wi_text_add(out, " of %d process%s", plan->processes, plan->processes == 1 ? "" : "es");
    if (plan->supervised && strcmp(plan->model, "custom") == 0)
        wi_text_add(out, " (%s)", wi_scheduler_name(plan->scheduler));
    if (plan->scheduler == WEIR_SCHEDULER_TASKS)
        wi_text_add(out, " on %d core%s%s", plan->workers, plural(plan->workers),
                    plan->supervised ? " each" : "");
}
