/* SPDX-License-Identifier: MIT */
/* Block caches: a stack for each class, newest first because its lines are still warm.  A stack
 * keeps about CACHE_BYTES; what comes back beyond that goes to the allocator, so a wave of requests
 * does not hold its memory for ever.
 *
 * Invariant: count <= cap of the class, and count is the length of the list.
 * Threads: each class is guarded by its lock. */
#include "serve/blocks.h"

#include "base/alloc.h"
#include "base/check.h"
#include "sync/lock.h"

enum {
    CACHE_BYTES = 1024 * 1024
};

struct free_block {
    struct free_block *next;
};

struct block_stack {
    _Alignas(64) struct wi_lock lock;
    /* guarded by lock */
    struct free_block *first;
    uint32_t count;
};

static struct block_stack stacks[WI_BLOCK_CLASSES];

enum wi_block_class wi_block_class_for(size_t bytes)
{
    wi_bug_unless_cmp(bytes, <=, wi_block_bytes(WI_BLOCK_64K));
    enum wi_block_class class = WI_BLOCK_1K;
    while (wi_block_bytes(class) < bytes)
        class ++;
    return class;
}

void *wi_block_take(enum wi_block_class class)
{
    struct block_stack *stack = &stacks[class];
    wi_lock(&stack->lock);
    struct free_block *block = stack->first;
    if (block != NULL) {
        stack->first = block->next;
        stack->count--;
    }
    wi_unlock(&stack->lock);
    return block != NULL ? block : wi_alloc(wi_block_bytes(class));
}

void wi_block_give(enum wi_block_class class, void *memory)
{
    wi_bug_unless(memory != NULL);
    struct block_stack *stack = &stacks[class];
    struct free_block *block = memory;
    wi_lock(&stack->lock);
    const int keep = stack->count < CACHE_BYTES / wi_block_bytes(class);
    if (keep) {
        block->next = stack->first;
        stack->first = block;
        stack->count++;
    }
    wi_unlock(&stack->lock);
    if (!keep)
        wi_free(block);
}

uint32_t wi_block_cached(enum wi_block_class class)
{
    wi_lock(&stacks[class].lock);
    const uint32_t count = stacks[class].count;
    wi_unlock(&stacks[class].lock);
    return count;
}
