/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WAIT_GROUP_H
#define WEIR_WAIT_GROUP_H

/* Wait group: a count of what is still to be done, and waiting until it is 0.  For tasks a scope
 * (scope.h) does the same and more; this is for work that has no task, or several. */

#include <stdint.h>

#include "weir/err.h"
#include "weir/time.h"

#define WEIR_WAIT_GROUP_MAX ((int64_t)INT32_MAX)

typedef struct weir_wait_group weir_wait_group;

/* Makes a group whose count is 0.  0 or WEIR_ENOMEM.  Callers: any thread; never waits. */
WEIR_API WEIR_CHECK int weir_wait_group_create(weir_wait_group **out);

/* Frees it.  Aborts if the count is not 0 or somebody waits.  Who has waited may free it at once.
 * Callers: any thread; never waits. */
WEIR_API void weir_wait_group_destroy(weir_wait_group *group);

/* Adds `count`, which may be negative.  At 0 all that wait are woken, and the group may be used
 * anew.  Aborts, with the count and what was added, if that leaves less than 0 or more than
 * WEIR_WAIT_GROUP_MAX.  Add before the work begins that ends with weir_wait_group_done(), else a
 * wait may find 0 too early.  Callers: any thread; never waits. */
WEIR_API void weir_wait_group_add(weir_wait_group *group, int32_t count);

/* weir_wait_group_add(group, -1).  Callers: any thread; never waits. */
WEIR_API void weir_wait_group_done(weir_wait_group *group);

/* Waits until the count is 0.
 *
 *   deadline  absolute ns of weir_now(); WEIR_DONT_WAIT looks once
 *
 *   0               it is, or was while the caller waited
 *   WEIR_ETIMEDOUT  the deadline came first
 *   WEIR_ECANCELED  the calling task was canceled first
 *
 * Callers: task (parks), thread (blocks). */
WEIR_API WEIR_CHECK int weir_wait_group_wait(weir_wait_group *group, weir_time deadline);

#endif
