/* SPDX-License-Identifier: MIT */
/* Where select finds the kinds of the floors above; see select.h.  Set once, by whoever opens the
 * first runtime: before that there is nothing of those kinds that could become ready. */
#include "sync/select.h"

#include <stddef.h>

#include "base/check.h"

static wi_atomic_ptr table; /* an array of WI_SELECT_OPS pointers to kinds */

void wi_selectables_set(const struct wi_selectable *const *kinds)
{
    wi_store_release(&table, (void *)(uintptr_t)kinds);
}

const struct wi_selectable *wi_selectable_of(enum weir_select_op op)
{
    wi_bug_unless_cmp((int)op, >=, 0);
    wi_bug_unless_cmp((int)op, <, (int)WI_SELECT_OPS);
    const struct wi_selectable *const *kinds = wi_load_acquire(&table);
    return kinds != NULL ? kinds[op] : NULL;
}
