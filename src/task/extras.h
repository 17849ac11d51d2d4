/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_EXTRAS_H
#define WI_TASK_EXTRAS_H

/* What few tasks have: task-locals, deferred handlers, the detail of an error.  One pointer in the
 * control block leads to a record that is made when it is first needed, so tasks without any pay a
 * look at that pointer when they spawn and when they end.
 *
 * Threads: the owner's alone.  A pool's thread that runs a job for an owner who waits stands in for
 * it (wi_extras_lend()).  Hooks and handlers are user code: they run on the owner's own stack, and
 * no lock is held. */

#include <stdbool.h>
#include <stddef.h>

#include "weir/local.h"

struct weir_task;

/* A deferred handler. */
struct wi_deferred {
    struct wi_deferred *below; /* registered before */
    void (*fn)(void *arg);
    void *arg;
};

struct wi_extras {
    struct wi_deferred *deferred; /* the last registered */
    int deferred_count;
    void *detail; /* of the error that the task says it will return */
    void (*release_detail)(void *detail);
    int attempt; /* see attempt.h */
    void *locals[WEIR_LOCALS_MAX];
};

/* Where the calling task or thread keeps its record; NULL in it: none.  Not to be kept over a
 * wait. */
struct wi_extras **wi_extras_place(void);

/* The caller's record, made if there is none; NULL: no memory. */
struct wi_extras *wi_extras_own(void);

/* The calling thread, which runs no task, works for the owner of `place`, who waits; NULL: for
 * itself again. */
void wi_extras_lend(struct wi_extras **place);

/* What a child of the owner begins with; *out is NULL if that is nothing.  0 or WEIR_ENOMEM. */
WEIR_CHECK int wi_extras_inherit(const struct wi_extras *extras, struct wi_extras **out);

/* Destroys the values and frees the record, which has no handlers left. */
void wi_extras_free(struct wi_extras *extras);

/* The end of a task that has a record, on the task's own stack, its result known. */
void wi_extras_end(struct weir_task *task);

/* Runs the handlers that were registered after `mark`, shielded.  The owner. */
void wi_deferred_run(struct wi_extras **place, const struct wi_deferred *mark);

/* locals.c */
void wi_locals_inherit(void *const *from, void **to);
void wi_locals_destroy(void **values);

#endif
