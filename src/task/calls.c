/* SPDX-License-Identifier: MIT */
/* What a task says of itself: yield, sleep, deadlines, cancellation, shield. */
#include <stddef.h>

#include "base/check.h"
#include "os/thread.h"
#include "sync/cancel.h"
#include "sync/wait.h"
#include "task/task.h"
#include "task/worker.h"

int weir_yield(void)
{
    struct wi_thread *thread = wi_thread_self();
    struct weir_task *task = thread != NULL ? wi_load_relaxed(&thread->task) : NULL;
    if (task == NULL) {
        wi_os_thread_yield();
        return wi_parker_canceled(wi_current_parker()) ? WEIR_ECANCELED : 0;
    }
    if (wi_unlikely(wi_task_is(task, WI_TASK_VEHICLE)))
        wi_os_thread_yield();
    else
        wi_task_leave(thread, WI_ACTION_YIELD);
    task->parker.budget = WI_PARKER_BUDGET;
    return wi_parker_canceled(&task->parker) ? WEIR_ECANCELED : 0;
}

static const struct wi_waitable sleep_waitable = { .what = "sleep" };

int weir_sleep(weir_time until)
{
    struct wi_wait wait;
    wi_wait_init(&wait, &sleep_waitable, NULL);
    int rc = wi_wait(&wait, until, WI_WAIT_CANCELABLE);
    return rc == WEIR_ETIMEDOUT ? 0 : rc;
}

int weir_cancel_cause(void)
{
    return wi_parker_cancel_cause(wi_current_parker());
}

weir_time weir_deadline(void)
{
    return wi_current_parker()->deadline;
}

weir_time weir_deadline_cap(weir_time deadline)
{
    struct weir_task *task = wi_task_current();
    if (task == NULL)
        return WEIR_NO_DEADLINE;
    wi_parker_deadline_cap(&task->parker, deadline);
    return task->parker.deadline;
}

int weir_shield(weir_task_fn *fn, void *arg, weir_time bound)
{
    wi_bug_unless(fn != NULL);
    struct wi_region shield;
    wi_region_begin(&shield, wi_current_parker(), WI_REGION_SHIELD, bound);
    const int rc = fn(arg);
    wi_region_end(&shield);
    return rc;
}

uint64_t weir_task_id(void)
{
    struct weir_task *task = wi_task_current();
    return task != NULL ? wi_task_id(task) : 0;
}

const char *weir_task_name(void)
{
    struct weir_task *task = wi_task_current();
    return task != NULL ? wi_task_name(task) : "";
}
