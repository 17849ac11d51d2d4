/* SPDX-License-Identifier: MIT */
/* Replies: heads, whole answers, streams.
 *
 * A whole answer goes out with one system call: head and body are copied into one small buffer if
 * they fit, else sent as two slices.  A stream gathers small pieces in a block of 16 KiB, behind
 * the head; a large piece goes out at once, together with what was gathered, without a copy.
 *
 * Chunked: gathered pieces form one chunk (a run), whose size is filled in when it ends.  RUN_HEAD
 * bytes are kept in front of it for four digits, CR and LF (leading zeros are well formed), and
 * TAIL bytes behind everything for the run's end and the last chunk.
 *
 * Slow clients: a write waits as long as pace.h allows, then fails with WEIR_ETIMEDOUT, and so does
 * every later one: after a partial write nothing sensible can be said to this client.
 *
 * Threads: the request's task. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "http/status.h"
#include "loop/io.h"
#include "serve/request.h"
#include "sync/time.h"
#include "weir/task.h"

enum {
    SMALL_BYTES = 2048,     /* head and body that are copied together */
    TEXT_BYTES = 1024,      /* formatted on the stack, else in the arena */
    HEAD_BASE_BYTES = 512,  /* status line and the server's own fields, with room to spare */
    FIELD_BYTES_MAX = 8192, /* of a handler's names and values */
    RUN_HEAD = 6,
    TAIL = 8,
    DIRECT_BYTES = 4096, /* pieces from here on are not copied */
    STREAK_MAX = 64
};

static const char text_type[] = "text/plain; charset=utf-8";
static const char binary_type[] = "application/octet-stream";

void wi_reply_init(struct weir_reply *reply, struct weir_request *request)
{
    *reply = (struct weir_reply){ .request = request, .field_count = 1 };
}

void wi_reply_fini(struct weir_reply *reply)
{
    if (reply->gather != NULL)
        wi_block_give(WI_BLOCK_16K, reply->gather);
    reply->gather = NULL;
}

static size_t sum_of(const struct wi_slice *slices, int count)
{
    size_t sum = 0;
    for (int i = 0; i < count; i++)
        sum += slices[i].bytes;
    return sum;
}

/* Remembers why the connection is of no more use. */
static int fail(struct weir_reply *reply, int code)
{
    reply->error = code;
    if (code != WEIR_ETIMEDOUT && code != WEIR_ECANCELED)
        wi_request_count_left(reply->request);
    return code;
}

static int wait_for_room(struct weir_reply *reply)
{
    struct wi_io *io = &reply->request->conn->io;
    const int64_t rate = reply->request->server->opts.send_rate_min;
    for (;;) {
        const int64_t before = wi_transport_unsent(io->watch.fd);
        const weir_time look = rate > 0 ? weir_in_ns(WI_PACE_GRACE_NS) : WEIR_NO_DEADLINE;
        const int rc = wi_io_wait(io, WI_POLL_WRITE, look);
        if (rc >= 0)
            return 0;
        if (rc != WEIR_ETIMEDOUT ||
            !wi_pace_takes_enough(before, wi_transport_unsent(io->watch.fd), rate))
            return rc;
    }
}

/* Takes `done` bytes off the front of the slices; the index of the first that is left. */
static int advance(struct wi_slice *slices, int count, size_t done)
{
    int first = 0;
    while (first < count && done >= slices[first].bytes)
        done -= slices[first++].bytes;
    if (first < count) {
        slices[first].data = (const char *)slices[first].data + done;
        slices[first].bytes -= done;
    }
    return first;
}

int wi_reply_send(struct weir_reply *reply, const struct wi_slice *slices, int count)
{
    if (reply->error != 0)
        return reply->error;
    const int fd = reply->request->conn->io.watch.fd;
    struct wi_slice left[WI_SLICES_MAX];
    memcpy(left, slices, (size_t)count * sizeof(left[0]));
    int first = 0;
    size_t bytes = sum_of(slices, count);
    while (bytes > 0) {
        const int64_t put = count - first == 1
                                ? wi_transport_write(fd, left[first].data, left[first].bytes)
                                : wi_transport_write_slices(fd, left + first, count - first, false);
        if (put >= 0) {
            bytes -= (size_t)put;
            reply->bytes_out += put;
            first += advance(left + first, count - first, (size_t)put);
            continue;
        }
        if (put != WEIR_EAGAIN)
            return fail(reply, (int)put);
        const int rc = wait_for_room(reply);
        if (rc != 0)
            return fail(reply, rc);
    }
    return 0;
}

