/* SPDX-License-Identifier: MIT */
#ifndef WI_SERVE_PACE_H
#define WI_SERVE_PACE_H

/* How long a peer may keep us waiting before it counts as too slow.  Only the time that we really
 * wait for the peer counts, never the handler's own.
 *
 * Receiving: a window begins with GRACE of patience; once rate * GRACE bytes have come in it, it is
 * passed and a new one begins.  Sending: a wait for room is looked at after every GRACE; the peer
 * must have taken rate * GRACE bytes meanwhile out of what the system holds for it.  Bytes that the
 * system's buffer took in prove nothing.
 * A rate of 0 or less never ends anything.
 *
 * Threads: one owner. */

#include <stdbool.h>
#include <stdint.h>

#include "weir/time.h"

#define WI_PACE_GRACE_NS (5 * WEIR_NS_PER_S)

struct wi_pace {
    int64_t waited_ns;
    int64_t bytes; /* since the window began */
};

/* Until when a wait that begins now may last, when receiving. */
weir_time wi_pace_receive_deadline(const struct wi_pace *pace, int64_t rate, weir_time now);

/* Whether a peer that held `before` bytes untaken and GRACE later holds `after` is fast enough.
 * Negative numbers are codes: who cannot be measured is not cut off here. */
bool wi_pace_takes_enough(int64_t before, int64_t after, int64_t rate);

/* A wait of that length is over. */
void wi_pace_waited(struct wi_pace *pace, int64_t ns);

/* Bytes came in. */
void wi_pace_received(struct wi_pace *pace, int64_t rate, int64_t bytes);

/* now + ns; WEIR_NO_DEADLINE for a negative ns and for sums that do not fit. */
static inline weir_time wi_after(weir_time now, int64_t ns)
{
    if (ns < 0 || ns > WEIR_NO_DEADLINE - now)
        return WEIR_NO_DEADLINE;
    return now + ns;
}

#endif
