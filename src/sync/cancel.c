/* SPDX-License-Identifier: MIT */
/* Cancellation of a parker's owner and of regions of its code; the protocol is in cancel.h. */
#include "sync/cancel.h"

#include <stddef.h>

#include "base/check.h"

static const uint64_t OUTSIDE = 0xffffffffu;
static const uint64_t LOOK = (uint64_t)1 << 32;
static const uint64_t ONE_SCOPE = (uint64_t)1 << 33;

static int outside_cause(uint64_t word)
{
    return (int)(uint32_t)(word & OUTSIDE);
}

/* -- regions ---------------------------------------------------------------------------------- */

void wi_region_init(struct wi_region *region)
{
    region->parker = NULL;
    region->outer = NULL;
    region->deadline = WEIR_NO_DEADLINE;
    region->base = WEIR_NO_DEADLINE;
    region->kind = WI_REGION_SCOPE;
    wi_store_relaxed(&region->cause, 0);
}

/* Whether the region is a shield that still holds.  *now is 0 until somebody had to ask. */
static bool holds(const struct wi_region *region, weir_time *now)
{
    if (region->kind != WI_REGION_SHIELD)
        return false;
    if (*now == 0)
        *now = weir_now();
    return *now < region->deadline;
}

/* Sets the deadline and the shield that are in force, from the chain. */
static void refresh(struct wi_parker *parker)
{
    weir_time now = 0;
    weir_time deadline = WEIR_NO_DEADLINE;
    weir_time shield_until = 0;
    for (const struct wi_region *at = parker->regions; at != NULL; at = at->outer) {
        if (holds(at, &now)) {
            shield_until = at->deadline;
            break;
        }
        if (at->kind == WI_REGION_TIMEOUT && at->deadline < deadline)
            deadline = at->deadline;
        if (at->outer == NULL && at->base < deadline)
            deadline = at->base;
    }
    parker->deadline = deadline;
    parker->shield_until = shield_until;
}

static weir_time cut_to_outer_shield(const struct wi_region *outer, weir_time bound)
{
    while (outer != NULL && outer->kind != WI_REGION_SHIELD)
        outer = outer->outer;
    return outer != NULL && outer->deadline < bound ? outer->deadline : bound;
}

static void link_innermost(struct wi_parker *parker, struct wi_region *region)
{
    wi_lock(&parker->regions_lock);
    parker->regions = region;
    wi_unlock(&parker->regions_lock);
}

void wi_region_begin(struct wi_region *region, struct wi_parker *parker, enum wi_region_kind kind,
                     weir_time deadline)
{
    region->parker = parker;
    region->outer = parker->regions;
    region->deadline = deadline;
    region->base = parker->deadline; /* read only if it is the outermost */
    region->kind = kind;
    wi_store_relaxed(&region->cause, 0);
    if (kind == WI_REGION_SHIELD)
        region->deadline = cut_to_outer_shield(region->outer, deadline);
    link_innermost(parker, region); /* c */
    if (kind == WI_REGION_TIMEOUT && deadline < parker->deadline)
        parker->deadline = deadline;
    else if (kind == WI_REGION_SHIELD)
        refresh(parker);
}

void wi_region_end(struct wi_region *region)
{
    struct wi_parker *parker = region->parker;
    wi_bug_unless(parker->regions == region);
    link_innermost(parker, region->outer); /* d */
    if (region->kind == WI_REGION_SCOPE) {
        if (wi_region_cause(region) != 0)
            (void)wi_sub_acq_rel(&parker->cancel, ONE_SCOPE);
    } else if (region->kind == WI_REGION_TIMEOUT &&
               (wi_load_relaxed(&parker->cancel) & LOOK) != 0) {
        (void)wi_and_acq_rel(&parker->cancel, ~LOOK);
    }
    if (region->outer != NULL) {
        refresh(parker);
    } else {
        parker->deadline = region->base;
        parker->shield_until = 0;
    }
}

void wi_region_move(struct wi_region *region, weir_time deadline)
{
    region->deadline = deadline;
    refresh(region->parker);
}

bool wi_region_cancel(struct wi_region *region, int cause)
{
    if (wi_region_cause(region) != 0)
        return false;
    wi_store_relaxed(&region->cause, cause);
    if (region->parker != NULL) {
        (void)wi_add_acq_rel(&region->parker->cancel, ONE_SCOPE); /* b */
        wi_wake(region->parker);
    }
    return true;
}

