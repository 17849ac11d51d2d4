/* SPDX-License-Identifier: MIT */
/* One attempt: a connection, the request out, the head of the answer in.
 *
 * A kept connection may have been closed by its server in the very moment in which it is used.  So
 * when one ends before a byte of the answer, and the request does no harm if it is done twice, or
 * none of it went out, it is sent once more on a fresh one.  That is no retry: the server that
 * closed has most likely seen nothing.
 *
 * Time.  An attempt with a small request has timeout_ns from its first byte to the head of the
 * answer.  How long a large one takes to go out is no measure of the server, so its time begins
 * when it is out; meanwhile only the call's own end holds.
 *
 * A server may answer before it has read the request, and close: when writing fails, the answer is
 * looked for all the same.
 *
 * Threads: the caller's. */
#include <string.h>

#include "base/check.h"
#include "client/client.h"
#include "http/chars.h"
#include "http/status.h"
#include "http/write.h"

enum {
    INTERIM_MAX = 16,
    SMALL_BODY_BYTES = 64 * 1024,
    CHUNK_ROOM = WI_HTTP_CHUNK_HEAD_BYTES_MAX,
};

static void drop_link(weir_response *response)
{
    if (response->link != NULL)
        wi_link_close(response->link);
    response->link = NULL;
}

/* -- the request's head ----------------------------------------------------------------------- */

/* The fields of the caller, and ours where he has none of that name. */
struct fields {
    struct wi_http_out_field all[WI_CLIENT_FIELDS_MAX + 2];
    size_t count;
    char timeout_ms[20];
    char attempt[20];
};

static void add_number(struct fields *fields, const char *name, char text[20], int64_t value)
{
    const size_t name_len = strlen(name);
    for (size_t i = 0; i < fields->count; i++) {
        const struct wi_http_out_field *field = &fields->all[i];
        if (field->name_len == name_len && wi_http_same_text(field->name, name, name_len))
            return;
    }
    fields->all[fields->count++] = (struct wi_http_out_field){
        .name = name,
        .name_len = name_len,
        .value = text,
        .value_len = wi_http_decimal_write(text, (uint64_t)value),
        .checked = true,
    };
}

static void collect_fields(struct fields *fields, const weir_response *response,
                           const struct wi_call *call, int64_t left_ns)
{
    const struct weir_client_request *request = call->request;
    fields->count = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        const struct weir_header *header = &request->headers[i];
        fields->all[fields->count++] = (struct wi_http_out_field){
            .name = header->name,
            .name_len = strlen(header->name),
            .value = header->value,
            .value_len = strlen(header->value),
        };
    }
    if (response->destination->client->opts.no_own_headers)
        return;
    if (left_ns >= 0)
        add_number(fields, "Weir-Timeout-Ms", fields->timeout_ms, left_ns / WEIR_NS_PER_MS);
    const int attempt = call->inherited + call->attempt - 1;
    if (attempt > 0)
        add_number(fields, "X-Attempt", fields->attempt, attempt);
}

static uint8_t body_kind(const struct wi_call *call)
{
    const struct weir_client_request *request = call->request;
    if (request->read != NULL)
        return request->read_bytes < 0 ? WI_HTTP_BODY_CHUNKED : WI_HTTP_BODY_LENGTH;
    const bool expected = strcmp(call->method, "POST") == 0 || strcmp(call->method, "PUT") == 0 ||
                          strcmp(call->method, "PATCH") == 0;
    return request->body_bytes > 0 || expected ? WI_HTTP_BODY_LENGTH : WI_HTTP_BODY_NONE;
}

/* Of the authority: the port is left out where it is 80, since servers compare Host with their
 * names. */
static size_t host_bytes(const char *authority)
{
    static const char usual[] = ":80";
    const size_t bytes = strlen(authority);
    const size_t less = sizeof(usual) - 1;
    return bytes > less && strcmp(authority + bytes - less, usual) == 0 ? bytes - less : bytes;
}

