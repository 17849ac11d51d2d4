/* SPDX-License-Identifier: MIT */
#ifndef WI_LOAD_BUDGET_H
#define WI_LOAD_BUDGET_H

/* The law of a retry budget: a bucket of tokens that first attempts fill and retries empty.
 *
 * A first attempt that the destination accepted puts `ratio` of a token in; whatever happens, so
 * many tokens flow in each second (the floor), or who asks rarely could never retry.  A retry takes
 * whole tokens or does not happen.  The bucket holds what `keep_ns` have brought: what the floor
 * brings in that time, and the deposits of about that long.  So in any time there are at most
 *   ratio * accepted first attempts + floor * seconds + what the bucket held
 * retries.  Attempts that were refused bring nothing: a storm does not fund itself.
 *
 * Tokens are counted in thousand-millionths, so the floor is exact for any step of the clock.
 *
 * Invariant: 0 <= tokens <= the floor's share of keep_ns + recent deposits.
 * Threads: one owner, or a lock around it.
 * Source: "Site Reliability Engineering", Beyer et al. 2016, chapter 21 (a client's ratio of 10 %);
 * Finagle's RetryBudget (floor, expiring deposits).  That only accepted attempts count is our own.
 */

#include <stdbool.h>
#include <stdint.h>

#include "weir/time.h"

#define WI_BUDGET_TOKEN INT64_C(1000000000)
/* Numbers of the law stay in their range: a bucket of 1e9 tokens is more than anybody retries. */
#define WI_BUDGET_TOKENS_MAX (INT64_C(1000000000) * WI_BUDGET_TOKEN)

struct wi_budget {
    /* constant after init */
    int64_t deposit;     /* of an accepted attempt, in thousand-millionths of a token */
    int64_t floor_per_s; /* tokens */
    int64_t keep_ns;
    /* owner */
    int64_t tokens;
    double recent; /* deposits of the last keep_ns, fading */
    weir_time last;
};

/* Begins with what the floor brings in keep_ns.
 *   ratio_percent  0 to 1,000;  floor_per_s  0 to 1,000,000;  keep_ns  1 ms to an hour */
void wi_budget_init(struct wi_budget *budget, int64_t ratio_percent, int64_t floor_per_s,
                    int64_t keep_ns, weir_time now);

/* A first attempt was accepted. */
void wi_budget_deposit(struct wi_budget *budget, weir_time now);

/* Takes `cost` tokens; false: there are not so many, and none was taken. */
bool wi_budget_withdraw(struct wi_budget *budget, int64_t cost, weir_time now);

/* What there is now, in thousand-millionths of a token. */
int64_t wi_budget_tokens(struct wi_budget *budget, weir_time now);

#endif
