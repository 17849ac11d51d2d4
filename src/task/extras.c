/* SPDX-License-Identifier: MIT */
/* The record of what few tasks have; see extras.h. */
#include "task/extras.h"

#include "base/alloc.h"
#include "base/check.h"
#include "os/thread.h"
#include "task/scope.h"
#include "task/task.h"
#include "task/worker.h"

struct wi_extras **wi_extras_place(void)
{
    struct weir_task *task = wi_task_current();
    return task != NULL ? &task->extras : wi_thread_extras();
}

/* Of a plain thread that ends: what it has deferred ran when its scopes were closed. */
static void thread_ends(void *unused)
{
    (void)unused;
    struct wi_extras **place = wi_thread_extras();
    wi_extras_free(*place);
    *place = NULL;
}

struct wi_extras *wi_extras_own(void)
{
    struct wi_extras **place = wi_extras_place();
    if (*place != NULL)
        return *place;
    *place = wi_alloc_zeroed(1, sizeof(**place));
    if (*place != NULL && place == wi_thread_extras() && !wi_thread_extras_lent())
        wi_os_thread_at_exit(thread_ends, NULL);
    return *place;
}

int wi_extras_inherit(const struct wi_extras *extras, struct wi_extras **out)
{
    bool any = extras->attempt > 0;
    for (int i = 0; i < WEIR_LOCALS_MAX; i++)
        any = any || extras->locals[i] != NULL;
    *out = NULL;
    if (!any)
        return 0;
    struct wi_extras *copy = wi_alloc_zeroed(1, sizeof(*copy));
    if (copy == NULL)
        return WEIR_ENOMEM;
    copy->attempt = extras->attempt;
    wi_locals_inherit(extras->locals, copy->locals);
    *out = copy;
    return 0;
}

void wi_extras_free(struct wi_extras *extras)
{
    if (extras == NULL)
        return;
    wi_bug_unless(extras->deferred == NULL);
    wi_locals_destroy(extras->locals);
    wi_free(extras);
}

void wi_extras_end(struct weir_task *task)
{
    struct wi_extras *extras = task->extras;
    wi_deferred_run(&task->extras, NULL);
    if (extras->detail != NULL && !wi_scope_child_failing(task->scope, task, extras))
        extras->release_detail(extras->detail);
    extras->detail = NULL;
    /* Last, and still reachable by its own hooks. */
    wi_locals_destroy(extras->locals);
    task->extras = NULL;
    wi_bug_unless(extras->deferred == NULL);
    wi_free(extras);
}

/* -- the detail of an error ------------------------------------------------------------------- */

static void release_nothing(void *detail)
{
    (void)detail;
}

int weir_fail(int code, void *detail, void (*release)(void *detail))
{
    wi_bug_unless_cmp(code, <, 0);
    if (release == NULL)
        release = release_nothing;
    struct wi_extras *extras = wi_task_current() != NULL ? wi_extras_own() : NULL;
    if (extras == NULL) {
        release(detail);
        return code;
    }
    void *before = extras->detail;
    void (*release_before)(void *) = extras->release_detail;
    extras->detail = detail;
    extras->release_detail = release;
    if (before != NULL)
        release_before(before);
    return code;
}

void weir_scope_error_release(struct weir_scope_error *error)
{
    wi_bug_unless(error != NULL);
    if (error->detail != NULL)
        error->release(error->detail);
    error->detail = NULL;
}
