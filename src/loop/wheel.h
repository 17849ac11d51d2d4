/* SPDX-License-Identifier: MIT */
#ifndef WI_LOOP_WHEEL_H
#define WI_LOOP_WHEEL_H

/* Timers: a hierarchical wheel (Varghese and Lauck 1987, scheme 7), one for each worker.
 *
 * LEVELS levels of 64 slots; a slot of level 0 is 2^16 ns (65.5 us) wide, one of level n 64 times
 * as wide as one of level n - 1.  Insert and cancel are O(1); a timer is never told early, and late
 * by at most one slot of level 0 plus the time until somebody looks.
 *
 * Threads: any thread may start and stop a timer of any wheel; the wheel's lock guards.  A timer
 * lives in type-stable memory: its fire function may still be about to run when stop returns
 * false. */

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/list.h"
#include "sync/lock.h"
#include "weir/time.h"

enum {
    WI_WHEEL_LEVELS = 7,
    WI_WHEEL_SLOTS = 64,
    WI_WHEEL_TICK_SHIFT = 16
};

struct wi_wheel;

struct wi_timer {
    struct wi_list node; /* guarded by wheel->lock */
    weir_time deadline;  /* guarded by wheel->lock */
    wi_atomic_ptr wheel; /* the wheel it is on or was on last; NULL: never started */
    uint8_t level, slot; /* guarded by wheel->lock */
    void (*fire)(struct wi_timer *timer); /* constant after init; runs without locks, never waits */
};

struct wi_wheel {
    struct wi_lock lock;
    /* guarded by lock */
    uint64_t now_tick; /* everything before it has been told */
    uint64_t occupied[WI_WHEEL_LEVELS];
    struct wi_list slots[WI_WHEEL_LEVELS][WI_WHEEL_SLOTS];
    int64_t count;
    /* atomic */
    wi_atomic_i64 next; /* no timer is due before this; WEIR_NO_DEADLINE: none.  A hint that may
                           be early, never late */
};

void wi_wheel_init(struct wi_wheel *wheel, weir_time now);

void wi_timer_init(struct wi_timer *timer, void (*fire)(struct wi_timer *timer));

/* Starts a stopped timer.  True if it is now the wheel's first: a sleeper must be told. */
bool wi_timer_start(struct wi_timer *timer, struct wi_wheel *wheel, weir_time deadline);

/* Stops it.  True: it will not fire.  False: it was not running, has fired, or is about to. */
bool wi_timer_stop(struct wi_timer *timer);

/* Whether it is on a wheel now; a hint unless the caller is the only one to start and stop. */
bool wi_timer_running(struct wi_timer *timer);

/* Takes every timer off without firing it; each forgets the wheel, whose memory may go.  Nobody may
 * start or stop one of them meanwhile. */
void wi_wheel_clear(struct wi_wheel *wheel);

/* The instant at which wi_wheel_advance() has something to do at the earliest. */
static inline weir_time wi_wheel_next(struct wi_wheel *wheel)
{
    return wi_load_seq_cst(&wheel->next);
}

/* For wi_wheel_advance(), where something may be due. */
int wi_wheel_fire(struct wi_wheel *wheel, weir_time now, int max);

/* Fires what is due, at most `max` timers; the number fired. */
static inline int wi_wheel_advance(struct wi_wheel *wheel, weir_time now, int max)
{
    return wi_likely(now < wi_wheel_next(wheel)) ? 0 : wi_wheel_fire(wheel, now, max);
}

/* Debug: whether the invariants hold. */
bool wi_wheel_valid(struct wi_wheel *wheel);

#endif
