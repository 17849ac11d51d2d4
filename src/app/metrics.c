/* SPDX-License-Identifier: MIT */
/* Numbers as text for Prometheus.  See metrics.h.
 *
 * Source: prometheus.io, "Exposition formats", text format 0.0.4: HELP and TYPE once for each
 * metric, all its samples together, counters end in _total, base units. */
#include "app/metrics.h"

#include <inttypes.h>
#include <string.h>

#include "weir/time.h"

void wi_metrics_escape(struct wi_text *out, const char *value)
{
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == '\n')
            wi_text_add(out, "\\n");
        else if (*at == '\\' || *at == '"')
            wi_text_add(out, "\\%c", *at);
        else
            wi_text_add(out, "%c", *at);
    }
}

static void begin(struct wi_text *out, const char *metric, const char *type, const char *help)
{
    wi_text_add(out, "# HELP %s %s\n# TYPE %s %s\n", metric, help, metric, type);
}

static void gauge(struct wi_text *out, const char *metric, const char *help, int64_t value)
{
    begin(out, metric, "gauge", help);
    wi_text_add(out, "%s %" PRId64 "\n", metric, value);
}

static void add_seconds(struct wi_text *out, int64_t ns)
{
    wi_text_add(out, " %" PRId64 ".%09" PRId64 "\n", ns / WEIR_NS_PER_S, ns % WEIR_NS_PER_S);
}

static void write_info(struct wi_text *out, const char *metric, const char *help, const char *label,
                       const char *value)
{
    begin(out, metric, "gauge", help);
    wi_text_add(out, "%s{%s=\"", metric, label);
    wi_metrics_escape(out, value);
    wi_text_add(out, "\"} 1\n");
}

static void write_numbers(struct wi_text *out, const struct wi_metrics_view *view)
{
    const char *metric = "";
    for (int i = 0; i < WI_NUMBERS; i++) {
        const struct wi_number_row *row = &wi_number_rows[i];
        const bool counts = row->kind == WI_COUNTER || row->kind == WI_COUNTER_NS;
        if (strcmp(row->metric, metric) != 0)
            begin(out, row->metric, counts ? "counter" : "gauge", row->help);
        metric = row->metric;
        wi_text_add(out, "%s{model=\"%s\"%s%s}", metric, view->plan->model,
                    row->label[0] != '\0' ? "," : "", row->label);
        const int64_t value = wi_load_relaxed(&view->numbers->value[i]);
        if (row->kind == WI_COUNTER_NS || row->kind == WI_GAUGE_NS)
            add_seconds(out, value);
        else if (row->kind == WI_GAUGE_MILLI)
            wi_text_add(out, " %" PRId64 ".%03" PRId64 "\n", value / 1000, value % 1000);
        else
            wi_text_add(out, " %" PRId64 "\n", value);
    }
}

/* Opens a sample of one process. */
static void sample(struct wi_text *out, const char *metric, const struct wi_metrics_view *view,
                   int index)
{
    if (index >= 0)
        wi_text_add(out, "%s{process=\"%d\"}", metric, index);
    else
        wi_text_add(out, "%s{process=\"%s\"}", metric, view->plan->supervised ? "primary" : "0");
}

static void write_processes(struct wi_text *out, const struct wi_metrics_view *view)
{
    begin(out, "weir_process_resident_bytes", "gauge", "Resident memory of each process.");
    for (int i = 0; i < view->process_count; i++) {
        sample(out, "weir_process_resident_bytes", view, view->processes[i].index);
        wi_text_add(out, " %" PRId64 "\n", view->processes[i].usage.resident_bytes);
    }
    begin(out, "weir_process_cpu_seconds_total", "counter",
          "CPU time of each process; begins again with a respawned one.");
    for (int i = 0; i < view->process_count; i++) {
        sample(out, "weir_process_cpu_seconds_total", view, view->processes[i].index);
        add_seconds(out, view->processes[i].usage.cpu_ns);
    }
    begin(out, "weir_process_threads", "gauge", "OS threads of each process.");
    for (int i = 0; i < view->process_count; i++) {
        sample(out, "weir_process_threads", view, view->processes[i].index);
        wi_text_add(out, " %d\n", (int)view->processes[i].usage.threads);
    }
}

static void write_route_times(struct wi_text *out, const struct wi_charge_costs *costs,
                              const char *metric, const char *help, const wi_atomic_i64 *times)
{
    begin(out, metric, "gauge", help);
    for (int i = 0; i < WI_CHARGE_NAMES; i++) {
        const int64_t ns = wi_load_relaxed(&times[i]);
        if (ns <= 0 || costs->names[i][0] == '\0')
            continue;
        wi_text_add(out, "%s{route=\"", metric);
        wi_metrics_escape(out, costs->names[i]);
        wi_text_add(out, "\"}");
        add_seconds(out, ns);
    }
}

static void write_routes(struct wi_text *out, const struct wi_charge_costs *costs)
{
    if (costs == NULL || wi_load_acquire(&costs->named) != 2)
        return;
    write_route_times(out, costs, "weir_route_cost_seconds",
                      "What a request of the route takes of a core, lately; the first 64 routes.",
                      costs->work_ns);
    write_route_times(out, costs, "weir_route_held_seconds",
                      "For how long it holds its place or thread, where these are bounded.",
                      costs->held_ns);
}

void wi_metrics_write(struct wi_text *out, const struct wi_metrics_view *view)
{
    write_info(out, "weir_build_info", "The version of weir.", "version", view->version);
    begin(out, "weir_model_info", "gauge", "How the service was started.");
    wi_text_add(out,
                "weir_model_info{model=\"%s\",scheduler=\"%s\",processes=\"%d\","
                "workers=\"%d\"} 1\n",
                view->plan->model, wi_scheduler_name(view->plan->scheduler), view->plan->processes,
                view->plan->workers);
    write_info(out, "weir_stack_guard_info", "How the overflow of a stack is caught.", "kind",
               view->numbers->stack_guard);
    write_info(out, "weir_poller_info", "How readiness is learnt.", "kind", view->numbers->poller);
    gauge(out, "weir_ready", "1 while the service takes requests, as /readyz says.",
          view->ready ? 1 : 0);
    begin(out, "weir_up_seconds", "gauge", "Since the service was started.");
    wi_text_add(out, "weir_up_seconds");
    add_seconds(out, view->up_ns);

    begin(out, "weir_processes", "gauge", "Serving processes, by state.");
    wi_text_add(out, "weir_processes{state=\"wanted\"} %d\n", view->plan->processes);
    wi_text_add(out, "weir_processes{state=\"alive\"} %d\n", view->alive);
    wi_text_add(out, "weir_processes{state=\"ready\"} %d\n", view->ready_count);
    begin(out, "weir_respawns_total", "counter", "Processes started in place of dead ones.");
    wi_text_add(out, "weir_respawns_total %" PRId64 "\n", view->respawns);

    write_numbers(out, view);
    write_routes(out, view->costs);
    write_processes(out, view);
}
