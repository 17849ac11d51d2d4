/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TASK_H
#define WEIR_TASK_H

/* Tasks: what runs.  A task is a stackful coroutine on a worker; under the `threads` scheduler,
 * and with .blocking or .pinned, an OS thread.  It is written in plain blocking C: a weir call that
 * waits parks the task and frees the core.
 *
 * A task belongs to a scope (scope.h); without one named, to the innermost scope that its spawner
 * has open, else to the spawner's own.  Cancellation is sticky and cooperative: once canceled,
 * every later waiting call returns WEIR_ECANCELED (locks and joins excepted), until the task ends
 * or shields a piece of clean-up.  What only cancels a scope that the task has open (scope.h), or a
 * timeout (timeout.h), is over when that ends.
 *
 * A task takes over from its spawner the ambient deadline, if that is earlier than its own, and the
 * cancellation: the child of a canceled task is canceled from its first instant.  A detached one
 * takes over neither and belongs, unless a scope is named, to the runtime: to be canceled when that
 * closes.
 *
 * A task ends by returning from its function, and in no other way: C cannot unwind the frames of a
 * task that would end in the depth of a call, so there is no call that does. */

#include <stdbool.h>
#include <stddef.h>

#include "weir/err.h"
#include "weir/time.h"

typedef struct weir_task weir_task;
typedef struct weir_scope weir_scope;

/* The body of a task.  A negative result is an error: the scope keeps the first one. */
typedef int weir_task_fn(void *arg);

/* All-zero is the sensible default. */
struct weir_task_opts {
    size_t size;        /* sizeof(struct weir_task_opts); 0 counts as that */
    const char *name;   /* static text; for dumps and reports */
    const char *site;   /* static text: where it was spawned; the macros fill it in */
    weir_scope *scope;  /* NULL: the spawner's innermost */
    size_t stack_bytes; /* 0: the runtime's default; at most 64 MiB; no say over OS threads */
    bool pinned;        /* stays on one OS thread, for libraries with thread-local state */
    bool blocking;      /* runs on an OS thread, for code that blocks; stack of 512 KiB */
    weir_time deadline; /* ambient deadline; 0: the spawner's */
    bool dont_wait;     /* WEIR_EAGAIN where the scope is full: see weir_scope_opts.limit */
    bool detached;      /* takes over neither deadline nor cancellation from the spawner */
};

#define WEIR_STRINGIFY_2(x) #x
#define WEIR_STRINGIFY(x) WEIR_STRINGIFY_2(x)
#define WEIR_SITE __FILE__ ":" WEIR_STRINGIFY(__LINE__)

/* Starts fn(arg) as a task that nobody joins; its scope does.  It waits only where the scope has a
 * limit and is full: until a child ends, or the caller is canceled.
 *
 *   opts  borrowed for the call; NULL: defaults
 *
 *   0                it will run; one for whose stack there is no memory does when there is again,
 *                    such as when another has ended, and is neither refused nor lost
 *   WEIR_ECANCELED   the scope is canceled or closing, or the caller was canceled while it waited
 *                    for a slot; it will not run
 *   WEIR_EOVERFLOW   tasks_max or threads_max is reached; it will not run
 *   WEIR_EINVAL      stack_bytes is too large, or an option is of a later version
 *   WEIR_ENOMEM      no memory for its record, or for its thread; it will not run
 *   WEIR_EAGAIN      no thread for it (`threads`, .pinned); or the scope is full, and dont_wait was
 *                    asked for
 *   WEIR_ENOTOPEN, WEIR_EFORKED
 *
 * Callers: task (may park), thread (may block), callback; waits only in a scope that is full. */
WEIR_API WEIR_CHECK int weir_go_with(weir_task_fn *fn, void *arg,
                                     const struct weir_task_opts *opts);

/* As weir_go_with(); *out stands for the task until weir_task_join() or weir_task_release() has
 * returned.  Callers: as weir_go_with(). */
WEIR_API WEIR_CHECK int weir_task_start_with(weir_task **out, weir_task_fn *fn, void *arg,
                                             const struct weir_task_opts *opts);

#ifndef __cplusplus
/* weir_go(fn, arg) or weir_go(fn, arg, .name = "reader", .pinned = true) */
#define weir_go(fn, ...) WEIR_GO_PICK(__VA_ARGS__, )(fn, __VA_ARGS__)
#define WEIR_GO_PICK(arg, ...) WEIR_GO_OPTS
#define WEIR_GO_OPTS(fn, arg, ...)                                                                 \
    weir_go_with((fn), (arg),                                                                      \
                 &(struct weir_task_opts){                                                         \
                     .size = sizeof(struct weir_task_opts), .site = WEIR_SITE, __VA_ARGS__ })
