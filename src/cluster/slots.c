/* SPDX-License-Identifier: MIT */
/* Slots of shared memory, one for each worker and one for the total.  See slots.h. */
#include "cluster/slots.h"

#include <string.h>

#include "base/check.h"
#include "os/vm.h"

/* Two cache lines: neighbouring lines are fetched in pairs. */
enum {
    SLOT_ALIGN = 128
};
#define SLOT_HEAD_BYTES (((sizeof(struct wi_slot) + SLOT_ALIGN - 1) / SLOT_ALIGN) * SLOT_ALIGN)

static size_t round_up(size_t bytes, size_t to)
{
    return (bytes + to - 1) / to * to;
}

int wi_slots_open(struct wi_slots *slots, int count, size_t payload_bytes,
                  void (*fold)(void *total, const void *dead))
{
    wi_bug_unless_cmp(count, >=, 1);
    wi_bug_unless_cmp(count, <=, WI_SLOTS_MAX);
    const size_t stride = SLOT_HEAD_BYTES + round_up(payload_bytes, SLOT_ALIGN);
    const size_t bytes = round_up(stride * ((size_t)count + 1), wi_vm_page_bytes());
    void *memory;
    const int rc = wi_vm_map_shared(bytes, &memory);
    if (rc != 0)
        return rc;
    *slots = (struct wi_slots){
        .memory = memory,
        .bytes = bytes,
        .stride = stride,
        .payload_bytes = payload_bytes,
        .count = count,
        .fold = fold,
    };
    return 0;
}

void wi_slots_close(struct wi_slots *slots)
{
    wi_vm_unmap(slots->memory, slots->bytes);
    slots->memory = NULL;
}

struct wi_slot *wi_slots_head(const struct wi_slots *slots, int index)
{
    wi_bug_unless_cmp(index, >=, 0);
    wi_bug_unless_cmp(index, <, slots->count);
    return (struct wi_slot *)(void *)(slots->memory + slots->stride * (size_t)index);
}

void *wi_slots_payload(const struct wi_slots *slots, int index)
{
    wi_bug_unless_cmp(index, >=, 0);
    wi_bug_unless_cmp(index, <=, slots->count);
    return slots->memory + slots->stride * (size_t)index + SLOT_HEAD_BYTES;
}

void *wi_slots_total(const struct wi_slots *slots)
{
    return wi_slots_payload(slots, slots->count);
}

void wi_slots_retire(struct wi_slots *slots, int index)
{
    void *payload = wi_slots_payload(slots, index);
    if (slots->fold != NULL)
        slots->fold(wi_slots_total(slots), payload);
    memset(payload, 0, slots->payload_bytes);
    memset(wi_slots_head(slots, index), 0, sizeof(struct wi_slot));
}
