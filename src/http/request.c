/* SPDX-License-Identifier: MIT */
/* The request line and what a request's fields mean together.
 *
 * This is the hot path of a server that says hello: the usual line (origin-form, HTTP/1.1) is
 * scanned once by table; everything unusual is in functions of its own that may be slow.
 *
 * Order of verdicts: the request line from left to right, then its version, then its target's
 * form, then each field line, then the head as a whole (Host, framing, Expect, sizes).
 * Source: RFC 9112 sections 2, 3 and 6; RFC 9110 sections 7.2, 10.1.1 and 15. */
#include "http/request.h"

#include <string.h>

#include "base/check.h"
#include "http/chars.h"
#include "http/status.h"
#include "http/uri.h"

static const char *const method_names[WI_HTTP_METHOD_COUNT] = {
    "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", NULL,
};

static const uint8_t method_lens[WI_HTTP_METHOD_OTHER] = { 3, 4, 4, 3, 6, 5, 7, 5, 7 };

enum wi_http_method wi_http_method_of(const char *text, size_t len)
{
    for (unsigned i = 0; i < WI_HTTP_METHOD_OTHER; i++) {
        if (len == method_lens[i] && memcmp(text, method_names[i], len) == 0)
            return (enum wi_http_method)i;
    }
    return WI_HTTP_METHOD_OTHER;
}

const char *wi_http_method_name(unsigned method)
{
    return method < WI_HTTP_METHOD_COUNT ? method_names[method] : NULL;
}

