/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_CYCLE_H
#define WI_TASK_CYCLE_H

/* Circles among those who wait: each waits for one other, so a circle is found by following.
 *
 * Threads: pure functions on the caller's memory. */

#include <stdint.h>

struct wi_cycle_node {
    const void *self;   /* no two are the same */
    const void *holder; /* NULL: nobody, or not known */
    int index;          /* the caller's */
    /* scratch */
    int next;
    int mark;
};

/* Finds all circles; calls `tell` for each with its members in the order of waiting.  The nodes are
 * sorted anew. */
void wi_cycles_find(struct wi_cycle_node *nodes, int count,
                    void (*tell)(const int *indices, int count, void *arg), int *indices,
                    void *arg);

#endif
