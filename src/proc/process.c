/* SPDX-License-Identifier: MIT */
/* weir_process: a function in a forked child.  The public half of child.c. */
#include "weir/proc.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "proc/child.h"

struct weir_process {
    int process_id;        /* constant after init; child forgets its own when it is reaped */
    struct wi_child child; /* owner: who joins */
};

/* Ends as exit() would for the streams, but runs no exit handlers: those are the parent's. */
static _Noreturn void run_child(int (*fn)(void *arg), void *arg)
{
    const int result = fn(arg);
    (void)fflush(NULL);
    wi_process_exit((int)((unsigned)result & 0xffu));
}

int weir_process_start(weir_process **out, int (*fn)(void *arg), void *arg)
{
    wi_bug_unless(out != NULL);
    wi_bug_unless(fn != NULL);
    struct weir_process *process = wi_alloc_zeroed(1, sizeof(*process));
    if (process == NULL)
        return WEIR_ENOMEM;
    const int id = wi_child_fork(&process->child, true);
    if (id == 0)
        run_child(fn, arg);
    if (id < 0) {
        wi_free(process);
        return id;
    }
    process->process_id = id;
    *out = process;
    return 0;
}

int weir_process_id(const weir_process *process)
{
    wi_bug_unless(process != NULL);
    return process->process_id;
}

int weir_process_join(weir_process *process, int *status, weir_time deadline)
{
    wi_bug_unless(process != NULL);
    struct wi_process_end end;
    if (!wi_child_join(&process->child, &end, deadline))
        return WEIR_ETIMEDOUT;
    if (status != NULL)
        *status = wi_child_status(&end);
    wi_free(process);
    return 0;
}
