/* SPDX-License-Identifier: MIT */
#ifndef WI_HTTP_URI_H
#define WI_HTTP_URI_H

/* Targets, authorities, percent escapes and query strings (RFC 3986, as RFC 9112 uses it).
 *
 * Where we differ from the grammar, and why:
 * - Paths and queries may hold the bytes [ ] ^ ` { | } unescaped: browsers send them so, and no
 *   parser takes one for a delimiter.  '#', '\', '"', '<' and '>' are refused: some parsers do.
 * - A path with a "." or ".." segment, also one written with %2e, is refused.  Clients remove
 *   such segments before they send; what remains is an attempt to make two parsers disagree.
 * - %00 is refused in paths.  %2F stays data: it never becomes a separator, because routes are
 *   matched on segments that were cut before they were decoded.
 * - Host names hold no percent escapes and no user information.
 *
 * Threads: pure functions, no state. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/err.h"

/* Decodes %XX; with plus_is_space also '+', as in the values of a query.
 *
 *   in   len bytes, borrowed
 *   out  room for cap bytes; may be `in` itself, since the result is never longer
 *
 *   >= 0          bytes written
 *   WEIR_EINVAL   a malformed escape, or %00; what `out` holds is unspecified
 *   WEIR_ENOSPC   cap is too small; what `out` holds is unspecified */
WEIR_CHECK int64_t wi_http_percent_decode(const char *in, size_t len, bool plus_is_space, char *out,
                                          size_t cap);

/* 0, or the verdict on a path whose bytes are of the class WI_HTTP_PATH: WI_HTTP_BAD_ESCAPE or
 * WI_HTTP_DOT_SEGMENT (a segment that is "." or "..", also where slash or dots are escaped). */
WEIR_CHECK int wi_http_path_check(const char *path, size_t len);

/* One name=value pair of a query string; both still escaped. */
struct wi_http_pair {
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
};

/* Steps through a query string.  *rest and *rest_len begin as the whole query and are moved
 * behind the pair that was found.  Empty pieces ("&&") are skipped; a piece without '=' has an
 * empty value.  Returns false when nothing is left. */
bool wi_http_query_next(const char **rest, size_t *rest_len, struct wi_http_pair *out);

/* An authority: a host, and a port if one is written. */
struct wi_http_authority {
    size_t host_len; /* the host begins where the authority does; brackets of IPv6 included */
    int port;        /* -1 when none is written, also for "host:" */
};

/* Parses "name", "name:80", "192.0.2.1:80", "[::1]:80".
 *
 *   0             *out holds the parts
 *   WEIR_EINVAL   an empty host, user information, an escape, a bad address or port */
WEIR_CHECK int wi_http_authority_parse(const char *text, size_t len, struct wi_http_authority *out);

/* The parts of an absolute http or https URL, as pointers into its text. */
struct wi_http_url {
    const char *authority;
    size_t authority_len;
    const char *host; /* without the brackets of IPv6 */
    size_t host_len;
    const char *path; /* empty when the URL ends after the authority: send "/" then */
    size_t path_len;
    const char *query; /* without '?'; NULL when there is none */
    size_t query_len;
    int port; /* the written one, else 80 or 443 */
    bool https;
};

/* Parses an absolute URL without a fragment, for absolute-form targets and for clients.
 *
 *   0             *out points into text
 *   WEIR_EINVAL   another scheme, a bad authority, a byte that does not belong, a fragment */
WEIR_CHECK int wi_http_url_parse(const char *text, size_t len, struct wi_http_url *out);

#endif