static struct wi_http_slice slice(size_t from, size_t to)
{
    return (struct wi_http_slice){ (uint16_t)from, (uint16_t)(to - from) };
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The end of the request line, from the first byte of its version, when it is not the usual
 * one.  Returns like wi_http_line_end and sets *minor. */
static int version_parse(const char *buf, size_t pos, size_t len, uint8_t *minor)
{
    const char *lf = memchr(buf + pos, '\n', len - pos);
    if (lf == NULL)
        return 0;
    const char *text = buf + pos;
    const size_t line_len = (size_t)(lf - text);
    if (line_len == 0 || lf[-1] != '\r')
        return WI_HTTP_BARE_LF;
    if (memchr(text, '\r', line_len - 1) != NULL)
        return WI_HTTP_BARE_CR;
    if (memchr(text, ' ', line_len) != NULL)
        return WI_HTTP_BAD_REQUEST_LINE;
    const bool formed = line_len == 9 && memcmp(text, "HTTP/", 5) == 0 && is_digit(text[5]) &&
                        text[6] == '.' && is_digit(text[7]);
    if (!formed)
        return WI_HTTP_BAD_VERSION;
    if (text[5] != '1')
        return WI_HTTP_UNSUPPORTED_VERSION;
    *minor = text[7] == '0' ? 0 : 1;
    return (int)(pos + line_len + 1);
}

/* Cuts a target that does not begin with '/'.  Its bytes are known to be of the class QUERY. */
static int unusual_target(const char *buf, struct wi_http_request *out)
{
    const char *text = buf + out->target.offset;
    if (out->target.len == 1 && text[0] == '*') {
        out->target_form = WI_HTTP_TARGET_ASTERISK;
        return out->method == WI_HTTP_OPTIONS ? 0 : WI_HTTP_BAD_TARGET;
    }
    struct wi_http_url url;
    if (wi_http_url_parse(text, out->target.len, &url) != 0)
        return WI_HTTP_BAD_TARGET;
    const size_t path = (size_t)(url.path - buf);
    const size_t host = (size_t)(url.authority - buf);
    out->target_form = WI_HTTP_TARGET_ABSOLUTE;
    out->path = slice(path, path + url.path_len);
    out->host = slice(host, host + url.authority_len);
    if (url.query != NULL)
        out->query = slice((size_t)(url.query - buf), (size_t)(url.query - buf) + url.query_len);
    return wi_http_path_check(url.path, url.path_len);
}

/* What the request line means once it is complete.  marked: the path holds '%' or '.'. */
static int line_check(const char *buf, struct wi_http_request *out, bool marked,
                      const struct wi_http_limits *limits)
{
    if (out->target.len > limits->target_bytes_max)
        return WI_HTTP_TARGET_TOO_LONG;
    if (out->method == WI_HTTP_CONNECT)
        return WI_HTTP_CONNECT_REFUSED;
    if (buf[out->target.offset] != '/')
        return unusual_target(buf, out);
    return marked ? wi_http_path_check(buf + out->path.offset, out->path.len) : 0;
}

/* The end of the target that begins at pos; sets path, query and *marked for the origin-form. */
static size_t target_scan(const char *buf, size_t pos, size_t len, struct wi_http_request *out,
                          bool *marked)
{
    const size_t start = pos;
    unsigned seen = 0;
    if (pos < len && buf[pos] == '/') {
        while (pos < len && wi_http_is(buf[pos], WI_HTTP_PATH))
            seen |= wi_http_class[(unsigned char)buf[pos++]];
        out->path = slice(start, pos);
    }
    const size_t path_end = pos;
    while (pos < len && wi_http_is(buf[pos], WI_HTTP_QUERY))
        pos++;
    if (pos > path_end && path_end > start)
        out->query = slice(path_end + 1, pos);
    *marked = (seen & WI_HTTP_MARK) != 0;
    return pos;
}

/* Parses the request line at pos.  Returns like wi_http_line_end. */
static int line_parse(const char *buf, size_t pos, size_t len, struct wi_http_request *out,
                      const struct wi_http_limits *limits)
{
    const size_t method = pos;
    while (pos < len && wi_http_is(buf[pos], WI_HTTP_TOKEN))
        pos++;
    if (pos == len)
        return 0;
    if (buf[pos] != ' ' || pos == method)
        return wi_http_judge(buf, pos, len, WI_HTTP_BAD_METHOD);
    if (pos - method > WI_HTTP_METHOD_BYTES_MAX)
        return wi_http_judge(buf, pos, len, WI_HTTP_METHOD_TOO_LONG);
    out->method_text = slice(method, pos);
    out->method = (uint8_t)wi_http_method_of(buf + method, pos - method);

    const size_t target = pos + 1;
    bool marked = false;
    pos = target_scan(buf, target, len, out, &marked);
    if (pos == len)
        return 0;
    if (buf[pos] != ' ' || pos == target)
        return wi_http_judge(buf, pos, len,
                             buf[pos] == ' ' || buf[pos] == '\r' || buf[pos] == '\n'
                                 ? WI_HTTP_BAD_REQUEST_LINE
                                 : WI_HTTP_BAD_TARGET);
    out->target = slice(target, pos);

    pos++;
    int next = (int)(pos + 10);
    out->head.version_minor = 1;
    if (len - pos < 10 || memcmp(buf + pos, "HTTP/1.1\r\n", 10) != 0)
        next = version_parse(buf, pos, len, &out->head.version_minor);
    if (next <= 0)
        return next;
    const int verdict = line_check(buf, out, marked, limits);
    return verdict < 0 ? verdict : next;
}

/* Exactly one Host in HTTP/1.1, at most one in HTTP/1.0; well formed; equal to the authority of
 * an absolute-form. */
static int host_check(const char *buf, const struct wi_http_known *known,
                      struct wi_http_request *out)
{
    const unsigned count = known->count[WI_HTTP_KNOWN_HOST];
    if (count > 1)
        return WI_HTTP_HOST_REPEATED;
    if (count == 0)
        return out->head.version_minor == 0 ? 0 : WI_HTTP_HOST_MISSING;
    const struct wi_http_slice value = out->head.fields[known->first[WI_HTTP_KNOWN_HOST]].value;
    const char *text = buf + value.offset;
    struct wi_http_authority authority;
    if (wi_http_authority_parse(text, value.len, &authority) != 0)
        return WI_HTTP_BAD_HOST;
    const bool differs =
        out->target_form == WI_HTTP_TARGET_ABSOLUTE &&
        (value.len != out->host.len || !wi_http_same_text(text, buf + out->host.offset, value.len));
    if (differs)
        return WI_HTTP_HOST_MISMATCH;
    out->host = value;
    return 0;
}

/* HTTP/1.0 has no expectations: a field of that name is ignored there, as RFC 9110 asks. */
static int expect_check(const char *buf, const struct wi_http_known *known,
                        struct wi_http_request *out)
{
    out->expect_continue = false;
    const unsigned count = known->count[WI_HTTP_KNOWN_EXPECT];
    if (count == 0 || out->head.version_minor == 0)
        return 0;
    const struct wi_http_slice value = out->head.fields[known->first[WI_HTTP_KNOWN_EXPECT]].value;
    if (count > 1 || value.len != 12 ||
        !wi_http_same_text(buf + value.offset, "100-continue", value.len))
        return WI_HTTP_BAD_EXPECTATION;
    out->expect_continue = out->head.body == WI_HTTP_BODY_CHUNKED || out->head.content_length > 0;
    return 0;
}

/* Parses all that is there, from the start, without regard to the size limit. */
static int parse_all(const char *buf, size_t len, struct wi_http_request *out,
                     const struct wi_http_limits *limits)
{
    size_t pos = 0;
    memset(out, 0, offsetof(struct wi_http_request, head));
    if (buf[0] == '\r') {
        const int after = wi_http_line_end(buf, 0, len);
        if (after <= 0)
            return after;
        pos = (size_t)after;
    } else if (!wi_http_is(buf[0], WI_HTTP_TOKEN)) {
        return buf[0] == '\n' ? WI_HTTP_BARE_LF : WI_HTTP_BAD_METHOD;
    }
    int next = line_parse(buf, pos, len, out, limits);
    if (next <= 0)
        return next;
    struct wi_http_known known;
    next = wi_http_fields_parse(buf, (size_t)next, len, limits, &out->head, &known);
    if (next <= 0)
        return next;
    int verdict = host_check(buf, &known, out);
    if (verdict == 0)
        verdict = wi_http_framing(buf, limits, &known, &out->head);
    if (verdict == 0)
        verdict = expect_check(buf, &known, out);
    if (verdict != 0)
        return verdict;
    wi_http_connection(buf, &known, &out->head);
    out->head.head_bytes = (uint16_t)next;
    return next;
}

/* Which part of an incomplete head that fills its limit was too large. */
static int oversize_verdict(const char *buf, size_t len)
{
    const size_t start = len >= 2 && buf[0] == '\r' ? 2 : 0;
    if (memchr(buf + start, '\n', len - start) != NULL)
        return WI_HTTP_HEAD_TOO_LARGE;
    const size_t left = len - start;
    const size_t near = left < WI_HTTP_METHOD_BYTES_MAX + 1 ? left : WI_HTTP_METHOD_BYTES_MAX + 1;
    return memchr(buf + start, ' ', near) != NULL ? WI_HTTP_TARGET_TOO_LONG
                                                  : WI_HTTP_METHOD_TOO_LONG;
}

int wi_http_request_parse(const char *buf, size_t len, size_t scanned, struct wi_http_request *out,
                          const struct wi_http_limits *limits)
{
    wi_bug_unless_cmp(scanned, <=, len);
    wi_bug_unless_cmp(limits->head_bytes_max, >, 0);
    wi_bug_unless_cmp(limits->head_bytes_max, <=, WI_HTTP_HEAD_BYTES_MAX);
    /* Bytes beyond the limit are not looked at, so the verdict does not depend on how many of
     * them happen to be here. */
    const size_t seen = len < limits->head_bytes_max ? len : limits->head_bytes_max;
    if (seen == 0)
        return 0;
    int result = WI_HTTP_RESUME_PARSE;
    if (scanned > 0)
        result =
            wi_http_head_resume(buf, seen, scanned < seen ? scanned : seen, limits, &out->head);
    if (result == WI_HTTP_RESUME_PARSE)
        result = parse_all(buf, seen, out, limits);
    if (result == 0 && seen == limits->head_bytes_max)
        return oversize_verdict(buf, seen);
    return result;
}
