/* SPDX-License-Identifier: MIT */
/* The allocator hook.  `hook` is written once, before the first allocation, and only read after;
 * `used` keeps a late change from handing memory of one allocator to another. */
#include "base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/check.h"
#include "weir/memory.h"

static struct weir_allocator hook; /* all NULL: the C library's */
static wi_atomic_u32 used;

int weir_allocator_set(const struct weir_allocator *allocator)
{
    wi_bug_unless(allocator != NULL);
    if (allocator->allocate == NULL || allocator->release == NULL)
        return WEIR_EINVAL;
    if (wi_load_relaxed(&used) != 0)
        return WEIR_EALREADY;
    hook = *allocator;
    return 0;
}

void *wi_alloc(size_t bytes)
{
    if (wi_unlikely(wi_load_relaxed(&used) == 0))
        wi_store_relaxed(&used, 1);
    return hook.allocate != NULL ? hook.allocate(hook.user, bytes) : malloc(bytes);
}

void *wi_alloc_zeroed(size_t count, size_t bytes)
{
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total))
        return NULL;
    void *memory = wi_alloc(total);
    if (memory != NULL)
        memset(memory, 0, total);
    return memory;
}

void wi_free(void *memory)
{
    if (memory == NULL)
        return;
    if (hook.release != NULL)
        hook.release(hook.user, memory);
    else
        free(memory);
}

char *wi_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = wi_alloc(bytes);
    if (copy != NULL)
        memcpy(copy, text, bytes);
    return copy;
}
