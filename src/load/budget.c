/* SPDX-License-Identifier: MIT */
/* The law of a retry budget; see budget.h. */
#include "load/budget.h"

#include "base/check.h"
#include "load/decay.h"

static int64_t capacity(const struct wi_budget *budget)
{
    const double most = (double)budget->floor_per_s * (double)budget->keep_ns + budget->recent;
    return most < (double)WI_BUDGET_TOKENS_MAX ? (int64_t)most : WI_BUDGET_TOKENS_MAX;
}

static void cut(struct wi_budget *budget)
{
    const int64_t most = capacity(budget);
    if (budget->tokens > most)
        budget->tokens = most;
}

/* A token is 1e9 and a second 1e9 ns, so each ns brings floor_per_s. */
static void flow(struct wi_budget *budget, weir_time now)
{
    const int64_t elapsed_ns = wi_elapsed(&budget->last, now, budget->keep_ns);
    budget->recent = wi_decay(budget->recent, elapsed_ns, budget->keep_ns);
    budget->tokens += elapsed_ns * budget->floor_per_s;
    cut(budget);
}

void wi_budget_init(struct wi_budget *budget, int64_t ratio_percent, int64_t floor_per_s,
                    int64_t keep_ns, weir_time now)
{
    wi_bug_unless_cmp(ratio_percent, >=, 0);
    wi_bug_unless_cmp(ratio_percent, <=, 1000);
    wi_bug_unless_cmp(floor_per_s, >=, 0);
    wi_bug_unless_cmp(floor_per_s, <=, 1000000);
    wi_bug_unless_cmp(keep_ns, >=, WEIR_NS_PER_MS);
    wi_bug_unless_cmp(keep_ns, <=, 3600 * WEIR_NS_PER_S);
    *budget = (struct wi_budget){
        .deposit = ratio_percent * (WI_BUDGET_TOKEN / 100),
        .floor_per_s = floor_per_s,
        .keep_ns = keep_ns,
        .last = now,
    };
    budget->tokens = capacity(budget);
}

void wi_budget_deposit(struct wi_budget *budget, weir_time now)
{
    flow(budget, now);
    budget->recent += (double)budget->deposit;
    budget->tokens += budget->deposit;
    cut(budget);
}

bool wi_budget_withdraw(struct wi_budget *budget, int64_t cost, weir_time now)
{
    wi_bug_unless_cmp(cost, >=, 0);
    wi_bug_unless_cmp(cost, <=, WI_BUDGET_TOKENS_MAX / WI_BUDGET_TOKEN);
    flow(budget, now);
    if (budget->tokens < cost * WI_BUDGET_TOKEN)
        return false;
    budget->tokens -= cost * WI_BUDGET_TOKEN;
    return true;
}

int64_t wi_budget_tokens(struct wi_budget *budget, weir_time now)
{
    flow(budget, now);
    return budget->tokens;
}
