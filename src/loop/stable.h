/* SPDX-License-Identifier: MIT */
#ifndef WI_LOOP_STABLE_H
#define WI_LOOP_STABLE_H

/* Type-stable records for everything that a poller's event may name: streams, listeners, and the
 * connections of a server.  Memory of a pool is never given back, because a late event may still
 * touch a record after its owner has closed it (loop/loop.h).
 *
 * A record begins zeroed; one that comes back keeps its bytes, so that what a late event reads is
 * of the right type.
 *
 * Threads: any. */

#include <stddef.h>
#include <stdint.h>

#include "base/slab.h"
#include "sync/lock.h"

struct wi_stable {
    /* constant */
    size_t record_bytes;
    uint32_t cap;
    /* guarded by lock */
    struct wi_lock lock;
    struct wi_slab slab; /* all-zero before the first record is taken */
};

/* The initializer of a pool; `cap_` records at most live at one time. */
#define WI_STABLE_INIT(type, cap_)                                                                 \
    {                                                                                              \
        .record_bytes = sizeof(type), .cap = (cap_)                                                \
    }

/* Takes a record.  0, WEIR_EOVERFLOW or WEIR_ENOMEM. */
WEIR_CHECK int wi_stable_take(struct wi_stable *pool, void **record);

void wi_stable_give(struct wi_stable *pool, void *record);

/* Records are numbered from 0 to wi_stable_made() - 1; a number that was once below it stays
 * good.  Whether the record is in use is the reader's to find out. */
uint32_t wi_stable_made(struct wi_stable *pool);
void *wi_stable_at(struct wi_stable *pool, uint32_t index);

#endif
