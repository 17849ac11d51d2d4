/* SPDX-License-Identifier: MIT */
#ifndef WI_APP_MODELS_H
#define WI_APP_MODELS_H

/* The models as a table, and the plan that a start makes of a model, the axes and the state that
 * the app declares.  Pure.
 *
 * A model is two numbers and a word: how many processes, how many requests at once in each, and
 * the scheduler.  Everything else in a row is for people. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/text.h"
#include "weir/app.h"
#include "weir/runtime.h"

enum {
    WI_MODELS = 5,
    WI_MODEL_ALIASES_MAX = 2,
    WI_PROCESSES_MAX = 256,
    WI_CORES_MAX = 256 /* as many workers as a runtime may have */
};

struct wi_model {
    const char *name;
    const char *aliases[WI_MODEL_ALIASES_MAX]; /* NULL: none */
    bool per_core; /* a supervised process for each core; else one process */
    enum weir_scheduler scheduler;
    int64_t running_max;                      /* 0: the server's default */
    const char *like, *cores, *memory, *weak; /* for --help */
};

extern const struct wi_model wi_models[WI_MODELS];

/* By name or alias; NULL if there is none. */
const struct wi_model *wi_model_find(const char *name);

/* "tasks", "loop", "threads"; -1 for another word. */
int wi_scheduler_find(const char *name);
const char *wi_scheduler_name(enum weir_scheduler scheduler);

/* What was asked for; all-zero (scheduler -1) asks for nothing. */
struct wi_wish {
    const struct wi_model *model;
    int scheduler; /* enum weir_scheduler, or -1 */
    int processes;
    int cores;
    int64_t running_max;
};

struct wi_plan {
    const char *model; /* the preset that it amounts to, or "custom" */
    bool supervised;   /* workers under a primary; else one process */
    int processes;     /* that serve */
    enum weir_scheduler scheduler;
    int workers;         /* of each process, under `tasks`; else 1 */
    int64_t running_max; /* of each process; 0: the server's default */
};

/* The model that an app of this state runs under when nobody asks for one. */
const struct wi_model *wi_model_default(enum weir_state state);

/* Makes the plan.  `usable` is the number of usable cores; processes x workers stays within it
 * unless the wish says otherwise.
 * 0, or WEIR_EINVAL with the reason, without a full stop, in *why. */
WEIR_CHECK int wi_plan_make(struct wi_plan *out, const struct wi_wish *wish, enum weir_state state,
                            int usable, struct wi_text *why);

/* "tasks on 2 cores", "cluster of 2 processes": for the line that a start prints. */
void wi_plan_describe(const struct wi_plan *plan, struct wi_text *out);

#endif
