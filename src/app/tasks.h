/* SPDX-License-Identifier: MIT */
#ifndef WI_APP_TASKS_H
#define WI_APP_TASKS_H

/* What the tasks of this process do (weir/dump.h), for standard error and for the admin endpoint.
 *
 * Threads: the monitor's; while a runtime is open. */

#include "app/text.h"

/* Prints it to standard error, after a line that begins with `name`.  Somebody who does not read
 * holds it up for a second at most; then the rest is left out. */
void wi_tasks_print(const char *name);

/* The same into a text; what does not fit is left out, which the last line says. */
void wi_tasks_write(struct wi_text *out);

#endif
