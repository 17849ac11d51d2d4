/* SPDX-License-Identifier: MIT */
/* The run queue's ring; the protocol is in runq.h. */
#include "sync/runq.h"

#include "base/check.h"

void wi_runq_init(struct wi_runq *queue, bool shared)
{
    queue->shared = shared;
    wi_store_relaxed(&queue->head, 0);
    wi_store_relaxed(&queue->tail, 0);
    for (int i = 0; i < WI_RUNQ_SLOTS; i++)
        wi_store_relaxed(&queue->slots[i], NULL);
}

int wi_runq_spill(struct wi_runq *queue, void **items)
{
    uint32_t tail = wi_load_relaxed(&queue->tail);
    uint32_t head = wi_load_acquire(&queue->head);
    const uint32_t half = WI_RUNQ_SLOTS / 2;
    if (tail - head < half)
        return 0;
    for (uint32_t i = 0; i < half; i++)
        items[i] = wi_load_relaxed(&queue->slots[(head + i) % WI_RUNQ_SLOTS]);
    return wi_cas_acq_rel(&queue->head, &head, head + half) ? (int)half : 0;
}

int wi_runq_steal(struct wi_runq *victim, struct wi_runq *own)
{
    uint32_t own_tail = wi_load_relaxed(&own->tail);
    wi_bug_unless_cmp(own_tail - wi_load_acquire(&own->head), <=, WI_RUNQ_SLOTS / 2);
    uint32_t head = wi_load_acquire(&victim->head); /* c */
    for (;;) {
        uint32_t tail = wi_load_acquire(&victim->tail); /* c */
        uint32_t count = tail - head;
        count -= count / 2;
        if (count == 0)
            return 0;
        if (count > WI_RUNQ_SLOTS / 2) { /* head and tail were read too far apart */
            head = wi_load_acquire(&victim->head);
            continue;
        }
        for (uint32_t i = 0; i < count; i++) {
            void *item = wi_load_relaxed(&victim->slots[(head + i) % WI_RUNQ_SLOTS]); /* d */
            wi_store_relaxed(&own->slots[(own_tail + i) % WI_RUNQ_SLOTS], item);
        }
        if (wi_cas_acq_rel(&victim->head, &head, head + count)) { /* e */
            wi_store_seq_cst(&own->tail, own_tail + count);       /* b */
            return (int)count;
        }
    }
}
