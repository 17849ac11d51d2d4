/* SPDX-License-Identifier: MIT */
/* Heads out.  An appender with a sticky error keeps the writers straight: each step may run after
 * a failed one and does nothing then.
 *
 * Source: RFC 9112 sections 2 to 7 for what must and must not be written. */
#include "http/write.h"

#include <string.h>

#include "base/check.h"
#include "http/chars.h"
#include "http/date.h"
#include "http/head.h"
#include "http/status.h"
#include "http/uri.h"

/* Invariant: at <= end; bytes before `at` are written.  error is 0 or the first WEIR_E… code. */
struct appender {
    char *at;
    char *end;
    int error;
};

/* Inline in earnest: most pieces are literals, which then become a few stores. */
__attribute__((always_inline)) static inline void append(struct appender *out, const char *bytes,
                                                         size_t len)
{
    if (out->error != 0)
        return;
    if ((size_t)(out->end - out->at) < len) {
        out->error = WEIR_ENOSPC;
        return;
    }
    memcpy(out->at, bytes, len);
    out->at += len;
}

#define append_literal(out, text) append((out), (text), sizeof(text) - 1)

static void refuse_unless(struct appender *out, bool condition)
{
    if (!condition && out->error == 0)
        out->error = WEIR_EINVAL;
}

size_t wi_http_decimal_write(char buf[20], uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    memcpy(buf, digits + at, sizeof digits - at);
    return sizeof digits - at;
}

size_t wi_http_chunk_head_write(char buf[WI_HTTP_CHUNK_HEAD_BYTES_MAX], uint64_t chunk_bytes)
{
    wi_bug_unless(chunk_bytes > 0);
    char digits[16];
    size_t at = sizeof digits;
    while (chunk_bytes > 0) {
        digits[--at] = "0123456789abcdef"[chunk_bytes & 15];
        chunk_bytes >>= 4;
    }
    const size_t len = sizeof digits - at;
    memcpy(buf, digits + at, len);
    memcpy(buf + len, WI_HTTP_CHUNK_END, 2);
    return len + 2;
}

/* The fields that the writer makes itself. */
static bool is_own_field(const char *name, size_t len, bool request)
{
    switch (len) {
    case 4:
        return wi_http_same_text(name, request ? "host" : "date", 4);
    case 10:
        return wi_http_same_text(name, "connection", 10);
    case 14:
        return wi_http_same_text(name, "content-length", 14);
    case 17:
        return wi_http_same_text(name, "transfer-encoding", 17);
    default:
        return false;
    }
}

static void check_field(struct appender *out, const struct wi_http_out_field *field, bool request)
{
    refuse_unless(out, field->name_len > 0);
    refuse_unless(out, wi_http_all_of(field->name, field->name_len, WI_HTTP_TOKEN));
    refuse_unless(out, wi_http_all_of(field->value, field->value_len, WI_HTTP_VALUE));
    refuse_unless(out, !is_own_field(field->name, field->name_len, request));
}

static void append_fields(struct appender *out, const struct wi_http_out_field *fields,
                          size_t count, bool request)
{
    for (size_t i = 0; i < count; i++) {
        const struct wi_http_out_field *field = &fields[i];
        if (!field->checked)
            check_field(out, field, request);
        append(out, field->name, field->name_len);
        append_literal(out, ": ");
        append(out, field->value, field->value_len);
        append_literal(out, "\r\n");
    }
}

static void append_length(struct appender *out, uint64_t length)
{
    char digits[20];
    append_literal(out, "Content-Length: ");
    append(out, digits, wi_http_decimal_write(digits, length));
    append_literal(out, "\r\n");
}

static int finish(struct appender *out, const char *buf)
{
    append_literal(out, "\r\n");
    return out->error != 0 ? out->error : (int)(out->at - buf);
}

static void append_status_line(struct appender *out, const struct wi_http_response_out *response)
{
    if (response->status == 200 && response->reason == NULL) {
        append_literal(out, "HTTP/1.1 200 OK\r\n");
        return;
    }
    refuse_unless(out, response->status >= 100 && response->status <= 999);
    const char *reason =
        response->reason != NULL ? response->reason : wi_http_reason(response->status);
    const size_t reason_len = strlen(reason);
    refuse_unless(out, wi_http_all_of(reason, reason_len, WI_HTTP_VALUE));
    if (out->error != 0)
        return;
    char digits[20];
    append_literal(out, "HTTP/1.1 ");
    append(out, digits, wi_http_decimal_write(digits, (uint64_t)response->status));
    append_literal(out, " ");
    append(out, reason, reason_len);
    append_literal(out, "\r\n");
}

