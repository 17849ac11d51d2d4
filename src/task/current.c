/* SPDX-License-Identifier: MIT */
/* Thread-locals of the runtime, each behind a function that is never inlined and that the compiler
 * cannot see through: a caller cannot keep an address over a switch after which it runs on another
 * thread (doc/guide/thread-locals.md shows the failure). */
#include <stddef.h>

#include "base/atomic.h"
#include "base/uncached.h"
#include "task/extras.h"
#include "task/rt.h"
#include "task/task.h"
#include "task/worker.h"

static _Thread_local struct wi_thread *self __attribute__((tls_model("initial-exec")));
static _Thread_local struct wi_extras *own_extras __attribute__((tls_model("initial-exec")));
static _Thread_local struct wi_extras **lent_extras __attribute__((tls_model("initial-exec")));

WI_UNCACHED struct wi_thread *wi_thread_self(void)
{
    wi_compiler_barrier();
    return self;
}

WI_UNCACHED void wi_thread_set_self(struct wi_thread *thread)
{
    wi_compiler_barrier();
    self = thread;
    if (thread == NULL)
        *wi_current_place() = NULL;
}

WI_UNCACHED struct wi_extras **wi_thread_extras(void)
{
    wi_compiler_barrier();
    return lent_extras != NULL ? lent_extras : &own_extras;
}

WI_UNCACHED bool wi_thread_extras_lent(void)
{
    wi_compiler_barrier();
    return lent_extras != NULL;
}

WI_UNCACHED void wi_extras_lend(struct wi_extras **place)
{
    wi_compiler_barrier();
    lent_extras = place;
}

struct weir_task *wi_task_current(void)
{
    struct wi_thread *thread = wi_thread_self();
    return thread != NULL ? wi_load_relaxed(&thread->task) : NULL;
}
