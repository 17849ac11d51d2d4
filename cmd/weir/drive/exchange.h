/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_DRIVE_EXCHANGE_H
#define WEIR_TOOL_DRIVE_EXCHANGE_H

/* One request and its answer over a stream that is already connected.
 *
 * Threads: one task per stream; the target is constant once made. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drive/request.h"
#include "weir/err.h"
#include "weir/net.h"
#include "weir/time.h"

struct answer {
    int status;        /* 0 until a head is there */
    uint64_t bytes_in; /* head and body as they came over the wire */
    bool reusable;     /* the connection may carry the next request */
};

/* Sends the request and reads the whole answer, interim ones dropped.  A deadline header gets the
 * time until `deadline`.
 * 0, the code of the stream, or a verdict of the codec (status.h) on the answer's bytes.
 * Whatever it returns, `answer` says how far it came. */
WEIR_CHECK int exchange(weir_stream *stream, const struct target *target, weir_time deadline,
                        struct answer *answer);

#endif
