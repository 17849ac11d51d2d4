/* SPDX-License-Identifier: MIT */
#ifndef WI_HTTP_RESPONSE_H
#define WI_HTTP_RESPONSE_H

/* Parses the head of an HTTP/1.1 response, for clients: the load generator, probes, tests.
 *
 * As strict as request.h about lines and framing.  The one leniency: the space before an empty
 * reason phrase may be missing, since the phrase means nothing and many servers drop both.
 *
 * Threads: pure functions on the caller's memory. */

#include "http/head.h"

struct wi_http_response {
    struct wi_http_slice reason;
    uint16_t status;          /* 100 to 999 */
    bool interim;             /* 1xx but not 101: the real answer follows behind this head */
    struct wi_http_head head; /* last: copy only what is in use, as with requests */
};

/* Parses a response head at the start of the buffer.
 *
 *   buf, len, scanned, limits   as in wi_http_request_parse()
 *   to_head                     the request was a HEAD: no body follows whatever the fields say
 *   out                         filled when the result is positive
 *
 *   > 0   bytes of the head; out->head.body says what follows.  UNTIL_CLOSE implies that
 *         keep_alive is false.  After 101 the connection belongs to another protocol.
 *   0     incomplete: read more and call again
 *   < 0   enum wi_http_verdict: the connection is of no further use
 *
 * Callers: any; never waits. */
WEIR_CHECK int wi_http_response_parse(const char *buf, size_t len, size_t scanned, bool to_head,
                                      struct wi_http_response *out,
                                      const struct wi_http_limits *limits);

#endif
