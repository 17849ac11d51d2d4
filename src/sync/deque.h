/* SPDX-License-Identifier: MIT */
#ifndef WI_SYNC_DEQUE_H
#define WI_SYNC_DEQUE_H

/* A bounded work-stealing deque: the owner pushes and pops at the bottom, last in first out; others
 * take at the top what has lain there longest.  For tasks that were spawned and have not begun: the
 * newest first keeps a tree of tasks as small as its depth, and its memory in the cache; the oldest
 * is the largest piece of such a tree, and so the best to steal.
 *
 * Protocol.
 *   push (owner): a: writes the slot; b: bottom, release.
 *   pop  (owner): c: bottom - 1 (light store), d: reads top.  Above it: the item is the owner's.
 *                 Equal: the last item, for which e decides.
 *   take (others, and the owner from the top): f: reads top, acquire; g: barrier (not the owner);
 *                 h: reads bottom; reads the slot; e: CAS top.
 * c-d and f-h are a lopsided handshake (sync/handshake.h).  A pop and a take could both have the
 * item at index i only if the pop read top < i and the take read top = i and bottom > i.  If h does
 * not see the store of c, that store comes after the barrier g, and so d reads what f read, i, or
 * more: then e decides.  Pairing: b meets h: the slot is seen.
 * A take may read a slot that is being overwritten; then top has moved and its CAS fails.
 *
 * Source: Chase and Lev 2005, with the orders of Lê, Pop, Cohen and Zappa Nardelli 2013, whose
 * fence in pop is the light half of the handshake here.  Bounded: who finds it full moves the older
 * half elsewhere. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/cpu.h"
#include "base/atomic.h"

enum {
    WI_DEQUE_SLOTS = 128
};

struct wi_deque {
    _Alignas(WI_CACHE_LINE_BYTES) wi_atomic_u32 top;    /* everybody, by e */
    _Alignas(WI_CACHE_LINE_BYTES) wi_atomic_u32 bottom; /* owner writes */
    bool shared; /* constant after init: others take from it */
    wi_atomic_ptr slots[WI_DEQUE_SLOTS];
};

void wi_deque_init(struct wi_deque *deque, bool shared);

/* Owner.  False if it is full. */
static inline bool wi_deque_push(struct wi_deque *deque, void *item)
{
    const uint32_t bottom = wi_load_relaxed(&deque->bottom);
    if (bottom - wi_load_acquire(&deque->top) == WI_DEQUE_SLOTS) /* pairs with e */
        return false;
    wi_store_relaxed(&deque->slots[bottom % WI_DEQUE_SLOTS], item); /* a */
    if (deque->shared)
        wi_store_seq_cst(&deque->bottom, bottom + 1); /* b; who pushes then looks for sleepers */
    else
        wi_store_relaxed(&deque->bottom, bottom + 1);
    return true;
}

/* Owner: the newest; NULL if it is empty. */
void *wi_deque_pop_some(struct wi_deque *deque);
static inline void *wi_deque_pop(struct wi_deque *deque)
{
    /* Equal: empty, since top grows only up to bottom. */
    if (wi_load_relaxed(&deque->bottom) == wi_load_relaxed(&deque->top))
        return NULL;
    return wi_deque_pop_some(deque);
}

/* Owner: the oldest; NULL if it is empty. */
void *wi_deque_pop_oldest(struct wi_deque *deque);

/* Anybody else: the oldest; NULL if it is empty or another was faster. */
void *wi_deque_steal(struct wi_deque *deque);

/* Owner: how many there are, or fewer by now.  For everybody else a hint. */
static inline uint32_t wi_deque_count(struct wi_deque *deque)
{
    const uint32_t top = wi_load_acquire(&deque->top);
    const uint32_t count = wi_load_seq_cst(&deque->bottom) - top;
    return count <= WI_DEQUE_SLOTS ? count : 0;
}

#endif
