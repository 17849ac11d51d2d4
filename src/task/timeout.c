/* SPDX-License-Identifier: MIT */
/* Timeouts: regions of the caller's code with an instant of their own; see sync/cancel.h for what
 * cancels, and include/weir/timeout.h for what is reported.  There is no timer behind one: the
 * waits in between look at the ambient deadline, and the clock decides at the end. */
#include "weir/timeout.h"

#include <stddef.h>

#include "base/check.h"
#include "sync/cancel.h"

_Static_assert(sizeof(struct weir_timeout) >= sizeof(struct wi_region), "a region fits");
_Static_assert(_Alignof(struct weir_timeout) >= _Alignof(struct wi_region), "and is aligned");

static struct wi_region *region_of(struct weir_timeout *timeout, const char *call)
{
    wi_bug_unless(timeout != NULL);
    struct wi_region *region = (struct wi_region *)(void *)timeout->reserved;
    if (region->kind != WI_REGION_TIMEOUT || region->parker != wi_current_parker())
        wi_bug_misuse(call, "only who began a timeout moves and ends it", (int64_t)region->kind);
    return region;
}

void weir_timeout_begin(struct weir_timeout *timeout, weir_time deadline)
{
    wi_bug_unless(timeout != NULL);
    struct wi_parker *parker = wi_current_parker();
    struct wi_region *region = (struct wi_region *)(void *)timeout->reserved;
    wi_region_begin(region, parker, WI_REGION_TIMEOUT, deadline);
    /* One that is over already cancels also the calls that would not have to wait. */
    if (deadline != WEIR_NO_DEADLINE)
        (void)wi_parker_cancel_cause(parker);
}

int weir_timeout_move(struct weir_timeout *timeout, weir_time deadline)
{
    struct wi_region *region = region_of(timeout, "weir_timeout_move");
    if (region->deadline != WEIR_NO_DEADLINE && weir_now() >= region->deadline)
        return WEIR_ETIMEDOUT;
    wi_region_move(region, deadline);
    (void)wi_parker_cancel_cause(region->parker);
    return 0;
}

int weir_timeout_end(struct weir_timeout *timeout, int result)
{
    struct wi_region *region = region_of(timeout, "weir_timeout_end");
    struct wi_parker *parker = region->parker;
    if (parker->regions != region)
        wi_bug_misuse("weir_timeout_end",
                      "scopes and timeouts end in the reverse order of their beginning", 0);
    wi_region_end(region);
    const bool canceled = wi_parker_cancel_cause(parker) != 0;
    if (result < 0 && result != WEIR_ECANCELED && result != WEIR_ETIMEDOUT)
        return result;
    if (canceled)
        return WEIR_ECANCELED;
    if (result == WEIR_ECANCELED && region->deadline != WEIR_NO_DEADLINE &&
        weir_now() >= region->deadline)
        return WEIR_ETIMEDOUT;
    return result;
}
