/* SPDX-License-Identifier: MIT */
/* Functions that wait for the cancellation of a scope; see after.h. */
#include "task/after.h"

#include "base/alloc.h"
#include "base/check.h"
#include "task/scope.h"
#include "task/task.h"

static int run(void *arg)
{
    const struct weir_after *after = arg;
    after->fn(after->arg);
    return 0;
}

void wi_after_start(struct weir_after *after)
{
    wi_task_spawn_reserved(after->task, after->scope, run, after, "weir_after_cancel",
                           weir_in_ns(WEIR_DEFER_NS));
}

static void forget(struct weir_after *after)
{
    if (!after->started)
        wi_task_unreserve(after->task);
    wi_free(after);
}

void wi_after_forget_all(struct wi_list *afters)
{
    struct wi_list *node;
    while ((node = wi_list_pop_front(afters)) != NULL)
        forget(wi_container_of(node, struct weir_after, node));
}

int weir_after_cancel(weir_after **out, weir_scope *scope, void (*fn)(void *arg), void *arg)
{
    wi_bug_unless(fn != NULL);
    if (scope == NULL)
        scope = wi_scope_innermost(wi_current_parker());
    if (scope == NULL)
        return WEIR_ENOTSUP;
    struct weir_after *after = wi_alloc(sizeof(*after));
    if (after == NULL)
        return WEIR_ENOMEM;
    *after = (struct weir_after){ .scope = scope, .fn = fn, .arg = arg };
    int rc = wi_task_reserve(&after->task);
    if (rc != 0) {
        wi_free(after);
        return rc;
    }
    /* Once it is registered it may be gone: by a cancellation and the close that follows. */
    if (out != NULL)
        *out = after;
    rc = wi_scope_after_add(scope, after);
    if (rc != 0)
        forget(after);
    return rc;
}

bool weir_after_stop(weir_after *after)
{
    wi_bug_unless(after != NULL);
    if (!wi_scope_after_remove(after->scope, after))
        return false;
    forget(after);
    return true;
}
