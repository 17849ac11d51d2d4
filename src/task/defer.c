/* SPDX-License-Identifier: MIT */
/* Deferred handlers; see include/weir/defer.h.  They form one stack for each task or thread; a
 * scope remembers how high it was when it was opened and takes it down to there. */
#include "weir/defer.h"

#include "base/alloc.h"
#include "base/check.h"
#include "sync/cancel.h"
#include "task/extras.h"
#include "task/scope.h"
#include "task/task.h"

/* How high the stack was when the caller's innermost scope was opened. */
static const struct wi_deferred *floor_of_caller(void)
{
    const struct weir_scope *scope = wi_scope_innermost(wi_current_parker());
    return scope != NULL ? scope->deferred : NULL;
}

int weir_defer(void (*fn)(void *arg), void *arg)
{
    wi_bug_unless(fn != NULL);
    if (wi_task_current() == NULL && wi_scope_innermost(wi_current_parker()) == NULL)
        return WEIR_ENOTSUP;
    struct wi_extras *extras = wi_extras_own();
    if (extras == NULL)
        return WEIR_ENOMEM;
    if (extras->deferred_count == WEIR_DEFERS_MAX)
        return WEIR_EOVERFLOW;
    struct wi_deferred *deferred = wi_alloc(sizeof(*deferred));
    if (deferred == NULL)
        return WEIR_ENOMEM;
    *deferred = (struct wi_deferred){ .below = extras->deferred, .fn = fn, .arg = arg };
    extras->deferred = deferred;
    extras->deferred_count++;
    return 0;
}

static struct wi_deferred pop(struct wi_extras *extras)
{
    struct wi_deferred *top = extras->deferred;
    const struct wi_deferred taken = *top;
    extras->deferred = top->below;
    extras->deferred_count--;
    wi_free(top);
    return taken;
}

void weir_defer_pop(bool run)
{
    struct wi_extras *extras = *wi_extras_place();
    if (extras == NULL || extras->deferred == floor_of_caller())
        wi_bug_misuse("weir_defer_pop", "nothing is deferred here; in all",
                      extras != NULL ? extras->deferred_count : 0);
    const struct wi_deferred taken = pop(extras);
    if (run)
        taken.fn(taken.arg);
}

void wi_deferred_run(struct wi_extras **place, const struct wi_deferred *mark)
{
    struct wi_extras *extras = *place;
    if (extras == NULL || extras->deferred == mark)
        return;
    struct wi_region shield;
    wi_region_begin(&shield, wi_current_parker(), WI_REGION_SHIELD, weir_in_ns(WEIR_DEFER_NS));
    while (extras->deferred != mark) {
        const struct wi_deferred taken = pop(extras);
        taken.fn(taken.arg);
    }
    wi_region_end(&shield);
}
