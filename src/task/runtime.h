/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_RUNTIME_H
#define WI_TASK_RUNTIME_H

/* What the floors above task/ may ask of the running runtime. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop/loop.h"
#include "weir/runtime.h"
#include "weir/scope.h"
#include "weir/task.h"

/* The runtime's shared loop, for watches.  NULL while no runtime is open. */
struct wi_loop *wi_runtime_loop(void);

/* The scope of tasks that belong to no other. */
struct weir_scope *wi_runtime_root(void);

/* 0, or WEIR_ENOTOPEN, WEIR_EFORKED. */
int wi_runtime_check(void);

/* Starts a timer (whose fire function runs on a worker or the loop, never waits) on the calling
 * worker's wheel, or on the shared loop's from elsewhere. */
void wi_runtime_timer_start(struct wi_timer *timer, weir_time deadline);

/* The same for a timer whose fire function runs the user's code: never on the monitor. */
void wi_runtime_user_timer_start(struct wi_timer *timer, weir_time deadline);

/* The same for a timer whose fire function needs no worker and runs no user code: on the shared
 * loop's wheel, which is looked after also while a handler keeps the only thread of a `loop`. */
void wi_runtime_loop_timer_start(struct wi_timer *timer, weir_time deadline);

/* Whether the calling callback of the shared loop runs on the monitor, in the place of the one
 * thread of a `loop`, which a task keeps: what it makes ready runs once that task waits or ends. */
bool wi_runtime_stands_in(void);

/* How many threads the pool may have on which WI_SPAWN_BLOCKING and WI_SPAWN_PINNED tasks run, and
 * whether the next such task would begin at once. */
int wi_runtime_threads_max(void);
bool wi_runtime_thread_is_free(void);

/* Spawns a task as weir_go_with() but for the server's hot path: no option parsing.  `flags` as
 * below; deadline WEIR_NO_DEADLINE for none.  Never waits. */
enum {
    WI_SPAWN_BLOCKING = 1u,
    WI_SPAWN_PINNED = 2u,
    WI_SPAWN_METERED = 4u /* task/meter.h */
};
WEIR_CHECK int wi_task_spawn(weir_scope *scope, weir_task_fn *fn, void *arg, const char *name,
                             const char *site, uint32_t flags, size_t stack_bytes,
                             weir_time deadline);

/* A scope that is nobody's innermost: the server's.  Closed by wi_scope_drain(). */
WEIR_CHECK int wi_scope_create(weir_scope **out);
/* Waits, uncancelably, for its children: 0 or WEIR_ETIMEDOUT; may be repeated. */
WEIR_CHECK int wi_scope_drain(weir_scope *scope, weir_time deadline);
/* Frees a scope without children. */
void wi_scope_destroy(weir_scope *scope);
/* Children now. */
int64_t wi_scope_children(weir_scope *scope);

/* A buffer of WI_SCRATCH_BYTES that belongs to the calling thread or its worker until the caller
 * next waits.  Never NULL in callbacks of the shared loop and in tasks. */
enum {
    WI_SCRATCH_BYTES = 65536
};
void *wi_scratch(void);

/* The monitor's loop, where the admin endpoint of a single process lives.  NULL without a monitor:
 * no runtime is open, or the scheduler is `loop` and watch_handlers is off. */
struct wi_loop *wi_monitor_loop(void);

#endif
