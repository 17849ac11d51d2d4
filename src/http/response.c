/* SPDX-License-Identifier: MIT */
/* The status line and the framing of answers.
 *
 * Source: RFC 9112 sections 4 and 6.3. */
#include "http/response.h"

#include <string.h>

#include "base/check.h"
#include "http/chars.h"
#include "http/status.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Parses the status line of which the LF has arrived: text[0..line_len) without the CRLF. */
static int line_read(const char *text, size_t line_len, struct wi_http_response *out)
{
    if (line_len < 12 || memcmp(text, "HTTP/", 5) != 0 || !is_digit(text[5]) || text[6] != '.' ||
        !is_digit(text[7]) || text[8] != ' ')
        return WI_HTTP_BAD_STATUS_LINE;
    if (text[5] != '1')
        return WI_HTTP_UNSUPPORTED_VERSION;
    if (text[9] < '1' || text[9] > '9' || !is_digit(text[10]) || !is_digit(text[11]))
        return WI_HTTP_BAD_STATUS_LINE;
    if (line_len > 12 && text[12] != ' ')
        return WI_HTTP_BAD_STATUS_LINE;
    if (!wi_http_all_of(text + 12, line_len - 12, WI_HTTP_VALUE))
        return WI_HTTP_BAD_STATUS_LINE;
    out->status = (uint16_t)((text[9] - '0') * 100 + (text[10] - '0') * 10 + (text[11] - '0'));
    out->head.version_minor = text[7] == '0' ? 0 : 1;
    if (line_len > 13)
        out->reason = (struct wi_http_slice){ 13, (uint16_t)(line_len - 13) };
    return 0;
}

/* Returns like wi_http_line_end. */
static int line_parse(const char *buf, size_t len, struct wi_http_response *out)
{
    const char *lf = memchr(buf, '\n', len);
    if (lf == NULL)
        return 0;
    if (lf == buf || lf[-1] != '\r')
        return WI_HTTP_BARE_LF;
    const size_t line_len = (size_t)(lf - buf) - 1;
    if (memchr(buf, '\r', line_len) != NULL)
        return WI_HTTP_BARE_CR;
    const int verdict = line_read(buf, line_len, out);
    return verdict < 0 ? verdict : (int)line_len + 2;
}

/* Decides what follows the head (RFC 9112 section 6.3, in its order). */
static int body_decide(const char *buf, bool to_head, const struct wi_http_limits *limits,
                       const struct wi_http_known *known, struct wi_http_response *out)
{
    const bool bodiless = out->status < 200 || out->status == 204;
    if (bodiless && known->count[WI_HTTP_KNOWN_TRANSFER_ENCODING] > 0)
        return WI_HTTP_CODING_MISPLACED;
    const bool none = bodiless || to_head || out->status == 304;
    /* A length that describes a body which does not follow is no reason to refuse. */
    struct wi_http_limits lax = *limits;
    if (none)
        lax.body_bytes_max = INT64_MAX;
    const int verdict = wi_http_framing(buf, &lax, known, &out->head);
    if (verdict < 0)
        return verdict;
    wi_http_connection(buf, known, &out->head);
    if (none) {
        out->head.body = WI_HTTP_BODY_NONE;
    } else if (out->head.body == WI_HTTP_BODY_NONE) {
        out->head.body = WI_HTTP_BODY_UNTIL_CLOSE;
        out->head.keep_alive = false;
    }
    return 0;
}

static int parse_all(const char *buf, size_t len, bool to_head, struct wi_http_response *out,
                     const struct wi_http_limits *limits)
{
    memset(out, 0, offsetof(struct wi_http_response, head));
    if (buf[0] != 'H')
        return WI_HTTP_BAD_STATUS_LINE;
    int next = line_parse(buf, len, out);
    if (next <= 0)
        return next;
    struct wi_http_known known;
    next = wi_http_fields_parse(buf, (size_t)next, len, limits, &out->head, &known);
    if (next <= 0)
        return next;
    const int verdict = body_decide(buf, to_head, limits, &known, out);
    if (verdict < 0)
        return verdict;
    out->interim = out->status < 200 && out->status != 101;
    out->head.head_bytes = (uint16_t)next;
    return next;
}

int wi_http_response_parse(const char *buf, size_t len, size_t scanned, bool to_head,
                           struct wi_http_response *out, const struct wi_http_limits *limits)
{
    wi_bug_unless_cmp(scanned, <=, len);
    wi_bug_unless_cmp(limits->head_bytes_max, >, 0);
    wi_bug_unless_cmp(limits->head_bytes_max, <=, WI_HTTP_HEAD_BYTES_MAX);
    const size_t seen = len < limits->head_bytes_max ? len : limits->head_bytes_max;
    if (seen == 0)
        return 0;
    int result = WI_HTTP_RESUME_PARSE;
    if (scanned > 0)
        result =
            wi_http_head_resume(buf, seen, scanned < seen ? scanned : seen, limits, &out->head);
    if (result == WI_HTTP_RESUME_PARSE)
        result = parse_all(buf, seen, to_head, out, limits);
    if (result == 0 && seen == limits->head_bytes_max)
        return WI_HTTP_HEAD_TOO_LARGE;
    return result;
}
