/* SPDX-License-Identifier: MIT */
/* Interned texts: a hash table of chains that only grow.  See intern.h.
 *
 * Protocol: a: who wants room takes it by compare-and-swap of `used`; b: fills it; c: makes it the
 * head of its chain by compare-and-swap, release.  Readers load the head, acquire (pairs with c);
 * what lies behind a head never changes.  Two who intern the same new text at once may leave two
 * copies; both stay. */
#include "base/intern.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/atomic.h"

enum {
    CHAINS = 1024
};

struct entry {
    const struct entry *next;
    char text[];
};

static struct {
    /* atomic */
    wi_atomic_u64 used;
    wi_atomic_ptr chains[CHAINS];
    /* owner: who took the room; constant once it is in its chain */
    _Alignas(struct entry) char room[WI_INTERN_BYTES_MAX];
} table;

/* Source: G. Fowler, L. C. Noll, K.-P. Vo, FNV-1a, 1991. */
static size_t chain_of(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char *at = text; *at != 0; at++)
        hash = (hash ^ (unsigned char)*at) * 0x100000001b3u;
    return (size_t)(hash % CHAINS);
}

static const struct entry *find(const struct entry *entry, const char *text)
{
    while (entry != NULL && strcmp(entry->text, text) != 0)
        entry = entry->next;
    return entry;
}

static struct entry *take_room(size_t text_bytes)
{
    const size_t align = _Alignof(struct entry);
    if (text_bytes > WI_INTERN_BYTES_MAX)
        return NULL;
    const size_t bytes = (sizeof(struct entry) + text_bytes + align - 1) / align * align;
    uint64_t used = wi_load_relaxed(&table.used);
    do {
        if (used + bytes > WI_INTERN_BYTES_MAX)
            return NULL;
    } while (!wi_cas_acq_rel(&table.used, &used, used + bytes)); /* a */
    return (struct entry *)(void *)(table.room + used);
}

const char *wi_intern(const char *text)
{
    wi_atomic_ptr *chain = &table.chains[chain_of(text)];
    void *head = wi_load_acquire(chain);
    const struct entry *known = find(head, text);
    if (known != NULL)
        return known->text;
    const size_t bytes = strlen(text) + 1;
    struct entry *entry = take_room(bytes);
    if (entry == NULL)
        return NULL;
    memcpy(entry->text, text, bytes); /* b */
    do {
        entry->next = head;
    } while (!wi_cas_acq_rel(chain, &head, (void *)entry)); /* c */
    return entry->text;
}