/* -- heads ------------------------------------------------------------------------------------ */

static bool has_no_body(int status)
{
    return status == 204 || status == 304;
}

/* Decides once, with the head, whether the connection goes on.  Who streams may still read the
 * body, so what is left of it counts only for a whole answer. */
static bool decide_close(const struct weir_reply *reply, bool whole)
{
    const struct weir_request *request = reply->request;
    struct weir_server *server = request->server;
    return !request->keep_alive || wi_server_phase(server) != WI_SERVER_SERVING ||
           request->conn->requests >= server->opts.requests_per_connection_max ||
           request->body_error != 0 || (whole && wi_body_ends_connection(request));
}

/* Upper bound of the head's length. */
static size_t head_bound(const struct weir_reply *reply, const char *type)
{
    return HEAD_BASE_BYTES + (type != NULL ? strlen(type) : 0) + reply->field_bytes +
           reply->field_count * 4;
}

/* Makes the head into buf.  > 0 bytes, or WEIR_EINVAL for a bad status or type.  Nothing is
 * changed on failure. */
static int make_head(struct weir_reply *reply, int status, const char *type, uint8_t kind,
                     uint64_t length, char *buf, size_t cap)
{
    struct weir_request *request = reply->request;
    struct wi_http_out_field own = { .name = NULL };
    struct wi_http_out_field *fields = reply->fields != NULL ? reply->fields : &own;
    size_t from = 1;
    if (type != NULL) {
        fields[0] =
            (struct wi_http_out_field){ .name = "Content-Type",
                                        .name_len = sizeof("Content-Type") - 1,
                                        .value = type,
                                        .value_len = strlen(type),
                                        .checked = type == text_type || type == binary_type };
        from = 0;
    }
    char date[WI_HTTP_DATE_BYTES];
    const bool bodiless = has_no_body(status);
    const bool close =
        decide_close(reply, reply->gather == NULL) || kind == WI_HTTP_BODY_UNTIL_CLOSE;
    /* A long handler began in another second than it answers in. */
    const weir_time now = wi_now_coarse();
    wi_stamp_read(&request->server->stamp, now, date);
    const struct wi_http_response_out head = {
        .status = status,
        .date = date,
        .fields = fields + from,
        .field_count = reply->field_count - from,
        .content_length = bodiless ? 0 : length,
        .body = bodiless ? (uint8_t)WI_HTTP_BODY_NONE : kind,
        .connection = close ? WI_HTTP_OUT_CLOSE : WI_HTTP_OUT_KEEP,
        .old_client = request->head->head.version_minor == 0,
    };
    if (status < 200)
        return WEIR_EINVAL;
    const int bytes = wi_http_response_write(buf, cap, &head);
    if (bytes > 0) {
        reply->status = status;
        reply->answered = now;
        reply->close = close;
        reply->bodiless = bodiless || request->head->method == WI_HTTP_HEAD;
    }
    return bytes;
}

int weir_reply_header(weir_reply *reply, const char *name, const char *value)
{
    wi_bug_unless(reply != NULL);
    wi_bug_unless(name != NULL);
    wi_bug_unless(value != NULL);
    if (reply->state != WI_REPLY_NEW)
        return WEIR_EALREADY;
    struct wi_arena *arena = &reply->request->arena;
    struct wi_http_out_field field = { .name = wi_arena_strdup(arena, name),
                                       .name_len = strlen(name),
                                       .value = wi_arena_strdup(arena, value),
                                       .value_len = strlen(value) };
    const size_t bytes = field.name_len + field.value_len;
    if (reply->fields == NULL)
        reply->fields = wi_arena_alloc(arena, (WI_REPLY_FIELDS_MAX + 1) * sizeof(reply->fields[0]));
    if (reply->fields == NULL || field.name == NULL || field.value == NULL ||
        reply->field_count > WI_REPLY_FIELDS_MAX || bytes > FIELD_BYTES_MAX - reply->field_bytes)
        return WEIR_EOVERFLOW;

    /* The writer knows what is well formed: it tries the field alone. */
    char scratch[HEAD_BASE_BYTES + FIELD_BYTES_MAX];
    const struct wi_http_response_out alone = {
        .status = 200, .fields = &field, .field_count = 1, .body = WI_HTTP_BODY_NONE
    };
    const int rc = wi_http_response_write(scratch, sizeof(scratch), &alone);
    if (rc < 0)
        return WEIR_EINVAL;
    field.checked = true;
    reply->fields[reply->field_count++] = field;
    reply->field_bytes += (uint32_t)bytes;
    return 0;
}

