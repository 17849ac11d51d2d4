/* SPDX-License-Identifier: MIT */
/* One face for the four framings of a body.
 *
 * Source: RFC 9112 section 6. */
#include "http/body.h"

#include "base/check.h"
#include "http/status.h"

void wi_http_body_init(struct wi_http_body *body, const struct wi_http_head *head,
                       const struct wi_http_limits *limits)
{
    body->kind = head->body;
    body->left = 0;
    body->ended = false;
    if (head->body == WI_HTTP_BODY_LENGTH)
        body->left = head->content_length;
    if (head->body == WI_HTTP_BODY_UNTIL_CLOSE)
        body->left = limits->body_bytes_max;
    wi_http_chunked_init(&body->chunked, limits);
}

int wi_http_body_decode(struct wi_http_body *body, const char *in, size_t in_len, size_t *consumed,
                        struct wi_http_piece *out)
{
    if (body->kind == WI_HTTP_BODY_CHUNKED)
        return wi_http_chunked_decode(&body->chunked, in, in_len, consumed, out);

    const bool until_close = body->kind == WI_HTTP_BODY_UNTIL_CLOSE;
    *consumed = 0;
    *out = (struct wi_http_piece){ in, 0 };
    if (until_close ? body->ended : body->left == 0)
        return WI_HTTP_DECODE_DONE;
    if (in_len == 0)
        return WI_HTTP_DECODE_MORE;
    if (body->left == 0)
        return WI_HTTP_BODY_TOO_LARGE;
    const size_t len = in_len < body->left ? in_len : (size_t)body->left;
    body->left -= len;
    *consumed = len;
    out->len = len;
    return WI_HTTP_DECODE_DATA;
}

int wi_http_body_closed(struct wi_http_body *body)
{
    if (body->kind == WI_HTTP_BODY_UNTIL_CLOSE)
        body->ended = true;
    size_t consumed = 0;
    struct wi_http_piece piece;
    const int result = wi_http_body_decode(body, "", 0, &consumed, &piece);
    return result == WI_HTTP_DECODE_MORE ? WI_HTTP_BODY_TRUNCATED : result;
}
