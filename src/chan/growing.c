/* SPDX-License-Identifier: MIT */
/* A buffer in pieces: a list of them, filled at the end and emptied at the front, so that it grows
 * and shrinks without moving a message.
 *
 * Memory comes from the program's allocator, which is foreign code and is not called under the
 * channel's lock.  So pieces lie ready beside the list: a sender that finds none releases the lock,
 * gets one, and tries again; a receiver takes what is beyond SPARES_MAX along when it unlocks.
 *
 * Invariants under the lock: at least one piece is on the list; first_at and last_at are places in
 * the first and the last one, and an empty buffer has one piece and first_at == last_at == 0.  So
 * only a buffer that is not empty can lack memory, and who waits because of that is served as if
 * the buffer were full. */
#include "chan/growing.h"

#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "chan/chan.h"

enum {
    PIECE_BYTES = 4096,
    SPARES_MAX = 1
};

struct piece {
    struct piece *next;
    uint8_t messages[];
};

struct wi_growing {
    /* constant after init */
    size_t piece_elems;
    size_t piece_bytes;
    /* guarded by the channel's lock */
    struct piece *first;
    struct piece *last;
    size_t first_at; /* of the oldest message */
    size_t last_at;  /* where the next one goes; piece_elems: into another piece */
    struct piece *spares;
    int spare_count;
};

static void free_all(struct piece *piece)
{
    while (piece != NULL) {
        struct piece *next = piece->next;
        wi_free(piece);
        piece = next;
    }
}

int wi_growing_create(struct weir_chan *ch)
{
    const size_t room = PIECE_BYTES - sizeof(struct piece);
    struct wi_growing *growing = wi_alloc_zeroed(1, sizeof(*growing));
    if (growing == NULL)
        return WEIR_ENOMEM;
    growing->piece_elems = ch->elem_bytes < room ? room / ch->elem_bytes : 1;
    growing->piece_bytes = sizeof(struct piece) + growing->piece_elems * ch->elem_bytes;
    growing->first = wi_alloc(growing->piece_bytes);
    if (growing->first == NULL) {
        wi_free(growing);
        return WEIR_ENOMEM;
    }
    growing->first->next = NULL;
    growing->last = growing->first;
    ch->growing = growing;
    return 0;
}

void wi_growing_destroy(struct weir_chan *ch)
{
    free_all(ch->growing->first);
    free_all(ch->growing->spares);
    wi_free(ch->growing);
}

static void keep_locked(struct wi_growing *growing, struct piece *piece)
{
    piece->next = growing->spares;
    growing->spares = piece;
    growing->spare_count++;
}

uint8_t *wi_growing_push_locked(struct weir_chan *ch)
{
    struct wi_growing *growing = ch->growing;
    if (growing->last_at == growing->piece_elems) {
        struct piece *piece = growing->spares;
        if (piece == NULL)
            return NULL;
        growing->spares = piece->next;
        growing->spare_count--;
        piece->next = NULL;
        growing->last->next = piece;
        growing->last = piece;
        growing->last_at = 0;
    }
    ch->count++;
    return growing->last->messages + growing->last_at++ * ch->elem_bytes;
}

bool wi_growing_has_room_locked(const struct weir_chan *ch)
{
    const struct wi_growing *growing = ch->growing;
    return growing->last_at < growing->piece_elems || growing->spares != NULL;
}

uint8_t *wi_growing_front_locked(struct weir_chan *ch)
{
    return ch->growing->first->messages + ch->growing->first_at * ch->elem_bytes;
}

void wi_growing_pop_locked(struct weir_chan *ch)
{
    struct wi_growing *growing = ch->growing;
    growing->first_at++;
    if (--ch->count == 0) {
        wi_bug_unless(growing->first == growing->last);
        growing->first_at = 0;
        growing->last_at = 0;
    } else if (growing->first_at == growing->piece_elems) {
        struct piece *empty = growing->first;
        growing->first = empty->next;
        growing->first_at = 0;
        keep_locked(growing, empty);
    }
}

int wi_growing_send_locked(struct weir_chan *ch, const void *msg, struct wi_waiter **served)
{
    int rc = WEIR_EAGAIN;
    while (rc == WEIR_EAGAIN && ch->count < ch->cap_elems) {
        wi_unlock(&ch->lock);
        struct piece *piece = wi_alloc(ch->growing->piece_bytes);
        wi_lock(&ch->lock);
        if (piece != NULL)
            keep_locked(ch->growing, piece);
        rc = wi_chan_send_locked(ch, msg, served);
        if (piece == NULL)
            break;
    }
    return rc;
}

static struct piece *take_surplus_locked(struct wi_growing *growing)
{
    struct piece *surplus = NULL;
    while (growing->spare_count > SPARES_MAX) {
        struct piece *piece = growing->spares;
        growing->spares = piece->next;
        growing->spare_count--;
        piece->next = surplus;
        surplus = piece;
    }
    return surplus;
}

void wi_growing_unlock(struct weir_chan *ch)
{
    struct piece *surplus = take_surplus_locked(ch->growing);
    wi_unlock(&ch->lock);
    free_all(surplus);
}

void wi_growing_tend(struct weir_chan *ch, bool sends)
{
    struct wi_growing *growing = ch->growing;
    wi_lock(&ch->lock);
    if (sends && !wi_growing_has_room_locked(ch)) {
        wi_unlock(&ch->lock);
        struct piece *piece = wi_alloc(growing->piece_bytes);
        wi_lock(&ch->lock);
        if (piece != NULL)
            keep_locked(growing, piece);
    }
    wi_growing_unlock(ch);
}
