/* SPDX-License-Identifier: MIT */
#ifndef WI_SYNC_TIME_H
#define WI_SYNC_TIME_H

/* The clock for what does not need include/weir/time.h's precision.
 *
 * Threads: any. */

#include "weir/time.h"

/* The time of the kernel's last tick: up to 10 ms behind weir_now(), never ahead of it.  For limits
 * and stamps that are coarse themselves; a deadline made from it may come early, so a duration that
 * somebody asked for starts from weir_now(). */
weir_time wi_now_coarse(void);

/* How far it may lie behind. */
#define WI_NOW_COARSE_NS (10 * WEIR_NS_PER_MS)

#endif
