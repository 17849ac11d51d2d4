/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_RT_H
#define WI_TASK_RT_H

/* The one runtime of the process, for the files of task/ only. */

#include "base/atomic.h"
#include "loop/loop.h"
#include "sync/lock.h"
#include "task/scope.h"
#include "task/worker.h"
#include "weir/runtime.h"

enum {
    WI_WORKERS_MAX = 256
};

/* Linked by weir_task.next; first NULL: empty. */
struct wi_task_list {
    struct weir_task *first;
    struct weir_task *last;
};

struct wi_runtime {
    /* constant while open */
    enum weir_scheduler scheduler;
    int worker_count;
    int threads_max;
    struct wi_worker *workers;
    struct wi_thread *opener; /* `loop`: the thread that turns it */
    struct wi_loop loop;      /* shared by all workers; turned by who holds `driver` */
    struct weir_scope root;
    void (*log)(void *user, const char *line);
    void *log_user;
    /* atomic */
    wi_atomic_u32 open; /* 1; 2 in a forked child */
    wi_atomic_u32 stopping;
    wi_atomic_i64
        opener_until;     /* until when the opener of a `loop` waits in weir; 0: it does not */
    wi_atomic_u32 driver; /* 1: somebody turns the loop; a futex under `loop`, see worker.h */
    wi_atomic_u32 idle_count;
    wi_atomic_u32 searching; /* workers looking for something to steal, or woken to */
    wi_atomic_u32 hogs;      /* threads that run a task without a worker */
    wi_atomic_u32 outsiders; /* threads without a worker that start a task or make one ready */
    wi_atomic_i64 hogs_relieved;
    wi_atomic_i64 blocked_ns;     /* monitor writes: `loop` kept from turning, in all */
    wi_atomic_i64 blocked_now_ns; /* monitor writes: and now */
    wi_atomic_i64 polled;         /* when the loop was turned last */
    wi_atomic_i64 threads;
    wi_atomic_u64 next_task_id;
    /* owner: who holds `driver` */
    bool stood_in; /* the monitor has turned the loop since the worker's thread last slept there */
    /* guarded by inject_lock */
    struct wi_lock inject_lock;
    struct wi_task_list inject;
    wi_atomic_i64 inject_count;  /* written under the lock */
    struct wi_task_list backlog; /* not begun: what did not fit into a worker's `fresh` */
    wi_atomic_i64 backlog_count; /* written under the lock */
    wi_atomic_i64 backlog_taken; /* when something was taken from there last */
    struct wi_task_list held;    /* not started, while there are too many hogs */
    /* guarded by idle_lock */
    struct wi_lock idle_lock;
    struct wi_worker *idle[WI_WORKERS_MAX];
    /* guarded by thread_lock */
    struct wi_lock thread_lock;
    struct wi_thread *spares;
    struct wi_thread *all_threads;
};

extern struct wi_runtime wi_rt;

/* A thread record with a running thread behind it; it holds `worker` (may be NULL: a spare).
 * 0 or a code. */
WEIR_CHECK int wi_thread_create(struct wi_worker *worker);

/* Tasks on OS threads: .blocking, .pinned, and all under `threads`. */
WEIR_CHECK int wi_vehicle_submit(struct weir_task *task);
void wi_vehicles_open(int threads_max);
void wi_vehicles_close(void); /* no task may be left */
int64_t wi_vehicle_count(void);

/* The monitor. */
WEIR_CHECK int wi_monitor_open(void);
void wi_monitor_stop(void); /* its thread ends; others may still notify it */
void wi_monitor_close(void);
/* A worker leaves idleness: the monitor, if it sleeps deeply, wakes. */
void wi_monitor_notice(void);

/* Hands queued log lines to the opener's function. */
void wi_runtime_drain_log(void);

#endif
