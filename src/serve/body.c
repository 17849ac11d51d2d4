/* SPDX-License-Identifier: MIT */
/* Reading a request's body: weir_request_read(), and what the server reads away afterwards.
 *
 * Bytes come from three places in turn: those that came with the head; for a body of known length
 * the socket itself, straight into the handler's buffer; for a chunked one a block of 16 KiB, since
 * framing has to be taken out.  So at most the edge's buffer and that block wait in memory, and a
 * client that sends faster than the handler reads is held back by its own window.
 *
 * body.in is always what has come and is not decoded.  After the body's end it begins with the
 * next head.
 *
 * Threads: the request's task. */
#include <limits.h>
#include <string.h>

#include "base/check.h"
#include "http/status.h"
#include "loop/io.h"
#include "serve/gone.h"
#include "serve/request.h"
#include "weir/task.h"

enum {
    SETTLE_BYTES_MAX = 64 * 1024,
    STREAK_MAX = 64
};

#define SETTLE_NS (200 * WEIR_NS_PER_MS)

static const char continue_text[] = "HTTP/1.1 100 Continue\r\n\r\n";

static weir_time earlier(weir_time left, weir_time right)
{
    return left < right ? left : right;
}

/* Waits until the socket may have bytes. 0 or a code; a client below the rate is noted. */
static int wait_for_bytes(struct weir_request *request, weir_time deadline)
{
    const int64_t rate = request->server->opts.body_rate_min;
    const weir_time began = weir_now();
    const weir_time slow = wi_pace_receive_deadline(&request->body_pace, rate, began);
    const int rc = wi_io_wait(&request->conn->io, WI_POLL_READ, earlier(deadline, slow));
    const weir_time now = weir_now();
    wi_pace_waited(&request->body_pace, now - began);
    if (rc >= 0)
        return 0;
    if (rc == WEIR_ETIMEDOUT && now >= slow) {
        request->body_error = WEIR_ETIMEDOUT;
        wi_count(request->server, WI_COUNT_TIMED_OUT_BODIES, 1);
    }
    return rc;
}

/* Reads from the socket, waiting for at least one byte.  > 0 bytes or a code. */
static int64_t receive(struct weir_request *request, void *data, size_t bytes, weir_time deadline)
{
    for (;;) {
        const int64_t got = wi_conn_read(request->conn, data, bytes);
        if (got > 0) {
            wi_pace_received(&request->body_pace, request->server->opts.body_rate_min, got);
            request->bytes_in += got;
            return got;
        }
        if (got == WEIR_EAGAIN) {
            const int rc = wait_for_bytes(request, deadline);
            if (rc != 0)
                return rc;
            continue;
        }
        request->body_error = got == 0 ? WEIR_EEOF : (int)got;
        wi_request_count_left(request);
        return request->body_error;
    }
}

/* Says 100 Continue to a client that waits for it, unless an answer is on its way already.  A head
 * that is only gathered is not: the interim answer overtakes it. */
static int invite(struct weir_request *request)
{
    if (!request->expects)
        return 0;
    request->expects = false;
    if (request->in_len > 0 || request->reply.bytes_out > 0)
        return 0;
    const struct wi_slice slice = { .data = continue_text, .bytes = sizeof(continue_text) - 1 };
    return wi_reply_send(&request->reply, &slice, 1);
}

static int refill(struct weir_request *request, weir_time deadline)
{
    if (request->refill == NULL)
        request->refill = wi_block_take(WI_BLOCK_16K);
    if (request->refill == NULL)
        return WEIR_ENOMEM;
    const int64_t got = receive(request, request->refill, wi_block_bytes(WI_BLOCK_16K), deadline);
    if (got < 0)
        return (int)got;
    request->in = request->refill;
    request->in_len = (size_t)got;
    return 0;
}

/* What a verdict of the codec means to a handler. */
static int code_of(int verdict)
{
    return verdict == WI_HTTP_BODY_TOO_LARGE ? WEIR_EMSGSIZE : WEIR_EPROTO;
}

/* What a handler was told of a body that cannot be read on. */
static int body_code(const struct weir_request *request)
{
    const int error = request->body_error;
    return error < WEIR_EEOF ? code_of(error) : error;
}

