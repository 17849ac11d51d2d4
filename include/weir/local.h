/* SPDX-License-Identifier: MIT */
#ifndef WEIR_LOCAL_H
#define WEIR_LOCAL_H

/* Task-locals: a pointer for each task under a key, such as the request that it works for.
 *
 * A task begins with its spawner's values, detached or not; what either sets later the other does
 * not see.  The pointer is copied, not what it points at, unless the key says how.  weir_blocking()
 * runs its function with the caller's values, and what that sets the caller has.  A plain thread
 * has values of its own, which tasks that it starts take over.
 *
 * Keys are few and live as long as the process.  A task that uses none pays nothing. */

#include <stddef.h>

#include "weir/err.h"

/* Keys in a process. */
#define WEIR_LOCALS_MAX 32

typedef struct weir_local weir_local;

/* All-zero: the children get the pointer, and nobody frees anything. */
struct weir_local_opts {
    size_t size; /* sizeof(struct weir_local_opts); 0 counts as that */
    /* Called for a value that is not NULL when it is replaced, and at the end of its task; outside
     * tasks at the end of the thread.  It may set values there, which are destroyed too, up to four
     * times over.  A key with it and without `inherit` is not inherited, since two would free one
     * value. */
    void (*destroy)(void *value);
    /* What a child gets for a value that is not NULL; NULL: no value.  The spawner calls it. */
    void *(*inherit)(void *value);
};

/* Makes a key.
 *
 *   opts  borrowed for the call; NULL: all defaults
 *
 * 0; WEIR_EINVAL (an option of a later version); WEIR_EOVERFLOW (there are WEIR_LOCALS_MAX).
 * Callers: any thread; never waits. */
WEIR_API WEIR_CHECK int weir_local_create(weir_local **out, const struct weir_local_opts *opts);

/* The caller's value, NULL if none was set.  Callers: task, thread; never waits. */
WEIR_API void *weir_local_get(const weir_local *local);

/* Sets the caller's value.
 *
 *   value  borrowed, for as long as tasks have it; taken if the key has `destroy`
 *
 * 0; WEIR_ENOMEM (nothing is changed).
 * Callers: task, thread; never waits. */
WEIR_API WEIR_CHECK int weir_local_set(weir_local *local, void *value);

#endif
