/* SPDX-License-Identifier: MIT */
#ifndef WEIR_RUNTIME_H
#define WEIR_RUNTIME_H

/* The runtime of a process: opened once, closed once.  weir_main() does both; programs that embed
 * weir, and tests, do it themselves.
 *
 * A `loop` runtime has no thread for tasks: somebody turns it, weir_run() or a foreign loop (poll
 * weir_pollfd(), then weir_turn()).  A `tasks` or `threads` runtime runs beside its opener, and any
 * OS thread may call any weir function; it then blocks that thread.
 *
 * Under `tasks` one that computes or blocks for 10 ms without a weir call (half of that while
 * timers are due on its worker) loses its worker to a spare thread and goes on beside it: a hog.
 * While there are more hogs than twice the workers, tasks that have not started stand back, in
 * their order, and those that have started go on.  So hogs from the start cost one or two threads
 * more than that; of tasks that become hogs late in their lives, threads_max bounds the threads:
 * beyond it a hog keeps its worker until its next weir call.  Nothing is refused, and when the hogs
 * end all goes on as before.  Under `loop` one hog stops all.
 *
 * The library never forks, exits, prints, reads the environment or changes a signal disposition
 * by itself.  In a forked child without exec whatever needs the runtime refuses with WEIR_EFORKED;
 * what needs none (clocks, channels and locks between threads) goes on to work.  Scopes that the
 * forking code had open it leaves open: their tasks are not in the child. */

#include <stdbool.h>
#include <stddef.h>

#include "weir/err.h"
#include "weir/time.h"

/* How tasks become CPU time inside this process. */
enum weir_scheduler {
    WEIR_SCHEDULER_TASKS = 0, /* M:N over all cores, work stealing */
    WEIR_SCHEDULER_LOOP,      /* all tasks interleave on one thread, only where they wait */
    WEIR_SCHEDULER_THREADS,   /* each task is an OS thread, of a nice value 5 above the opener's */
};

/* All-zero is the sensible default. */
struct weir_opts {
    size_t size; /* sizeof(struct weir_opts); 0 counts as that */
    enum weir_scheduler scheduler;
    int workers;        /* workers under `tasks`; 0: the usable cores */
    int threads_max;    /* OS threads that run one task each; a hogged worker is relieved while
                            all threads are fewer than workers and these together;
                            0: 10,000 under `threads`, else 512 */
    int tasks_max;      /* live tasks; 0: 4,000,000 */
    size_t stack_bytes; /* of a plain task; 0: 64 KiB */
    /* Run the monitor also under `loop`.  It reports blocked loops, and meanwhile does for servers
     * what needs no handler: it accepts, refuses, and gives answers that never change (serve.h). */
    bool watch_handlers;
    /* Handle SIGSEGV and SIGBUS so that a stack overflow is named, then hand on to the handler that
     * was there before. */
    bool report_faults;
    bool old_kernel; /* do not use kernel features newer than Linux 5.10 */
    /* Takes log lines; runs on a thread of the runtime.  It may block, but keeps the monitor from
     * its work while it does.  NULL: lines are dropped. */
    void (*log)(void *user, const char *line);
    void *log_user;
    /* Do not look for deadlocks: every task waits, and no timer, descriptor, signal or thread that
     * is not weir's is left to end that.  One is logged with a dump, within seconds. */
    bool ignore_deadlocks;
    /* Called once it was logged, on a thread of the runtime; may end the process. May be NULL. */
    void (*on_deadlock)(void *user);
    void *deadlock_user;
    /* Canceled tasks that have not ended after so long, while a scope closes, are logged with a
     * dump; 0: 10 s; negative: never. */
    int64_t late_ns;
};

/* Opens the runtime of this process.
 *
 *   opts  borrowed for the call; NULL: all defaults
 *
 *   0              open
 *   WEIR_EALREADY  one is open
 *   WEIR_EFORKED   the process was forked by one in which a runtime was open
 *   WEIR_EINVAL    an option is out of range, or asks for what this version does not know
 *   WEIR_ENOTSUP   shadow stacks are on, which only `threads` can live with
 *   WEIR_ENOMEM, WEIR_EAGAIN, WEIR_EMFILE  the system's limits; nothing is left behind
 *
 * Callers: thread (blocks): for a moment, while no other weir call runs. */
