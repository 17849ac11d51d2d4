/* SPDX-License-Identifier: MIT */
#ifndef WI_HTTP_REQUEST_H
#define WI_HTTP_REQUEST_H

/* Parses the head of an HTTP/1.1 request.  The server's edge calls it on the worker's buffer,
 * before anything else knows the request; a refused head costs no memory.
 *
 * What is accepted is RFC 9112 read strictly; head.h and uri.h say where we are stricter.
 * Of the four forms of a target, origin-form and absolute-form are accepted for every method but
 * CONNECT, "*" for OPTIONS only; CONNECT is refused (501).  An absolute-form's authority must
 * equal the Host field (case ignored), where RFC 9112 says to ignore Host: a client has to send
 * them equal, and a peer that sends them different hopes that somebody reads the other one.
 *
 * Threads: pure functions on the caller's memory. */

#include "http/head.h"

enum wi_http_method {
    WI_HTTP_GET,
    WI_HTTP_HEAD,
    WI_HTTP_POST,
    WI_HTTP_PUT,
    WI_HTTP_DELETE,
    WI_HTTP_PATCH,
    WI_HTTP_OPTIONS,
    WI_HTTP_TRACE,
    WI_HTTP_CONNECT,
    WI_HTTP_METHOD_OTHER, /* a well-formed method that this table lacks; see method_text */
    WI_HTTP_METHOD_COUNT,
};

enum wi_http_target_form {
    WI_HTTP_TARGET_ORIGIN,   /* "/path?query" */
    WI_HTTP_TARGET_ABSOLUTE, /* "http://host/path?query" */
    WI_HTTP_TARGET_ASTERISK, /* "*" */
};

struct wi_http_request {
    struct wi_http_slice method_text;
    struct wi_http_slice target; /* as sent */
    struct wi_http_slice path;   /* still escaped, escapes checked; len 0 means "/" */
    struct wi_http_slice query;  /* without '?'; len 0 also when there is none */
    struct wi_http_slice host;   /* with port; len 0 only for HTTP/1.0 without Host */
    uint8_t method;              /* enum wi_http_method */
    uint8_t target_form;         /* enum wi_http_target_form */
    bool expect_continue;        /* the client waits for 100 before it sends the body */
    struct wi_http_head head;    /* last: see wi_http_request_bytes */
};

/* Parses a request head at the start of the buffer.
 *
 *   buf, len  what has arrived so far, borrowed; may hold more than one head
 *   scanned   bytes at the start of buf for which an earlier call returned 0; 0 at first.  The
 *             bytes must be the same, their address may differ.  A hint that saves time: any
 *             value for which that is true gives the same result.
 *   out       filled when the result is positive; otherwise unspecified
 *   limits    went through wi_http_limits_fill()
 *
 *   > 0   bytes of the head, also in out->head.head_bytes; the body begins there
 *   0     incomplete: read more and call again.  Cannot happen once len >= head_bytes_max.
 *   < 0   enum wi_http_verdict: answer its status, then close
 *
 * One CRLF before the request line is skipped, since old clients send one after a body.  A
 * connection on which nothing but that CRLF has arrived may be treated as idle.
 * Callers: any; never waits.  Cost: linear in the new bytes. */
WEIR_CHECK int wi_http_request_parse(const char *buf, size_t len, size_t scanned,
                                     struct wi_http_request *out,
                                     const struct wi_http_limits *limits);

/* How many bytes of the struct are in use: copying that many copies the request. */
static inline size_t wi_http_request_bytes(const struct wi_http_request *request)
{
    return offsetof(struct wi_http_request, head) + offsetof(struct wi_http_head, fields) +
           request->head.field_count * sizeof request->head.fields[0];
}

/* The method of that exact (upper case) text, WI_HTTP_METHOD_OTHER if the table lacks it. */
enum wi_http_method wi_http_method_of(const char *text, size_t len);

/* "GET" and so on; NULL for WI_HTTP_METHOD_OTHER and beyond.  Static. */
const char *wi_http_method_name(unsigned method);

#endif
