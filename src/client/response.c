/* SPDX-License-Identifier: MIT */
/* An answer: its fields, its body, and the end.
 *
 * Bytes that came with the head are decoded out of response->data.  A body that is not coded is
 * then read into the caller's own memory; chunks are read into the room behind the head.
 *
 * The connection goes back as soon as the body ends, not when the response is closed; with it the
 * permit of the limit.
 *
 * An answer that a retry shall replace must not keep either while the retry waits, but it may
 * become the call's answer all the same: its body is held in memory (wi_response_hold()).
 *
 * Threads: the caller's, one at a time. */
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "client/client.h"
#include "http/retry_after.h"
#include "http/status.h"
#include "net/transport.h"

enum {
    WHOLE_BYTES_MIN = 1024,
    ABANDON_BYTES_MAX = 64 * 1024, /* what is read away to keep a connection */
    HOLD_BYTES_MAX = 64 * 1024,    /* of a body that a retry may replace */
};

#define HOLD_NS_MAX WEIR_NS_PER_S /* its permit is not kept from others for longer */

void wi_response_settle(weir_response *response)
{
    struct wi_link *link = response->link;
    response->link = NULL;
    if (link != NULL) {
        const bool fit = response->done && response->sent && response->head.head.keep_alive &&
                         response->at == response->end;
        if (fit)
            wi_destination_keep(response->destination, link);
        else
            wi_link_close(link);
    }
    if (response->permit)
        weir_limit_release(response->destination->limit, response->end_of_attempt,
                           response->took_ns);
    response->permit = false;
}

/* -- the body --------------------------------------------------------------------------------- */

static int fail(weir_response *response, int code)
{
    response->error = code;
    wi_response_settle(response);
    return code;
}

static int end_body(weir_response *response)
{
    response->done = true;
    wi_response_settle(response);
    return 0;
}

static int verdict_code(int verdict)
{
    if (verdict == WI_HTTP_BODY_TRUNCATED)
        return WEIR_ECONNRESET;
    return verdict == WI_HTTP_BODY_TOO_LARGE ? WEIR_EMSGSIZE : WEIR_EPROTO;
}

/* Decodes out of response->data.  > 0 bytes in `data`, 0 the end, WEIR_EAGAIN more is needed, or
 * what fail() gives. */
static int decode_some(weir_response *response, char *data, size_t bytes)
{
    for (;;) {
        const size_t there = response->end - response->at;
        size_t used = 0;
        struct wi_http_piece piece;
        /* No piece is longer than what is passed in. */
        const int rc = wi_http_body_decode(&response->body, response->data + response->at,
                                           there < bytes ? there : bytes, &used, &piece);
        if (rc == WI_HTTP_DECODE_DATA)
            memcpy(data, piece.data, piece.len);
        response->at += used;
        if (rc == WI_HTTP_DECODE_DATA)
            return (int)piece.len;
        if (rc == WI_HTTP_DECODE_DONE)
            return end_body(response);
        if (rc < 0)
            return fail(response, verdict_code(rc));
        if (response->at == response->end)
            return WEIR_EAGAIN;
    }
}

/* The peer has closed. */
static int meet_end(weir_response *response)
{
    const int rc = wi_http_body_closed(&response->body);
    return rc == WI_HTTP_DECODE_DONE ? end_body(response) : fail(response, verdict_code(rc));
}

/* Reads a body that is not coded into the caller's memory.  As weir_response_read(). */
static int read_plain(weir_response *response, char *data, size_t bytes, weir_time deadline)
{
    struct wi_http_body *body = &response->body;
    if (body->kind == WI_HTTP_BODY_LENGTH && body->left < bytes)
        bytes = (size_t)body->left;
    const int got = weir_read(response->link->stream, data, bytes, deadline);
    if (got == WEIR_EEOF)
        return meet_end(response);
    if (got < 0)
        return got;
    size_t used = 0;
    struct wi_http_piece piece;
    const int rc = wi_http_body_decode(body, data, (size_t)got, &used, &piece);
    if (rc < 0)
        return fail(response, verdict_code(rc));
    /* One that is beyond its bound gives what is within; the next read tells. */
    if (used < (size_t)got)
        response->error = WEIR_EMSGSIZE;
    if (body->kind == WI_HTTP_BODY_LENGTH && body->left == 0)
        (void)end_body(response);
    return (int)used;
}

/* Reads coded bytes into the room behind the head.  0 or as weir_response_read(). */
static int refill(weir_response *response, weir_time deadline)
{
    response->at = response->head.head.head_bytes;
    response->end = response->at;
    const int got = weir_read(response->link->stream, response->data + response->end,
                              response->cap - response->end, deadline);
    if (got < 0)
        return got;
    response->end += (size_t)got;
    return 0;
}

static bool is_for_good(int code)
{
    return code != WEIR_ETIMEDOUT && code != WEIR_ECANCELED;
}

static int read_held(weir_response *response, char *data, size_t bytes)
{
    const size_t left = response->held_len - response->held_at;
    if (bytes > left)
        bytes = left;
    memcpy(data, response->held + response->held_at, bytes);
    response->held_at += bytes;
    return (int)bytes;
}

int weir_response_read(weir_response *response, void *data, size_t bytes, weir_time deadline)
{
    wi_bug_unless(response != NULL);
    if (bytes > INT32_MAX)
        bytes = INT32_MAX;
    if (response->held_at < response->held_len && bytes > 0)
        return read_held(response, data, bytes);
    for (;;) {
        if (response->done || bytes == 0)
            return 0;
        if (response->error != 0)
            return fail(response, response->error);
        int rc = decode_some(response, data, bytes);
        if (rc != WEIR_EAGAIN)
            return rc;
        if (response->body.kind != WI_HTTP_BODY_CHUNKED)
            rc = read_plain(response, data, bytes, deadline);
        else if ((rc = refill(response, deadline)) == WEIR_EEOF)
            rc = meet_end(response);
        else if (rc == 0)
            continue;
        if (rc < 0 && response->error == 0 && is_for_good(rc))
            return fail(response, rc);
        return rc;
    }
}

