/* SPDX-License-Identifier: MIT */
#ifndef WI_SERVE_PACE_H
#define WI_SERVE_PACE_H

/* How long a peer may keep us waiting before it counts as too slow.  Only the time that we really
 * wait for the peer counts, never the handler's own.
 *
 * A window begins with GRACE of patience.  Bytes that move buy patience at the minimum rate:
 *   receiving  a window in which at least rate * GRACE bytes came is passed, a new one begins
 *   sending    each byte handed to the system buys 1/rate seconds, because the system's buffer
 *              hides when the peer took it; when room comes a new window begins
 * A rate of 0 or less never ends anything.
 *
 * Threads: one owner. */

#include <stdint.h>

#include "weir/time.h"

#define WI_PACE_GRACE_NS (5 * WEIR_NS_PER_S)

struct wi_pace {
    int64_t waited_ns;
    int64_t bytes; /* since the window began */
};

/* Until when a wait that begins now may last, when receiving. */
weir_time wi_pace_receive_deadline(const struct wi_pace *pace, int64_t rate, weir_time now);
/* The same when sending. */
weir_time wi_pace_send_deadline(const struct wi_pace *pace, int64_t rate, weir_time now);

/* A wait of that length is over. */
void wi_pace_waited(struct wi_pace *pace, int64_t ns);

/* Bytes came in, or were handed out. */
void wi_pace_received(struct wi_pace *pace, int64_t rate, int64_t bytes);
void wi_pace_sent(struct wi_pace *pace, int64_t bytes);

/* now + ns; WEIR_NO_DEADLINE for a negative ns and for sums that do not fit. */
static inline weir_time wi_after(weir_time now, int64_t ns)
{
    if (ns < 0 || ns > WEIR_NO_DEADLINE - now)
        return WEIR_NO_DEADLINE;
    return now + ns;
}

#endif
