/* SPDX-License-Identifier: MIT */
#ifndef WI_LOAD_THROTTLE_H
#define WI_LOAD_THROTTLE_H

/* The law of a client's own throttle: how many of its requests a destination that is overloaded
 * need not even see.
 *
 * Over about 30 s it counts what was wanted (`requests`, also those turned away here) and what the
 * destination did not refuse (`accepts`).  A request is turned away with the probability
 *   p = max(0, (requests - 2 * accepts) / (requests + 1)), at most 0.95
 * so nothing is as long as half is accepted, and beyond that the destination sees about twice what
 * it can do: enough to notice that it recovers.  Below 10 requests in sight nothing is turned away.
 * Only signs of overload count as refused; an error of any other kind is an accept.  What is let
 * through counts when it has ended: a burst of calls that are all under way proves nothing.
 *
 * Invariant: 0 <= accepts <= requests.
 * Threads: one owner, or a lock around it.
 * Source: "Site Reliability Engineering", Beyer et al. 2016, chapter 21, "Client-Side Throttling".
 */

#include <stdbool.h>

#include "weir/time.h"

struct wi_throttle {
    double requests;
    double accepts;
    weir_time last;
};

void wi_throttle_init(struct wi_throttle *throttle, weir_time now);

/* A request is wanted.  False: it shall be turned away.
 *   chance  a random number in [0, 1) */
bool wi_throttle_admit(struct wi_throttle *throttle, double chance, weir_time now);

/* A request that was let through has ended.
 *   accepted  it was not refused for overload */
void wi_throttle_end(struct wi_throttle *throttle, bool accepted, weir_time now);

/* The probability with which the next one is turned away. */
double wi_throttle_probability(struct wi_throttle *throttle, weir_time now);

#endif
