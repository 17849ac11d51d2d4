/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_OVERFLOW_H
#define WI_TASK_OVERFLOW_H

#include "weir/err.h"

/* From now on a task that runs into the guard below its stack is named, with the stack's size,
 * before the fault goes on to whoever handled it before. */
WEIR_CHECK int wi_overflow_watch(void);

#endif
