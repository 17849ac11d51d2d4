/* SPDX-License-Identifier: MIT */
#ifndef WI_CHAN_CHAN_H
#define WI_CHAN_CHAN_H

/* The inside of a channel, for chan.c and select.c. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "chan/growing.h"
#include "sync/lock.h"
#include "sync/wait.h"
#include "weir/chan.h"

struct weir_chan {
    /* constant after init */
    size_t elem_bytes;
    size_t cap_elems;
    struct wi_growing *growing; /* instead of `buffer`; NULL: see there */
    /* guarded by lock */
    struct wi_lock lock;
    bool closed;
    size_t first; /* index of the oldest message */
    size_t count;
    uint64_t choice;          /* state of select's random choice */
    struct wi_list senders;   /* waiters; data: the message, only read */
    struct wi_list receivers; /* waiters; data: where the message goes */
    uint8_t buffer[];         /* cap_elems messages */
};

/* One try, under the lock.  0 or WEIR_ECLOSED: done; WEIR_EAGAIN: would have to wait.  A peer that
 * was served is left in *served: after the unlock the caller owes it wi_waiter_done(served, 0). */
int wi_chan_send_locked(struct weir_chan *ch, const void *msg, struct wi_waiter **served);
int wi_chan_recv_locked(struct weir_chan *ch, void *msg, struct wi_waiter **served);

/* Whether a try would be more than WEIR_EAGAIN, if every waiter on the queues can be claimed. */
static inline bool wi_chan_sendable_locked(const struct weir_chan *ch)
{
    return ch->closed || ch->count < ch->cap_elems || !wi_list_empty(&ch->receivers);
}

static inline bool wi_chan_receivable_locked(const struct weir_chan *ch)
{
    return ch->closed || ch->count > 0 || !wi_list_empty(&ch->senders);
}

extern const struct wi_waitable wi_chan_send_waitable;
extern const struct wi_waitable wi_chan_recv_waitable;

/* Whether the invariants of chan.c hold. */
bool wi_chan_valid(struct weir_chan *ch);

#endif
