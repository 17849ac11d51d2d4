/* SPDX-License-Identifier: MIT */
/* The patience of a server, pure: numbers in, an instant out.  pace.h tells the rule. */
#include "serve/pace.h"

weir_time wi_pace_receive_deadline(const struct wi_pace *pace, int64_t rate, weir_time now)
{
    if (rate <= 0)
        return WEIR_NO_DEADLINE;
    const int64_t left = WI_PACE_GRACE_NS - pace->waited_ns;
    return wi_after(now, left > 0 ? left : 0);
}

bool wi_pace_takes_enough(int64_t before, int64_t after, int64_t rate)
{
    if (rate <= 0 || before < 0 || after < 0)
        return true;
    /* Divided, because rate * GRACE need not fit. */
    return (before - after) / (WI_PACE_GRACE_NS / WEIR_NS_PER_S) >= rate;
}

void wi_pace_waited(struct wi_pace *pace, int64_t ns)
{
    if (ns > 0 && pace->waited_ns < INT64_MAX - ns)
        pace->waited_ns += ns;
}

void wi_pace_received(struct wi_pace *pace, int64_t rate, int64_t bytes)
{
    pace->bytes += bytes;
    if (rate > 0 && pace->bytes / rate >= WI_PACE_GRACE_NS / WEIR_NS_PER_S)
        *pace = (struct wi_pace){ 0 };
}
