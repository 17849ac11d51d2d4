/* SPDX-License-Identifier: MIT */
/* Circles of waiting.  See cycle.h.  Every node has at most one edge, so from each node that was
 * not met before one follows edges until there is none, or a node of this walk (then a circle
 * closes there), or one of an earlier walk. */
#include "task/cycle.h"

#include <stddef.h>
#include <stdlib.h>

static int by_self(const void *left, const void *right)
{
    const struct wi_cycle_node *a = left;
    const struct wi_cycle_node *b = right;
    const uintptr_t x = (uintptr_t)a->self;
    const uintptr_t y = (uintptr_t)b->self;
    return (x > y) - (x < y);
}

static int find(const struct wi_cycle_node *nodes, int count, const void *self)
{
    if (self == NULL)
        return -1;
    const struct wi_cycle_node key = { .self = self };
    const struct wi_cycle_node *found =
        bsearch(&key, nodes, (size_t)count, sizeof(*nodes), by_self);
    return found != NULL ? (int)(found - nodes) : -1;
}

void wi_cycles_find(struct wi_cycle_node *nodes, int count,
                    void (*tell)(const int *indices, int count, void *arg), int *indices, void *arg)
{
    qsort(nodes, (size_t)count, sizeof(*nodes), by_self);
    for (int i = 0; i < count; i++) {
        nodes[i].next = find(nodes, count, nodes[i].holder);
        nodes[i].mark = 0;
    }
    for (int start = 0; start < count; start++) {
        const int walk = start + 1;
        int at = start;
        while (at >= 0 && nodes[at].mark == 0) {
            nodes[at].mark = walk;
            at = nodes[at].next;
        }
        if (at < 0 || nodes[at].mark != walk)
            continue;
        int length = 0;
        const int first = at;
        do {
            indices[length++] = nodes[at].index;
            at = nodes[at].next;
        } while (at != first);
        tell(indices, length, arg);
    }
}
