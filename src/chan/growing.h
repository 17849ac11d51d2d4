/* SPDX-License-Identifier: MIT */
#ifndef WI_CHAN_GROWING_H
#define WI_CHAN_GROWING_H

/* The buffer of a channel that grows with what is in it, for chan.c and select.c. */

#include <stdbool.h>
#include <stdint.h>

#include "sync/wait.h"

struct weir_chan;

/* 0 or WEIR_ENOMEM; the channel's elem_bytes is set.  Destroying drops the messages. */
WEIR_CHECK int wi_growing_create(struct weir_chan *ch);
void wi_growing_destroy(struct weir_chan *ch);

/* Under the lock, with fewer messages than the channel may hold: the place of a new last message,
 * which counts as sent; NULL if there is no piece of memory for it. */
uint8_t *wi_growing_push_locked(struct weir_chan *ch);

/* Whether that would find a place. */
bool wi_growing_has_room_locked(const struct weir_chan *ch);

/* Under the lock, with a message in it: the oldest; and lets go of it. */
uint8_t *wi_growing_front_locked(struct weir_chan *ch);
void wi_growing_pop_locked(struct weir_chan *ch);

/* A send would have to wait, though the channel may hold more: gets memory and tries again.  The
 * lock is released meanwhile.  As wi_chan_send_locked(). */
int wi_growing_send_locked(struct weir_chan *ch, const void *msg, struct wi_waiter **served);

/* Unlocks and gives memory back that is not needed any more. */
void wi_growing_unlock(struct weir_chan *ch);

/* Before a select: sees to it that a send finds memory, and gives back what is not needed. */
void wi_growing_tend(struct weir_chan *ch, bool sends);

#endif
