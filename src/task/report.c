/* SPDX-License-Identifier: MIT */
/* Reports.  See report.h. */
#include "task/report.h"

#include "base/log.h"
#include "task/dump.h"
#include "task/rt.h"
#include "task/runtime.h"

enum {
    TASKS_TOLD = 12, /* with WI_LOG_LINES for all, and the runtime's other lines beside them */
    TASKS_TOLD_DRAINING = 200,
};
#define LATE_NS_DEFAULT (10 * WEIR_NS_PER_S)

static int64_t late_ns; /* constant while open; negative: never */

void wi_report_open(int64_t wanted_ns)
{
    late_ns = wanted_ns != 0 ? wanted_ns : LATE_NS_DEFAULT;
}

/* The ends of lines, and empty ones, are the log's own business. */
static void warn_line(void *user, const char *text, size_t bytes)
{
    (void)user;
    if (bytes > 1)
        wi_log(WI_LOG_WARN, "%.*s", (int)bytes - 1, text);
}

static void drain_line(void *user, const char *text, size_t bytes)
{
    (void)user;
    if (bytes > 1)
        wi_log(WI_LOG_ERROR, "%.*s", (int)bytes - 1, text);
    wi_runtime_drain_log();
}

void wi_report_tasks(struct weir_scope *scope, bool draining)
{
    const struct wi_dump_request request = {
        .write = draining ? drain_line : warn_line,
        .scope = scope,
        .tasks_max = draining ? TASKS_TOLD_DRAINING : TASKS_TOLD,
    };
    if (wi_dump(&request) != 0)
        wi_log(WI_LOG_WARN, "there is no memory to tell what they do");
}

weir_time wi_report_late(void)
{
    return late_ns < 0 || wi_rt.log == NULL ? WEIR_NO_DEADLINE : weir_in_ns(late_ns);
}

void wi_report_late_children(struct weir_scope *scope)
{
    wi_log(WI_LOG_WARN, "a scope that closes has canceled its tasks %lld ms ago, and %lld go on:",
           (long long)(late_ns / WEIR_NS_PER_MS), (long long)wi_scope_children(scope));
    wi_report_tasks(scope, false);
}
