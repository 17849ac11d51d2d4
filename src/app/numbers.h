/* SPDX-License-Identifier: MIT */
#ifndef WI_APP_NUMBERS_H
#define WI_APP_NUMBERS_H

/* Everything that a serving process counts, as one array that may lie in memory shared with the
 * primary: what is in it is still there when the process has died.
 *
 * Counters only grow and are folded into a total when a process dies; gauges say what is, and die
 * with the process.
 *
 * Threads: each value is atomic; one process writes, another may read. */

#include <stdint.h>

#include "base/atomic.h"
#include "weir/runtime.h"
#include "weir/serve.h"

enum wi_number_kind {
    WI_COUNTER,
    WI_GAUGE,
    WI_COUNTER_NS, /* kept in ns, shown in seconds */
    WI_GAUGE_NS,
    WI_GAUGE_MILLI, /* kept in thousandths; of several processes the greatest, as of WI_GAUGE_NS */
};

/* X(name, kind, metric, label, help): rows of one metric follow each other.  A label is
 * name="value" or "". */
#define WI_NUMBER_TABLE(X)                                                                         \
    X(REQUESTS, WI_COUNTER, "weir_requests_total", "", "Requests whose handler has ended.")        \
    X(REPLIED_2XX, WI_COUNTER, "weir_replies_total", "class=\"2xx\"", "Replies by status class.")  \
    X(REPLIED_3XX, WI_COUNTER, "weir_replies_total", "class=\"3xx\"", "")                          \
    X(REPLIED_4XX, WI_COUNTER, "weir_replies_total", "class=\"4xx\"", "")                          \
    X(REPLIED_5XX, WI_COUNTER, "weir_replies_total", "class=\"5xx\"", "")                          \
    X(SHED_RUNNING, WI_COUNTER, "weir_sheds_total", "reason=\"running\"",                          \
      "Requests answered 503, or 504 if late, without a handler, by why.")                         \
    X(SHED_WAITING, WI_COUNTER, "weir_sheds_total", "reason=\"waiting\"", "")                      \
    X(SHED_AGE, WI_COUNTER, "weir_sheds_total", "reason=\"age\"", "")                              \
    X(SHED_LATE, WI_COUNTER, "weir_sheds_total", "reason=\"late\"", "")                            \
    X(SHED_DRAINING, WI_COUNTER, "weir_sheds_total", "reason=\"draining\"", "")                    \
    X(SHED_WORK, WI_COUNTER, "weir_sheds_total", "reason=\"work\",class=\"interactive\"", "")      \
    X(SHED_WORK_BATCH, WI_COUNTER, "weir_sheds_total", "reason=\"work\",class=\"batch\"", "")      \
    X(SHED_SLOTS, WI_COUNTER, "weir_sheds_total", "reason=\"slots\",class=\"interactive\"", "")    \
    X(SHED_SLOTS_BATCH, WI_COUNTER, "weir_sheds_total", "reason=\"slots\",class=\"batch\"", "")    \
    X(LOAD, WI_GAUGE_MILLI, "weir_admission_load", "",                                             \
      "Work offered, also what is refused, over what the cores can do; the greatest process.")     \
    X(BRAKE, WI_GAUGE_MILLI, "weir_admission_brake", "",                                           \
      "What measured delay makes of the capacity; 1 is all of it.")                                \
    X(BACKLOG, WI_GAUGE_NS, "weir_admission_backlog_seconds", "",                                  \
      "How long a request admitted now waits for its turn.")                                       \
    X(DEPTH, WI_GAUGE_NS, "weir_admission_depth_seconds", "class=\"interactive\"",                 \
      "With how much of a backlog requests are still admitted.")                                   \
    X(DEPTH_BATCH, WI_GAUGE_NS, "weir_admission_depth_seconds", "class=\"batch\"", "")             \
    X(COST, WI_GAUGE_NS, "weir_admission_cost_seconds", "",                                        \
      "What a request that is offered costs of a core, on average.")                               \
    X(CAPACITY, WI_GAUGE_MILLI, "weir_admission_capacity_cores", "",                               \
      "Cores that requests get, of a process: those of its workers less what else it does.")       \
    X(SLOTS_LOAD, WI_GAUGE_MILLI, "weir_admission_slots_load", "",                                 \
      "Time of bounded places or threads that is asked for, over that which there is.")            \
    X(SLOTS_BACKLOG, WI_GAUGE_NS, "weir_admission_slots_backlog_seconds", "",                      \
      "How long a request admitted now waits for such a place.")                                   \
    X(RUNNING, WI_GAUGE, "weir_requests_running", "", "Requests whose handler runs now.")          \
    X(WAITING, WI_GAUGE, "weir_requests_waiting", "", "Admitted requests that wait to run.")       \
    X(CONNECTIONS, WI_GAUGE, "weir_connections", "", "Open connections.")                          \
    X(IDLE_CONNECTIONS, WI_GAUGE, "weir_connections_idle", "", "Connections between requests.")    \
    X(ACCEPTED, WI_COUNTER, "weir_connections_accepted_total", "", "Connections accepted.")        \
    X(ACCEPT_FAILURES, WI_COUNTER, "weir_accept_failures_total", "",                               \
      "Accepts that failed for want of descriptors or memory.")                                    \
    X(BAD_REQUESTS, WI_COUNTER, "weir_bad_requests_total", "", "Heads or bodies refused.")         \
    X(TIMED_OUT_HEADS, WI_COUNTER, "weir_timeouts_total", "part=\"head\"",                         \
      "Requests that arrived too slowly.")                                                         \
    X(TIMED_OUT_BODIES, WI_COUNTER, "weir_timeouts_total", "part=\"body\"", "")                    \
    X(CLIENT_GONE, WI_COUNTER, "weir_clients_gone_total", "",                                      \
      "Clients that left before their answer.")                                                    \
    X(LATE, WI_COUNTER, "weir_late_replies_total", "",                                             \
      "Replies of a handler that came after the deadline of their request.")                       \
    X(HANDLER_ERRORS, WI_COUNTER, "weir_handler_errors_total", "",                                 \
      "Handlers that returned an error code that is not of their client's making.")                \
    X(BYTES_IN, WI_COUNTER, "weir_received_bytes_total", "", "Bytes read from clients.")           \
    X(BYTES_OUT, WI_COUNTER, "weir_sent_bytes_total", "", "Bytes written to clients.")             \
    X(TASKS_LIVE, WI_GAUGE, "weir_tasks", "", "Tasks alive.")                                      \
    X(TASKS_STARTED, WI_COUNTER, "weir_tasks_started_total", "", "Tasks started.")                 \
    X(THREADS, WI_GAUGE, "weir_threads", "", "OS threads of the runtime.")                         \
    X(WORKERS, WI_GAUGE, "weir_workers", "", "Scheduling contexts that run tasks.")                \
    X(HOGS_RELIEVED, WI_COUNTER, "weir_hogs_relieved_total", "",                                   \
      "Workers taken from a task that ran too long.")                                              \
    X(STACKS_MAPPED, WI_GAUGE, "weir_stacks", "", "Stacks mapped.")                                \
    X(STACKS_IN_USE, WI_GAUGE, "weir_stacks_in_use", "", "Stacks that a task runs on.")            \
    X(LOOP_LAG, WI_GAUGE_NS, "weir_loop_lag_seconds", "",                                          \
      "How long a task has kept the event loop from turning now; the longest of the processes.")   \
    X(LOOP_BLOCKED, WI_COUNTER_NS, "weir_loop_blocked_seconds_total", "",                          \
      "Time for which tasks kept the event loop from turning, 20 ms and more at a time.")          \
    X(LOG_DROPPED, WI_COUNTER, "weir_log_lines_dropped_total", "", "Log lines lost.")

