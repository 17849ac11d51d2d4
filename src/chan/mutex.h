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
    wi_atomic_u64 word; /* the holder's parker and a bit, 0 when free; see mutex.c */
    /* guarded by lock */
    struct wi_lock lock;
    bool woken;             /* a waiter was told to try again, and has not yet */
    struct wi_list waiters; /* waiters; data: a struct patience */
};

/* Aborts unless the caller holds it; `call` is what it called. */
void wi_mutex_check_holder(const struct weir_mutex *mutex, const char *call);

#endif
