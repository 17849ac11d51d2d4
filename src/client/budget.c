/* SPDX-License-Identifier: MIT */
/* The retry budget as an object that many share: the law of load/budget.h behind a lock; see
 * include/weir/budget.h. */
#include "weir/budget.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/sized.h"
#include "load/budget.h"
#include "sync/lock.h"
#include "weir/time.h"

enum {
    RATIO_PERCENT = 10,
    FLOOR_PER_S = 1
};
#define KEEP_NS (10 * WEIR_NS_PER_S)

struct weir_budget {
    /* guarded by lock */
    struct wi_lock lock;
    struct wi_budget law;
    int64_t deposits, granted, denied;
};

/* An option's value: 0 stands for the default, a negative one for none. */
static int64_t chosen(int64_t value, int64_t fallback)
{
    if (value == 0)
        return fallback;
    return value < 0 ? 0 : value;
}

int weir_budget_create(weir_budget **out, const struct weir_budget_opts *opts)
{
    wi_bug_unless(out != NULL);
    struct weir_budget_opts wanted;
    const int rc = wi_sized_take(&wanted, sizeof(wanted), opts);
    if (rc != 0)
        return rc;
    const int64_t ratio = chosen(wanted.ratio_percent, RATIO_PERCENT);
    const int64_t floor_per_s = chosen(wanted.floor_per_s, FLOOR_PER_S);
    const int64_t keep_ns = wanted.keep_ns == 0 ? KEEP_NS : wanted.keep_ns;
    if (ratio > 1000 || floor_per_s > 1000000)
        return WEIR_EINVAL;
    if (keep_ns < WEIR_NS_PER_MS || keep_ns > 3600 * WEIR_NS_PER_S)
        return WEIR_EINVAL;
    struct weir_budget *budget = wi_alloc_zeroed(1, sizeof(*budget));
    if (budget == NULL)
        return WEIR_ENOMEM;
    wi_lock_init(&budget->lock);
    wi_budget_init(&budget->law, ratio, floor_per_s, keep_ns, weir_now());
    *out = budget;
    return 0;
}

void weir_budget_destroy(weir_budget *budget)
{
    wi_bug_unless(budget != NULL);
    wi_free(budget);
}

void weir_budget_deposit(weir_budget *budget)
{
    wi_bug_unless(budget != NULL);
    wi_lock(&budget->lock);
    wi_budget_deposit(&budget->law, weir_now());
    budget->deposits++;
    wi_unlock(&budget->lock);
}

int weir_budget_withdraw(weir_budget *budget, int64_t tokens)
{
    wi_bug_unless(budget != NULL);
    if (tokens < 0 || tokens > 1000000)
        return WEIR_EINVAL;
    wi_lock(&budget->lock);
    const bool granted = wi_budget_withdraw(&budget->law, tokens, weir_now());
    budget->granted += granted;
    budget->denied += !granted;
    wi_unlock(&budget->lock);
    return granted ? 0 : WEIR_ESHED;
}

void weir_budget_stats_read(weir_budget *budget, struct weir_budget_stats *out)
{
    wi_bug_unless(budget != NULL);
    wi_bug_unless(out != NULL);
    wi_lock(&budget->lock);
    const struct weir_budget_stats now = {
        .tokens = wi_budget_tokens(&budget->law, weir_now()) / WI_BUDGET_TOKEN,
        .deposits = budget->deposits,
        .granted = budget->granted,
        .denied = budget->denied,
    };
    wi_unlock(&budget->lock);
    wi_sized_give(out, &now, sizeof(now));
}