enum wi_number {
#define WI_NUMBER_ENUM(name, kind, metric, label, help) WI_N_##name,
    WI_NUMBER_TABLE(WI_NUMBER_ENUM)
#undef WI_NUMBER_ENUM
    WI_NUMBERS,
};

struct wi_number_row {
    enum wi_number_kind kind;
    const char *metric;
    const char *label;
    const char *help;
};
extern const struct wi_number_row wi_number_rows[WI_NUMBERS];

enum {
    WI_KIND_TEXT_BYTES = 24
};

struct wi_numbers {
    wi_atomic_i64 value[WI_NUMBERS];
    /* written once, before the process says that it is ready */
    char stack_guard[WI_KIND_TEXT_BYTES];
    char poller[WI_KIND_TEXT_BYTES];
};

void wi_numbers_take_server(struct wi_numbers *numbers, const struct weir_server_stats *stats);
void wi_numbers_take_runtime(struct wi_numbers *numbers, const struct weir_runtime_stats *stats);

/* Adds the counters of a dead process; both are struct wi_numbers (slots.h wants it so). */
void wi_numbers_fold(void *total, const void *dead);

/* Adds a living process, gauges too; of a lag the greater one is kept. */
void wi_numbers_add(struct wi_numbers *sum, const struct wi_numbers *process);

#endif
