/* SPDX-License-Identifier: MIT */
#ifndef WI_LOAD_FAIR_H
#define WI_LOAD_FAIR_H

/* Who takes more than a fair share of the admitted work: of clients, and in the same way of routes.
 *
 * Two rows of counters, one cell of each for a client by two hashes; the smaller one bounds what he
 * was given lately.  Heavy is who has more than twice an even share, some more than there are
 * reckoned with: of clients three, so who is alone is heavy, which changes nothing until others
 * come; of routes one, so one of two may be and one that is alone never is.  It counts what
 * was admitted, not what was asked for: so who is cut down to his share is treated as others are
 * again, and what he gets converges on it.
 *
 * Consulted in overload only, so it costs nothing below, but for the seconds in which it forgets.
 *
 * Threads: is_heavy, admitted and refused from any; ticks one at a time, which the caller sees to.
 * Source: count-min sketch, Cormode and Muthukrishnan 2005. */

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"

enum {
    WI_FAIR_ROWS = 2,
    WI_FAIR_CELLS = 256,
};

struct wi_fair {
    int64_t expected; /* constant after init */
    /* atomic */
    wi_atomic_i64 heavy_from;                         /* us; who has more is heavy */
    wi_atomic_i64 cells[WI_FAIR_ROWS][WI_FAIR_CELLS]; /* us of work admitted, fading */
};

/* So many more than there are is reckoned with. */
void wi_fair_init(struct wi_fair *fair, int expected);

/* `client` is a hash of who asks, any 32 bits. */
bool wi_fair_is_heavy(const struct wi_fair *fair, uint32_t client);

void wi_fair_admitted(struct wi_fair *fair, uint32_t client, int64_t work_ns);

/* The client was refused: he is there, and has a share that he may not have had yet. */
void wi_fair_refused(struct wi_fair *fair, uint32_t client);

/* Whether the last tick found work of anybody. */
bool wi_fair_remembers(const struct wi_fair *fair);

/* Lets counters fade by `dt_s` and finds anew what a fair share is. */
void wi_fair_tick(struct wi_fair *fair, double dt_s);

#endif
