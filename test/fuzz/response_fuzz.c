/* SPDX-License-Identifier: MIT */
/* Goal: no bytes make the response parser or the body decoder behind it read outside or depend on
 * how the bytes were cut.
 *
 * Properties: whole and trickled input give the same result and facts; slices lie inside the head;
 * body pieces are the same in sum and lie in the input; status and framing survive being written
 * and parsed again.  The first byte picks cut and request method. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/body.h"
#include "http/response.h"
#include "http/status.h"
#include "http/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static int parse_exact(const char *bytes, size_t len, size_t scanned, bool to_head,
                       struct wi_http_response *out, const struct wi_http_limits *limits)
{
    char *exact = malloc(len + (len == 0));
    wi_bug_unless(exact != NULL);
    memcpy(exact, bytes, len);
    const int rc = wi_http_response_parse(exact, len, scanned, to_head, out, limits);
    free(exact);
    return rc;
}

static int trickle(const char *bytes, size_t len, size_t step, bool to_head,
                   struct wi_http_response *out, const struct wi_http_limits *limits)
{
    size_t have = 0;
    for (;;) {
        const size_t scanned = have;
        have = step < len - have ? have + step : len;
        const int rc = parse_exact(bytes, have, scanned, to_head, out, limits);
        if (rc != 0 || have == len)
            return rc;
    }
}

struct total {
    uint64_t bytes;
    uint64_t mixed; /* depends on every byte and its place */
    int result;
};

static struct total body_total(const struct wi_http_head *head, const char *text, size_t len,
                               size_t step, const struct wi_http_limits *limits)
{
    struct wi_http_body body;
    struct total total = { 0 };
    wi_http_body_init(&body, head, limits);
    size_t pos = 0;
    size_t have = 0;
    for (;;) {
        size_t used = 0;
        struct wi_http_piece piece;
        total.result = wi_http_body_decode(&body, text + pos, have - pos, &used, &piece);
        wi_bug_unless_cmp(used, <=, have - pos);
        wi_bug_unless(piece.len == 0 || total.result == WI_HTTP_DECODE_DATA);
        for (size_t i = 0; i < piece.len; i++)
            total.mixed = total.mixed * 31 + (unsigned char)piece.data[i] + 1;
        total.bytes += piece.len;
        pos += used;
        if (total.result == WI_HTTP_DECODE_DATA)
            continue;
        if (total.result != WI_HTTP_DECODE_MORE)
            return total;
        wi_bug_unless(pos == have);
        if (have == len)
            break;
        have = step < len - have ? have + step : len;
    }
    total.result = wi_http_body_closed(&body);
    return total;
}

static void check_round_trip(const char *buf, const struct wi_http_response *r, bool to_head,
                             const struct wi_http_limits *limits)
{
    char again[512];
    struct wi_http_response_out out = { .status = r->status,
                                        .content_length = r->head.content_length,
                                        .body = r->head.body };
    (void)buf;
    if (!r->head.keep_alive)
        out.connection = WI_HTTP_OUT_CLOSE;
    const int len = wi_http_response_write(again, sizeof again, &out);
    wi_bug_unless_cmp(len, >, 0);
    struct wi_http_response back;
    wi_bug_unless_cmp(wi_http_response_parse(again, (size_t)len, 0, to_head, &back, limits), ==,
                      len);
    wi_bug_unless(back.status == r->status);
    wi_bug_unless(back.interim == r->interim);
    wi_bug_unless(back.head.keep_alive == r->head.keep_alive);
    if (r->head.body != WI_HTTP_BODY_NONE)
        wi_bug_unless(back.head.body == r->head.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < 1)
        return 0;
    struct wi_http_limits limits = { .head_bytes_max = 1024 };
    wi_http_limits_fill(&limits);
    const char *text = (const char *)data + 1;
    const size_t len = bytes - 1;
    const bool to_head = (data[0] & 0x80) != 0;
    const size_t step = 1u + data[0] % 32;

    struct wi_http_response whole;
    struct wi_http_response parts;
    memset(&whole, 0, sizeof whole);
    memset(&parts, 0, sizeof parts);
    const int rc = parse_exact(text, len, 0, to_head, &whole, &limits);
    wi_bug_unless_cmp(trickle(text, len, step, to_head, &parts, &limits), ==, rc);
    if (rc <= 0) {
        wi_bug_unless(rc == 0 || wi_http_verdict_status(rc) != 500);
        return 0;
    }
    const size_t used = offsetof(struct wi_http_response, head) +
                        offsetof(struct wi_http_head, fields) +
                        whole.head.field_count * sizeof whole.head.fields[0];
    wi_bug_unless(memcmp(&whole, &parts, used) == 0);
    wi_bug_unless_cmp(whole.reason.offset + whole.reason.len, <=, rc);
    for (int i = 0; i < whole.head.field_count; i++) {
        const struct wi_http_slice value = whole.head.fields[i].value;
        wi_bug_unless_cmp(value.offset + value.len, <=, rc);
    }
    check_round_trip(text, &whole, to_head, &limits);

    const size_t rest = len - (size_t)rc;
    const struct total once = body_total(&whole.head, text + rc, rest, rest + 1, &limits);
    const struct total slow = body_total(&whole.head, text + rc, rest, step, &limits);
    wi_bug_unless(once.result == slow.result);
    wi_bug_unless(once.bytes == slow.bytes);
    wi_bug_unless(once.mixed == slow.mixed);
    return 0;
}
