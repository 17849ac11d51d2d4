/* SPDX-License-Identifier: MIT */
/* The delay between a worker's death and its successor.  See backoff.h. */
#include "cluster/backoff.h"

#include "weir/time.h"

#define FIRST_DELAY_NS (100 * WEIR_NS_PER_MS)
#define DELAY_MAX_NS (15 * WEIR_NS_PER_S)
#define ACCIDENT_AFTER_NS WEIR_NS_PER_S
#define FORGIVEN_AFTER_NS (30 * WEIR_NS_PER_S)

int64_t wi_backoff_next(struct wi_backoff *backoff, int64_t ready_ns)
{
    if (ready_ns >= FORGIVEN_AFTER_NS)
        backoff->delay_ns = 0;
    if (backoff->delay_ns == 0 && ready_ns >= ACCIDENT_AFTER_NS) {
        backoff->delay_ns = FIRST_DELAY_NS;
        return 0;
    }

    const int64_t delay = backoff->delay_ns == 0 ? FIRST_DELAY_NS : backoff->delay_ns;
    const int64_t longer = delay + delay / 2;
    backoff->delay_ns = longer < DELAY_MAX_NS ? longer : DELAY_MAX_NS;
    return delay;
}
