/* SPDX-License-Identifier: MIT */
/* Cuts targets into their parts and decodes escapes.  Called by request.c for the rare forms and
 * by routes, handlers and clients; the common origin-form is scanned in request.c itself.
 *
 * Source: RFC 3986 sections 2 and 3, RFC 9110 section 4.2, RFC 9112 section 3.2. */
#include "http/uri.h"

#include <string.h>

#include "base/check.h"
#include "http/chars.h"
#include "http/status.h"

/* The byte of the escape at text[0..2], or -1; the caller saw the '%'. */
static int escape_value(const char *text, size_t len)
{
    if (len < 3)
        return -1;
    const int high = wi_http_hex_value(text[1]);
    const int low = wi_http_hex_value(text[2]);
    return (high < 0 || low < 0) ? -1 : high * 16 + low;
}

int64_t wi_http_percent_decode(const char *in, size_t len, bool plus_is_space, char *out,
                               size_t cap)
{
    size_t filled = 0;
    for (size_t i = 0; i < len; i++) {
        char c = in[i];
        if (c == '%') {
            const int value = escape_value(in + i, len - i);
            if (value <= 0)
                return WEIR_EINVAL;
            c = (char)value;
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (filled == cap)
            return WEIR_ENOSPC;
        out[filled++] = c;
    }
    return (int64_t)filled;
}

/* Whether the segment is "." or ".." once decoded.  Its escapes are known to be well formed. */
static bool is_dot_segment(const char *segment, size_t len)
{
    size_t dots = 0;
    for (size_t i = 0; i < len; i++) {
        if (segment[i] == '%') {
            if (escape_value(segment + i, len - i) != '.')
                return false;
            i += 2;
        } else if (segment[i] != '.') {
            return false;
        }
        dots++;
    }
    return dots == 1 || dots == 2;
}

/* %2F ends a segment here, though not for the router: a handler that is given the decoded path, or
 * the decoded rest of one, shall not find ".." between slashes in it. */
int wi_http_path_check(const char *path, size_t len)
{
    size_t segment = 0;
    for (size_t i = 0; i < len; i++) {
        if (path[i] == '%') {
            const int value = escape_value(path + i, len - i);
            if (value <= 0)
                return WI_HTTP_BAD_ESCAPE;
            if (value == '/') {
                if (is_dot_segment(path + segment, i - segment))
                    return WI_HTTP_DOT_SEGMENT;
                segment = i + 3;
            }
            i += 2;
        } else if (path[i] == '/') {
            if (is_dot_segment(path + segment, i - segment))
                return WI_HTTP_DOT_SEGMENT;
            segment = i + 1;
        }
    }
    return is_dot_segment(path + segment, len - segment) ? WI_HTTP_DOT_SEGMENT : 0;
}

bool wi_http_query_next(const char **rest, size_t *rest_len, struct wi_http_pair *out)
{
    while (*rest_len > 0 && **rest == '&') {
        *rest += 1;
        *rest_len -= 1;
    }
    if (*rest_len == 0)
        return false;
    const char *piece = *rest;
    const char *end = memchr(piece, '&', *rest_len);
    const size_t piece_len = end != NULL ? (size_t)(end - piece) : *rest_len;
    const char *equals = memchr(piece, '=', piece_len);

    out->name = piece;
    out->name_len = equals != NULL ? (size_t)(equals - piece) : piece_len;
    out->value = equals != NULL ? equals + 1 : piece + piece_len;
    out->value_len = (size_t)(piece + piece_len - out->value);
    *rest = piece + piece_len;
    *rest_len -= piece_len;
    return true;
}

/* The dotted quad that may end an IPv6 address: four numbers of at most 255, no leading zero. */
static bool is_ipv4(const char *text, size_t len)
{
    int numbers = 0;
    size_t i = 0;
    while (i < len) {
        int value = 0;
        const size_t start = i;
        while (i < len && i - start < 3 && text[i] >= '0' && text[i] <= '9')
            value = value * 10 + (text[i++] - '0');
        if (i == start || value > 255 || (text[start] == '0' && i - start > 1))
            return false;
        numbers++;
        if (i == len)
            break;
        if (text[i] != '.' || ++i == len)
            return false;
    }
    return numbers == 4;
}

/* The text between the brackets: up to eight groups of up to four hexadecimal digits, one "::"
 * for at least one group, the last two groups perhaps as a dotted quad. */
static bool is_ipv6(const char *text, size_t len)
{
    int groups = 0;
    bool elided = false;
    size_t i = 0;
    if (len < 2 || (text[0] == ':' && text[1] != ':'))
        return false;
    while (i < len) {
        if (text[i] == ':' && i + 1 < len && text[i + 1] == ':') {
            if (elided)
                return false;
            elided = true;
            i += 2;
            continue;
        }
        if (text[i] == ':')
            i++;
        const size_t start = i;
        while (i < len && wi_http_is(text[i], WI_HTTP_HEX))
            i++;
        if (i < len && text[i] == '.') {
            groups += 2;
            i = len;
            if (!is_ipv4(text + start, len - start))
                return false;
            break;
        }
        if (i == start || i - start > 4 || (i < len && text[i] != ':'))
            return false;
        groups++;
    }
    return elided ? groups <= 7 : groups == 8;
}

/* A port that is written: up to five digits, at most 65535; empty gives -1 and is fine. */
static int parse_port(const char *text, size_t len, int *port)
{
    *port = -1;
    if (len > 5)
        return WEIR_EINVAL;
    int value = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return WEIR_EINVAL;
        value = value * 10 + (text[i] - '0');
    }
    if (value > 65535)
        return WEIR_EINVAL;
    if (len > 0)
        *port = value;
    return 0;
}

