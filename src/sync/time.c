/* SPDX-License-Identifier: MIT */
/* The clock as everybody above os/ sees it: include/weir/time.h.  It stands on this floor because
 * waits, timers and workers' lives all ask it. */
#include "sync/time.h"

#include "os/clock.h"

weir_time weir_now(void)
{
    return wi_clock_now();
}

weir_time wi_now_coarse(void)
{
    return wi_clock_coarse();
}

weir_time weir_in_ns(int64_t ns)
{
    weir_time sum;
    if (ns <= 0)
        return wi_clock_now();
    if (__builtin_add_overflow(wi_clock_now(), ns, &sum))
        return WEIR_NO_DEADLINE;
    return sum;
}

weir_time weir_in_ms(int64_t ms)
{
    int64_t ns;
    if (__builtin_mul_overflow(ms, WEIR_NS_PER_MS, &ns))
        return ms < 0 ? wi_clock_now() : WEIR_NO_DEADLINE;
    return weir_in_ns(ns);
}
