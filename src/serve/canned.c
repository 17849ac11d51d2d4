/* SPDX-License-Identifier: MIT */
/* Canned answers; see canned.h.
 *
 * Where the date and the digit lie is found by making the answer twice, with dates that differ in
 * every byte and with other digits: whatever the writer of heads does, the places are right. */
#include "serve/canned.h"

#include <string.h>

#include "base/check.h"
#include "http/head.h"
#include "http/write.h"

static const char retry_name[] = "Retry-After";

/* The head with that date and digit, or a code. */
static int write_head(char *out, int status, const char *type, size_t body_bytes, const char *date,
                      const char *retry)
{
    const struct wi_http_out_field fields[] = {
        { .name = "Content-Type", .name_len = 12, .value = type, .value_len = strlen(type) },
        { .name = retry_name, .name_len = sizeof(retry_name) - 1, .value = retry, .value_len = 1 },
    };
    const struct wi_http_response_out head = {
        .status = status,
        .date = date,
        .fields = fields,
        .field_count = status == 503 ? 2 : 1,
        .content_length = body_bytes,
        .body = WI_HTTP_BODY_LENGTH,
        .connection = WI_HTTP_OUT_KEEP,
    };
    return wi_http_response_write(out, WI_CANNED_BYTES_MAX, &head);
}

/* The first place at or after `from` where the two differ; `bytes` if there is none. */
static size_t first_difference(const char *one, const char *other, size_t from, size_t bytes)
{
    while (from < bytes && one[from] == other[from])
        from++;
    return from;
}

int wi_canned_make(struct wi_canned *canned, int status, const char *type, const char *body,
                   size_t body_bytes)
{
    char date[WI_HTTP_DATE_BYTES];
    char other[WI_CANNED_BYTES_MAX];
    memset(date, '1', sizeof(date));
    const int head = write_head(canned->text, status, type, body_bytes, date, "1");
    if (head < 0)
        return head;
    const size_t head_bytes = (size_t)head;
    if (body_bytes > WI_CANNED_BYTES_MAX - head_bytes)
        return WEIR_ENOSPC;
    memset(date, '2', sizeof(date));
    if (write_head(other, status, type, body_bytes, date, "2") != head)
        return WEIR_EINVAL;
    const size_t date_at = first_difference(canned->text, other, 0, head_bytes);
    const size_t retry_at =
        first_difference(canned->text, other, date_at + sizeof(date), head_bytes);
    canned->bytes = (uint16_t)(head_bytes + body_bytes);
    canned->date_at = (uint16_t)date_at;
    canned->retry_at = retry_at < head_bytes ? (uint16_t)retry_at : 0;
    memcpy(canned->text + head_bytes, body, body_bytes);
    return 0;
}

size_t wi_canned_write(const struct wi_canned *canned, const char date[WI_HTTP_DATE_BYTES],
                       int64_t retry_s, char *out)
{
    wi_bug_unless_cmp(retry_s, >=, 0);
    wi_bug_unless_cmp(retry_s, <=, WI_CANNED_RETRY_MAX_S);
    memcpy(out, canned->text, canned->bytes);
    memcpy(out + canned->date_at, date, WI_HTTP_DATE_BYTES);
    if (canned->retry_at != 0)
        out[canned->retry_at] = (char)('0' + retry_s);
    return canned->bytes;
}
