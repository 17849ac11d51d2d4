/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_GUESTS_H
#define WI_TASK_GUESTS_H

/* Scopes that plain threads have open.  They lie below no task, and so not below the root either:
 * weir_close() ends what is in them by this list. */

#include "task/scope.h"

/* The scope was opened by a plain thread, and is closed by it. */
void wi_guest_add(struct weir_scope *scope);
void wi_guest_remove(struct weir_scope *scope);

/* Cancels what is in each of them. */
void wi_guests_cancel(int cause);
/* Waits until none has a child.  0 or WEIR_ETIMEDOUT. */
int wi_guests_wait(weir_time deadline);

#endif