WEIR_API WEIR_CHECK int weir_open(const struct weir_opts *opts);

/* Cancels every task with cause WEIR_ECANCELED, also those in scopes that other threads have open,
 * waits for their ends until the deadline, then closes the runtime.  Handles of its tasks are gone
 * then: they are to be joined or released before.  Channels, locks, timers and what else was
 * created stay, and threads go on waiting for them.  The log says how many tasks were left over; it
 * also names each task outside of any opened scope that ends with an error (but WEIR_ECANCELED)
 * while nobody holds its handle.
 *
 *   0               closed; another may be opened
 *   WEIR_ETIMEDOUT  some task did not end, and a dump is in the log; the runtime stays open and
 *                   the call may be repeated
 *   WEIR_ENOTOPEN, WEIR_EFORKED
 *
 * Callers: thread (blocks): who opened, with no scope or timeout open; under `loop` it turns. */
WEIR_API WEIR_CHECK int weir_close(weir_time deadline);

/* Whether a runtime is open in this process.  Callers: any; never waits. */
WEIR_API bool weir_is_open(void);

/* Runs fn(arg) as a task and returns when it has ended; *result is what it returned.  Under `loop`
 * the calling thread turns the loop meanwhile.
 * 0, or the code of a failed start (weir_go_with()).  `result` may be NULL.
 * Callers: thread (blocks). */
WEIR_API WEIR_CHECK int weir_run(int (*fn)(void *arg), void *arg, int *result);

/* A descriptor that is readable when weir_turn() has something to do.  It stays the runtime's.
 * The descriptor; WEIR_ENOTSUP from another thread, and under other schedulers than `loop`;
 * WEIR_ENOTOPEN, WEIR_EFORKED.  Callers: thread: who opened; never waits. */
WEIR_API WEIR_CHECK int weir_pollfd(void);

/* One turn of a `loop` runtime: runs what is ready, waits for more until the deadline if nothing
 * was (WEIR_DONT_WAIT: never).
 * The number of task runs and events handled (0: the deadline came), or a code as weir_pollfd().
 * Callers: thread (blocks): who opened; until the deadline. */
WEIR_API WEIR_CHECK int weir_turn(weir_time deadline);

/* When weir_turn() must be called at the latest though the descriptor is silent: the next timer,
 * WEIR_NO_DEADLINE without one, WEIR_DONT_WAIT if tasks are ready.  Callers: thread: who
 * opened; never waits. */
WEIR_API weir_time weir_turn_deadline(void);

/* Cores that this process may use: affinity, cut by the CPU quota of every visible cgroup,
 * rounded down, at least 1.  Callers: any thread; reads files, so not in a loop. */
WEIR_API int weir_cores(void);

/* The scheduler of the open runtime; WEIR_SCHEDULER_TASKS while none is open.
 * Callers: any; never waits. */
WEIR_API enum weir_scheduler weir_scheduler_kind(void);

/* Numbers of the runtime, since it was opened; relaxed, for people and metrics. */
struct weir_runtime_stats {
    size_t size; /* in: sizeof(struct weir_runtime_stats); 0 counts as that */
    int64_t tasks_started;
    int64_t tasks_live;
    int64_t threads; /* OS threads of the runtime */
    int64_t workers;
    int64_t hogs_relieved;       /* workers taken from a task that ran too long */
    int64_t loop_blocked_ns;     /* `loop`: how long tasks kept it from turning, 20 ms and more */
    int64_t loop_blocked_now_ns; /* for how long one does so now; 0: none */
    int64_t stacks_mapped;
    int64_t stacks_in_use;
    int64_t log_lines_dropped;
    const char *stack_guard; /* "install", "mprotect" or "canary" */
    const char *poller;      /* "epoll" */
};
/* Reads them, as many as out->size has room for; all zero while no runtime is open.
 * Callers: any thread; never waits. */
WEIR_API void weir_runtime_stats_read(struct weir_runtime_stats *out);

/* The library's version, "0.1.0"; static.  Callers: any; never waits. */
WEIR_API const char *weir_version(void);

#endif
