/* SPDX-License-Identifier: MIT */
#ifndef TEST_SUPPORT_CROWD_H
#define TEST_SUPPORT_CROWD_H

/* Tasks and plain OS threads that do the same thing at once.  Used by one task. */

#include <pthread.h>

#include "support/run.h"

enum {
    CROWD_MAX = 32
};

/* All-zero to begin with. */
struct crowd {
    weir_task *tasks[CROWD_MAX];
    struct crowd_thread {
        weir_task_fn *fn;
        void *arg;
        int result;
        int ended; /* atomic */
        pthread_t thread;
    } threads[CROWD_MAX];
    int task_count;
    int thread_count;
};

void crowd_task(struct crowd *crowd, weir_task_fn *fn, void *arg);
void crowd_thread(struct crowd *crowd, weir_task_fn *fn, void *arg);

/* So many of each. */
void crowd_start(struct crowd *crowd, int tasks, int threads, weir_task_fn *fn, void *arg);

/* Waits until all have ended, and checks that each has returned 0. */
void crowd_join(struct crowd *crowd);

/* Runs the body as a task of a runtime in a child, which must abort and say `what` on the way.  Not
 * in a task. */
void expect_misuse_of(weir_task_fn *body, const char *what);

#endif