/* -- whole answers ---------------------------------------------------------------------------- */

static int send_whole(struct weir_reply *reply, char *head, size_t head_cap, size_t head_bytes,
                      const void *data, size_t bytes)
{
    struct wi_slice slices[2] = { { .data = head, .bytes = head_bytes },
                                  { .data = data, .bytes = bytes } };
    reply->state = WI_REPLY_ENDED;
    if (reply->bodiless || bytes == 0)
        return wi_reply_send(reply, slices, 1);
    if (bytes > head_cap - head_bytes)
        return wi_reply_send(reply, slices, 2);
    memcpy(head + head_bytes, data, bytes);
    slices[0].bytes += bytes;
    return wi_reply_send(reply, slices, 1);
}

static int reply_whole(struct weir_reply *reply, int status, const char *type, const void *data,
                       size_t bytes)
{
    if (reply->state != WI_REPLY_NEW)
        return WEIR_EALREADY;
    char small[SMALL_BYTES];
    char *head = small;
    size_t cap = sizeof(small);
    const size_t bound = head_bound(reply, type);
    if (bound > cap) {
        head = wi_arena_alloc(&reply->request->arena, bound);
        cap = bound;
        if (head == NULL)
            return WEIR_ENOMEM;
    }
    if (has_no_body(status))
        type = NULL;
    const int head_bytes = make_head(reply, status, type, WI_HTTP_BODY_LENGTH, bytes, head, cap);
    if (head_bytes < 0)
        return head_bytes;
    return send_whole(reply, head, cap, (size_t)head_bytes, data, bytes);
}

int weir_reply_data(weir_reply *reply, int status, const char *type, const void *data, size_t bytes)
{
    wi_bug_unless(reply != NULL);
    wi_bug_unless(data != NULL || bytes == 0);
    return reply_whole(reply, status, type != NULL ? type : binary_type, data, bytes);
}

static int reply_long_text(struct weir_reply *reply, int status, const char *format, va_list args)
{
    const char *text = wi_arena_vprintf(&reply->request->arena, format, args);
    if (text == NULL)
        return WEIR_EOVERFLOW;
    return reply_whole(reply, status, text_type, text, strlen(text));
}

int weir_reply_text(weir_reply *reply, int status, const char *format, ...)
{
    wi_bug_unless(reply != NULL);
    wi_bug_unless(format != NULL);
    if (strchr(format, '%') == NULL)
        return reply_whole(reply, status, text_type, format, strlen(format));

    char text[TEXT_BYTES];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int bytes = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    int rc;
    if (bytes < 0)
        rc = WEIR_EINVAL;
    else if ((size_t)bytes < sizeof(text))
        rc = reply_whole(reply, status, text_type, text, (size_t)bytes);
    else
        rc = reply_long_text(reply, status, format, again);
    va_end(again);
    return rc;
}

/* -- streams ---------------------------------------------------------------------------------- */

static size_t gather_room(const struct weir_reply *reply)
{
    return wi_block_bytes(WI_BLOCK_16K) - TAIL - reply->gather_len;
}