bool wi_body_failed_with(const struct weir_request *request, int code)
{
    return request->body_error != 0 && code == body_code(request);
}

/* A body of known length of which nothing more is in memory: past all copies. */
static int read_straight(struct weir_request *request, void *data, size_t bytes, weir_time deadline)
{
    const uint64_t left = request->body.left;
    const int64_t got = receive(request, data, left < bytes ? (size_t)left : bytes, deadline);
    if (got < 0)
        return (int)got;
    size_t used = 0;
    struct wi_http_piece piece;
    const int said = wi_http_body_decode(&request->body, data, (size_t)got, &used, &piece);
    wi_bug_unless_cmp(said, ==, WI_HTTP_DECODE_DATA);
    wi_bug_unless_cmp((int64_t)used, ==, got);
    if (request->body.left == 0)
        wi_gone_body_ended(request);
    return (int)got;
}

/* Decodes what is in memory.  > 0 bytes, 0 the end of the body, WEIR_EAGAIN: bring more. */
static int read_decoded(struct weir_request *request, void *data, size_t bytes)
{
    for (;;) {
        const size_t most = request->in_len < bytes ? request->in_len : bytes;
        size_t used = 0;
        struct wi_http_piece piece = { .data = NULL, .len = 0 };
        const int said = wi_http_body_decode(&request->body, request->in, most, &used, &piece);
        if (said < 0) {
            if (request->body_error == 0)
                wi_count(request->server, WI_COUNT_BAD_REQUESTS, 1);
            request->body_error = said;
            return code_of(said);
        }
        request->in += used;
        request->in_len -= used;
        if (said == WI_HTTP_DECODE_DONE) {
            request->body_done = true;
            wi_gone_body_ended(request);
            return 0;
        }
        if (said == WI_HTTP_DECODE_DATA) {
            request->expects = false; /* it did not wait for our word */
            memcpy(data, piece.data, piece.len);
            return (int)piece.len;
        }
        if (request->in_len == 0)
            return WEIR_EAGAIN;
    }
}

static int read_body(struct weir_request *request, void *data, size_t bytes, weir_time deadline)
{
    for (;;) {
        if (request->body_done)
            return 0;
        if (request->body_error != 0)
            return body_code(request);
        const bool straight = request->in_len == 0 && request->body.kind == WI_HTTP_BODY_LENGTH &&
                              request->body.left > 0;
        int rc = straight ? WEIR_EAGAIN : read_decoded(request, data, bytes);
        if (rc != WEIR_EAGAIN)
            return rc;
        rc = invite(request);
        if (rc != 0)
            return rc;
        if (straight)
            return read_straight(request, data, bytes, deadline);
        if (request->body.kind == WI_HTTP_BODY_LENGTH)
            continue;
        rc = refill(request, deadline);
        if (rc != 0)
            return rc;
    }
}

int weir_request_read(weir_request *request, void *data, size_t bytes, weir_time deadline)
{
    wi_bug_unless(request != NULL);
    wi_bug_unless(data != NULL);
    wi_bug_unless_cmp(bytes, >, 0);
    if (++request->reply.streak >= STREAK_MAX) {
        request->reply.streak = 0;
        const int rc = weir_yield();
        if (rc != 0)
            return rc;
    }
    return read_body(request, data, bytes < INT_MAX ? bytes : INT_MAX, deadline);
}

bool wi_body_ends_connection(const struct weir_request *request)
{
    if (request->body_done)
        return false;
    if (request->body_error != 0 || request->expects)
        return true;
    return request->body.kind == WI_HTTP_BODY_LENGTH &&
           request->body.left > request->in_len + SETTLE_BYTES_MAX;
}

bool wi_body_settle(struct weir_request *request)
{
    if (request->body_done)
        return true;
    if (wi_body_ends_connection(request))
        return false;
    char data[4096];
    size_t total = 0;
    const weir_time deadline = wi_after(weir_now(), SETTLE_NS);
    while (total <= SETTLE_BYTES_MAX) {
        const int got = read_body(request, data, sizeof(data), deadline);
        if (got <= 0)
            return got == 0;
        total += (size_t)got;
    }
    return false;
}
