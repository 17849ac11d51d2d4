/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_STACK_H
#define WI_TASK_STACK_H

/* Stacks: mapped in groups, guarded, pooled, given to a task at its first run.
 *
 * A stack of size class c has 2^c usable bytes above a guard of WI_STACK_GUARD_BYTES (smaller for
 * classes below it).  Free stacks lie in a cache of their worker (default class only), behind it
 * in a global pool by class.  The pool gives pages of stacks beyond its warm share back to the
 * kernel when the runtime idles.  Guards: doc/design/0004-stacks.md. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/list.h"
#include "task/meter.h"
#include "task/sanitize.h"
#include "weir/err.h"
#include "weir/time.h"

enum {
    WI_STACK_GUARD_BYTES = 65536,
    WI_STACK_CLASS_MIN = 14,     /* 16 KiB */
    WI_STACK_CLASS_DEFAULT = 16, /* 64 KiB */
    WI_STACK_CLASS_MAX = 26,     /* 64 MiB */
    WI_STACK_CACHE_MAX = 64,     /* free stacks that a worker keeps */
    WI_STACK_COLOURS = 32,
    WI_STACK_COLOUR_BYTES = 64,
};

struct wi_stack {
    struct wi_stack *next; /* owner: the cache or pool it lies in */
    uint8_t *low;          /* constant: the first usable byte */
    uint8_t size_class;    /* constant */
    bool guarded;          /* constant: an access below `low` faults */
    bool warm;             /* owner: the pool; its pages may be resident */
    weir_time parked_at;   /* owner: the scheduler; when its task stopped last, roughly */
    struct wi_meter meter; /* its task's, if that is metered */
    uint32_t watch;        /* constant: os/watch.h's handle; 0 when nobody watches */
    WI_TSAN_MEMBER         /* owner: the task that it is attached to */
};

/* A worker's cache. */
struct wi_stack_cache {
    struct wi_stack *first;
    int count;
};

/* Before the first use in a process.  `bytes` 0: 64 KiB. */
void wi_stack_pool_open(size_t default_bytes);
void wi_stack_pool_close(void);

/* Makes sure that a first task of default size will find its stack: a runtime that could not run
 * even one must not open.  WEIR_ENOMEM. */
WEIR_CHECK int wi_stack_pool_reserve(void);

/* A stack of at least `bytes` (0: the default).  `cache` may be NULL.  WEIR_ENOMEM. */
WEIR_CHECK int wi_stack_take(struct wi_stack_cache *cache, size_t bytes, struct wi_stack **out);
void wi_stack_give(struct wi_stack_cache *cache, struct wi_stack *stack);

/* wi_stack_take() of the default size from the cache alone; NULL: it is empty. */
static inline struct wi_stack *wi_stack_take_cached(struct wi_stack_cache *cache)
{
    struct wi_stack *stack = cache->first;
    if (stack != NULL) {
        cache->first = stack->next;
        cache->count--;
    }
    return stack;
}

/* Where a task begins: the end of the stack, less an offset by its number that spreads tasks over
 * the cache sets (64 KiB strides alias: 12 to 14 ns a task against 0.9 to 5.6). */
void wi_stack_watch_fresh(const struct wi_stack *stack); /* for somebody who watches */

static inline size_t wi_stack_bytes(const struct wi_stack *stack)
{
    return (size_t)1 << stack->size_class;
}

static inline void *wi_stack_start(const struct wi_stack *stack, uint64_t task_number)
{
    const size_t colour = (size_t)(task_number % WI_STACK_COLOURS) * WI_STACK_COLOUR_BYTES;
    if (wi_unlikely(stack->watch != 0))
        wi_stack_watch_fresh(stack);
    return stack->low + wi_stack_bytes(stack) - colour;
}

/* Whether the address lies in the guard of this stack. */
bool wi_stack_guards(const struct wi_stack *stack, const void *address);

/* For unguarded stacks: false if the canary at the low end was overwritten. */
bool wi_stack_intact(const struct wi_stack *stack);

/* Gives pages of free stacks beyond the warm share back. */
void wi_stack_pool_trim(void);

/* For statistics. */
int64_t wi_stack_count_mapped(void);
int64_t wi_stack_count_in_use(void); /* also those in caches of workers */
const char *wi_stack_guard_name(void);

#endif
