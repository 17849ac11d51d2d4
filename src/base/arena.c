/* SPDX-License-Identifier: MIT */
/* The bump allocator of one request; arena.h tells who owns what. */
#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

/* Begins every grown block. */
struct wi_arena_block {
    _Alignas(WI_ARENA_ALIGN) struct wi_arena_block *older;
    size_t bytes; /* the whole block */
};

static size_t align_up(size_t bytes)
{
    return (bytes + WI_ARENA_ALIGN - 1) & ~(size_t)(WI_ARENA_ALIGN - 1);
}

/* Stands in for a first block that the caller does not give: pointers into it may be compared. */
static _Alignas(WI_ARENA_ALIGN) char nothing[WI_ARENA_ALIGN];

static void use_first(struct wi_arena *arena)
{
    const size_t skip = align_up((uintptr_t)arena->first) - (uintptr_t)arena->first;
    arena->end = arena->first + arena->first_bytes;
    arena->at = skip < arena->first_bytes ? arena->first + skip : arena->end;
    arena->next_bytes = WI_ARENA_BLOCK_BYTES_MIN;
}

void wi_arena_init(struct wi_arena *arena, void *first, size_t first_bytes, size_t cap_bytes,
                   struct wi_arena_source source)
{
    wi_bug_unless(first != NULL || first_bytes == 0);
    wi_bug_unless(cap_bytes == 0 || source.alloc != NULL);
    *arena = (struct wi_arena){ .source = source,
                                .first = first != NULL ? first : nothing,
                                .first_bytes = first_bytes,
                                .cap_bytes = cap_bytes };
    use_first(arena);
}

void wi_arena_reset(struct wi_arena *arena)
{
    while (arena->blocks != NULL) {
        struct wi_arena_block *block = arena->blocks;
        arena->blocks = block->older;
        arena->source.free(arena->source.user, block, block->bytes);
    }
    arena->grown_bytes = 0;
    use_first(arena);
}

/* How big a new block is that must hold `bytes`; 0 if the cap forbids it. */
static size_t block_bytes_for(const struct wi_arena *arena, size_t bytes)
{
    const size_t left = arena->cap_bytes - arena->grown_bytes;
    if (bytes > left || left - bytes < sizeof(struct wi_arena_block))
        return 0;
    const size_t needed = bytes + sizeof(struct wi_arena_block);
    if (needed >= arena->next_bytes)
        return needed;
    return arena->next_bytes < left ? arena->next_bytes : left;
}

static bool grow(struct wi_arena *arena, size_t bytes)
{
    const size_t block_bytes = block_bytes_for(arena, bytes);
    if (block_bytes == 0)
        return false;
    struct wi_arena_block *block = arena->source.alloc(arena->source.user, block_bytes);
    if (block == NULL)
        return false;
    wi_bug_unless(((uintptr_t)block & (WI_ARENA_ALIGN - 1)) == 0);
    *block = (struct wi_arena_block){ .older = arena->blocks, .bytes = block_bytes };
    arena->blocks = block;
    arena->grown_bytes += block_bytes;
    arena->at = (char *)block + sizeof(*block);
    arena->end = (char *)block + block_bytes;
    if (arena->next_bytes < WI_ARENA_BLOCK_BYTES_MAX)
        arena->next_bytes *= 2;
    return true;
}

void *wi_arena_alloc(struct wi_arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX - WI_ARENA_ALIGN)
        return NULL;
    /* Compared before rounding: the last piece of a block may end in the middle of a step. */
    if (bytes > (size_t)(arena->end - arena->at) && !grow(arena, bytes))
        return NULL;
    char *memory = arena->at;
    const size_t step = align_up(bytes);
    const size_t left = (size_t)(arena->end - arena->at);
    arena->at += step < left ? step : left;
    return memory;
}

void *wi_arena_zalloc(struct wi_arena *arena, size_t bytes)
{
    void *memory = wi_arena_alloc(arena, bytes);
    if (memory != NULL)
        memset(memory, 0, bytes);
    return memory;
}

char *wi_arena_strndup(struct wi_arena *arena, const char *text, size_t bytes)
{
    if (bytes == SIZE_MAX)
        return NULL;
    char *copy = wi_arena_alloc(arena, bytes + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    return copy;
}

char *wi_arena_strdup(struct wi_arena *arena, const char *text)
{
    return wi_arena_strndup(arena, text, strlen(text));
}

/* Formats straight into what is left of the block; only a text that does not fit is formatted a
 * second time. */
char *wi_arena_vprintf(struct wi_arena *arena, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    const size_t left = (size_t)(arena->end - arena->at);
    const int bytes = vsnprintf(arena->at, left, format, args);
    char *text = bytes < 0 ? NULL : wi_arena_alloc(arena, (size_t)bytes + 1);
    if (text != NULL && (size_t)bytes >= left)
        vsnprintf(text, (size_t)bytes + 1, format, again);
    va_end(again);
    return text;
}

char *wi_arena_printf(struct wi_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = wi_arena_vprintf(arena, format, args);
    va_end(args);
    return text;
}

size_t wi_arena_grown(const struct wi_arena *arena)
{
    return arena->grown_bytes;
}
