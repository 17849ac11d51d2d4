/* SPDX-License-Identifier: MIT */
/* A ring and a binary heap. */
#include "model_agenda.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/check.h"

void *model_grow(void *old, size_t count, size_t size)
{
    void *grown = realloc(old, count * size);
    wi_bug_unless(grown != NULL);
    return grown;
}

void fifo_push(struct fifo *fifo, uint32_t item)
{
    if (fifo->count == fifo->room) {
        const uint32_t room = fifo->room == 0 ? 64 : fifo->room * 2;
        uint32_t *items = model_grow(NULL, room, sizeof(*items));
        for (uint32_t i = 0; i < fifo->count; i++)
            items[i] = fifo->items[(fifo->head + i) % fifo->room];
        free(fifo->items);
        *fifo = (struct fifo){ .items = items, .count = fifo->count, .room = room };
    }
    fifo->items[(fifo->head + fifo->count++) % fifo->room] = item;
}

uint32_t fifo_pop(struct fifo *fifo)
{
    const uint32_t item = fifo->items[fifo->head];
    fifo->head = (fifo->head + 1) % fifo->room;
    fifo->count--;
    return item;
}

static bool is_sooner(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void agenda_add(struct agenda *agenda, int64_t at, int kind, uint32_t index, uint32_t turn)
{
    if (agenda->count == agenda->room) {
        agenda->room = agenda->room == 0 ? 1024 : agenda->room * 2;
        agenda->events = model_grow(agenda->events, agenda->room, sizeof(struct event));
    }
    const struct event event = { at, agenda->order++, kind, index, turn };
    struct event *events = agenda->events;
    size_t i = agenda->count++;
    for (; i > 0 && is_sooner(&event, &events[(i - 1) / 2]); i = (i - 1) / 2)
        events[i] = events[(i - 1) / 2];
    events[i] = event;
}

struct event agenda_next(struct agenda *agenda)
{
    wi_bug_unless(agenda->count > 0);
    struct event *events = agenda->events;
    const struct event first = events[0];
    const struct event last = events[--agenda->count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= agenda->count)
            break;
        if (child + 1 < agenda->count && is_sooner(&events[child + 1], &events[child]))
            child++;
        if (!is_sooner(&events[child], &last))
            break;
        events[i] = events[child];
        i = child;
    }
    events[i] = last;
    return first;
}
