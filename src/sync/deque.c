/* SPDX-License-Identifier: MIT */
/* The work-stealing deque; the protocol is in deque.h.  Indices only grow but for the one step down
 * and up again of a pop; differences are taken modulo 2^32. */
#include "sync/deque.h"

#include "sync/handshake.h"

void wi_deque_init(struct wi_deque *deque, bool shared)
{
    deque->shared = shared;
    wi_store_relaxed(&deque->top, 0);
    wi_store_relaxed(&deque->bottom, 0);
    for (int i = 0; i < WI_DEQUE_SLOTS; i++)
        wi_store_relaxed(&deque->slots[i], NULL);
}

void *wi_deque_pop_some(struct wi_deque *deque)
{
    const uint32_t bottom = wi_load_relaxed(&deque->bottom);
    uint32_t top = wi_load_relaxed(&deque->top);
    if (bottom == top)
        return NULL; /* top only grows up to bottom */
    const uint32_t last = bottom - 1;
    void *item = wi_load_relaxed(&deque->slots[last % WI_DEQUE_SLOTS]);
    if (!deque->shared) {
        wi_store_relaxed(&deque->bottom, last);
        return item;
    }
    wi_store_light(&deque->bottom, last); /* c */
    top = wi_load_seq_cst(&deque->top);   /* d */
    if ((int32_t)(last - top) > 0)
        return item;
    if (last != top || !wi_cas_seq_cst(&deque->top, &top, top + 1)) /* e */
        item = NULL;
    wi_store_release(&deque->bottom, bottom);
    return item;
}

void *wi_deque_pop_oldest(struct wi_deque *deque)
{
    uint32_t top = wi_load_acquire(&deque->top);
    for (;;) {
        if (wi_load_relaxed(&deque->bottom) == top)
            return NULL;
        void *item = wi_load_relaxed(&deque->slots[top % WI_DEQUE_SLOTS]);
        if (wi_cas_seq_cst(&deque->top, &top, top + 1)) /* e */
            return item;
    }
}

void *wi_deque_steal(struct wi_deque *deque)
{
    if (wi_deque_count(deque) == 0)
        return NULL;                                         /* not worth a barrier */
    uint32_t top = wi_load_acquire(&deque->top);             /* f */
    wi_handshake_barrier();                                  /* g */
    const uint32_t bottom = wi_load_seq_cst(&deque->bottom); /* h */
    if ((int32_t)(bottom - top) <= 0)
        return NULL;
    void *item = wi_load_relaxed(&deque->slots[top % WI_DEQUE_SLOTS]);
    return wi_cas_seq_cst(&deque->top, &top, top + 1) ? item : NULL; /* e */
}
