/* SPDX-License-Identifier: MIT */
#ifndef WI_BASE_ALLOC_H
#define WI_BASE_ALLOC_H

/* All heap memory of the library comes from here, so that a program can put its own allocator
 * under it.  Stacks, control blocks and rings are mapped pages and do not pass through. */

#include <stddef.h>

/* `bytes` of undefined content, or NULL. */
void *wi_alloc(size_t bytes);

/* `count` times `bytes` of zeroes, or NULL; also when the product overflows. */
void *wi_alloc_zeroed(size_t count, size_t bytes);

/* NULL is fine. */
void wi_free(void *memory);

/* A copy of a text, or NULL. */
char *wi_strdup(const char *text);

#endif
