/* SPDX-License-Identifier: MIT */
/* Goal: no bytes make the request parser read outside, disagree with itself or give a request
 * that means something else when it is written again.
 *
 * Properties: the result is the same for the whole input, for bytes that trickle in and for any
 * two-part cut; slices lie inside the head; what is parsed, written by the writer and parsed again
 * is equal.  The first byte picks the cut, the second the limits. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/request.h"
#include "http/status.h"
#include "http/timeout.h"
#include "http/uri.h"
#include "http/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Parses a copy of exact size, so that a sanitizer sees a read past the end. */
static int parse_exact(const char *bytes, size_t len, size_t scanned, struct wi_http_request *out,
                       const struct wi_http_limits *limits)
{
    char *exact = malloc(len + (len == 0));
    wi_bug_unless(exact != NULL);
    memcpy(exact, bytes, len);
    const int rc = wi_http_request_parse(exact, len, scanned, out, limits);
    free(exact);
    return rc;
}

static void check_slice(struct wi_http_slice slice, int head)
{
    wi_bug_unless_cmp(slice.offset + slice.len, <=, head);
}

static void check_slices(const struct wi_http_request *q, int head)
{
    check_slice(q->method_text, head);
    check_slice(q->target, head);
    check_slice(q->path, head);
    check_slice(q->query, head);
    check_slice(q->host, head);
    for (int i = 0; i < q->head.field_count; i++) {
        check_slice(q->head.fields[i].name, head);
        check_slice(q->head.fields[i].value, head);
    }
}

static bool same_slice(const char *left, struct wi_http_slice l, const char *right,
                       struct wi_http_slice r)
{
    return l.len == r.len && memcmp(left + l.offset, right + r.offset, l.len) == 0;
}

/* The fields that the writer takes from the caller. */
static size_t fields_of(const char *buf, const struct wi_http_head *head,
                        struct wi_http_out_field *out)
{
    static const char *const own[] = { "host", "connection", "content-length",
                                       "transfer-encoding" };
    size_t count = 0;
    for (int i = 0; i < head->field_count; i++) {
        const struct wi_http_field *field = &head->fields[i];
        bool skip = false;
        for (size_t k = 0; k < wi_count_of(own); k++)
            skip |= wi_http_field_find(head, buf, own[k], i) == i;
        if (!skip)
            out[count++] =
                (struct wi_http_out_field){ buf + field->name.offset, field->name.len,
                                            buf + field->value.offset, field->value.len, false };
    }
    return count;
}

static void check_round_trip(const char *buf, const struct wi_http_request *q,
                             const struct wi_http_limits *limits)
{
    static char again[2 * WI_HTTP_HEAD_BYTES_MAX];
    struct wi_http_out_field fields[WI_HTTP_FIELDS_MAX];
    char method[WI_HTTP_METHOD_BYTES_MAX + 1] = { 0 };
    memcpy(method, buf + q->method_text.offset, q->method_text.len);
    /* An old request may lack a host, and says less by its fields. */
    if (q->head.version_minor == 0)
        return;
    const struct wi_http_request_out out = {
        .method = method,
        .target = buf + q->target.offset,
        .target_len = q->target.len,
        .host = buf + q->host.offset,
        .host_len = q->host.len,
        .fields = fields,
        .field_count = fields_of(buf, &q->head, fields),
        .content_length = q->head.content_length,
        .body = q->head.body,
        .connection = q->head.keep_alive ? WI_HTTP_OUT_KEEP : WI_HTTP_OUT_CLOSE,
    };
    const int len = wi_http_request_write(again, sizeof again, &out);
    wi_bug_unless_cmp(len, >, 0);
    struct wi_http_limits wide = { .head_bytes_max = WI_HTTP_HEAD_BYTES_MAX,
                                   .target_bytes_max = WI_HTTP_HEAD_BYTES_MAX };
    wi_http_limits_fill(&wide);
    wide.body_bytes_max = limits->body_bytes_max;
    struct wi_http_request r;
    /* One more field than came is possible where a close was implied; then the limit says so. */
    const int rc = wi_http_request_parse(again, (size_t)len, 0, &r, &wide);
    if (rc == WI_HTTP_TOO_MANY_FIELDS || rc == WI_HTTP_HEAD_TOO_LARGE)
        return;
    wi_bug_unless_cmp(rc, ==, len);
    wi_bug_unless(q->method == r.method);
    wi_bug_unless(q->head.body == r.head.body);
    wi_bug_unless(q->head.content_length == r.head.content_length);
    wi_bug_unless(q->head.keep_alive == r.head.keep_alive);
    wi_bug_unless(q->expect_continue == r.expect_continue);
    wi_bug_unless(same_slice(buf, q->path, again, r.path));
    wi_bug_unless(same_slice(buf, q->query, again, r.query));
    wi_bug_unless(same_slice(buf, q->host, again, r.host));
    wi_bug_unless(q->head.has_timeout == r.head.has_timeout);
    wi_bug_unless(wi_http_timeout(&q->head, buf) == wi_http_timeout(&r.head, again));
}

/* Lets the bytes arrive in parts and returns the first result that is not 0. */
static int trickle(const char *bytes, size_t len, size_t first, size_t step,
                   struct wi_http_request *out, const struct wi_http_limits *limits)
{
    size_t have = first < len ? first : len;
    size_t scanned = 0;
    for (;;) {
        const int rc = parse_exact(bytes, have, scanned, out, limits);
        if (rc != 0 || have == len)
            return rc;
        scanned = have;
        have = step < len - have ? have + step : len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < 2)
        return 0;
    struct wi_http_limits limits = { 0 };
    if ((data[1] & 1) != 0)
        limits = (struct wi_http_limits){ .head_bytes_max = 64u + data[1],
                                          .target_bytes_max = 16u + data[1] / 4,
                                          .fields_max = 1u + data[1] / 16 };
    wi_http_limits_fill(&limits);
    const char *text = (const char *)data + 2;
    const size_t len = bytes - 2;

    struct wi_http_request whole;
    struct wi_http_request parts;
    memset(&whole, 0, sizeof whole);
    memset(&parts, 0, sizeof parts);
    const int rc = parse_exact(text, len, 0, &whole, &limits);
    wi_bug_unless_cmp(rc, <=, (int)limits.head_bytes_max);
    if (rc == 0)
        wi_bug_unless_cmp(len, <, limits.head_bytes_max);
    wi_bug_unless_cmp(trickle(text, len, data[0], len, &parts, &limits), ==, rc);
    wi_bug_unless_cmp(trickle(text, len, 1, 1u + data[0] % 16, &parts, &limits), ==, rc);
    if (rc <= 0) {
        wi_bug_unless(rc == 0 || wi_http_verdict_status(rc) != 500);
        return 0;
    }
    wi_bug_unless(memcmp(&whole, &parts, wi_http_request_bytes(&whole)) == 0);
    check_slices(&whole, rc);
    char decoded[WI_HTTP_HEAD_BYTES_MAX];
    wi_bug_unless(wi_http_percent_decode(text + whole.path.offset, whole.path.len, false, decoded,
                                         sizeof decoded) >= 0);
    check_round_trip(text, &whole, &limits);
    return 0;
}
