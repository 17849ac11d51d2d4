/* SPDX-License-Identifier: MIT */
#ifndef WI_NET_STREAM_H
#define WI_NET_STREAM_H

/* The record behind weir_stream, for net/ itself: listeners make streams too. */

#include <stdbool.h>

#include "base/atomic.h"
#include "loop/io.h"
#include "weir/net.h"

/* Operations that one side of a stream may do without waiting before it lets others run. */
enum {
    WI_STREAM_STREAK_MAX = 64
};

struct weir_stream {
    struct wi_io io;
    /* atomic: the owner's reference and one for each call under way; who drops the last one closes
     * the descriptor.  So a call never works on a descriptor number that was given out anew. */
    wi_atomic_u32 references;
    /* owner: the closer, before it drops its reference */
    bool abortive;
    /* owner: the one reader, the one writer */
    uint32_t read_streak;
    uint32_t write_streak;
};

/* Makes a stream of a connected (or connecting) socket and watches it.  The descriptor is taken,
 * and closed on failure.  0, WEIR_ENOTOPEN, WEIR_EOVERFLOW, WEIR_ENOMEM, WEIR_ENOSPC. */
WEIR_CHECK int wi_stream_make(weir_stream **out, int fd);

#endif
