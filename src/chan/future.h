/* SPDX-License-Identifier: MIT */
#ifndef WI_CHAN_FUTURE_H
#define WI_CHAN_FUTURE_H

/* The inside of a future, for future.c and whoever waits for several things. */

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/list.h"
#include "sync/lock.h"
#include "sync/wait.h"
#include "weir/future.h"

struct wi_future_callback;

/* Promise and future are one object. */
struct weir_future {
    /* constant after init */
    size_t value_bytes;
    /* atomic */
    wi_atomic_u32 references;
    wi_atomic_u32 state; /* enum weir_future_state; written under lock */
    /* guarded by lock until DONE or CANCELED, then constant */
    struct wi_lock lock;
    int result;
    /* guarded by lock */
    struct wi_list waiters;
    struct wi_future_callback *callbacks;
    struct wi_future_callback **callbacks_end;
    /* as result */
    alignas(max_align_t) uint8_t value[];
};

extern const struct wi_waitable wi_future_waitable;

/* Whether it is DONE or CANCELED.  Under the lock: if not, a waiter that is queued will be told. */
static inline bool wi_future_ended(const struct weir_future *future)
{
    return wi_load_acquire(&future->state) >= WEIR_FUTURE_DONE;
}

#endif
