/* SPDX-License-Identifier: MIT */
/* The table of the kinds that select can wait for beside channels, and the end of a task as one of
 * them: under the task's lock it either has finished or takes the one joiner. */
#include "task/selectables.h"

#include <stddef.h>

#include "base/check.h"
#include "task/task.h"

const struct wi_selectable *const wi_selectables[WI_SELECT_OPS] = {
    [WEIR_SELECT_TIMER] = &wi_timer_selectable,   [WEIR_SELECT_JOIN] = &wi_join_selectable,
    [WEIR_SELECT_SIGNAL] = &wi_signal_selectable, [WEIR_SELECT_READABLE] = &wi_fd_selectable,
    [WEIR_SELECT_WRITABLE] = &wi_fd_selectable,
};

static bool join_begin(struct wi_selected *selected, bool may_wait)
{
    (void)may_wait;
    struct weir_task *task = selected->one->task;
    if (task == NULL)
        return false;
    wi_task_check_handle(task, "weir_select");
    if (task == wi_task_current()) {
        selected->one->result = WEIR_EDEADLK;
        return true;
    }
    selected->object = task;
    return false;
}

static struct wi_lock *join_lock(void *object)
{
    return &((struct weir_task *)object)->lock;
}

static bool join_ready(const struct wi_selected *selected)
{
    return wi_task_is(selected->object, WI_TASK_FINISHED);
}

static int join_take(struct wi_selected *selected, struct wi_waiter **served)
{
    (void)served;
    return join_ready(selected) ? 0 : WEIR_EAGAIN;
}

static struct wi_list *join_queue(struct wi_selected *selected)
{
    struct weir_task *task = selected->object;
    if (!wi_list_empty(&task->joiners))
        wi_bug_misuse("weir_select", "two callers join one task", (int64_t)wi_task_id(task));
    return &task->joiners;
}

/* The task has finished, and nobody but its handle's owner knows it any more. */
static void join_done(struct wi_selected *selected)
{
    struct weir_task *task = selected->object;
    if (selected->one->msg != NULL)
        *(int *)selected->one->msg = task->result;
    selected->one->result = 0;
    wi_task_drop_handle(task);
}

const struct wi_selectable wi_join_selectable = {
    .begin = join_begin,
    .lock = join_lock,
    .ready_locked = join_ready,
    .take_locked = join_take,
    .queue_locked = join_queue,
    .done = join_done,
};
