/* SPDX-License-Identifier: MIT */
/* One request and its answer.
 *
 * A small request is written before the answer is read.  A large one is written by a task of its
 * own meanwhile: a service that sends back what it gets would otherwise wait for us to read while
 * we wait for it to.
 *
 * Threads: see exchange.h.  The writing task ends before exchange() returns. */

#include "drive/exchange.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/body.h"
#include "http/response.h"
#include "http/uri.h"
#include "http/write.h"
#include "weir/task.h"

/* What fits into any socket's buffer: below it, writing first cannot deadlock. */
#define WRITE_FIRST_BYTES_MAX ((size_t)16384)
#define BUFFER_BYTES ((size_t)16384)

/* -- the target ------------------------------------------------------------------------------- */

/* What an URL comes to; the pointers go into its text. */
struct place {
    const char *host; /* for the Host field */
    int host_len;
    const char *path;
};

static int place_of_unix(struct target *target, const char *url, struct place *place,
                         const char **why)
{
    const char *socket = url + strlen("unix:");
    const char *colon = strstr(socket, ":/");
    const size_t len = colon == NULL ? strlen(socket) : (size_t)(colon - socket);
    if (len == 0 || len + sizeof "unix:" > sizeof target->address) {
        *why = "unix: wants a path of a socket, as in unix:/run/app.sock:/hello";
        return WEIR_EINVAL;
    }
    snprintf(target->address, sizeof target->address, "unix:%.*s", (int)len, socket);
    *place = (struct place){ .host = "localhost",
                             .host_len = 9,
                             .path = colon == NULL ? "/" : colon + 1 };
    return 0;
}

static int place_of_http(struct target *target, const char *url, struct place *place,
                         const char **why)
{
    struct wi_http_url parts;
    *why = "not an URL of the form http://HOST[:PORT]/PATH or unix:SOCKET:/PATH";
    if (wi_http_url_parse(url, strlen(url), &parts) < 0)
        return WEIR_EINVAL;
    if (parts.https) {
        *why = "https is not in this version; measure behind the proxy that ends TLS";
        return WEIR_ENOTSUP;
    }
    const bool six = memchr(parts.host, ':', parts.host_len) != NULL;
    const int len = snprintf(target->address, sizeof target->address, six ? "[%.*s]:%d" : "%.*s:%d",
                             (int)parts.host_len, parts.host, parts.port);
    if (len < 0 || (size_t)len >= sizeof target->address)
        return WEIR_EINVAL;
    /* Path and query are one text in the URL, and the request wants them so. */
    *place = (struct place){ .host = parts.authority,
                             .host_len = (int)parts.authority_len,
                             .path = parts.path_len > 0 ? parts.path : "" };
    if (parts.path_len > 0 || parts.query == NULL)
        return 0;
    *why = "a query wants a path before it: http://HOST/?QUERY";
    return WEIR_EINVAL;
}

/* The writer of the codec checks method, target and host: nothing that a shell can pass makes
 * another request of this one. */
int target_init(struct target *target, const struct target_opts *opts, const char **why)
{
    *target = (struct target){ .to_head = strcmp(opts->method, "HEAD") == 0 };
    struct place place;
    const int rc = strncmp(opts->url, "unix:", 5) == 0
                       ? place_of_unix(target, opts->url, &place, why)
                       : place_of_http(target, opts->url, &place, why);
    if (rc < 0)
        return rc;

    const struct wi_http_out_field agent = { "User-Agent", 10, "weir-load", 9, false };
    const struct wi_http_request_out head = {
        .method = opts->method,
        .target = place.path,
        .target_len = strlen(place.path),
        .host = place.host,
        .host_len = (size_t)place.host_len,
        .fields = &agent,
        .field_count = 1,
        .content_length = opts->body_bytes,
        .body = opts->body_bytes > 0 ? WI_HTTP_BODY_LENGTH : WI_HTTP_BODY_NONE,
        .connection = opts->close_each ? WI_HTTP_OUT_CLOSE : WI_HTTP_OUT_KEEP,
    };
    const size_t cap = strlen(opts->method) + head.target_len + head.host_len + 160;
    *why = "the request does not fit into memory";
    target->request = malloc(cap + opts->body_bytes);
    if (target->request == NULL)
        return WEIR_ENOMEM;
    const int written = wi_http_request_write(target->request, cap, &head);
    if (written < 0) {
        *why = "the method or the path is not one that a request may have";
        target_fini(target);
        return written;
    }
    memset(target->request + written, 'x', opts->body_bytes);
    target->request_bytes = (size_t)written + opts->body_bytes;
    return 0;
}

void target_fini(struct target *target)
{
    free(target->request);
    target->request = NULL;
}

/* -- the answer ------------------------------------------------------------------------------- */

/* Bytes that have come and are not yet understood. */
struct incoming {
    weir_stream *stream;
    weir_time deadline;
    struct answer *answer;
    size_t begin;
    size_t end;
    char bytes[BUFFER_BYTES];
};

/* Brings at least one byte behind what is there.  > 0 or a code. */
static int more(struct incoming *in)
{
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
    in.begin = in.end = 0;

    struct wi_http_response response;
    int rc = read_head(&in, to_head, &limits, &response);
    if (rc < 0)
        return rc;
    answer->status = response.status;

    struct wi_http_body body;
    wi_http_body_init(&body, &response.head, &limits);
    rc = read_body(&in, &body);
    /* Bytes behind the answer belong to no request of ours: such a connection is not trusted. */
    answer->reusable = rc == 0 && response.head.keep_alive && in.begin == in.end;
    return rc;
}

/* -- both ------------------------------------------------------------------------------------- */

struct writing {
    weir_stream *stream;
    const struct target *target;
    weir_time deadline;
};

static int write_request(void *arg)
{
    const struct writing *w = arg;
    return weir_write(w->stream, w->target->request, w->target->request_bytes, NULL, w->deadline);
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
    if (target->request_bytes > WRITE_FIRST_BYTES_MAX)
        return exchange_large(stream, target, deadline, answer);
    struct writing w = { .stream = stream, .target = target, .deadline = deadline };
    const int rc = write_request(&w);
    if (rc < 0)
        return rc;
    return read_answer(stream, target->to_head, deadline, answer);
}
