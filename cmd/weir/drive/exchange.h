/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_DRIVE_EXCHANGE_H
#define WEIR_TOOL_DRIVE_EXCHANGE_H

/* One request and its answer over a stream that is already connected.
 *
 * Threads: one task per stream; the target is constant once made. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/err.h"
#include "weir/net.h"
#include "weir/time.h"

/* Where requests go and what they say: the same bytes every time, made once. */
struct target {
    char address[512]; /* as weir_dial() takes it */
    char *request;     /* head and body, owned */
    size_t request_bytes;
    bool to_head; /* the method is HEAD: no body follows an answer */
};

struct target_opts {
    const char *url;
    const char *method;
    size_t body_bytes;
    bool close_each; /* ask the service to close after every answer */
};

/* Makes a target of an URL: http://HOST[:PORT]/PATH or unix:SOCKET:/PATH.
 * 0, or WEIR_EINVAL or WEIR_ENOTSUP with a reason in *why, or WEIR_ENOMEM. */
WEIR_CHECK int target_init(struct target *target, const struct target_opts *opts, const char **why);
void target_fini(struct target *target);

struct answer {
    int status;        /* 0 until a head is there */
    uint64_t bytes_in; /* head and body as they came over the wire */
    bool reusable;     /* the connection may carry the next request */
};

/* Sends the request and reads the whole answer, interim ones dropped.
 * 0, the code of the stream, or a verdict of the codec (status.h) on the answer's bytes.
 * Whatever it returns, `answer` says how far it came. */
WEIR_CHECK int exchange(weir_stream *stream, const struct target *target, weir_time deadline,
                        struct answer *answer);

#endif