static void append_response_framing(struct appender *out,
                                    const struct wi_http_response_out *response)
{
    const bool bodiless = response->status < 200 || response->status == 204;
    if (bodiless) {
        const bool empty = response->body == WI_HTTP_BODY_NONE ||
                           (response->body == WI_HTTP_BODY_LENGTH && response->content_length == 0);
        refuse_unless(out, empty);
        return;
    }
    switch (response->body) {
    case WI_HTTP_BODY_NONE:
        if (response->status != 304)
            append_length(out, 0);
        return;
    case WI_HTTP_BODY_LENGTH:
        append_length(out, response->content_length);
        return;
    case WI_HTTP_BODY_CHUNKED:
        refuse_unless(out, !response->old_client);
        append_literal(out, "Transfer-Encoding: chunked\r\n");
        return;
    default:
        refuse_unless(out, response->body == WI_HTTP_BODY_UNTIL_CLOSE);
        return;
    }
}

static void append_connection(struct appender *out, unsigned connection, bool old_client)
{
    if (connection == WI_HTTP_OUT_CLOSE)
        append_literal(out, "Connection: close\r\n");
    else if (connection == WI_HTTP_OUT_UPGRADE)
        append_literal(out, "Connection: Upgrade\r\n");
    else if (old_client)
        append_literal(out, "Connection: keep-alive\r\n");
}

int wi_http_response_write(char *buf, size_t cap, const struct wi_http_response_out *response)
{
    wi_bug_unless_cmp(cap, <=, INT32_MAX);
    struct appender out = { buf, buf + cap, 0 };
    append_status_line(&out, response);
    append_response_framing(&out, response);
    if (response->date != NULL) {
        append_literal(&out, "Date: ");
        append(&out, response->date, WI_HTTP_DATE_BYTES);
        append_literal(&out, "\r\n");
    }
    const bool until_close = response->body == WI_HTTP_BODY_UNTIL_CLOSE;
    append_connection(&out, until_close ? WI_HTTP_OUT_CLOSE : response->connection,
                      response->old_client && response->status >= 200);
    append_fields(&out, response->fields, response->field_count, false);
    return finish(&out, buf);
}

/* The four forms of a target are the caller's business; its bytes are ours. */
static bool is_target(const char *target, size_t len)
{
    return wi_http_all_of(target, len, WI_HTTP_QUERY) || (len == 1 && target[0] == '*');
}

int wi_http_request_write(char *buf, size_t cap, const struct wi_http_request_out *request)
{
    wi_bug_unless_cmp(cap, <=, INT32_MAX);
    struct appender out = { buf, buf + cap, 0 };
    const size_t method_len = strlen(request->method);
    struct wi_http_authority authority;
    refuse_unless(&out, method_len > 0 && method_len <= WI_HTTP_METHOD_BYTES_MAX);
    refuse_unless(&out, wi_http_all_of(request->method, method_len, WI_HTTP_TOKEN));
    refuse_unless(&out, is_target(request->target, request->target_len));
    refuse_unless(&out, wi_http_authority_parse(request->host, request->host_len, &authority) == 0);

    append(&out, request->method, method_len);
    append_literal(&out, " ");
    append(&out, request->target_len > 0 ? request->target : "/",
           request->target_len > 0 ? request->target_len : 1);
    append_literal(&out, " HTTP/1.1\r\nHost: ");
    append(&out, request->host, request->host_len);
    append_literal(&out, "\r\n");
    if (request->body == WI_HTTP_BODY_LENGTH)
        append_length(&out, request->content_length);
    else if (request->body == WI_HTTP_BODY_CHUNKED)
        append_literal(&out, "Transfer-Encoding: chunked\r\n");
    else
        refuse_unless(&out, request->body == WI_HTTP_BODY_NONE);
    append_connection(&out, request->connection, false);
    append_fields(&out, request->fields, request->field_count, true);
    return finish(&out, buf);
}
