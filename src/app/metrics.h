/* SPDX-License-Identifier: MIT */
#ifndef WI_APP_METRICS_H
#define WI_APP_METRICS_H

/* The text that /metrics answers: the Prometheus text exposition format, version 0.0.4.  Pure. */

#include <stdint.h>

#include "app/models.h"
#include "app/numbers.h"
#include "app/text.h"
#include "os/process.h"
#include "serve/charge.h"

struct wi_metrics_process {
    int index; /* of the worker; -1: the primary, or the only process */
    struct wi_process_usage usage;
};

struct wi_metrics_view {
    const char *version;
    const struct wi_plan *plan;
    const struct wi_numbers *numbers;    /* summed over processes */
    const struct wi_charge_costs *costs; /* of routes; NULL: not known */
    bool ready;
    int64_t up_ns;
    int alive;       /* serving processes */
    int ready_count; /* of these, ready */
    int64_t respawns;
    const struct wi_metrics_process *processes;
    int process_count;
};

void wi_metrics_write(struct wi_text *out, const struct wi_metrics_view *view);

/* Writes a label's value with the escapes that the format wants. */
void wi_metrics_escape(struct wi_text *out, const char *value);

#endif
