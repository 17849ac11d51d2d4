/* SPDX-License-Identifier: MIT */
/* One request and its answer.
 *
 * A small request is written before the answer is read.  A large one is written by a task of its
 * own meanwhile: a service that sends back what it gets would otherwise wait for us to read while
 * we wait for it to.
 *
 * Threads: see exchange.h.  The writing task ends before exchange() returns. */

#include "drive/exchange.h"

#include <string.h>

#include "base/check.h"
#include "http/body.h"
#include "http/response.h"
#include "weir/task.h"

#define BUFFER_BYTES ((size_t)16384)

/* Reads of one answer between two looks at the others and at the clock. */
#define READS_AT_ONCE 16

/* -- the answer ------------------------------------------------------------------------------- */

/* Bytes that have come and are not yet understood. */
struct incoming {
    weir_stream *stream;
    weir_time deadline;
    struct answer *answer;
    unsigned reads;
    size_t begin;
    size_t end;
    char bytes[BUFFER_BYTES];
};

/* A service that sends faster than we read never makes a read wait: without this an endless answer
 * would outlast its deadline, and every other request would stand still meanwhile. */
static int give_way(struct incoming *in)
{
    if (++in->reads % READS_AT_ONCE != 0)
        return 0;
    return weir_now() >= in->deadline ? WEIR_ETIMEDOUT : weir_yield();
}

/* Brings at least one byte behind what is there.  > 0 or a code. */
static int more(struct incoming *in)
{
    const int rc = give_way(in);
    if (rc < 0)
        return rc;
    if (in->begin == in->end)
        in->begin = in->end = 0;
    if (in->end == BUFFER_BYTES && in->begin > 0) {
        memmove(in->bytes, in->bytes + in->begin, in->end - in->begin);
        in->end -= in->begin;
        in->begin = 0;
    }
    const int got =
        weir_read(in->stream, in->bytes + in->end, BUFFER_BYTES - in->end, in->deadline);
    if (got > 0) {
        in->end += (size_t)got;
        in->answer->bytes_in += (uint64_t)got;
    }
    return got;
}

static int read_head(struct incoming *in, bool to_head, const struct wi_http_limits *limits,
                     struct wi_http_response *response)
{
    size_t scanned = 0;
    for (;;) {
        const size_t len = in->end - in->begin;
        const int rc = len == 0 ? 0
                                : wi_http_response_parse(in->bytes + in->begin, len, scanned,
                                                         to_head, response, limits);
        if (rc < 0)
            return rc;
        if (rc > 0) {
            in->begin += (size_t)rc;
            scanned = 0;
            if (!response->interim)
                return 0;
            continue;
        }
        scanned = len;
        const int got = more(in);
        if (got < 0)
            return got;
    }
}

/* Reads and drops the body. */
static int read_body(struct incoming *in, struct wi_http_body *body)
{
    for (;;) {
        size_t used = 0;
        struct wi_http_piece piece;
        int rc =
            wi_http_body_decode(body, in->bytes + in->begin, in->end - in->begin, &used, &piece);
        in->begin += used;
        if (rc < 0 || rc == WI_HTTP_DECODE_DONE)
            return rc < 0 ? rc : 0;
        if (rc == WI_HTTP_DECODE_DATA)
            continue;
        rc = more(in);
        if (rc == WEIR_EEOF) {
            rc = wi_http_body_closed(body);
            return rc == WI_HTTP_DECODE_DONE ? 0 : rc;
        }
        if (rc < 0)
            return rc;
    }
}

static int read_answer(weir_stream *stream, bool to_head, weir_time deadline, struct answer *answer)
{
    struct wi_http_limits limits = { 0 };
    wi_http_limits_fill(&limits);
    /* Not zeroed: the buffer is 16 KiB and this runs for every request. */
    struct incoming in;
    in.stream = stream;
    in.deadline = deadline;
    in.answer = answer;
    in.reads = 0;
    in.begin = in.end = 0;

    struct wi_http_response response;
    int rc = read_head(&in, to_head, &limits, &response);
    if (rc < 0)
        return rc;
    answer->status = response.status;

    struct wi_http_body body;
    wi_http_body_init(&body, &response.head, &limits);
    rc = read_body(&in, &body);
    /* Bytes behind the answer belong to no request of ours: such a connection is not trusted.
     * After a 101 it speaks something else. */
    answer->reusable =
        rc == 0 && response.head.keep_alive && response.status != 101 && in.begin == in.end;
    return rc;
}

/* -- both ------------------------------------------------------------------------------------- */

struct writing {
    weir_stream *stream;
    const struct target *target;
    weir_time deadline;
};

/* Right-aligned in its place. */
static void write_remaining(char place[DEADLINE_DIGITS], weir_time deadline)
{
    const int64_t left_ns = deadline - weir_now();
    int64_t left_ms = left_ns > 0 ? left_ns / WEIR_NS_PER_MS : 0;
    int at = DEADLINE_DIGITS;
    do {
        place[--at] = (char)('0' + left_ms % 10);
        left_ms /= 10;
    } while (left_ms > 0 && at > 0);
}

/* Writes the request with the time that is left to it.  A frame of its own: the copy is 16 KiB. */
__attribute__((noinline)) static int write_dated(const struct writing *w)
{
    const struct target *target = w->target;
    char bytes[WRITE_FIRST_BYTES_MAX];
    memcpy(bytes, target->request, target->request_bytes);
    write_remaining(bytes + target->deadline_at, w->deadline);
    return weir_write(w->stream, bytes, target->request_bytes, NULL, w->deadline);
}

static int write_request(void *arg)
{
    const struct writing *w = arg;
    const struct target *target = w->target;
    const int rc = target->deadline_at > 0 ? write_dated(w)
                                           : weir_write(w->stream, target->request,
                                                        target->request_bytes, NULL, w->deadline);
    if (rc < 0 || target->rest_bytes == 0)
        return rc;
    return weir_write(w->stream, target->rest, target->rest_bytes, NULL, w->deadline);
}

/* The answer may come before the request is out (a 503, a 413): then the rest is not sent, and
 * the connection cannot be used again. */
static int exchange_large(weir_stream *stream, const struct target *target, weir_time deadline,
                          struct answer *answer)
{
    struct writing w = { .stream = stream, .target = target, .deadline = deadline };
    weir_task *writer;
    int rc = weir_task_start(&writer, write_request, &w, .name = "upload");
    if (rc < 0)
        return rc;
    rc = read_answer(stream, target->to_head, deadline, answer);
    weir_task_cancel(writer, WEIR_ECANCELED);
    int written = 0;
    const int joined = weir_task_join(writer, &written, WEIR_NO_DEADLINE);
    wi_bug_unless(joined == 0);
    if (written < 0)
        answer->reusable = false;
    return rc;
}

int exchange(weir_stream *stream, const struct target *target, weir_time deadline,
             struct answer *answer)
{
    *answer = (struct answer){ 0 };
    if (target->rest_bytes > 0)
        return exchange_large(stream, target, deadline, answer);
    struct writing w = { .stream = stream, .target = target, .deadline = deadline };
    const int rc = write_request(&w);
    if (rc < 0)
        return rc;
    return read_answer(stream, target->to_head, deadline, answer);
}
