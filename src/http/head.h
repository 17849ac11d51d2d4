/* SPDX-License-Identifier: MIT */
#ifndef WI_HTTP_HEAD_H
#define WI_HTTP_HEAD_H

/* What request heads and response heads share: limits, slices, the field section, and the
 * decision how the body is framed.
 *
 * A parsed head holds no pointers.  Its slices are offsets from the first byte of the buffer
 * that was parsed, so the head's bytes may be copied elsewhere and the struct stays valid.
 * Server and client start at request.h and response.h.
 *
 * When bytes are judged: a line is judged when its LF has arrived, the head as a whole (repeated
 * fields, framing, Host) when its empty line has.  The verdict on a stream of bytes is therefore
 * the same however the stream was cut, and a head that trickles in is scanned about twice, not
 * once per piece.  The one exception: a first byte that begins no message is refused at once.
 *
 * Threads: pure functions on the caller's memory. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/err.h"

#define WI_HTTP_FIELDS_MAX 100       /* room for fields in a parsed head */
#define WI_HTTP_HEAD_BYTES_MAX 65535 /* offsets have sixteen bits */
#define WI_HTTP_METHOD_BYTES_MAX 32  /* no registered method is longer */

/* Bounds on what a peer may send.  All-zero members mean the defaults. */
struct wi_http_limits {
    uint32_t head_bytes_max;            /* start line and fields; default 16384, at most 65535 */
    uint32_t target_bytes_max;          /* default 8192 */
    uint32_t fields_max;                /* default and at most WI_HTTP_FIELDS_MAX */
    uint32_t chunk_extension_bytes_max; /* of one chunk's line; default 256 */
    uint32_t trailer_bytes_max;         /* the whole trailer section; default 4096 */
    uint64_t body_bytes_max;            /* default: no bound but that of the numbers, 2^63 - 1 */
};

/* Replaces zeros by the defaults and cuts what is above the maxima.  The parsers want limits
 * that went through here once. */
void wi_http_limits_fill(struct wi_http_limits *limits);

/* len bytes from offset; { 0, 0 } when the thing is absent. */
struct wi_http_slice {
    uint16_t offset;
    uint16_t len;
};

/* One field.  The value has no white space around it. */
struct wi_http_field {
    struct wi_http_slice name;
    struct wi_http_slice value;
};

enum wi_http_body_kind {
    WI_HTTP_BODY_NONE,        /* no body follows */
    WI_HTTP_BODY_LENGTH,      /* content_length bytes follow, perhaps zero */
    WI_HTTP_BODY_CHUNKED,     /* chunks follow */
    WI_HTTP_BODY_UNTIL_CLOSE, /* responses only: everything up to the end of the connection */
};

/* The shared part of a parsed head.  The last member of its container, and the fields its own
 * last member, so that a copy may stop after the fields in use. */
struct wi_http_head {
    uint64_t content_length; /* meaningful if a Content-Length was there; else 0 */
    uint16_t head_bytes;     /* from the buffer's start through the empty line */
    uint16_t field_count;
    uint8_t version_minor; /* 0 or 1; a higher one counts as 1 */
    uint8_t body;          /* enum wi_http_body_kind */
    bool keep_alive;       /* the peer allows another message after this one */
    bool has_length;       /* a Content-Length was there */
    bool upgrade;          /* Upgrade is there and Connection names it */
    bool has_timeout;      /* a field of timeout.h is there */
    bool has_class;        /* a field of urgency.h is there */
    struct wi_http_field fields[WI_HTTP_FIELDS_MAX];
};

/* The index of the first field of that name at or after `from`, case ignored, or -1.
 * `buf` is where the head's bytes are now. */
int wi_http_field_find(const struct wi_http_head *head, const char *buf, const char *name,
                       int from);

/* Whether the comma-separated list in the value holds the token, case ignored. */
bool wi_http_list_has(const char *value, size_t len, const char *token);

/* --- For request.c and response.c ------------------------------------------------------------ */

/* The fields that decide framing, routing and how long the request may take.  The parser counts
 * them on the way, so that the usual head is not walked a second time. */
enum wi_http_known_name {
    WI_HTTP_KNOWN_HOST,
    WI_HTTP_KNOWN_CONNECTION,
    WI_HTTP_KNOWN_CONTENT_LENGTH,
    WI_HTTP_KNOWN_TRANSFER_ENCODING,
    WI_HTTP_KNOWN_EXPECT,
    WI_HTTP_KNOWN_UPGRADE,
    WI_HTTP_KNOWN_TIMEOUT, /* each of three names; see timeout.h */
    WI_HTTP_KNOWN_CLASS,   /* each of two names; see urgency.h */
    WI_HTTP_KNOWN_COUNT,
};

struct wi_http_known {
    uint16_t count[WI_HTTP_KNOWN_COUNT];
    uint16_t first[WI_HTTP_KNOWN_COUNT]; /* index of the first one; meaningful if count > 0 */
};

/* Parses field lines from `pos` through the empty line into head->fields.  Lines beyond
 * fields_max are checked and counted, not stored.
 *
 *   > 0   bytes from the buffer's start through the empty line; field_count, has_timeout and
 *         has_class are set
 *   0     the empty line has not arrived, and no complete line is wrong
 *   < 0   a verdict on a line */
WEIR_CHECK int wi_http_fields_parse(const char *buf, size_t pos, size_t len,
                                    const struct wi_http_limits *limits, struct wi_http_head *head,
                                    struct wi_http_known *known);

/* What a parser has to do with a head of which `scanned` bytes gave 0 before. */
enum wi_http_resume {
    WI_HTTP_RESUME_WAIT,  /* nothing new to judge: still incomplete */
    WI_HTTP_RESUME_PARSE, /* parse from the start */
};

/* Looks at the new lines only.  Returns enum wi_http_resume or a verdict on a line.  Uses *head
 * as scratch space. */
WEIR_CHECK int wi_http_head_resume(const char *buf, size_t len, size_t scanned,
                                   const struct wi_http_limits *limits, struct wi_http_head *head);

/* Parses a line's end at pos.  > 0: the position after it, 0: not complete, < 0: a verdict. */
WEIR_CHECK int wi_http_line_end(const char *buf, size_t pos, size_t len);

/* The verdict, if the LF that ends the wrong line has arrived at or after pos; else 0. */
WEIR_CHECK int wi_http_judge(const char *buf, size_t pos, size_t len, int verdict);

/* Decides content_length, has_length and whether the head is chunked; the same for both
 * directions, except that the caller decides what no framing at all means.  Sets head->body to
 * NONE, LENGTH or CHUNKED.  0 or a verdict. */
WEIR_CHECK int wi_http_framing(const char *buf, const struct wi_http_limits *limits,
                               const struct wi_http_known *known, struct wi_http_head *head);

/* Sets keep_alive and upgrade from version, Connection and Upgrade. */
void wi_http_connection(const char *buf, const struct wi_http_known *known,
                        struct wi_http_head *head);

#endif
