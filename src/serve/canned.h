/* SPDX-License-Identifier: MIT */
#ifndef WI_SERVE_CANNED_H
#define WI_SERVE_CANNED_H

/* Answers that are made ahead, head and body, but for the date and a one-digit Retry-After, which
 * are put in as the answer goes out.  For what must cost next to nothing: the refusal of an
 * overloaded server, and health checks.
 *
 * Threads: pure functions on the caller's memory; a canned answer is constant once made. */

#include <stddef.h>
#include <stdint.h>

#include "http/date.h"
#include "weir/err.h"

enum {
    WI_CANNED_BYTES_MAX = 768,
    WI_CANNED_RETRY_MAX_S = 9
};

struct wi_canned {
    uint16_t bytes;
    uint16_t date_at;
    uint16_t retry_at; /* 0: it has no Retry-After */
    char text[WI_CANNED_BYTES_MAX];
};

/* Makes an answer to an HTTP/1.1 client whose connection is kept.  A 503 has Retry-After.
 * 0; WEIR_ENOSPC: it is too long; WEIR_EINVAL: a bad status, or a type with control characters. */
WEIR_CHECK int wi_canned_make(struct wi_canned *canned, int status, const char *type,
                              const char *body, size_t body_bytes);

/* Writes it to `out`, which has room for WI_CANNED_BYTES_MAX; its length.  retry_s is from 0 to
 * WI_CANNED_RETRY_MAX_S. */
size_t wi_canned_write(const struct wi_canned *canned, const char date[WI_HTTP_DATE_BYTES],
                       int64_t retry_s, char *out);

#endif
