/* SPDX-License-Identifier: MIT */
#ifndef WI_SYNC_RUNQ_H
#define WI_SYNC_RUNQ_H

/* The run queue of a worker: a bounded ring, first in first out, one producer, many consumers.
 *
 * The owner pushes at the tail; owner and thieves take from the head by compare-and-swap.  FIFO and
 * not Chase-Lev's LIFO, because requests are served in the order of their coming.
 * Protocol:
 *   push (owner): a: writes the slot, b: tail (seq_cst, also in steal: the owner then reads whether
 *                 somebody sleeps, and a sleeper says so before it reads tail; task/worker.c).
 *   pop  (owner), steal (others): c: head acquire, tail acquire (pairs with b), d: reads the slots,
 *                 e: CAS head, release: the owner may overwrite a slot only once head is past it;
 *                 push's acquire load of head pairs with it.
 * A thief may read a slot that is being overwritten; then head has moved and its CAS fails.
 * A queue that nobody steals from (`shared` false) does without the locked instructions of b and e:
 * producer and consumer are one thread, and it cannot sleep while it pushes.
 * Source: the ring of Go's runtime (runqput, runqgrab), which tokio follows too. */

#include <stdbool.h>
#include <stddef.h>

#include "arch/cpu.h"
#include "base/atomic.h"

enum {
    WI_RUNQ_SLOTS = 256
};

struct wi_runq {
    _Alignas(WI_CACHE_LINE_BYTES) wi_atomic_u32 head; /* consumers */
    _Alignas(WI_CACHE_LINE_BYTES) wi_atomic_u32 tail; /* owner writes */
    bool shared;                                      /* constant after init: there are thieves */
    wi_atomic_ptr slots[WI_RUNQ_SLOTS];
};

void wi_runq_init(struct wi_runq *queue, bool shared);

/* Owner.  False if it is full. */
static inline bool wi_runq_push(struct wi_runq *queue, void *item)
{
    uint32_t tail = wi_load_relaxed(&queue->tail);
    if (tail - wi_load_acquire(&queue->head) == WI_RUNQ_SLOTS) /* pairs with e */
        return false;
    wi_store_relaxed(&queue->slots[tail % WI_RUNQ_SLOTS], item); /* a */
    if (queue->shared)
        wi_store_seq_cst(&queue->tail, tail + 1); /* b */
    else
        wi_store_release(&queue->tail, tail + 1);
    return true;
}

/* Owner.  NULL if it is empty. */
static inline void *wi_runq_pop(struct wi_runq *queue)
{
    uint32_t tail = wi_load_relaxed(&queue->tail);
    uint32_t head = wi_load_acquire(&queue->head); /* c */
    for (;;) {
        if (head == tail)
            return NULL;
        void *item = wi_load_relaxed(&queue->slots[head % WI_RUNQ_SLOTS]); /* d */
        if (!queue->shared) {
            wi_store_release(&queue->head, head + 1);
            return item;
        }
        if (wi_cas_acq_rel(&queue->head, &head, head + 1)) /* e */
            return item;
    }
}

/* Owner, when full: takes the older half out into `items` (WI_RUNQ_SLOTS / 2 places).  How many: 0
 * if a thief made room meanwhile. */
int wi_runq_spill(struct wi_runq *queue, void **items);

/* Thief: moves half of `victim` (rounded up) to its own, empty queue.  How many. */
int wi_runq_steal(struct wi_runq *victim, struct wi_runq *own);

/* Owner: how many there are, or fewer by now. */
static inline uint32_t wi_runq_own_count(struct wi_runq *queue)
{
    return wi_load_relaxed(&queue->tail) - wi_load_relaxed(&queue->head);
}

/* A hint for everybody but the owner. */
static inline uint32_t wi_runq_count(struct wi_runq *queue)
{
    uint32_t head = wi_load_acquire(&queue->head);
    uint32_t tail = wi_load_seq_cst(&queue->tail);
    return tail - head <= WI_RUNQ_SLOTS ? tail - head : 0;
}

#endif