/* weir_try_go(fn, arg, ...): as weir_go(), but WEIR_EAGAIN where the scope is full. */
#define weir_try_go(fn, ...) weir_go(fn, __VA_ARGS__, .dont_wait = true)
#define weir_task_start(out, fn, arg, ...)                                                         \
    weir_task_start_with((out), (fn), (arg),                                                       \
                         &(struct weir_task_opts){ .size = sizeof(struct weir_task_opts),          \
                                                   .site = WEIR_SITE,                              \
                                                   __VA_ARGS__ })
#else
#define weir_go(fn, arg) weir_go_with((fn), (arg), nullptr)
#define weir_task_start(out, fn, arg) weir_task_start_with((out), (fn), (arg), nullptr)
#endif

/* Waits until the task has ended and gives its handle back.  One caller at a time: a second one
 * aborts.
 *
 *   task    taken, unless the deadline came
 *   result  what fn returned; may be NULL
 *
 *   0               ended; the handle is gone
 *   WEIR_ETIMEDOUT  not ended; the handle stays
 *   WEIR_EDEADLK    the task is the caller
 *   WEIR_EFORKED    it has not ended, and is not in this process; the handle stays
 *
 * Ambient cancellation does not interrupt it.  Callers: task (parks), thread (blocks). */
WEIR_API WEIR_CHECK int weir_task_join(weir_task *task, int *result, weir_time deadline);

/* Gives the handle back without waiting; the task goes on.  Callers: any thread; never waits. */
WEIR_API void weir_task_release(weir_task *task);

/* Asks the task to end: its waits return WEIR_ECANCELED from now on; weir_cancel_cause() tells
 * `cause` (a negative code).  The first cause stays.  The scopes that it has open are canceled with
 * it, at once and down to the last task, as by weir_scope_cancel().
 * Callers: any thread; never waits.  Cost: grows with the number of tasks below. */
WEIR_API void weir_task_cancel(weir_task *task, int cause);

/* Why the caller shall end what it does: 0, or the cause (a negative code).  Of several that which
 * lies farthest out: the task's own cancellation; that of a scope or timeout that it has open.  A
 * passed ambient deadline counts: then it is WEIR_ETIMEDOUT.
 * Callers: any; never waits; outside tasks only scopes and timeouts cancel. */
WEIR_API int weir_cancel_cause(void);

/* Lets other ready tasks run first.  0 or WEIR_ECANCELED.
 * Callers: task (parks), thread (blocks); goes to the end of the line, a thread to the kernel's. */
WEIR_API int weir_yield(void);

/* Sleeps until the instant.  0 at or after it, WEIR_ECANCELED before.
 * Callers: task (parks), thread (blocks). */
WEIR_API int weir_sleep(weir_time until);

/* The calling task's ambient deadline, as far as no shield holds it back; WEIR_NO_DEADLINE without
 * one.  Callers: any; never waits. */
WEIR_API weir_time weir_deadline(void);

/* Brings the calling task's ambient deadline forward, in a timeout that of the timeout; one that
 * lies later than the present one changes nothing.  The deadline in force afterwards.
 * Callers: task; never waits. */
WEIR_API weir_time weir_deadline_cap(weir_time deadline);

/* Runs fn(arg) while cancellation and the ambient deadline are held back, at most until `bound`:
 * for clean-up that has to wait.  Scopes and timeouts that fn itself opens cancel as ever.  What
 * was held back is there again when fn returns: fn is protected, its caller is not.  An outer
 * shield's bound holds if it comes earlier.
 * The result of fn.  Callers: task (may park), thread (may block): as fn does. */
WEIR_API int weir_shield(weir_task_fn *fn, void *arg, weir_time bound);

/* The number of the calling task, from 1; 0 outside tasks.  Callers: any; never waits. */
WEIR_API uint64_t weir_task_id(void);

/* The name of the calling task, "" without one or outside tasks.  Callers: any; never waits. */
WEIR_API const char *weir_task_name(void);

/* Where errno is for the thread that runs the caller now.  weir.h redefines errno by it, because
 * the C library's may be cached over a wait after which the task runs on another thread.
 * Callers: any, also signal handlers; never waits. */
WEIR_API int *weir_errno_address(void);

#endif
