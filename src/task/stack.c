/* SPDX-License-Identifier: MIT */
/* Stacks; see stack.h.
 *
 * Records of stacks lie outside the stacks, in memory that stays, so a trimmed stack loses nothing
 * that is needed.  All pool state is guarded by pool.lock; caches belong to whoever holds their
 * worker.
 *
 * Rejected: one mapping for each stack (two mappings with its guard: 32,754 stacks exhaust
 * vm.max_map_count); links inside free stacks (trimming would cut them). */
#include "task/stack.h"

#include <string.h>

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/check.h"
#include "os/vm.h"
#include "os/watch.h"
#include "sync/lock.h"

enum {
    CLASSES = WI_STACK_CLASS_MAX + 1,
    GROUP_BYTES = 4 << 20, /* what one mapping aims at */
    WARM_STACKS_MAX = 256, /* free stacks in the pool that keep their pages */
};

static const uint64_t CANARY = 0x7765697263616e61u;

struct stack_group {
    struct stack_group *next;
    void *base;
    size_t bytes;
    size_t count;
    struct wi_stack stacks[];
};

static struct {
    struct wi_lock lock;
    /* constant after open */
    size_t default_bytes;
    int default_class;
    int class_min; /* no stack is smaller than a page */
    enum wi_vm_guard guard_kind;
    size_t mprotect_guards_max;
    /* guarded by lock */
    struct stack_group *groups;
    struct wi_stack *free_stacks[CLASSES];
    int64_t free_count;
    size_t mprotect_guards;
    /* atomic */
    wi_atomic_i64 mapped;
} pool;

static int class_of(size_t bytes)
{
    if (bytes == 0)
        return pool.default_class;
    int size_class = pool.class_min;
    while (size_class < WI_STACK_CLASS_MAX && ((size_t)1 << size_class) < bytes)
        size_class++;
    return size_class;
}

void wi_stack_pool_open(size_t default_bytes)
{
    wi_lock_init(&pool.lock);
    pool.default_bytes = default_bytes != 0 ? default_bytes : (size_t)1 << WI_STACK_CLASS_DEFAULT;
    pool.class_min = WI_STACK_CLASS_MIN;
    while (((size_t)1 << pool.class_min) < wi_vm_page_bytes())
        pool.class_min++;
    pool.default_class = class_of(pool.default_bytes);
    pool.guard_kind = wi_vm_guard_kind();
    pool.mprotect_guards_max = wi_vm_map_count_max() / 4;
    pool.groups = NULL;
    memset(pool.free_stacks, 0, sizeof(pool.free_stacks));
    pool.free_count = 0;
    pool.mprotect_guards = 0;
    wi_store_relaxed(&pool.mapped, 0);
}

void wi_stack_pool_close(void)
{
    struct stack_group *group = pool.groups;
    while (group != NULL) {
        struct stack_group *next = group->next;
        for (size_t i = 0; i < group->count; i++) {
            if (group->stacks[i].watch != 0)
                wi_watch_stack_forget(group->stacks[i].watch);
            wi_tsan_forget(&group->stacks[i]);
        }
        wi_vm_unmap(group->base, group->bytes);
        wi_free(group);
        group = next;
    }
    pool.groups = NULL;
    memset(pool.free_stacks, 0, sizeof(pool.free_stacks));
    pool.free_count = 0;
    wi_store_relaxed(&pool.mapped, 0);
}

static size_t guard_bytes_of(int size_class)
{
    size_t bytes = (size_t)1 << size_class;
    return bytes < WI_STACK_GUARD_BYTES ? bytes : WI_STACK_GUARD_BYTES;
}

/* Makes the guard below a stack.  False: none, the canary has to do. */
static bool guard_locked(uint8_t *address, size_t bytes)
{
    enum wi_vm_guard kind = pool.guard_kind;
    if (kind == WI_VM_GUARD_NONE)
        return false;
    if (kind == WI_VM_GUARD_MPROTECT && pool.mprotect_guards >= pool.mprotect_guards_max)
        return false;
    if (wi_vm_guard_install(address, bytes, kind) != 0)
        return false;
    if (kind == WI_VM_GUARD_MPROTECT)
        pool.mprotect_guards++;
    return true;
}

