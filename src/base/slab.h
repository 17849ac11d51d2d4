/* SPDX-License-Identifier: MIT */
#ifndef WI_BASE_SLAB_H
#define WI_BASE_SLAB_H

/* Type-stable records of one size, found by a 32-bit index.
 *
 * Records lie in chunks that are never given back while the slab lives, so an address or an index
 * of a freed record stays readable: a late wake touches a record, never foreign memory.  A freed
 * record keeps its contents; its number and the link of the free list live in a trailer behind it.
 * A fresh record is zero.  Records begin at multiples of WI_SLAB_ALIGN, and a record of a multiple
 * of that less WI_SLAB_TRAILER_BYTES wastes nothing.
 *
 * Many owners can share one slab without a lock on the way: each keeps a wi_slab_cache and takes
 * the slab's lock only to refill or spill a batch.
 *
 * Invariant: used + length of the free list == made <= room <= cap, see wi_slab_valid().
 * Threads: alloc and free are guarded by the caller's lock; wi_slab_at() and wi_slab_index() run
 * anywhere without one for an index that was allocated before (the chunk table is written once for
 * each chunk, before its first index is handed out). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "weir/err.h"

#define WI_SLAB_NONE UINT32_MAX

enum {
    WI_SLAB_ALIGN = 64,
    WI_SLAB_TRAILER_BYTES = 8,
    WI_SLAB_CHUNKS_MAX = 1024,
    WI_SLAB_CACHE_MAX = 64,
    WI_SLAB_RECORD_BYTES_MAX = 64 * 1024 - WI_SLAB_TRAILER_BYTES,
};

/* Where chunks come from; base/ knows no pages.  `map` gives zeroed memory aligned to at least
 * WI_SLAB_ALIGN, or a code. */
struct wi_slab_source {
    int (*map)(size_t bytes, void **out);
    void (*unmap)(void *memory, size_t bytes);
};

struct wi_slab {
    /* constant after init */
    struct wi_slab_source source;
    size_t stride_bytes;  /* record and trailer, a multiple of WI_SLAB_ALIGN */
    size_t chunk_bytes;   /* a multiple of 64 KiB, and so of every page size */
    uint32_t chunk_shift; /* records of a chunk, as a power of two */
    uint32_t cap;         /* the most records */
    /* guarded by the caller's lock */
    uint32_t made; /* records that were handed out at least once: indices below it are valid */
    uint32_t room; /* records that the chunks hold, at most cap */
    uint32_t first_free;
    uint32_t used;
    /* atomic: written once for each chunk; pairs with wi_slab_at() */
    wi_atomic_ptr chunks[WI_SLAB_CHUNKS_MAX];
};

/* Maps nothing yet.
 *
 *   record_bytes  from 1 to WI_SLAB_RECORD_BYTES_MAX
 *   cap           the most records at one time, from 1 to WI_SLAB_NONE - 1 */
void wi_slab_init(struct wi_slab *slab, size_t record_bytes, uint32_t cap,
                  struct wi_slab_source source);

/* Gives all chunks back; the caller guarantees that nobody touches a record any more. */
void wi_slab_fini(struct wi_slab *slab);

/* Takes a record; *out is its index.  0, WEIR_EOVERFLOW (the cap is reached) or what map gave. */
WEIR_CHECK int wi_slab_alloc(struct wi_slab *slab, uint32_t *out);

/* Gives a record back; its contents stay as they are until it is taken again, and after. */
void wi_slab_free(struct wi_slab *slab, uint32_t index);

/* The record of an index that was allocated once.  Callers: any thread. */
void *wi_slab_at(const struct wi_slab *slab, uint32_t index);

/* The record, or NULL if no chunk holds the index: for indices that come from elsewhere. */
void *wi_slab_find(const struct wi_slab *slab, uint32_t index);

/* The index of a record; the reverse of wi_slab_at().  Callers: any thread. */
uint32_t wi_slab_index(const struct wi_slab *slab, const void *record);

/* Records in use; those in caches count as used. */
uint32_t wi_slab_used(const struct wi_slab *slab);

bool wi_slab_valid(const struct wi_slab *slab);

/* An owner's own stock of free indices.  Threads: one owner. */
struct wi_slab_cache {
    uint32_t count;
    uint32_t index[WI_SLAB_CACHE_MAX];
};

/* From the stock without a lock; false if it is empty (then refill). */
bool wi_slab_cache_take(struct wi_slab_cache *cache, uint32_t *out);

/* Into the stock without a lock; false if it is full (then spill). */
bool wi_slab_cache_put(struct wi_slab_cache *cache, uint32_t index);

/* Fills the stock to one half.  Call with the slab's lock.  0 if it holds any now, else as
 * wi_slab_alloc(). */
WEIR_CHECK int wi_slab_cache_refill(struct wi_slab_cache *cache, struct wi_slab *slab);

/* Empties the stock down to `keep`.  Call with the slab's lock. */
void wi_slab_cache_spill(struct wi_slab_cache *cache, struct wi_slab *slab, uint32_t keep);

#endif
