/* SPDX-License-Identifier: MIT */
#ifndef WI_LOAD_RETRY_H
#define WI_LOAD_RETRY_H

/* The rules of a retry: whether an attempt that failed may be repeated, what that costs, and when.
 *
 *   a: never more than attempts_max in total, and never what cannot be said again.
 *   b: what was surely not processed (no connection; refused with word of when to come again) may
 *   be repeated whatever it was; other failures only if the request is idempotent and at least 1.5
 *   * p50 of time remains.
 *   c: one layer retries: who works for a request that is itself a retry repeats only what failed
 *   on the way to the destination.
 *   d: it waits a random time from 0 to min(1 s, b * 2^n), b = max(10 ms, p50) ("full jitter"), and
 *      what the destination asked for before that; if the time does not suffice, or it asked for
 *      more than an hour, it fails now.
 *   e: it costs a token of the budget, two after a timeout: the server may still be at work.
 *
 * Threads: pure functions.
 * Source: Brooker, "Exponential Backoff And Jitter", 2015; Beyer et al. 2016, chapter 22. */

#include <stdbool.h>
#include <stdint.h>

#include "weir/time.h"

enum wi_retry_failure {
    WI_RETRY_UNREACHED, /* no connection: nothing was sent */
    WI_RETRY_REFUSED,   /* the destination refused it unprocessed and said when to come again */
    WI_RETRY_TIMEOUT,   /* no answer in time */
    WI_RETRY_BROKEN,    /* the connection ended, or a gateway's answer (502, 503, 504) */
};

struct wi_retry {
    enum wi_retry_failure failure;
    int attempt;      /* made so far, from 1 */
    int attempts_max; /* in all */
    int inherited;    /* the attempt number of the request that we work for; 0: its first */
    bool repeatable;  /* the request can be sent again: its body was not streamed away */
    bool idempotent;
    int64_t p50_ns;         /* of an attempt; 0: not known */
    int64_t remaining_ns;   /* until the call's deadline */
    int64_t retry_after_ns; /* what the destination asked for; 0: nothing */
    double chance;          /* a random number in [0, 1) */
};

/* -1: no retry.  Otherwise the ns to wait before it. */
int64_t wi_retry_wait_ns(const struct wi_retry *retry);

/* The tokens of the budget that it costs. */
int64_t wi_retry_cost(enum wi_retry_failure failure);

#endif
