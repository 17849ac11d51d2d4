/* SPDX-License-Identifier: MIT */
#ifndef WI_TEST_LOAD_MODEL_AGENDA_H
#define WI_TEST_LOAD_MODEL_AGENDA_H

/* What the model's world is kept in: a queue of numbers, and the events to come by their time. */

#include <stddef.h>
#include <stdint.h>

/* realloc() for arrays, which does not fail. */
void *model_grow(void *old, size_t count, size_t size);

/* All-zero is empty; free items when done. */
struct fifo {
    uint32_t *items;
    uint32_t head, count, room;
};

void fifo_push(struct fifo *fifo, uint32_t item);
uint32_t fifo_pop(struct fifo *fifo);

struct event {
    int64_t at;
    uint64_t order; /* of two at one instant, what was planned first comes first */
    int kind;
    uint32_t index;
    uint32_t turn;
};

/* All-zero is empty; events[0] is the next one; free events when done. */
struct agenda {
    struct event *events;
    size_t count, room;
    uint64_t order;
};

void agenda_add(struct agenda *agenda, int64_t at, int kind, uint32_t index, uint32_t turn);
struct event agenda_next(struct agenda *agenda);

#endif