/* The head into response->data.  Its length, or WEIR_EINVAL, WEIR_EOVERFLOW. */
static int write_head(weir_response *response, const struct wi_call *call, int64_t left_ns)
{
    const struct weir_client_request *request = call->request;
    struct fields fields;
    collect_fields(&fields, response, call, left_ns);
    const struct wi_http_request_out out = {
        .method = call->method,
        .target = call->target,
        .target_len = call->target_len,
        .host = response->destination->authority,
        .host_len = host_bytes(response->destination->authority),
        .fields = fields.all,
        .field_count = fields.count,
        .content_length =
            request->read != NULL ? (uint64_t)request->read_bytes : request->body_bytes,
        .body = body_kind(call),
        .connection = WI_HTTP_OUT_KEEP,
    };
    const int rc = wi_http_request_write(response->data, response->cap, &out);
    return rc == WEIR_ENOSPC ? WEIR_EOVERFLOW : rc;
}

/* -- the request out -------------------------------------------------------------------------- */

static int put(weir_response *response, const void *data, size_t bytes, weir_time deadline)
{
    size_t written = 0;
    const int rc = weir_write(response->link->stream, data, bytes, &written, deadline);
    response->put = response->put || written > 0;
    return rc;
}

/* A body that the caller gives piece by piece.  The pieces lie behind the room for a chunk's head,
 * in front of that for its end. */
static int put_pieces(weir_response *response, struct wi_call *call)
{
    const struct weir_client_request *request = call->request;
    const bool chunked = request->read_bytes < 0;
    const size_t room = response->cap - CHUNK_ROOM - 2;
    int64_t left = request->read_bytes;
    call->read_begun = true;
    while (left != 0) {
        char *piece = response->data + CHUNK_ROOM;
        const size_t most = !chunked && (uint64_t)left < room ? (size_t)left : room;
        const int got = request->read(request->user, piece, most);
        if (got < 0) {
            call->given_up = true;
            return got;
        }
        wi_bug_unless_cmp((size_t)got, <=, most);
        if (got == 0)
            break;
        size_t bytes = (size_t)got;
        if (chunked) {
            char head[WI_HTTP_CHUNK_HEAD_BYTES_MAX];
            const size_t head_bytes = wi_http_chunk_head_write(head, bytes);
            memcpy(piece + bytes, WI_HTTP_CHUNK_END, 2);
            piece -= head_bytes;
            memcpy(piece, head, head_bytes);
            bytes += head_bytes + 2;
        } else {
            left -= got;
        }
        const int rc = put(response, piece, bytes, call->end);
        if (rc != 0)
            return rc;
    }
    if (chunked)
        return put(response, WI_HTTP_CHUNK_LAST, strlen(WI_HTTP_CHUNK_LAST), call->end);
    call->given_up = left != 0;
    return left == 0 ? 0 : WEIR_ERANGE;
}

/* Of which head_bytes lie in response->data. */
static int put_request(weir_response *response, struct wi_call *call, size_t head_bytes,
                       weir_time deadline)
{
    const struct weir_client_request *request = call->request;
    size_t bytes = head_bytes;
    /* One system call where it all fits. */
    size_t body_at = 0;
    if (request->read == NULL && request->body_bytes <= response->cap - bytes) {
        body_at = request->body_bytes;
        if (body_at > 0)
            memcpy(response->data + bytes, request->body, body_at);
        bytes += body_at;
    }
    int rc = put(response, response->data, bytes, deadline);
    if (rc == 0 && request->read != NULL)
        rc = put_pieces(response, call);
    else if (rc == 0 && body_at < request->body_bytes)
        rc = put(response, request->body, request->body_bytes, deadline);
    response->sent = rc == 0;
    return rc;
}

/* -- the head in ------------------------------------------------------------------------------ */

static int code_of(int verdict)
{
    const bool beyond = verdict == WI_HTTP_HEAD_TOO_LARGE || verdict == WI_HTTP_TOO_MANY_FIELDS ||
                        verdict == WI_HTTP_BODY_TOO_LARGE;
    return beyond ? WEIR_EMSGSIZE : WEIR_EPROTO;
}

/* The byte behind a name or a value (a colon, white space, CR) becomes its NUL. */
static void end_texts(weir_response *response)
{
    struct wi_http_head *head = &response->head.head;
    for (int i = 0; i < head->field_count; i++) {
        const struct wi_http_field *field = &head->fields[i];
        response->data[field->name.offset + field->name.len] = '\0';
        if (field->value.len > 0)
            response->data[field->value.offset + field->value.len] = '\0';
    }
}

static int take_head(weir_response *response, int head_bytes)
{
    if (response->head.status == 101)
        return WEIR_EPROTO;
    response->at = (size_t)head_bytes;
    end_texts(response);
    wi_http_body_init(&response->body, &response->head.head,
                      &response->destination->client->limits);
    return 0;
}

