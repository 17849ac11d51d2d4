/* SPDX-License-Identifier: MIT */
#ifndef WI_HTTP_CHUNKED_H
#define WI_HTTP_CHUNKED_H

/* The chunked transfer coding, decoded in place as bytes arrive.
 *
 * Chunk extensions are checked and dropped.  Trailer fields are checked and dropped, never merged
 * into the head; a trailer field that would frame, route or authenticate a message
 * (Transfer-Encoding, Content-Length, Host, Trailer, TE, Connection, Expect, Authorization) is
 * refused, because its only use is to make two parsers disagree.
 *
 * Threads: the state belongs to whoever reads the connection. */

#include "http/head.h"

/* What a decoder says; shared with body.h.  Below zero: a verdict. */
enum wi_http_decoded {
    WI_HTTP_DECODE_MORE = 0, /* everything was consumed: bring more bytes */
    WI_HTTP_DECODE_DATA = 1, /* a piece of the body is in *out; call again with the rest */
    WI_HTTP_DECODE_DONE = 2, /* the body is complete; bytes after `consumed` are not its own */
};

/* A piece of the body, inside the bytes that were passed in. */
struct wi_http_piece {
    const char *data;
    size_t len;
};

/* Constant after init: the limits.  The rest changes with every call. */
struct wi_http_chunked {
    uint64_t chunk_left; /* bytes of the present chunk still to come */
    uint64_t body_bytes; /* sizes of all chunks announced so far */
    uint64_t body_bytes_max;
    uint64_t overhead_bytes; /* extension bytes of all chunks so far */
    uint32_t line_bytes;     /* size digits or extension bytes of the present line */
    uint32_t trailer_bytes;
    uint32_t extension_bytes_max;
    uint32_t trailer_bytes_max;
    uint8_t state;
    uint8_t name_at;    /* bytes of the present trailer's name, up to 255 */
    uint8_t candidates; /* forbidden names that the present trailer's name may still become */
    int verdict;        /* what ended the decoding, or 0: errors are final */
};

void wi_http_chunked_init(struct wi_http_chunked *state, const struct wi_http_limits *limits);

/* Decodes up to one piece of data.
 *
 *   in, in_len  what has arrived and is not yet consumed, borrowed
 *   consumed    how many of these bytes are used up, the piece included
 *   out         the piece when the result is WI_HTTP_DECODE_DATA; otherwise empty
 *
 *   enum wi_http_decoded, or a verdict, which every later call repeats.  After DONE every call
 *   gives DONE and consumes nothing.
 *
 * The concatenated pieces and the final result do not depend on how the input is cut.
 * Callers: any; never waits. */
WEIR_CHECK int wi_http_chunked_decode(struct wi_http_chunked *state, const char *in, size_t in_len,
                                      size_t *consumed, struct wi_http_piece *out);

#endif