static int map_group_locked(int size_class)
{
    const size_t guard_bytes = guard_bytes_of(size_class);
    const size_t stride = ((size_t)1 << size_class) + guard_bytes;
    size_t count = stride < GROUP_BYTES ? GROUP_BYTES / stride : 1;
    struct stack_group *group = wi_alloc(sizeof(*group) + count * sizeof(group->stacks[0]));
    if (group == NULL)
        return WEIR_ENOMEM;
    int rc = wi_vm_map(stride * count, &group->base);
    if (rc != 0 && count > 1) { /* short of address space (ulimit -v), one may still fit */
        count = 1;
        rc = wi_vm_map(stride, &group->base);
    }
    if (rc != 0) {
        wi_free(group);
        return rc;
    }
    group->bytes = stride * count;
    group->count = count;
    group->next = pool.groups;
    pool.groups = group;
    for (size_t i = 0; i < count; i++) {
        struct wi_stack *stack = &group->stacks[i];
        uint8_t *base = (uint8_t *)group->base + i * stride;
        stack->low = base + guard_bytes;
        stack->size_class = (uint8_t)size_class;
        stack->warm = false;
        wi_tsan_init(stack);
        stack->watch = wi_watch_stack(stack->low, (size_t)1 << size_class);
        stack->guarded = guard_locked(base, guard_bytes);
        if (!stack->guarded)
            memcpy(stack->low, &CANARY, sizeof(CANARY));
        stack->next = pool.free_stacks[size_class];
        pool.free_stacks[size_class] = stack;
    }
    pool.free_count += (int64_t)count;
    (void)wi_add_relaxed(&pool.mapped, (int64_t)count);
    return 0;
}

int wi_stack_pool_reserve(void)
{
    const int size_class = pool.default_class;
    wi_lock(&pool.lock);
    const int rc = pool.free_stacks[size_class] == NULL ? map_group_locked(size_class) : 0;
    wi_unlock(&pool.lock);
    return rc;
}

int wi_stack_take(struct wi_stack_cache *cache, size_t bytes, struct wi_stack **out)
{
    const int size_class = class_of(bytes);
    if (cache != NULL && cache->first != NULL && cache->first->size_class == size_class) {
        *out = cache->first;
        cache->first = cache->first->next;
        cache->count--;
        return 0;
    }
    wi_lock(&pool.lock);
    if (pool.free_stacks[size_class] == NULL) {
        int rc = map_group_locked(size_class);
        if (rc != 0) {
            wi_unlock(&pool.lock);
            return rc;
        }
    }
    struct wi_stack *stack = pool.free_stacks[size_class];
    pool.free_stacks[size_class] = stack->next;
    pool.free_count--;
    wi_unlock(&pool.lock);
    *out = stack;
    return 0;
}

void wi_stack_give(struct wi_stack_cache *cache, struct wi_stack *stack)
{
    if (cache != NULL && cache->count < WI_STACK_CACHE_MAX &&
        stack->size_class == pool.default_class) {
        stack->next = cache->first;
        cache->first = stack;
        cache->count++;
        return;
    }
    wi_lock(&pool.lock);
    stack->warm = true;
    stack->next = pool.free_stacks[stack->size_class];
    pool.free_stacks[stack->size_class] = stack;
    pool.free_count++;
    wi_unlock(&pool.lock);
}

void wi_stack_watch_fresh(const struct wi_stack *stack)
{
    wi_watch_stack_fresh(stack->low + sizeof(CANARY), wi_stack_bytes(stack) - sizeof(CANARY));
}

bool wi_stack_guards(const struct wi_stack *stack, const void *address)
{
    const uint8_t *at = address;
    return at < stack->low && at >= stack->low - guard_bytes_of(stack->size_class);
}

bool wi_stack_intact(const struct wi_stack *stack)
{
    return stack->guarded || memcmp(stack->low, &CANARY, sizeof(CANARY)) == 0;
}

void wi_stack_pool_trim(void)
{
    wi_lock(&pool.lock);
    int64_t warm = 0;
    for (int size_class = 0; size_class < CLASSES; size_class++) {
        for (struct wi_stack *stack = pool.free_stacks[size_class]; stack != NULL;
             stack = stack->next) {
            if (!stack->warm || ++warm <= WARM_STACKS_MAX)
                continue;
            wi_vm_trim(stack->low, wi_stack_bytes(stack));
            if (!stack->guarded)
                memcpy(stack->low, &CANARY, sizeof(CANARY));
            stack->warm = false;
        }
    }
    wi_unlock(&pool.lock);
}

int64_t wi_stack_count_mapped(void)
{
    return wi_load_relaxed(&pool.mapped);
}

int64_t wi_stack_count_in_use(void)
{
    wi_lock(&pool.lock);
    int64_t count = wi_load_relaxed(&pool.mapped) - pool.free_count;
    wi_unlock(&pool.lock);
    return count;
}

const char *wi_stack_guard_name(void)
{
    switch (pool.guard_kind) {
    case WI_VM_GUARD_INSTALL:
        return "install";
    case WI_VM_GUARD_MPROTECT:
        return "mprotect";
    case WI_VM_GUARD_NONE:
        break;
    }
    return "canary";
}
