/* SPDX-License-Identifier: MIT */
#ifndef WI_LOAD_LIMIT_H
#define WI_LOAD_LIMIT_H

/* The law of an adaptive limit: how many calls to one destination may be under way at once.
 *
 * There is no limit (but the hard one, most_max) until there is evidence: within a window of 100 ms
 * or more, more than 5 % of the calls that ended were signs of overload.  Then
 *   limit = max(least, 0.7 * the most that ran in the window, as far as the limit allowed it)
 * and again after each such window, at most once a round, and only for calls that began after the
 * last cut: what was under way then shows nothing new.  When a round has brought no sign, the next
 * good call lets the limit grow by max(1, 5 %), once a round; it is lifted when 10 s have brought
 * none.  A round is what a good call takes now, smoothed, at least 1 ms.
 *
 * It does not infer overload from latency: a call that is merely slow is no sign, one that was
 * refused or has timed out is.  The reasons are in doc/design/0013-outgoing-calls.md.
 *
 * Invariant: least <= allowed <= most_max; running >= 0.
 * Threads: one owner, or a lock around it.
 * Source: AIMD (Chiu and Jain 1989), cut and growth after CUBIC's 0.7 (Ha et al. 2008); own. */

#include <stdbool.h>
#include <stdint.h>

#include "weir/time.h"

struct wi_limit {
    /* constant after init */
    int64_t least;
    int64_t most_max;
    /* owner */
    int64_t allowed;
    int64_t running;
    int64_t round_ns;
    int64_t
        pace_ns; /* what any call takes, also one that fails: how fast the line moves; 0: unknown */
    weir_time window_since;
    int64_t window_calls;
    int64_t window_signs;
    int64_t window_most;    /* that ran at once */
    weir_time changed;      /* when `allowed` changed last */
    weir_time cut;          /* when it was cut last */
    weir_time sign;         /* when the last one came */
    weir_time last_reading; /* of the clock */
};

enum wi_limit_end {
    WI_LIMIT_GOOD,     /* an answer that was no sign of overload */
    WI_LIMIT_OVERLOAD, /* refused for overload, or timed out */
    WI_LIMIT_UNKNOWN,  /* says nothing: canceled, say */
};

/*   1 <= least <= most_max */
void wi_limit_init(struct wi_limit *limit, int64_t least, int64_t most_max, weir_time now);

/* Whether another call may begin; if so it has. */
bool wi_limit_begin(struct wi_limit *limit, weir_time now);

/* A call ended.
 *   took_ns  how long it ran; negative: not known */
void wi_limit_end(struct wi_limit *limit, enum wi_limit_end how, int64_t took_ns, weir_time now);

/* How long the one who is `place` (from 1) in the line will wait, as far as anybody can tell; 0
 * before any call has ended.  Each gives its place up after what calls take now, be it in vain. */
int64_t wi_limit_wait_ns(const struct wi_limit *limit, int64_t place);

/* Whether there is evidence now that holds the limit down. */
bool wi_limit_holds(const struct wi_limit *limit);

#endif
