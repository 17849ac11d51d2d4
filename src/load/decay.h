/* SPDX-License-Identifier: MIT */
#ifndef WI_LOAD_DECAY_H
#define WI_LOAD_DECAY_H

/* Counts that forget: a sum whose parts fade with a time constant, and the clock that drives it.
 *
 * A step of dt keeps 1 - dt / constant of a sum, nothing after a whole constant.  Many small steps
 * come to the exponential decay of that constant, one big step forgets a little more: no
 * mathematics library, and never a negative sum.
 *
 * Clocks: a reading before the last one counts as no time, and time goes on from it; so a clock
 * that is set back stops nothing for longer than one step.
 *
 * Threads: pure functions on the caller's memory. */

#include <stdint.h>

#include "weir/time.h"

/* The ns since *last, at most max_ns, 0 if the clock went back; *last becomes now. */
static inline int64_t wi_elapsed(weir_time *last, weir_time now, int64_t max_ns)
{
    const weir_time before = *last;
    *last = now;
    if (now <= before)
        return 0;
    /* Also right where the difference does not fit. */
    const uint64_t passed = (uint64_t)now - (uint64_t)before;
    return passed < (uint64_t)max_ns ? (int64_t)passed : max_ns;
}

/* What is left of `sum` after elapsed_ns. */
static inline double wi_decay(double sum, int64_t elapsed_ns, int64_t constant_ns)
{
    if (elapsed_ns >= constant_ns)
        return 0;
    return sum * (1.0 - (double)elapsed_ns / (double)constant_ns);
}

#endif