/* Room for one byte more than is read, at most bytes_max + 1.  0, WEIR_EMSGSIZE, WEIR_ENOMEM. */
static int grow(weir_response *response, size_t bytes_max)
{
    if (response->whole_len + 1 < response->whole_cap)
        return 0;
    size_t cap = response->whole_cap == 0 ? WHOLE_BYTES_MIN : 2 * response->whole_cap;
    const int64_t known = weir_response_body_bytes(response);
    /* A length that was announced is believed as far as bytes have come. */
    if (known >= 0 && (uint64_t)known < cap)
        cap = (size_t)known + 2;
    if (cap > bytes_max && bytes_max < SIZE_MAX - 2)
        cap = bytes_max + 2;
    if (cap <= response->whole_cap)
        return WEIR_EMSGSIZE;
    char *more = wi_alloc(cap);
    if (more == NULL)
        return WEIR_ENOMEM;
    if (response->whole_len > 0)
        memcpy(more, response->whole, response->whole_len);
    wi_free(response->whole);
    response->whole = more;
    response->whole_cap = cap;
    return 0;
}

int weir_response_body(weir_response *response, const char **data, size_t *bytes, size_t bytes_max,
                       weir_time deadline)
{
    wi_bug_unless(response != NULL);
    wi_bug_unless(data != NULL);
    for (;;) {
        int rc = grow(response, bytes_max);
        if (rc != 0)
            return fail(response, rc);
        /* One byte beyond the bound is asked for, to know whether there are more. */
        rc = weir_response_read(response, response->whole + response->whole_len,
                                response->whole_cap - response->whole_len - 1, deadline);
        if (rc < 0)
            return rc;
        response->whole_len += (size_t)rc;
        if (response->whole_len > bytes_max)
            return fail(response, WEIR_EMSGSIZE);
        if (rc == 0)
            break;
    }
    response->whole[response->whole_len] = '\0';
    *data = response->whole;
    if (bytes != NULL)
        *bytes = response->whole_len;
    return 0;
}

/* Takes what is left of the body if it is little and has come, then settles. */
static void abandon(weir_response *response)
{
    char away[4096];
    int64_t taken = 0;
    while (response->link != NULL && !response->done && taken < ABANDON_BYTES_MAX) {
        const int rc = weir_response_read(response, away, sizeof(away), WEIR_DONT_WAIT);
        if (rc <= 0)
            break;
        taken += rc;
    }
    wi_response_settle(response);
}

int wi_response_hold(weir_response *response, weir_time until)
{
    const weir_time longest = weir_in_ns(HOLD_NS_MAX);
    const char *text;
    int rc = 0;
    if (!response->done)
        rc = weir_response_body(response, &text, NULL, HOLD_BYTES_MAX,
                                until < longest ? until : longest);
    if (rc == WEIR_ECANCELED)
        return rc;
    if (rc == WEIR_ETIMEDOUT)
        (void)fail(response, WEIR_ECONNRESET);
    response->held = response->whole;
    response->held_len =
        response->whole_len < HOLD_BYTES_MAX ? response->whole_len : HOLD_BYTES_MAX;
    response->whole = NULL;
    response->whole_len = 0;
    response->whole_cap = 0;
    return 0;
}

void wi_response_forget(weir_response *response)
{
    wi_free(response->held);
    response->held = NULL;
    response->held_at = 0;
    response->held_len = 0;
    response->done = false;
    response->error = 0;
}

void weir_response_close(weir_response *response)
{
    if (response == NULL)
        return;
    struct wi_destination *destination = response->destination;
    abandon(response);
    wi_free(response->held);
    wi_free(response->whole);
    wi_free(response);
    wi_destination_give(destination);
}

/* -- the head --------------------------------------------------------------------------------- */

int weir_response_status(const weir_response *response)
{
    wi_bug_unless(response != NULL);
    return response->head.status;
}

int weir_response_attempts(const weir_response *response)
{
    wi_bug_unless(response != NULL);
    return response->attempts;
}

int64_t weir_response_body_bytes(const weir_response *response)
{
    wi_bug_unless(response != NULL);
    switch (response->head.head.body) {
    case WI_HTTP_BODY_NONE:
        return 0;
    case WI_HTTP_BODY_LENGTH:
        return (int64_t)response->head.head.content_length;
    default:
        return -1;
    }
}

static const char *text_of(const weir_response *response, struct wi_http_slice slice)
{
    return slice.len == 0 ? "" : response->data + slice.offset;
}

const char *weir_response_header(const weir_response *response, const char *name)
{
    wi_bug_unless(response != NULL);
    wi_bug_unless(name != NULL);
    const struct wi_http_head *head = &response->head.head;
    const int index = wi_http_field_find(head, response->data, name, 0);
    return index < 0 ? NULL : text_of(response, head->fields[index].value);
}

int weir_response_header_at(const weir_response *response, size_t index, struct weir_header *out)
{
    wi_bug_unless(response != NULL);
    wi_bug_unless(out != NULL);
    const struct wi_http_head *head = &response->head.head;
    if (index >= head->field_count)
        return WEIR_ENOENT;
    out->name = text_of(response, head->fields[index].name);
    out->value = text_of(response, head->fields[index].value);
    return 0;
}

int64_t wi_response_retry_after_ns(const weir_response *response)
{
    return wi_http_retry_after(&response->head.head, response->data,
                               wi_transport_wall() / WEIR_NS_PER_S);
}