int weir_reply_begin(weir_reply *reply, int status, const char *type, int64_t bytes)
{
    wi_bug_unless(reply != NULL);
    if (reply->state != WI_REPLY_NEW)
        return WEIR_EALREADY;
    if (bytes < -1)
        return WEIR_EINVAL;
    const bool old_client = reply->request->head->head.version_minor == 0;
    uint8_t kind = WI_HTTP_BODY_LENGTH;
    if (bytes < 0)
        kind = old_client ? WI_HTTP_BODY_UNTIL_CLOSE : WI_HTTP_BODY_CHUNKED;
    if (type == NULL)
        type = binary_type;
    if (has_no_body(status))
        type = NULL;
    if (head_bound(reply, type) > wi_block_bytes(WI_BLOCK_16K) - TAIL)
        return WEIR_EOVERFLOW;
    reply->gather = wi_block_take(WI_BLOCK_16K);
    if (reply->gather == NULL)
        return WEIR_ENOMEM;
    const int head_bytes = make_head(reply, status, type, kind, bytes < 0 ? 0 : (uint64_t)bytes,
                                     reply->gather, wi_block_bytes(WI_BLOCK_16K) - TAIL);
    if (head_bytes < 0) {
        wi_reply_fini(reply);
        return head_bytes;
    }
    reply->state = WI_REPLY_STREAM;
    reply->kind = kind;
    reply->left = bytes;
    reply->gather_len = (uint32_t)head_bytes;
    return 0;
}

/* Ends the chunk that is being gathered, if there is one. */
static void end_run(struct weir_reply *reply)
{
    if (!reply->in_run)
        return;
    static const char digits[] = "0123456789abcdef";
    char *head = reply->gather + reply->run_at;
    const uint32_t bytes = reply->gather_len - reply->run_at - RUN_HEAD;
    for (int i = 0; i < 4; i++)
        head[i] = digits[(bytes >> (12 - 4 * i)) & 15u];
    memcpy(head + 4, "\r\n", 2);
    memcpy(reply->gather + reply->gather_len, WI_HTTP_CHUNK_END, 2);
    reply->gather_len += 2;
    reply->in_run = false;
}

static int send_gathered(struct weir_reply *reply)
{
    end_run(reply);
    if (reply->gather_len == 0)
        return reply->error;
    const struct wi_slice slice = { .data = reply->gather, .bytes = reply->gather_len };
    reply->gather_len = 0;
    reply->begun = true;
    return wi_reply_send(reply, &slice, 1);
}

/* Sends a large piece behind what was gathered, with one system call if the client keeps up. */
static int send_direct(struct weir_reply *reply, const void *data, size_t bytes)
{
    char chunk_head[WI_HTTP_CHUNK_HEAD_BYTES_MAX];
    struct wi_slice slices[4];
    int count = 0;
    end_run(reply);
    if (reply->gather_len > 0)
        slices[count++] = (struct wi_slice){ .data = reply->gather, .bytes = reply->gather_len };
    reply->gather_len = 0;
    reply->begun = true;
    const bool chunked = reply->kind == WI_HTTP_BODY_CHUNKED;
    if (chunked)
        slices[count++] = (struct wi_slice){ .data = chunk_head,
                                             .bytes = wi_http_chunk_head_write(chunk_head, bytes) };
    slices[count++] = (struct wi_slice){ .data = data, .bytes = bytes };
    if (chunked)
        slices[count++] = (struct wi_slice){ .data = WI_HTTP_CHUNK_END, .bytes = 2 };
    return wi_reply_send(reply, slices, count);
}

/* Copies a small piece; the caller saw to the room. */
static void gather(struct weir_reply *reply, const void *data, size_t bytes)
{
    if (reply->kind == WI_HTTP_BODY_CHUNKED && !reply->in_run) {
        reply->in_run = true;
        reply->run_at = reply->gather_len;
        reply->gather_len += RUN_HEAD;
    }
    memcpy(reply->gather + reply->gather_len, data, bytes);
    reply->gather_len += (uint32_t)bytes;
}