int wi_http_authority_parse(const char *text, size_t len, struct wi_http_authority *out)
{
    size_t host_len = 0;
    if (len > 0 && text[0] == '[') {
        const char *close = memchr(text, ']', len);
        if (close == NULL || !is_ipv6(text + 1, (size_t)(close - text) - 1))
            return WEIR_EINVAL;
        host_len = (size_t)(close - text) + 1;
    } else {
        while (host_len < len && wi_http_is(text[host_len], WI_HTTP_HOST))
            host_len++;
    }
    if (host_len == 0)
        return WEIR_EINVAL;
    out->host_len = host_len;
    out->port = -1;
    if (host_len == len)
        return 0;
    if (text[host_len] != ':')
        return WEIR_EINVAL;
    return parse_port(text + host_len + 1, len - host_len - 1, &out->port);
}

/* The length of "http://" or "https://" at the start of the text, or 0. */
static size_t scheme_len(const char *text, size_t len)
{
    if (len >= 7 && wi_http_same_text(text, "http://", 7))
        return 7;
    if (len >= 8 && wi_http_same_text(text, "https://", 8))
        return 8;
    return 0;
}

int wi_http_url_parse(const char *text, size_t len, struct wi_http_url *out)
{
    const size_t scheme = scheme_len(text, len);
    if (scheme == 0)
        return WEIR_EINVAL;
    size_t end = scheme;
    while (end < len && text[end] != '/' && text[end] != '?')
        end++;
    struct wi_http_authority authority;
    if (wi_http_authority_parse(text + scheme, end - scheme, &authority) != 0)
        return WEIR_EINVAL;

    const char *question = memchr(text + end, '?', len - end);
    const bool bracketed = text[scheme] == '[';
    out->https = scheme == 8;
    out->authority = text + scheme;
    out->authority_len = end - scheme;
    out->host = out->authority + (bracketed ? 1 : 0);
    out->host_len = authority.host_len - (bracketed ? 2 : 0);
    out->port = authority.port >= 0 ? authority.port : (out->https ? 443 : 80);
    out->path = text + end;
    out->path_len = question != NULL ? (size_t)(question - out->path) : len - end;
    out->query = question != NULL ? question + 1 : NULL;
    out->query_len = question != NULL ? (size_t)(text + len - out->query) : 0;
    if (!wi_http_all_of(out->path, out->path_len, WI_HTTP_PATH))
        return WEIR_EINVAL;
    if (!wi_http_all_of(out->query, out->query_len, WI_HTTP_QUERY))
        return WEIR_EINVAL;
    return 0;
}
