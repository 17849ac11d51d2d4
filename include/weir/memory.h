/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MEMORY_H
#define WEIR_MEMORY_H

/* The allocator under the library's heap. */

#include <stddef.h>

#include "weir/err.h"

/* Two functions with the contracts of malloc and free; called from any thread. */
struct weir_allocator {
    void *(*allocate)(void *user, size_t bytes);
    void (*release)(void *user, void *memory);
    void *user;
};

/* Sets the allocator, copied, for the rest of the process.
 * 0; WEIR_EINVAL a function is missing; WEIR_EALREADY the library has allocated by now.
 * Callers: thread: one, before any other weir call; never waits. */
WEIR_API WEIR_CHECK int weir_allocator_set(const struct weir_allocator *allocator);

#endif
