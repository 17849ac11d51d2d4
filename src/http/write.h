/* SPDX-License-Identifier: MIT */
#ifndef WI_HTTP_WRITE_H
#define WI_HTTP_WRITE_H

/* Writes heads and chunk framing into a buffer of the caller.
 *
 * What is written is always a well-formed message of one framing: names and values are checked,
 * and the fields that frame or date a message (Content-Length, Transfer-Encoding, Connection,
 * Date; for requests also Host) are refused among the caller's fields, because the writer makes
 * them itself.
 *
 * Threads: pure functions on the caller's memory. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/err.h"

/* One field to write; borrowed for the call. */
struct wi_http_out_field {
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
    bool checked; /* the caller vouches for it: a constant, or one that this writer took before */
};

/* What the Connection field says. */
enum wi_http_out_connection {
    WI_HTTP_OUT_KEEP,    /* nothing in HTTP/1.1, "keep-alive" to an HTTP/1.0 client */
    WI_HTTP_OUT_CLOSE,   /* "close" */
    WI_HTTP_OUT_UPGRADE, /* "Upgrade"; the Upgrade field itself is among the fields */
};

struct wi_http_response_out {
    int status;         /* 100 to 999 */
    const char *reason; /* NULL: the phrase of RFC 9110; else NUL-terminated */
    const char *date;   /* WI_HTTP_DATE_BYTES bytes of date.h, or NULL for no Date field */
    const struct wi_http_out_field *fields;
    size_t field_count;
    uint64_t content_length; /* for WI_HTTP_BODY_LENGTH */
    uint8_t body;            /* enum wi_http_body_kind; see below */
    uint8_t connection;      /* enum wi_http_out_connection */
    bool old_client;         /* the request was HTTP/1.0: keep-alive must be said, no chunks */
};

/* Writes the head of a response, always as HTTP/1.1.
 *
 * body NONE writes "Content-Length: 0" where a body could stand, since otherwise the client would
 * read until the end of the connection.  1xx and 204 never carry framing fields; 304 and answers
 * to HEAD may, and their body is then simply not sent.  UNTIL_CLOSE implies CLOSE.
 *
 *   > 0           bytes written
 *   WEIR_ENOSPC   the head does not fit into cap; the buffer's content is unspecified
 *   WEIR_EINVAL   a status out of range, a CR, LF, NUL or other control character in a name,
 *                 value or reason, a name that is no token, a field that is the writer's own, a
 *                 body on a status that has none, chunks to an old client
 *
 * Callers: any; never waits. */
WEIR_CHECK int wi_http_response_write(char *buf, size_t cap,
                                      const struct wi_http_response_out *response);

struct wi_http_request_out {
    const char *method; /* NUL-terminated token */
    const char *target; /* path and query, "*", or an absolute URL */
    size_t target_len;  /* 0 means "/" */
    const char *host;   /* host, and port if it is not the scheme's own */
    size_t host_len;
    const struct wi_http_out_field *fields;
    size_t field_count;
    uint64_t content_length; /* for WI_HTTP_BODY_LENGTH */
    uint8_t body;            /* NONE, LENGTH or CHUNKED */
    uint8_t connection;      /* enum wi_http_out_connection */
};

/* Writes the head of an HTTP/1.1 request.  Results as wi_http_response_write(); WEIR_EINVAL also
 * for a bad method, target or host. */
WEIR_CHECK int wi_http_request_write(char *buf, size_t cap,
                                     const struct wi_http_request_out *request);

#define WI_HTTP_CHUNK_HEAD_BYTES_MAX 18 /* sixteen digits, CR, LF */

/* Writes the line before a chunk of that many bytes (more than 0; 0 would end the body) and
 * returns its length.  After the chunk's bytes comes WI_HTTP_CHUNK_END. */
size_t wi_http_chunk_head_write(char buf[WI_HTTP_CHUNK_HEAD_BYTES_MAX], uint64_t chunk_bytes);

#define WI_HTTP_CHUNK_END "\r\n"
#define WI_HTTP_CHUNK_LAST "0\r\n\r\n"

/* Writes the number in decimal and returns its length, at most 20. */
size_t wi_http_decimal_write(char buf[20], uint64_t value);

#endif
