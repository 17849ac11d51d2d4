/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_DEADLOCK_H
#define WI_TASK_DEADLOCK_H

/* Deadlocks of the whole process: every task waits, and nothing is left that could end a wait.
 *
 * Threads: one that watches: the monitor, or where there is none the opener of a `loop` runtime
 * while it waits. */

#include <stdbool.h>

#include "weir/runtime.h"
#include "weir/time.h"

void wi_deadlock_open(const struct weir_opts *opts);

/* When wi_deadlock_look() is due at the earliest; WEIR_NO_DEADLINE: not wanted here. */
weir_time wi_deadlock_next_look(void);

/* Looks, if that is due; reports what has not changed since the last look. */
void wi_deadlock_look(weir_time now);

#endif
