/* SPDX-License-Identifier: MIT */
#ifndef WI_SYNC_SPIN_H
#define WI_SYNC_SPIN_H

/* Spinning for a moment instead of parking: it helps only while whoever has to act runs on another
 * core.
 *
 *     struct wi_spin spin = { 0 };
 *     while (!ready())
 *         if (!wi_spin_turn(&spin, self, holder))
 *             return park();
 *
 * What is known of the holder is a hint: its parker's word says that it has stopped, not that it is
 * queued behind others.  So a spin is bounded by WI_SPIN_NS, and by a number of turns where the
 * clock stands still (os/sim).  A task that has the only core for tasks never spins: nobody it
 * could wait for would get to run.  Threads: a struct wi_spin belongs to its owner. */

#include <stdbool.h>

#include "sync/parker.h"
#include "weir/time.h"

enum {
    WI_SPIN_NS = 1000,
    WI_SPIN_TURNS_MAX = 256
};

/* All-zero to begin with. */
struct wi_spin {
    weir_time until;
    int turns;
};

/* How many cores the process may use, and how many plain tasks run at once (1 under `loop`).  Until
 * it is told nobody spins.  Called while a runtime opens. */
void wi_spin_configure(int cores, int tasks_at_once);

/* Whether the holder may well run now, beside the caller. */
bool wi_spin_may_help(const struct wi_parker *self, const struct wi_parker *holder);

/* Waits some dozen cycles and says true: look again; or false: it is time to park.
 *   self    the caller's parker
 *   holder  of who has to act, in type-stable memory */
bool wi_spin_turn(struct wi_spin *spin, const struct wi_parker *self,
                  const struct wi_parker *holder);

#endif
