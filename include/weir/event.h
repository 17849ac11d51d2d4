/* SPDX-License-Identifier: MIT */
#ifndef WEIR_EVENT_H
#define WEIR_EVENT_H

/* Event: something that has happened or has not, which any number may wait for.  It stays set until
 * it is cleared. */

#include <stdbool.h>

#include "weir/err.h"
#include "weir/time.h"

typedef struct weir_event weir_event;

/* Makes an event that is not set.  0 or WEIR_ENOMEM.  Callers: any thread; never waits. */
WEIR_API WEIR_CHECK int weir_event_create(weir_event **out);

/* Frees it.  Aborts if somebody waits for it; who was just woken no longer does, so who has waited
 * may free it at once.  Callers: any thread; never waits. */
WEIR_API void weir_event_destroy(weir_event *event);

/* Sets it and wakes all that wait; if it is set nothing changes.  What the caller wrote before is
 * seen by who waited for it.  Callers: any thread; never waits. */
WEIR_API void weir_event_set(weir_event *event);

/* Makes it not set.  Who was woken by a set before returns 0 all the same.
 * Callers: any thread; never waits. */
WEIR_API void weir_event_clear(weir_event *event);

/* Whether it is set now.  Callers: any thread; never waits. */
WEIR_API bool weir_event_is_set(const weir_event *event);

/* Waits until it is set.
 *
 *   deadline  absolute ns of weir_now(); WEIR_DONT_WAIT looks once
 *
 *   0               it is, or was set while the caller waited
 *   WEIR_ETIMEDOUT  the deadline came first
 *   WEIR_ECANCELED  the calling task was canceled first
 *
 * Callers: task (parks), thread (blocks).  Cost: two loads if it is set. */
WEIR_API WEIR_CHECK int weir_event_wait(weir_event *event, weir_time deadline);

#endif
