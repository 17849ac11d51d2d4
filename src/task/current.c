/* SPDX-License-Identifier: MIT */
/* Thread-locals of the runtime, each behind a function that is never inlined and that the compiler
 * cannot see through: a caller cannot keep an address over a switch after which it runs on another
 * thread (doc/guide/thread-locals.md shows the failure). */
#include <stddef.h>

#include "task/rt.h"
#include "task/task.h"
#include "task/worker.h"

#if defined(__clang__)
#define NEVER_CACHED __attribute__((noinline, optnone))
#else
#define NEVER_CACHED __attribute__((noipa))
#endif

static _Thread_local struct wi_thread *self __attribute__((tls_model("initial-exec")));

NEVER_CACHED struct wi_thread *wi_thread_self(void)
{
    wi_compiler_barrier();
    return self;
}

NEVER_CACHED void wi_thread_set_self(struct wi_thread *thread)
{
    wi_compiler_barrier();
    self = thread;
}

struct weir_task *wi_task_current(void)
{
    struct wi_thread *thread = wi_thread_self();
    return thread != NULL ? thread->task : NULL;
}
