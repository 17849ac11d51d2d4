/* SPDX-License-Identifier: MIT */
#ifndef WI_SYNC_THREAD_PARKER_H
#define WI_SYNC_THREAD_PARKER_H

/* The parker of whatever runs on an OS thread of its own: foreign threads, and tasks whose vehicle
 * is a thread.  Sleeps on the parker's word itself. */

#include "sync/parker.h"

extern const struct wi_parker_ops wi_thread_parker_ops;

void wi_thread_parker_park(struct wi_parker *parker, weir_time deadline);

/* A thread that is no task and waits. */
struct wi_thread_nap {
    struct wi_parker *parker;
    int thread_id;   /* the kernel's */
    void *context;   /* for wi_context_visit() */
    weir_time since; /* coarse */
    weir_time until; /* WEIR_NO_DEADLINE: it is woken or never goes on */
};

/* Calls fn for every such thread, which does not go on meanwhile: fn must not wait.  Threads whose
 * first wait begins during the call may be left out.  Any thread. */
void wi_thread_naps(void (*fn)(const struct wi_thread_nap *nap, void *arg), void *arg);

#endif
