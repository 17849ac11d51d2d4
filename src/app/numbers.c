/* SPDX-License-Identifier: MIT */
/* What a process counts, and sums of it.  See numbers.h. */
#include "app/numbers.h"

#include <stdio.h>
#include <string.h>

const struct wi_number_row wi_number_rows[WI_NUMBERS] = {
#define NUMBER_ROW(name, kind, metric, label, help)                                                \
    [WI_N_##name] = { (kind), (metric), (label), (help) },
    WI_NUMBER_TABLE(NUMBER_ROW)
#undef NUMBER_ROW
};

static void set(struct wi_numbers *numbers, enum wi_number number, int64_t value)
{
    wi_store_relaxed(&numbers->value[number], value);
}

void wi_numbers_take_server(struct wi_numbers *numbers, const struct weir_server_stats *stats)
{
    set(numbers, WI_N_REQUESTS, stats->requests);
    set(numbers, WI_N_REPLIED_2XX, stats->replied_2xx);
    set(numbers, WI_N_REPLIED_3XX, stats->replied_3xx);
    set(numbers, WI_N_REPLIED_4XX, stats->replied_4xx);
    set(numbers, WI_N_REPLIED_5XX, stats->replied_5xx);
    set(numbers, WI_N_SHED_RUNNING, stats->shed_running);
    set(numbers, WI_N_SHED_WAITING, stats->shed_waiting);
    set(numbers, WI_N_SHED_AGE, stats->shed_age);
    set(numbers, WI_N_SHED_LATE, stats->shed_late);
    set(numbers, WI_N_SHED_DRAINING, stats->shed_draining);
    set(numbers, WI_N_SHED_WORK, stats->shed_work);
    set(numbers, WI_N_SHED_WORK_BATCH, stats->shed_work_batch);
    set(numbers, WI_N_SHED_SLOTS, stats->shed_slots);
    set(numbers, WI_N_SHED_SLOTS_BATCH, stats->shed_slots_batch);
    set(numbers, WI_N_LOAD, stats->load_milli);
    set(numbers, WI_N_BRAKE, stats->brake_milli);
    set(numbers, WI_N_BACKLOG, stats->backlog_ns);
    set(numbers, WI_N_DEPTH, stats->depth_ns);
    set(numbers, WI_N_DEPTH_BATCH, stats->depth_batch_ns);
    set(numbers, WI_N_COST, stats->cost_ns);
    set(numbers, WI_N_CAPACITY, stats->capacity_milli);
    set(numbers, WI_N_SLOTS_LOAD, stats->slots_load_milli);
    set(numbers, WI_N_SLOTS_BACKLOG, stats->slots_backlog_ns);
    set(numbers, WI_N_RUNNING, stats->running);
    set(numbers, WI_N_WAITING, stats->waiting);
    set(numbers, WI_N_CONNECTIONS, stats->connections);
    set(numbers, WI_N_IDLE_CONNECTIONS, stats->idle_connections);
    set(numbers, WI_N_ACCEPTED, stats->accepted);
    set(numbers, WI_N_ACCEPT_FAILURES, stats->accept_failures);
    set(numbers, WI_N_BAD_REQUESTS, stats->bad_requests);
    set(numbers, WI_N_TIMED_OUT_HEADS, stats->timed_out_heads);
    set(numbers, WI_N_TIMED_OUT_BODIES, stats->timed_out_bodies);
    set(numbers, WI_N_CLIENT_GONE, stats->client_gone);
    set(numbers, WI_N_LATE, stats->late);
    set(numbers, WI_N_HANDLER_ERRORS, stats->handler_errors);
    set(numbers, WI_N_BYTES_IN, stats->bytes_in);
    set(numbers, WI_N_BYTES_OUT, stats->bytes_out);
}

void wi_numbers_take_runtime(struct wi_numbers *numbers, const struct weir_runtime_stats *stats)
{
    set(numbers, WI_N_TASKS_LIVE, stats->tasks_live);
    set(numbers, WI_N_TASKS_STARTED, stats->tasks_started);
    set(numbers, WI_N_THREADS, stats->threads);
    set(numbers, WI_N_WORKERS, stats->workers);
    set(numbers, WI_N_HOGS_RELIEVED, stats->hogs_relieved);
    set(numbers, WI_N_LOOP_LAG, stats->loop_blocked_now_ns);
    set(numbers, WI_N_LOOP_BLOCKED, stats->loop_blocked_ns);
    set(numbers, WI_N_STACKS_MAPPED, stats->stacks_mapped);
    set(numbers, WI_N_STACKS_IN_USE, stats->stacks_in_use);
    set(numbers, WI_N_LOG_DROPPED, stats->log_lines_dropped);
    if (numbers->stack_guard[0] == '\0' && stats->stack_guard != NULL)
        (void)snprintf(numbers->stack_guard, sizeof(numbers->stack_guard), "%s",
                       stats->stack_guard);
    if (numbers->poller[0] == '\0' && stats->poller != NULL)
        (void)snprintf(numbers->poller, sizeof(numbers->poller), "%s", stats->poller);
}

static int64_t get(const struct wi_numbers *numbers, int number)
{
    return wi_load_relaxed(&numbers->value[number]);
}

void wi_numbers_fold(void *total, const void *dead)
{
    struct wi_numbers *into = total;
    for (int i = 0; i < WI_NUMBERS; i++) {
        const enum wi_number_kind kind = wi_number_rows[i].kind;
        if (kind == WI_COUNTER || kind == WI_COUNTER_NS)
            set(into, (enum wi_number)i, get(into, i) + get(dead, i));
    }
}

void wi_numbers_add(struct wi_numbers *sum, const struct wi_numbers *process)
{
    for (int i = 0; i < WI_NUMBERS; i++) {
        const int64_t left = get(sum, i);
        const int64_t right = get(process, i);
        const enum wi_number_kind kind = wi_number_rows[i].kind;
        if (kind == WI_GAUGE_NS || kind == WI_GAUGE_MILLI)
            set(sum, (enum wi_number)i, left > right ? left : right);
        else
            set(sum, (enum wi_number)i, left + right);
    }
    if (sum->stack_guard[0] == '\0')
        memcpy(sum->stack_guard, process->stack_guard, sizeof(sum->stack_guard));
    if (sum->poller[0] == '\0')
        memcpy(sum->poller, process->poller, sizeof(sum->poller));
}
