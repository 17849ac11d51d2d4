/* SPDX-License-Identifier: MIT */
/* Mutexes of the C library across a wait; see held.h.
 *
 * A mutex belongs to the thread that took it.  A task that waits with it held may go on on another
 * thread and unlock what is not that thread's; meanwhile another task that wants it blocks the
 * thread which would have let the first one go on.  Both show rarely and far from the cause, so
 * Debug builds stop at the cause.
 *
 * Threads: looks at the calling thread only. */
#include "task/held.h"

#ifdef WI_WATCH_MUTEXES

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "os/held.h"
#include "task/rt.h"

enum {
    PLACE_BYTES = 256
};

void wi_held_check(const struct weir_task *task)
{
    struct wi_held held;
    if (wi_likely(!wi_held_newest(&held)) || wi_rt.scheduler != WEIR_SCHEDULER_TASKS)
        return;
    char place[PLACE_BYTES];
    wi_held_describe(held.place, place, sizeof(place));
    fprintf(stderr,
            "weir: misuse of a pthread mutex: task %" PRIu64 " \"%s\" spawned at %s leaves its "
            "thread while it holds mutex %p, locked at %s; use weir_mutex, or a pinned task\n",
            wi_task_id(task), wi_task_name(task), wi_task_site(task), held.mutex, place);
    abort();
}

#endif
