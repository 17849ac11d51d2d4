/* SPDX-License-Identifier: MIT */
#ifndef WI_BASE_LIST_H
#define WI_BASE_LIST_H

/* Intrusive doubly linked list with a sentinel.  A node that is on no list points at itself, so
 * wi_list_remove() may be called on it again and wi_list_linked() answers at once.
 *
 * Invariant: node->next->prev == node and node->prev->next == node.
 * Threads: guarded by whatever guards the list. */

#include <stdbool.h>
#include <stddef.h>

struct wi_list {
    struct wi_list *next;
    struct wi_list *prev;
};

static inline void wi_list_init(struct wi_list *node)
{
    node->next = node;
    node->prev = node;
}

static inline bool wi_list_empty(const struct wi_list *head)
{
    return head->next == head;
}

static inline bool wi_list_linked(const struct wi_list *node)
{
    return node->next != node;
}

static inline void wi_list_insert_before(struct wi_list *at, struct wi_list *node)
{
    node->next = at;
    node->prev = at->prev;
    at->prev->next = node;
    at->prev = node;
}

static inline void wi_list_push_back(struct wi_list *head, struct wi_list *node)
{
    wi_list_insert_before(head, node);
}

static inline void wi_list_push_front(struct wi_list *head, struct wi_list *node)
{
    wi_list_insert_before(head->next, node);
}

static inline void wi_list_remove(struct wi_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    wi_list_init(node);
}

/* Cost: grows with the number. */
static inline size_t wi_list_count(const struct wi_list *head)
{
    size_t count = 0;
    for (const struct wi_list *node = head->next; node != head; node = node->next)
        count++;
    return count;
}

/* The first node, unlinked, or NULL. */
static inline struct wi_list *wi_list_pop_front(struct wi_list *head)
{
    if (wi_list_empty(head))
        return NULL;
    struct wi_list *node = head->next;
    wi_list_remove(node);
    return node;
}

#endif
