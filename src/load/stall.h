/* SPDX-License-Identifier: MIT */
#ifndef WI_LOAD_STALL_H
#define WI_LOAD_STALL_H

/* Whether the process stood still lately: was stopped, or had no processor.
 *
 * A virtual queue (vqueue.h) drains by the clock.  Where nobody worked meanwhile, what has gathered
 * in the sockets would look like a surge of that moment, though it came evenly and would have been
 * done by now.  So it is judged as if it had been read when the stall began (wi_gate_ask.arrived):
 * the time in which the queue stood empty is given back, and nothing of what was charged.
 *
 * A tick of the gate that comes late although the process took no processor time tells of a stall,
 * or of clients that were silent.  Only requests know which: by how long ago the system received
 * their bytes.  Asking for that is a system call, and so it is asked only after a late tick, for
 * as long as that was late.  Where ticks never come late, at some hundreds of requests a second,
 * nothing is asked; below, a microsecond each is no matter.
 *
 * What a client can make of it is nothing: while his request computes, processor time passes.  A
 * handler that blocks a worker's thread does stand still, but its slice is charged.
 *
 * Threads: look() by one at a time, the rest by any.  Each word stands for itself; who reads them
 * while they change has one verdict wrong. */

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "weir/time.h"

/* What is shorter, the depth of the queue bears. */
#define WI_STALL_MIN_NS (10 * WEIR_NS_PER_MS)
/* Longer ones are forgiven in part: who came at their beginning has given up, or soon will. */
#define WI_STALL_MAX_NS (250 * WEIR_NS_PER_MS)

/* All-zero: there was none. */
struct wi_stall {
    /* atomic */
    wi_atomic_i64 from;  /* since when nothing was done */
    wi_atomic_i64 noted; /* when that was seen: who came later did not wait for it */
    wi_atomic_i64 until; /* when all who waited have been read */
};

/* At a tick: `elapsed_ns` after the last one, in which the process took `cpu_ns` of processors. */
static inline void wi_stall_look(struct wi_stall *stall, weir_time now, int64_t elapsed_ns,
                                 int64_t cpu_ns)
{
    const int64_t still_ns = elapsed_ns - cpu_ns;
    if (still_ns < WI_STALL_MIN_NS)
        return;
    const int64_t forgiven_ns = still_ns < WI_STALL_MAX_NS ? still_ns : WI_STALL_MAX_NS;
    wi_store_relaxed(&stall->from, now - forgiven_ns);
    wi_store_relaxed(&stall->noted, now);
    wi_store_relaxed(&stall->until, now + forgiven_ns);
}

/* Whether a request that is read now may have waited through one. */
static inline bool wi_stall_is_recent(const struct wi_stall *stall, weir_time now)
{
    return now < wi_load_relaxed(&stall->until);
}

/* For wi_gate_ask.arrived: of a request whose bytes the system has had for `age_ns`. */
static inline weir_time wi_stall_arrived(const struct wi_stall *stall, weir_time now,
                                         int64_t age_ns)
{
    const bool waited = age_ns > 0 && now - age_ns <= wi_load_relaxed(&stall->noted);
    const weir_time from = wi_load_relaxed(&stall->from);
    return waited && from < now ? from : now;
}

#endif
