/* SPDX-License-Identifier: MIT */
#ifndef WI_CHAN_MUTEX_H
#define WI_CHAN_MUTEX_H

/* The inside of a mutex, for mutex.c and cond.c; the protocol is in mutex.c. */

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/list.h"
#include "sync/lock.h"
#include "sync/parker.h"
#include "weir/mutex.h"

struct weir_mutex {
    wi_atomic_u64 word; /* the holder's parker, 0 when free, with the two bits of mutex.c */
    /* guarded by lock */
    struct wi_lock lock;
    struct wi_list waiters; /* waiters; data: a struct patience */
};

/* Whether the caller's parker is the one that holds it.  The caller. */
bool wi_mutex_held_by(const struct weir_mutex *mutex, const struct wi_parker *self);

#endif
