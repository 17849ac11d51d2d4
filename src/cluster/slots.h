/* SPDX-License-Identifier: MIT */
#ifndef WI_CLUSTER_SLOTS_H
#define WI_CLUSTER_SLOTS_H

/* Memory that the primary shares with its workers: one slot each, made before the first fork, so
 * that what a worker counted is still there when it has died.
 *
 * A slot is a head, which cluster/ uses, and a payload of the owner's, which only the owner
 * understands.  When a worker has died the primary folds its payload into the total and clears
 * the slot for the successor: counters never fall.
 *
 * Threads: a slot's words are atomic; the worker writes them while it lives, the primary when it
 * has been reaped.  The total is the primary's. */

#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "weir/err.h"

enum wi_member_state {
    WI_MEMBER_NONE = 0, /* no process */
    WI_MEMBER_STARTING, /* forked, not ready yet */
    WI_MEMBER_READY,    /* serves */
    WI_MEMBER_DRAINING, /* finishes what it has, takes nothing new */
};

enum {
    WI_SLOT_REASON_BYTES = 256,
    WI_SLOTS_MAX = 256
};

struct wi_slot {
    /* atomic; written by the worker */
    wi_atomic_int state;    /* enum wi_member_state */
    wi_atomic_i64 ready_at; /* weir_now() when it became ready; 0: never */
    /* owner: the worker until it was reaped; why it ended at its start, or "" */
    char reason[WI_SLOT_REASON_BYTES];
};

struct wi_slots {
    /* constant after init */
    char *memory;
    size_t bytes;
    size_t stride;
    size_t payload_bytes;
    int count;
    void (*fold)(void *total, const void *dead);
};

/* Maps `count` slots (1 to WI_SLOTS_MAX) and the total, all zero.
 *   fold  adds a dead worker's counters to the total; gauges it leaves alone
 * 0 or WEIR_ENOMEM. */
WEIR_CHECK int wi_slots_open(struct wi_slots *slots, int count, size_t payload_bytes,
                             void (*fold)(void *total, const void *dead));
void wi_slots_close(struct wi_slots *slots);

/* The head and the payload (on a cache line of its own) of slot `index`; the total's payload. */
struct wi_slot *wi_slots_head(const struct wi_slots *slots, int index);
void *wi_slots_payload(const struct wi_slots *slots, int index);
void *wi_slots_total(const struct wi_slots *slots);

/* After the death of the worker: folds and clears. */
void wi_slots_retire(struct wi_slots *slots, int index);

#endif
