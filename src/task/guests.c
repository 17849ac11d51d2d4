/* SPDX-License-Identifier: MIT */
/* Scopes of plain threads; see guests.h.
 *
 * Whoever walks the list holds its lock for one step only, since canceling takes locks of its own
 * and waiting takes time: it leaves with a reference to one scope, whose opener may meanwhile close
 * it, and begins anew.
 *
 * A scope that is opened while the runtime closes: its opener a: puts it on the list, b: looks
 * whether the root is canceled, and if so cancels the scope.  The closer c: cancels the root, d:
 * walks the list.  By the list's lock d sees a, or b sees c.
 *
 * Lock order: the list's, then a scope's. */
#include "task/guests.h"

#include "task/runtime.h"

static struct wi_lock guests_lock;
static struct wi_list guests; /* guarded by guests_lock; all-zero is empty */

void wi_guest_add(struct weir_scope *scope)
{
    wi_lock(&guests_lock);
    if (guests.next == NULL)
        wi_list_init(&guests);
    wi_list_push_back(&guests, &scope->guest);                     /* a */
    const int cause = wi_region_cause(&wi_runtime_root()->region); /* b */
    scope->guest_told = cause != 0;
    wi_unlock(&guests_lock);
    if (cause != 0)
        weir_scope_cancel(scope, cause);
}

void wi_guest_remove(struct weir_scope *scope)
{
    wi_lock(&guests_lock);
    wi_list_remove(&scope->guest);
    wi_unlock(&guests_lock);
}

static bool not_told(struct weir_scope *scope)
{
    const bool first = !scope->guest_told;
    scope->guest_told = true;
    return first;
}

static bool has_children(struct weir_scope *scope)
{
    wi_lock(&scope->lock);
    const bool some = scope->count > 0;
    wi_unlock(&scope->lock);
    return some;
}

/* The first of which `wanted` is true, with a reference for the caller; NULL: none. */
static struct weir_scope *take_first(bool (*wanted)(struct weir_scope *scope))
{
    struct weir_scope *found = NULL;
    wi_lock(&guests_lock);
    for (struct wi_list *node = guests.next; node != NULL && node != &guests; node = node->next) {
        struct weir_scope *scope = wi_container_of(node, struct weir_scope, guest);
        if (!wanted(scope))
            continue;
        wi_scope_retain(scope);
        found = scope;
        break;
    }
    wi_unlock(&guests_lock);
    return found;
}

void wi_guests_cancel(int cause)
{
    struct weir_scope *scope;
    while ((scope = take_first(not_told)) != NULL) { /* d */
        weir_scope_cancel(scope, cause);
        wi_scope_let_go(scope);
    }
}

int wi_guests_wait(weir_time deadline)
{
    struct weir_scope *scope;
    int rc = 0;
    while (rc == 0 && (scope = take_first(has_children)) != NULL) {
        rc = wi_scope_wait(scope, deadline, WI_WAIT_UNCANCELABLE);
        wi_scope_let_go(scope);
    }
    return rc;
}
