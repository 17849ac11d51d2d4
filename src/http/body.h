/* SPDX-License-Identifier: MIT */
#ifndef WI_HTTP_BODY_H
#define WI_HTTP_BODY_H

/* A message body as it arrives, whatever frames it.  Start here after a head was parsed; server
 * and client use it alike.
 *
 *   wi_http_body_init(&body, &head, &limits);
 *   while ((rc = wi_http_body_decode(&body, in, len, &used, &piece)) == WI_HTTP_DECODE_DATA) {
 *       take(piece); in += used; len -= used;
 *   }
 *
 * Threads: the state belongs to whoever reads the connection. */

#include "http/chunked.h"

struct wi_http_body {
    uint64_t left; /* LENGTH: bytes still to come; UNTIL_CLOSE: bytes still allowed */
    uint8_t kind;  /* enum wi_http_body_kind; constant after init */
    bool ended;    /* UNTIL_CLOSE: the peer has closed */
    struct wi_http_chunked chunked;
};

/* Prepares to read the body that follows the head. */
void wi_http_body_init(struct wi_http_body *body, const struct wi_http_head *head,
                       const struct wi_http_limits *limits);

/* Decodes up to one piece; parameters and results as wi_http_chunked_decode(). */
WEIR_CHECK int wi_http_body_decode(struct wi_http_body *body, const char *in, size_t in_len,
                                   size_t *consumed, struct wi_http_piece *out);

/* The peer closed its side and all that it sent was decoded.
 * WI_HTTP_DECODE_DONE if the body is complete, otherwise WI_HTTP_BODY_TRUNCATED or the verdict
 * that was given before. */
WEIR_CHECK int wi_http_body_closed(struct wi_http_body *body);

#endif
