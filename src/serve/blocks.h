/* SPDX-License-Identifier: MIT */
#ifndef WI_SERVE_BLOCKS_H
#define WI_SERVE_BLOCKS_H

/* Blocks of memory in four sizes, kept for the next user: requests, heads that have not arrived
 * whole, bodies, answers that are gathered.  Steady traffic takes and gives them without the
 * allocator.
 *
 * Threads: any; one short lock for each size. */

#include <stddef.h>
#include <stdint.h>

enum wi_block_class {
    WI_BLOCK_1K,
    WI_BLOCK_4K,
    WI_BLOCK_16K,
    WI_BLOCK_64K,
    WI_BLOCK_CLASSES
};

/* Bytes of a block of the class. */
static inline size_t wi_block_bytes(enum wi_block_class class)
{
    return (size_t)1024 << (2 * (unsigned)class);
}

/* The smallest class that holds that many bytes (at most 64 KiB). */
enum wi_block_class wi_block_class_for(size_t bytes);

/* A block, or NULL when there is no memory. Aligned as max_align_t; not cleared. */
void *wi_block_take(enum wi_block_class class);
void wi_block_give(enum wi_block_class class, void *block);

/* Blocks of the class that wait for a user, for tests. */
uint32_t wi_block_cached(enum wi_block_class class);

#endif
