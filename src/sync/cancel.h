/* SPDX-License-Identifier: MIT */
#ifndef WI_SYNC_CANCEL_H
#define WI_SYNC_CANCEL_H

/* What cancels whoever runs: all of it from outside and for good, or one region of its own code.
 *
 * The owner of a parker has a chain of open regions, the innermost first; they end in the reverse
 * order of their beginning.  A region is
 *   a scope    canceled by anybody, with a cause: the first error of a child, say
 *   a timeout  canceled by its own instant, with the cause WEIR_ETIMEDOUT
 *   a shield   until its bound it holds back whatever cancels from farther out
 * Outside of all regions lie the ambient deadline that the owner began with and the cancellation
 * from outside.  What lies farthest out wins: it will still hold when the inner regions have ended.
 *
 * The word `cancel` of the parker answers the hot question, whether anything is canceled, by one
 * relaxed load:
 *   low 32 bits  the sticky cause from outside, a negative code, or 0
 *   bit 32       LOOK: one of the owner's timeouts has passed
 *   the rest     how many of the owner's open scopes are canceled
 * It is 0 while nothing is canceled; what it means otherwise is found out by a walk of the chain.
 *
 * Protocol.
 *   anyone:  a: cancels from outside: low half 0 -> cause, once; wakes the owner.
 *            b: cancels a scope, under the scope's lock, once: writes its cause, counts it in the
 *               word, wakes the owner.
 *            f: passes a cancellation on to what is open farther in (task/scope.c): reads the chain
 *               under its lock, after a or b.  A region that begins later has an owner who sees
 *               the word.
 *   owner:   c: begins a region: links it, under the chain's lock.
 *            d: ends it: unlinks it likewise; a scope is closed to b by its lock before, so that
 *               the count it takes back, if there is a cause, is complete.  Whatever else holds,
 *               holds on.
 *            e: reads the word; walks the chain if it is not 0, or if time has passed.
 * Pairing: the addition in b (release) meets the load in e (acquire): who sees the count sees the
 * cause.  Of c and f, both under the chain's lock, the later one sees the other.  LOOK and the
 * deadlines are the owner's alone, but for the bound of a shield, which stays as it is.
 *
 * Source: Smith 2018 (cancel scopes, shields) and Python's asyncio.timeout for what nested timeouts
 * report; the word is our own. */

#include <stdint.h>

#include "sync/parker.h"

enum wi_region_kind {
    WI_REGION_SCOPE,
    WI_REGION_TIMEOUT,
    WI_REGION_SHIELD
};

struct wi_region {
    /* constant while it is linked */
    struct wi_parker *parker; /* NULL in a scope that is nobody's body */
    struct wi_region *outer;
    enum wi_region_kind kind;
    /* owner: the parker's; of a shield constant while it is linked */
    weir_time deadline; /* of a timeout, bound of a shield; else WEIR_NO_DEADLINE */
    weir_time base;     /* of the outermost: the ambient deadline outside of it */
    /* atomic; of a scope, written under its lock: why it is canceled, 0 */
    wi_atomic_int cause;
};

/* A region that is not begun: it may be canceled, which concerns nobody. */
void wi_region_init(struct wi_region *region);

/* Owner (c, d).  The bound of a shield is cut to that of a shield around it. */
void wi_region_begin(struct wi_region *region, struct wi_parker *parker, enum wi_region_kind kind,
                     weir_time deadline);
void wi_region_end(struct wi_region *region);

/* Moves the instant of a timeout that is open.  Owner. */
void wi_region_move(struct wi_region *region, weir_time deadline);

/* Any thread, under the lock of the scope: b.  False if it was canceled before. */
bool wi_region_cancel(struct wi_region *region, int cause);

static inline int wi_region_cause(const struct wi_region *region)
{
    return wi_load_relaxed(&region->cause);
}

/* Any thread: a.  The first cause stays; it is returned. */
int wi_parker_cancel(struct wi_parker *parker, int cause);

/* Any thread, with the chain's lock held: the innermost of the regions that a cancellation of
 * `within` (NULL: from outside of all) reaches now, that is, the first farther out than every
 * shield that holds; `within` if it reaches none. */
struct wi_region *wi_region_reached(struct wi_parker *parker, struct wi_region *within);

/* 0, or why the owner shall end what it does: see above.  Owner. */
int wi_parker_cancel_cause(struct wi_parker *parker);

/* As above, but of what others have canceled alone, by a or b: no timeout counts.  Owner. */
int wi_parker_cancel_by_others(struct wi_parker *parker);

/* Whether there is such a reason that costs no look at the clock to find out.  Owner. */
static inline bool wi_parker_canceled(struct wi_parker *parker)
{
    return wi_unlikely(wi_load_relaxed(&parker->cancel) != 0) &&
           wi_parker_cancel_cause(parker) != 0;
}

/* As wi_parker_cancel_cause(), without a call where nothing can be. */
static inline int wi_parker_cause(struct wi_parker *parker)
{
    if (wi_likely(wi_load_relaxed(&parker->cancel) == 0 && parker->deadline == WEIR_NO_DEADLINE))
        return 0;
    return wi_parker_cancel_cause(parker);
}

/* When a wait that can be canceled has to look again though nobody wakes it.  Owner. */
weir_time wi_parker_look_again(const struct wi_parker *parker);

/* Brings the ambient deadline forward: that of the innermost timeout, else the one outside of all
 * regions.  Owner. */
void wi_parker_deadline_cap(struct wi_parker *parker, weir_time deadline);

#endif