int weir_reply_write(weir_reply *reply, const void *data, size_t bytes)
{
    wi_bug_unless(reply != NULL);
    wi_bug_unless(data != NULL || bytes == 0);
    if (reply->error != 0)
        return reply->error;
    if (reply->state != WI_REPLY_STREAM)
        return WEIR_EINVAL;
    if (reply->kind == WI_HTTP_BODY_LENGTH) {
        if (bytes > (uint64_t)reply->left)
            return WEIR_ERANGE;
        reply->left -= (int64_t)bytes;
    }
    if (++reply->streak >= STREAK_MAX) {
        reply->streak = 0;
        const int rc = weir_yield();
        if (rc != 0)
            return fail(reply, rc);
    }
    if (reply->bodiless || bytes == 0)
        return 0;
    if (bytes >= DIRECT_BYTES)
        return send_direct(reply, data, bytes);
    if (bytes + RUN_HEAD > gather_room(reply)) {
        const int rc = send_gathered(reply);
        if (rc != 0)
            return rc;
    }
    gather(reply, data, bytes);
    return 0;
}

int weir_reply_flush(weir_reply *reply)
{
    wi_bug_unless(reply != NULL);
    if (reply->error != 0)
        return reply->error;
    return reply->state == WI_REPLY_STREAM ? send_gathered(reply) : 0;
}

static bool finish_stream(struct weir_reply *reply)
{
    if (reply->kind == WI_HTTP_BODY_LENGTH && reply->left > 0 && !reply->bodiless) {
        (void)send_gathered(reply);
        return false;
    }
    end_run(reply);
    if (reply->kind == WI_HTTP_BODY_CHUNKED && !reply->bodiless) {
        memcpy(reply->gather + reply->gather_len, WI_HTTP_CHUNK_LAST, 5);
        reply->gather_len += 5;
    }
    const int rc = send_gathered(reply);
    reply->state = WI_REPLY_ENDED;
    return rc == 0;
}

/* -- the end of a handler --------------------------------------------------------------------- */

/* The status that tells the client why a handler gave up. */
static int status_of(const struct weir_request *request, int code)
{
    const bool gave_up = code == WEIR_ECANCELED || code == WEIR_ETIMEDOUT;
    if (gave_up && request->body_error == 0 && weir_now() >= request->deadline)
        return 504;
    if (code == WEIR_ECANCELED)
        return 503;
    if (request->body_error == 0)
        return 500;
    if (code == WEIR_EMSGSIZE)
        return 413;
    if (code == WEIR_EPROTO)
        return request->body_error < WEIR_EEOF ? wi_http_verdict_status(request->body_error) : 400;
    if (code == WEIR_ETIMEDOUT)
        return 408;
    return code == WEIR_EEOF ? 400 : 500; /* the client ended in the middle of its body */
}

static const char *text_of(int status)
{
    if (status == 503)
        return "unavailable\n";
    if (status == 504)
        return WI_REPLY_LATE;
    return status == 500 ? "internal error\n" : "bad request body\n";
}

/* Answers in the handler's place; fields that it may have set are left out. */
static void answer_failure(struct weir_reply *reply, int code)
{
    const int status = status_of(reply->request, code);
    const char *text = text_of(status);
    reply->fields = NULL;
    reply->field_count = 1;
    reply->field_bytes = 0;
    char retry[21] = { 0 };
    if (status == 503) {
        const int64_t seconds = reply->request->server->opts.retry_after_s;
        (void)wi_http_decimal_write(retry, (uint64_t)seconds);
        if (weir_reply_header(reply, "Retry-After", retry) != 0)
            reply->field_count = 1; /* no memory for it: the answer goes without */
    }
    (void)reply_whole(reply, status, text_type, text, strlen(text));
}

/* A stream of which nothing has gone out is as good as none: its head and what was gathered are
 * dropped, so that the client can be told what happened. */
static bool take_back(struct weir_reply *reply)
{
    if (reply->begun || reply->error != 0)
        return false;
    wi_reply_fini(reply);
    reply->gather_len = 0;
    reply->in_run = false;
    reply->state = WI_REPLY_NEW;
    return true;
}

bool wi_reply_finish(struct weir_reply *reply, int handler_code)
{
    if (reply->state == WI_REPLY_STREAM && handler_code < 0 && !take_back(reply))
        return false;
    if (reply->state == WI_REPLY_STREAM)
        return finish_stream(reply);
    if (reply->state == WI_REPLY_NEW && reply->error == 0) {
        if (handler_code < 0)
            answer_failure(reply, handler_code);
        else
            (void)reply_whole(reply, 204, NULL, "", 0);
    }
    return reply->error == 0;
}
