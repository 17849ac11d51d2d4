/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_SEE_H
#define WI_TASK_SEE_H

/* One look at one task, or at a thread that waits: who it is, what it does, what it waits for, and
 * the frames of its stack.  What dumps and reports are made of.
 *
 * A parked task is kept from running for the time of the look (some microseconds), so that what is
 * seen of it is of one instant.  Of tasks that run or are ready only the name is certain; where
 * they are is a hint. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/parker.h"
#include "sync/thread_parker.h"
#include "sync/wait.h"
#include "task/task.h"

enum {
    WI_SEEN_FRAMES_MAX = 32
};

enum wi_seen_state {
    WI_SEEN_RUNNING,  /* on worker `worker`; -1: on a thread that has none, because it ran long */
    WI_SEEN_THREAD,   /* runs, or blocks outside weir, on a thread of its own */
    WI_SEEN_READY,    /* waits for a worker */
    WI_SEEN_IN_LINE,  /* waits for a thread */
    WI_SEEN_WAITING,  /* parked or asleep: for `waitable` */
    WI_SEEN_OUTSIDER, /* so does a thread that is no task */
};

struct wi_seen {
    enum wi_seen_state state;
    uint64_t id; /* the task's; an outsider's kernel thread */
    const char *name;
    const char *site;
    int worker;
    struct wi_parker *parker; /* tells tasks and threads apart, and is what holders are known by */
    int cancel;               /* 0, or the cause of its cancellation */
    /* while it waits */
    const struct wi_waitable *waitable; /* NULL: not told */
    const void *object;
    int64_t number; /* of the object; -1: it has none */
    struct wi_parker *holder;
    weir_time since; /* coarse */
    weir_time until; /* WEIR_NO_DEADLINE: as long as it takes */
};

/* Return addresses, innermost first; none of a task that runs elsewhere. */
struct wi_frames {
    int count;
    void *at[WI_SEEN_FRAMES_MAX];
};

/* False: the record is no living task's. */
bool wi_see_task(struct weir_task *task, struct wi_seen *out, struct wi_frames *frames);

/* The same of a thread, in the callback of wi_thread_naps(). */
void wi_see_nap(const struct wi_thread_nap *nap, struct wi_seen *out, struct wi_frames *frames);

/* The thread that turns a `loop` runtime, while it waits.  False: it does not, or there is none. */
bool wi_see_opener(struct wi_seen *out);

#endif
