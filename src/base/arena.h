/* SPDX-License-Identifier: MIT */
#ifndef WI_BASE_ARENA_H
#define WI_BASE_ARENA_H

/* Memory of one request: taken by moving a pointer, given back all at once.
 *
 * The first block is the caller's (it may lie in a record or on a stack); more come from the
 * caller's source when it is full, up to a cap.  Reset keeps the first block.  Everything taken is
 * aligned to WI_ARENA_ALIGN; contents are not cleared.
 *
 * Invariant: grown_bytes <= cap_bytes.
 * Threads: one owner. */

#include <stdarg.h>
#include <stddef.h>

#include "weir/err.h"

enum {
    WI_ARENA_ALIGN = 16,
    WI_ARENA_BLOCK_BYTES_MIN = 4096,
    WI_ARENA_BLOCK_BYTES_MAX = 65536
};

/* Where blocks come from: `alloc` gives memory aligned to WI_ARENA_ALIGN or NULL. */
struct wi_arena_source {
    void *(*alloc)(void *user, size_t bytes);
    void (*free)(void *user, void *memory, size_t bytes);
    void *user;
};

struct wi_arena_block;

struct wi_arena {
    /* constant after init */
    struct wi_arena_source source;
    char *first;
    size_t first_bytes;
    size_t cap_bytes;
    /* owner: the arena's owner */
    char *at;                      /* the next free byte, aligned */
    char *end;                     /* the end of the current block */
    struct wi_arena_block *blocks; /* grown ones, newest first */
    size_t grown_bytes;
    size_t next_bytes; /* how big the next block is at least */
};

/* cap_bytes bounds what is grown beyond the first block; 0 never grows.  `first` may be NULL with
 * first_bytes 0. */
void wi_arena_init(struct wi_arena *arena, void *first, size_t first_bytes, size_t cap_bytes,
                   struct wi_arena_source source);

/* Gives everything back but the first block, which is empty again. */
void wi_arena_reset(struct wi_arena *arena);

/* Memory, or NULL when the cap is reached or the source has none.  0 bytes give a valid address. */
void *wi_arena_alloc(struct wi_arena *arena, size_t bytes);

/* As wi_arena_alloc(), cleared. */
void *wi_arena_zalloc(struct wi_arena *arena, size_t bytes);

/* Copies with a NUL at the end, or NULL. */
char *wi_arena_strdup(struct wi_arena *arena, const char *text);
char *wi_arena_strndup(struct wi_arena *arena, const char *text, size_t bytes);

/* Formats into the arena; NULL when it does not fit or cannot be formatted. */
char *wi_arena_printf(struct wi_arena *arena, const char *format, ...) WEIR_PRINTF(2, 3);
char *wi_arena_vprintf(struct wi_arena *arena, const char *format, va_list args) WEIR_PRINTF(2, 0);

/* Bytes of the blocks that were grown. */
size_t wi_arena_grown(const struct wi_arena *arena);

#endif
