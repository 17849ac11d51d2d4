/* SPDX-License-Identifier: MIT */
#ifndef WI_LOAD_PLACES_H
#define WI_LOAD_PLACES_H

/* A bounded number of places of which some requests hold one for a time, as routes that block hold
 * a thread of their pool.  The law is that of gate.h for what runs at once: a virtual queue of the
 * time for which places are held, that drains as fast as there are places, and whose depth follows
 * from the load.  It is a queue of its own, which those requests alone are charged to: what fills
 * the places refuses nobody who needs none.
 *
 * A request asks here when the gate has let it in.  Who finds a place free is never refused: then
 * the queue is wrong, not the place.
 *
 * Threads: as of gate.h; ticks in the turn of the gate's. */

#include "load/gate.h"

struct wi_places {
    /* constant after init */
    int64_t count;
    /* atomic */
    struct wi_vqueue queue;
    wi_atomic_i64 patience_ns;
    struct wi_cost held[WI_GATE_ROUTES];
    /* guarded by the tick's turn */
    weir_time last_tick;
};

/* `count` is at least 1.  Not while anybody uses it. */
void wi_places_init(struct wi_places *places, int64_t count, weir_time now);

/* The verdict on a request that the gate has let in with that ticket; `free`: a place is.
 * WI_GATE_ADMIT: charged, so ended or dropped must follow; SHED_SLOTS or SHED_LATE: it was not. */
enum wi_gate_verdict wi_places_ask(struct wi_places *places, const struct wi_gate_ask *ask,
                                   bool free, struct wi_gate_ticket *ticket);

/* It has given its place back, which it held for `held_ns`.  Also of one that was let in without
 * being asked for, whose ticket has no `place_ns`. */
void wi_places_ended(struct wi_places *places, const struct wi_gate_ticket *ticket,
                     int64_t held_ns);

/* It was admitted and will never begin. */
void wi_places_dropped(struct wi_places *places, const struct wi_gate_ticket *ticket);

void wi_places_tick(struct wi_places *places, weir_time now);

/* How long an admitted request may wait for its place before it is better refused. */
static inline int64_t wi_places_patience(const struct wi_places *places)
{
    return wi_load_relaxed(&places->patience_ns);
}

/* What a process may hand to the next one: for how long a route holds its place, 0 if it is not
 * known.  learn() is while nobody asks yet. */
int64_t wi_places_held(const struct wi_places *places, uint32_t route);
void wi_places_learn(struct wi_places *places, uint32_t route, int64_t held_ns);

/* Of the time for which places are asked over that which there is; 1 is full. */
double wi_places_load(const struct wi_places *places);

#endif
