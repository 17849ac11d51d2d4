/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_ATTEMPT_H
#define WI_TASK_ATTEMPT_H

/* The number of the attempt that the caller works for: 0 for a request's first, 1 for the first
 * repetition, and so on.  Children take it over, as a task-local (extras.h).  So a call that is
 * made deep inside a handler knows that somebody farther out repeats already.
 *
 * Threads: the caller's own. */

#include "weir/err.h"

enum {
    WI_ATTEMPT_MAX = 99 /* larger ones say no more */
};

/* 0 outside of anything that was repeated. */
int wi_attempt(void);

/* 0, or WEIR_ENOMEM: nothing is changed. */
WEIR_CHECK int wi_attempt_set(int attempt);

#endif
