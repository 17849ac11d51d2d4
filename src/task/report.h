/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_REPORT_H
#define WI_TASK_REPORT_H

/* Dumps in the log: of a deadlock, and of tasks that do not end though they should.
 *
 * Bound: so many tasks that the log's ring holds their lines. */

#include <stdbool.h>
#include <stdint.h>

#include "task/scope.h"
#include "weir/time.h"

/* How long canceled tasks may go on before they are reported; set as the runtime is opened, as
 * weir_opts.late_ns. */
void wi_report_open(int64_t late_ns);

/* Logs what tasks do, those of the scope or (NULL) all.  `draining`: the caller is the one who
 * hands on the log, so there may be many, and it is an error. */
void wi_report_tasks(struct weir_scope *scope, bool draining);

/* When somebody who has canceled tasks and waits for them reports them. */
weir_time wi_report_late(void);

/* Logs the children of a scope that were canceled and have not ended by wi_report_late(). */
void wi_report_late_children(struct weir_scope *scope);

#endif
