/* SPDX-License-Identifier: MIT */
#ifndef TEST_CHAN_QUEUED_H
#define TEST_CHAN_QUEUED_H

/* Tasks and threads that queue for something in a known order, seen from inside: each says who it
 * is before it waits, and is next to be started only once the one before has stopped. */

#include "support/crowd.h"

struct queued;

/* Waits for the thing; notes the order by queued_served(). */
typedef void queued_fn(struct queued *self);

struct queue {
    void *object;
    struct crowd crowd;
    int places; /* atomic */
    int served; /* atomic: so many of `order` may be read */
    int order[CROWD_MAX];
};

struct queued {
    struct queue *queue;
    queued_fn *fn;
    int number;
    void *parker; /* atomic: the caller's, told before it waits */
};

/* Starts it as a task, or as a thread, and returns when it waits for something. */
void queued_start(struct queued *self, bool of_thread);

/* The caller has been served. */
void queued_served(struct queued *self);

/* Runs the body under loop, tasks with 2 workers, threads. */
void under_each_scheduler(weir_task_fn *body);

#endif