/* -- the owner -------------------------------------------------------------------------------- */

/* Sets the cause from outside unless there is one.  True if it is this one. */
static bool cancel_outside(struct wi_parker *parker, int cause)
{
    uint64_t word = wi_load_relaxed(&parker->cancel);
    do {
        if (outside_cause(word) != 0)
            return false;
    } while (!wi_cas_acq_rel(&parker->cancel, &word, word | (uint32_t)cause)); /* a */
    return true;
}

int wi_parker_cancel(struct wi_parker *parker, int cause)
{
    if (!cancel_outside(parker, cause))
        return outside_cause(wi_load_relaxed(&parker->cancel));
    wi_wake(parker);
    return cause;
}

struct wi_region *wi_region_reached(struct wi_parker *parker, struct wi_region *within)
{
    weir_time now = 0;
    struct wi_region *reached = parker->regions; /* f */
    for (struct wi_region *at = parker->regions; at != within; at = at->outer) {
        if (holds(at, &now))
            reached = at->outer;
    }
    return reached;
}

/* What lies outside of all regions. */
static int cause_outside(struct wi_parker *parker, weir_time base, weir_time now)
{
    if (now >= base)
        (void)cancel_outside(parker, WEIR_ETIMEDOUT);
    return outside_cause(wi_load_acquire(&parker->cancel));
}

/* The cause that lies farthest out but inside of a shield that holds; 0 for none. */
static int walk(struct wi_parker *parker, weir_time now)
{
    int cause = 0;
    weir_time base = parker->deadline;
    for (const struct wi_region *at = parker->regions; at != NULL; at = at->outer) {
        if (holds(at, &now))
            return cause;
        const int canceled = wi_load_acquire(&at->cause);
        if (canceled != 0)
            cause = canceled;
        if (at->kind == WI_REGION_TIMEOUT && now >= at->deadline) {
            cause = WEIR_ETIMEDOUT;
            if ((wi_load_relaxed(&parker->cancel) & LOOK) == 0)
                (void)wi_or_acq_rel(&parker->cancel, LOOK);
        }
        base = at->base;
    }
    const int outside = cause_outside(parker, base, now);
    return outside != 0 ? outside : cause;
}

int wi_parker_cancel_cause(struct wi_parker *parker)
{
    const uint64_t word = wi_load_acquire(&parker->cancel); /* e */
    const bool shielded = parker->shield_until != 0;
    if (wi_likely(word == 0 && parker->deadline == WEIR_NO_DEADLINE && !shielded))
        return 0;
    if (outside_cause(word) != 0 && !shielded)
        return outside_cause(word);
    const weir_time now = weir_now();
    const bool shield_over = shielded && now >= parker->shield_until;
    if (word == 0 && now < parker->deadline && !shield_over)
        return 0;
    if (shield_over)
        refresh(parker);
    return walk(parker, now);
}

int wi_parker_cancel_by_others(struct wi_parker *parker)
{
    const uint64_t word = wi_load_acquire(&parker->cancel);
    if ((word & ~LOOK) == 0)
        return 0;
    weir_time now = 0;
    int cause = 0;
    for (const struct wi_region *at = parker->regions; at != NULL; at = at->outer) {
        if (holds(at, &now))
            return cause;
        const int canceled = wi_load_acquire(&at->cause);
        if (canceled != 0)
            cause = canceled;
    }
    return outside_cause(word) != 0 ? outside_cause(word) : cause;
}

weir_time wi_parker_look_again(const struct wi_parker *parker)
{
    const weir_time shield_until = parker->shield_until;
    return shield_until != 0 && shield_until < parker->deadline ? shield_until : parker->deadline;
}

void wi_parker_deadline_cap(struct wi_parker *parker, weir_time deadline)
{
    struct wi_region *at = parker->regions;
    if (at == NULL) {
        if (deadline < parker->deadline)
            parker->deadline = deadline;
        return;
    }
    while (at->kind == WI_REGION_SCOPE && at->outer != NULL)
        at = at->outer;
    if (at->kind != WI_REGION_TIMEOUT) {
        while (at->outer != NULL)
            at = at->outer;
        if (deadline < at->base)
            at->base = deadline;
    } else if (deadline < at->deadline) {
        at->deadline = deadline;
    }
    refresh(parker);
}
