/* SPDX-License-Identifier: MIT */
/* Answers of the edge; see answer.h.
 *
 * Threads: the owner of the connection. */
#include "serve/answer.h"

#include <string.h>

#include "base/check.h"
#include "http/head.h"
#include "http/write.h"
#include "sync/time.h"

enum {
    ANSWER_BYTES_MAX = WI_CANNED_BYTES_MAX + 256 /* room for Connection and the like */
};

static size_t add_field(struct wi_http_out_field *fields, size_t count, const char *name,
                        const char *value)
{
    fields[count] = (struct wi_http_out_field){ .name = name,
                                                .name_len = strlen(name),
                                                .value = value,
                                                .value_len = strlen(value),
                                                .checked = true };
    return count + 1;
}

/* Makes an answer; its length. */
static size_t write_answer(const struct wi_answer *answer, int64_t retry_s,
                           const char date[WI_HTTP_DATE_BYTES], char out[ANSWER_BYTES_MAX])
{
    char retry[21] = { 0 };
    struct wi_http_out_field fields[3];
    size_t count =
        add_field(fields, 0, "Content-Type", answer->type != NULL ? answer->type : WI_ANSWER_TYPE);
    if (answer->allow != NULL)
        count = add_field(fields, count, "Allow", answer->allow);
    if (answer->status == 503) {
        (void)wi_http_decimal_write(retry, (uint64_t)retry_s);
        count = add_field(fields, count, "Retry-After", retry);
    }
    const size_t text_bytes = strlen(answer->text);
    const struct wi_http_response_out head = {
        .status = answer->status,
        .date = date,
        .fields = fields,
        .field_count = count,
        .content_length = text_bytes,
        .body = WI_HTTP_BODY_LENGTH,
        .connection = answer->close ? WI_HTTP_OUT_CLOSE : WI_HTTP_OUT_KEEP,
        .old_client = answer->old_client,
    };
    const int head_bytes = wi_http_response_write(out, ANSWER_BYTES_MAX, &head);
    wi_bug_unless_cmp(head_bytes, >, 0);
    const size_t bytes = (size_t)head_bytes;
    wi_bug_unless_cmp(bytes + text_bytes, <=, ANSWER_BYTES_MAX);
    if (answer->bodiless)
        return bytes;
    memcpy(out + bytes, answer->text, text_bytes);
    return bytes + text_bytes;
}

/* Whether it may go out as it was made ahead. */
static bool is_canned(const struct wi_answer *answer, int64_t retry_s)
{
    return answer->canned != NULL && !answer->close && !answer->bodiless && !answer->old_client &&
           retry_s <= WI_CANNED_RETRY_MAX_S;
}

bool wi_answer_send(struct wi_conn *conn, const struct wi_answer *answer)
{
    struct weir_server *server = wi_conn_server(conn);
    char date[WI_HTTP_DATE_BYTES];
    char out[ANSWER_BYTES_MAX];
    const int64_t retry_s = answer->status == 503 ? wi_charge_retry_after_s(server) : 0;
    wi_stamp_read(&server->stamp, wi_now_coarse(), date);
    const size_t bytes = wi_likely(is_canned(answer, retry_s))
                             ? wi_canned_write(answer->canned, date, retry_s, out)
                             : write_answer(answer, retry_s, date, out);
    const int64_t put = wi_transport_write(conn->io.watch.fd, out, bytes);
    wi_atomic_i64 *row = wi_server_row(server);
    wi_count_reply(row, answer->status);
    (void)wi_add_relaxed(&row[WI_COUNT_BYTES_OUT], put > 0 ? put : 0);
    return put == (int64_t)bytes;
}