/* More bytes behind those that are there. */
static int fill(weir_response *response, weir_time deadline)
{
    const int got = weir_read(response->link->stream, response->data + response->end,
                              response->cap - response->end, deadline);
    if (got < 0)
        return got == WEIR_EEOF ? WEIR_ECONNRESET : got;
    response->heard = true;
    response->end += (size_t)got;
    return 0;
}

static int get_head(weir_response *response, bool to_head, weir_time deadline)
{
    const struct wi_http_limits *limits = &response->destination->client->limits;
    size_t scanned = 0;
    response->at = 0;
    response->end = 0;
    for (int interims = 0; interims <= INTERIM_MAX;) {
        const int rc = wi_http_response_parse(response->data, response->end, scanned, to_head,
                                              &response->head, limits);
        if (rc < 0)
            return code_of(rc);
        if (rc > 0 && !response->head.interim)
            return take_head(response, rc);
        scanned = response->end;
        if (rc > 0) {
            response->end -= (size_t)rc;
            memmove(response->data, response->data + rc, response->end);
            scanned = 0;
            interims++;
            continue;
        }
        const int got = fill(response, deadline);
        if (got != 0)
            return got;
    }
    return WEIR_EPROTO;
}

/* -- the attempt ------------------------------------------------------------------------------ */

static weir_time within(const struct wi_call *call, int64_t timeout_ns)
{
    const weir_time end = timeout_ns == INT64_MAX ? WEIR_NO_DEADLINE : weir_in_ns(timeout_ns);
    return end < call->end ? end : call->end;
}

static bool is_broken(int rc)
{
    return rc == WEIR_EPIPE || rc == WEIR_ECONNRESET;
}

static int talk(weir_response *response, struct wi_call *call, size_t head_bytes,
                int64_t timeout_ns)
{
    const struct weir_client_request *request = call->request;
    const bool large = request->read != NULL || request->body_bytes > SMALL_BODY_BYTES;
    weir_time deadline = large ? call->end : within(call, timeout_ns);
    response->began = weir_now();
    const int put_rc = put_request(response, call, head_bytes, deadline);
    const bool may_have_answered = is_broken(put_rc) && response->put && !call->given_up;
    if (put_rc != 0 && !may_have_answered)
        return put_rc;
    if (large) {
        response->began = weir_now();
        deadline = within(call, timeout_ns);
    }
    const int rc = get_head(response, call->to_head, deadline);
    return put_rc != 0 && is_broken(rc) ? put_rc : rc;
}

/* The head as of now; left_ns was known at `asked`. */
static int write_head_now(weir_response *response, const struct wi_call *call, int64_t left_ns,
                          weir_time asked)
{
    if (left_ns >= 0) {
        const int64_t passed_ns = weir_now() - asked;
        left_ns = left_ns > passed_ns ? left_ns - passed_ns : 0;
    }
    return write_head(response, call, left_ns);
}

int wi_exchange(weir_response *response, struct wi_call *call, int64_t timeout_ns, int64_t left_ns,
                bool *unreached)
{
    const weir_time asked = weir_now();
    for (bool fresh = false;; fresh = true) {
        *unreached = false;
        response->put = false;
        response->heard = false;
        response->sent = false;
        response->began = weir_now();
        /* Before anything is sent, since it may be wrong; after a connect, which takes time. */
        int head_bytes = write_head_now(response, call, left_ns, asked);
        if (head_bytes < 0)
            return head_bytes;
        int rc = wi_destination_connect(response->destination, fresh, &response->link,
                                        &response->reused, call->end);
        if (rc != 0) {
            *unreached = true;
            return rc;
        }
        if (!response->reused && left_ns >= 0)
            head_bytes = write_head_now(response, call, left_ns, asked);
        wi_bug_unless_cmp(head_bytes, >, 0); /* it was good, and a number has not grown */
        rc = talk(response, call, (size_t)head_bytes, timeout_ns);
        if (rc == 0)
            return 0;
        drop_link(response);
        const bool stale = response->reused && !response->heard && is_broken(rc);
        const bool again = call->idempotent && !call->request->once;
        const bool harmless = !call->read_begun && (again || !response->put);
        if (!stale || !harmless)
            return rc;
        wi_destination_count(response->destination, WI_CLIENT_STALE);
    }
}
