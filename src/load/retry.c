/* SPDX-License-Identifier: MIT */
/* The rules of a retry; see retry.h. */
#include "load/retry.h"

#define BACKOFF_NS_MIN (10 * WEIR_NS_PER_MS)
#define BACKOFF_NS_MAX WEIR_NS_PER_S
#define AFTER_NS_MAX (3600 * WEIR_NS_PER_S)

enum {
    DOUBLINGS_MAX = 16
};

int64_t wi_retry_cost(enum wi_retry_failure failure)
{
    return failure == WI_RETRY_TIMEOUT ? 2 : 1;
}

/* a, b, c */
static bool may_retry(const struct wi_retry *retry)
{
    if (retry->attempt >= retry->attempts_max || !retry->repeatable)
        return false;
    if (retry->failure == WI_RETRY_UNREACHED)
        return true;
    if (retry->inherited > 0)
        return false;
    if (retry->failure == WI_RETRY_REFUSED)
        return true;
    return retry->idempotent && retry->remaining_ns >= retry->p50_ns + retry->p50_ns / 2;
}

/* d */
static int64_t backoff_ns(const struct wi_retry *retry)
{
    int64_t span_ns = retry->p50_ns > BACKOFF_NS_MIN ? retry->p50_ns : BACKOFF_NS_MIN;
    for (int n = 1; n < retry->attempt && n < DOUBLINGS_MAX && span_ns < BACKOFF_NS_MAX; n++)
        span_ns *= 2;
    if (span_ns > BACKOFF_NS_MAX)
        span_ns = BACKOFF_NS_MAX;
    return (int64_t)((double)span_ns * retry->chance);
}

int64_t wi_retry_wait_ns(const struct wi_retry *retry)
{
    if (!may_retry(retry))
        return -1;
    if (retry->retry_after_ns > AFTER_NS_MAX)
        return -1;
    const int64_t wait_ns = backoff_ns(retry);
    if (retry->retry_after_ns >= retry->remaining_ns ||
        wait_ns >= retry->remaining_ns - retry->retry_after_ns)
        return -1;
    return retry->retry_after_ns + wait_ns;
}
