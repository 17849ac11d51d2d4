/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BUDGET_H
#define WEIR_BUDGET_H

/* Retry budget: how many retries a destination may be given, whoever makes them.
 *
 *     rc = attempt();
 *     if (accepted(rc))
 *         weir_budget_deposit(budget);
 *     else if (weir_budget_withdraw(budget, 1) == 0)
 *         rc = attempt();
 *
 * Each first attempt that was accepted brings a tenth of a token, each second one token; a retry
 * costs one, two after a timeout, since the destination may still be at work.  What is not used is
 * kept for ten seconds.  So the destination never sees more than 1.1 times the load that was meant
 * for it, and what it refuses brings nothing.  weir_client (client.h) has one for each destination;
 * this is for clients of other kinds.
 * The law: src/load/budget.h. */

#include <stddef.h>
#include <stdint.h>

#include "weir/err.h"

typedef struct weir_budget weir_budget;

/* All-zero is the sensible default. */
struct weir_budget_opts {
    size_t size;           /* sizeof(struct weir_budget_opts); 0 counts as that */
    int64_t ratio_percent; /* of a token, for each deposit [10]; at most 1,000; negative: none */
    int64_t floor_per_s;   /* tokens that come each second [1]; at most 1,000,000; negative: none */
    int64_t keep_ns;       /* unused ones are kept so long [10 s]; from 1 ms to an hour */
};

/* Makes a budget, with what the floor brings in keep_ns.
 *
 *   opts  borrowed for the call; NULL: all defaults
 *
 * 0; WEIR_EINVAL (an option is out of its range or of a later version); WEIR_ENOMEM.
 * Callers: any thread; never waits. */
WEIR_API WEIR_CHECK int weir_budget_create(weir_budget **out, const struct weir_budget_opts *opts);

/* Frees it; no call may be under way.  Callers: any thread; never waits. */
WEIR_API void weir_budget_destroy(weir_budget *budget);

/* A first attempt was accepted: it had an answer that was no refusal for overload.
 * Callers: any thread; never waits. */
WEIR_API void weir_budget_deposit(weir_budget *budget);

/* Asks for a retry.
 *
 *   tokens  what it costs: 1, or 2 after a timeout; 0 to 1,000,000
 *
 * 0: they are taken, retry.  WEIR_ESHED: there are not so many; do not, and none was taken.
 * WEIR_EINVAL: not such a number.
 * Callers: any thread; never waits. */
WEIR_API WEIR_CHECK int weir_budget_withdraw(weir_budget *budget, int64_t tokens);

/* What a budget has and has done; a row of one instant.  `size` as everywhere. */
struct weir_budget_stats {
    size_t size;      /* in: sizeof(struct weir_budget_stats); 0 counts as that */
    int64_t tokens;   /* whole ones there are now */
    int64_t deposits; /* accepted attempts so far */
    int64_t granted;  /* retries so far */
    int64_t denied;   /* retries that there was no token for */
};

/* Reads them.  Callers: any thread; never waits. */
WEIR_API void weir_budget_stats_read(weir_budget *budget, struct weir_budget_stats *out);

#endif
