/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TIME_H
#define WEIR_TIME_H

/* Time: one kind of instant, absolute nanoseconds of the monotonic clock.
 *
 * Every call that can wait takes such an instant as its deadline, as its last parameter.
 * Durations are plain int64_t whose names end in _ns, _ms or _s. */

#include <stdint.h>

#include "weir/err.h"

typedef int64_t weir_time;

/* Deadline that has always passed: the call tries once and never waits. */
#define WEIR_DONT_WAIT ((weir_time)0)

/* Deadline that never comes.  The calling task's ambient deadline still holds. */
#define WEIR_NO_DEADLINE ((weir_time)INT64_MAX)

#define WEIR_NS_PER_US ((int64_t)1000)
#define WEIR_NS_PER_MS ((int64_t)1000000)
#define WEIR_NS_PER_S ((int64_t)1000000000)

/* The monotonic clock, in ns since an arbitrary start; always above 0.
 * Callers: any, also signal handlers; never waits.  Cost: about 20 ns. */
WEIR_API weir_time weir_now(void);

/* The instant that lies `ms` milliseconds ahead; a negative `ms` counts as 0.  Sums that do not
 * fit become WEIR_NO_DEADLINE.  weir_in_ns() is the same in nanoseconds.
 * Callers: any; never waits. */
WEIR_API weir_time weir_in_ms(int64_t ms);
WEIR_API weir_time weir_in_ns(int64_t ns);

#endif
