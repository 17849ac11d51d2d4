/* SPDX-License-Identifier: MIT */
/* Pools of type-stable records over base/slab, with pages from the operating system.  The slab is
 * set up with the first record, so that a pool can be a static variable. */
#include "loop/stable.h"

#include "base/check.h"
#include "os/vm.h"

static const struct wi_slab_source pages = { .map = wi_vm_map, .unmap = wi_vm_unmap };

int wi_stable_take(struct wi_stable *pool, void **record)
{
    uint32_t index = 0;
    wi_lock(&pool->lock);
    if (pool->slab.stride_bytes == 0)
        wi_slab_init(&pool->slab, pool->record_bytes, pool->cap, pages);
    const int rc = wi_slab_alloc(&pool->slab, &index);
    wi_unlock(&pool->lock);
    if (rc == 0)
        *record = wi_slab_at(&pool->slab, index);
    return rc;
}

void wi_stable_give(struct wi_stable *pool, void *record)
{
    const uint32_t index = wi_slab_index(&pool->slab, record);
    wi_lock(&pool->lock);
    wi_slab_free(&pool->slab, index);
    wi_unlock(&pool->lock);
}

uint32_t wi_stable_made(struct wi_stable *pool)
{
    wi_lock(&pool->lock);
    const uint32_t made = pool->slab.made;
    wi_unlock(&pool->lock);
    return made;
}

void *wi_stable_at(struct wi_stable *pool, uint32_t index)
{
    return wi_slab_at(&pool->slab, index);
}
