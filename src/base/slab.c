/* SPDX-License-Identifier: MIT */
/* Type-stable records; slab.h tells the layout and who may call what. */
#include "base/slab.h"

#include <string.h>

#include "base/check.h"

enum {
    CHUNK_ALIGN = 64 * 1024
};

/* The last bytes of a record's stride. */
struct trailer {
    uint32_t index;
    uint32_t next; /* the next free record, WI_SLAB_NONE at the end, IN_USE off the list */
};

#define IN_USE (WI_SLAB_NONE - 1)

_Static_assert(sizeof(struct trailer) == WI_SLAB_TRAILER_BYTES, "as slab.h tells its users");

static size_t round_up(size_t bytes, size_t to)
{
    return (bytes + to - 1) / to * to;
}

/* Chunks of about CHUNK_ALIGN bytes, more where the table would not reach the cap. */
static uint32_t chunk_shift_of(size_t stride_bytes, uint32_t cap)
{
    uint32_t shift = 0;
    while (((uint64_t)1 << shift) * WI_SLAB_CHUNKS_MAX < cap)
        shift++;
    while (((size_t)2 << shift) * stride_bytes <= CHUNK_ALIGN)
        shift++;
    return shift;
}

void wi_slab_init(struct wi_slab *slab, size_t record_bytes, uint32_t cap,
                  struct wi_slab_source source)
{
    wi_bug_unless_cmp(record_bytes, >, 0);
    wi_bug_unless_cmp(record_bytes, <=, WI_SLAB_RECORD_BYTES_MAX);
    wi_bug_unless_cmp(cap, >, 0);
    wi_bug_unless_cmp(cap, <, IN_USE);
    wi_bug_unless(source.map != NULL);
    wi_bug_unless(source.unmap != NULL);

    const size_t stride = round_up(record_bytes + WI_SLAB_TRAILER_BYTES, WI_SLAB_ALIGN);
    const uint32_t shift = chunk_shift_of(stride, cap);
    memset(slab, 0, sizeof(*slab));
    slab->source = source;
    slab->stride_bytes = stride;
    slab->chunk_shift = shift;
    slab->chunk_bytes = round_up(stride << shift, CHUNK_ALIGN);
    slab->cap = cap;
    slab->first_free = WI_SLAB_NONE;
}

void wi_slab_fini(struct wi_slab *slab)
{
    for (size_t i = 0; i < WI_SLAB_CHUNKS_MAX; i++) {
        void *chunk = wi_load_relaxed(&slab->chunks[i]);
        if (chunk != NULL)
            slab->source.unmap(chunk, slab->chunk_bytes);
    }
    memset(slab, 0, sizeof(*slab));
}

void *wi_slab_find(const struct wi_slab *slab, uint32_t index)
{
    const uint32_t number = index >> slab->chunk_shift;
    if (number >= WI_SLAB_CHUNKS_MAX)
        return NULL;
    char *chunk = wi_load_acquire(&slab->chunks[number]); /* pairs with add_chunk() */
    if (chunk == NULL)
        return NULL;
    const uint32_t within = index & (((uint32_t)1 << slab->chunk_shift) - 1);
    return chunk + (size_t)within * slab->stride_bytes;
}

void *wi_slab_at(const struct wi_slab *slab, uint32_t index)
{
    void *record = wi_slab_find(slab, index);
    wi_bug_unless(record != NULL);
    return record;
}

static struct trailer *trailer_of(const struct wi_slab *slab, const void *record)
{
    const size_t offset = slab->stride_bytes - sizeof(struct trailer);
    return (struct trailer *)(void *)((char *)(uintptr_t)record + offset);
}

static struct trailer *trailer_at(const struct wi_slab *slab, uint32_t index)
{
    return trailer_of(slab, wi_slab_at(slab, index));
}

uint32_t wi_slab_index(const struct wi_slab *slab, const void *record)
{
    return trailer_of(slab, record)->index;
}

static int add_chunk(struct wi_slab *slab)
{
    const uint32_t number = slab->room >> slab->chunk_shift;
    wi_bug_unless_cmp(number, <, WI_SLAB_CHUNKS_MAX);
    void *chunk;
    const int rc = slab->source.map(slab->chunk_bytes, &chunk);
    if (rc != 0)
        return rc;
    wi_bug_unless(((uintptr_t)chunk & (WI_SLAB_ALIGN - 1)) == 0);

    const uint32_t records = (uint32_t)1 << slab->chunk_shift;
    const uint32_t missing = slab->cap - slab->room;
    slab->room += records < missing ? records : missing;
    wi_store_release(&slab->chunks[number], chunk); /* pairs with wi_slab_find() */
    return 0;
}

/* The next record that was never handed out. */
static int make(struct wi_slab *slab, uint32_t *out)
{
    if (slab->made == slab->cap)
        return WEIR_EOVERFLOW;
    if (slab->made == slab->room) {
        const int rc = add_chunk(slab);
        if (rc != 0)
            return rc;
    }
    const uint32_t index = slab->made++;
    *trailer_at(slab, index) = (struct trailer){ .index = index, .next = IN_USE };
    *out = index;
    return 0;
}

int wi_slab_alloc(struct wi_slab *slab, uint32_t *out)
{
    uint32_t index = slab->first_free;
    if (index == WI_SLAB_NONE) {
        const int rc = make(slab, &index);
        if (rc != 0)
            return rc;
    } else {
        struct trailer *trailer = trailer_at(slab, index);
        slab->first_free = trailer->next;
        trailer->next = IN_USE;
    }
    slab->used++;
    *out = index;
    return 0;
}

void wi_slab_free(struct wi_slab *slab, uint32_t index)
{
    wi_bug_unless_cmp(index, <, slab->made);
    struct trailer *trailer = trailer_at(slab, index);
    wi_bug_unless_cmp(trailer->next, ==, IN_USE); /* else it was freed twice, or overrun */
    trailer->next = slab->first_free;
    slab->first_free = index;
    slab->used--;
}

uint32_t wi_slab_used(const struct wi_slab *slab)
{
    return slab->used;
}

bool wi_slab_valid(const struct wi_slab *slab)
{
    uint32_t length = 0;
    for (uint32_t i = slab->first_free; i != WI_SLAB_NONE; i = trailer_at(slab, i)->next) {
        if (i >= slab->made || trailer_at(slab, i)->index != i || length++ > slab->made)
            return false;
    }
    return slab->used + length == slab->made && slab->made <= slab->room && slab->room <= slab->cap;
}

bool wi_slab_cache_take(struct wi_slab_cache *cache, uint32_t *out)
{
    if (cache->count == 0)
        return false;
    *out = cache->index[--cache->count];
    return true;
}

bool wi_slab_cache_put(struct wi_slab_cache *cache, uint32_t index)
{
    if (cache->count == WI_SLAB_CACHE_MAX)
        return false;
    cache->index[cache->count++] = index;
    return true;
}

int wi_slab_cache_refill(struct wi_slab_cache *cache, struct wi_slab *slab)
{
    while (cache->count < WI_SLAB_CACHE_MAX / 2) {
        const int rc = wi_slab_alloc(slab, &cache->index[cache->count]);
        if (rc != 0)
            return cache->count > 0 ? 0 : rc;
        cache->count++;
    }
    return 0;
}

void wi_slab_cache_spill(struct wi_slab_cache *cache, struct wi_slab *slab, uint32_t keep)
{
    while (cache->count > keep)
        wi_slab_free(slab, cache->index[--cache->count]);
}
