/* SPDX-License-Identifier: MIT */
/* A request's memory, and what a handler may ask it.
 *
 * One block of 4 KiB holds, in this order: struct weir_request; the parsed head, cut behind the
 * fields in use; the bytes of the head and what came behind it, if they fit; the first part of the
 * arena.  What does not fit gets a block of its own.
 *
 * Texts that handlers are given end with a NUL, which is written over the byte behind them: a head
 * has one behind everything (CR, ':', SP or '?').  So the head is parsed for good before that.
 *
 * Threads: the request's task. */
#include "serve/request.h"

#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "http/uri.h"
#include "serve/conn.h"

enum {
    ARENA_GROWS_BYTES_MAX = 1024 * 1024,
    INLINE_ARENA_BYTES_MIN = 512, /* what is left to the arena when the input lies inline */
    PEER_TEXT_BYTES = WI_ADDR_TEXT_BYTES
};

static void *arena_alloc(void *user, size_t bytes)
{
    (void)user;
    return wi_alloc(bytes);
}

static void arena_free(void *user, void *memory, size_t bytes)
{
    (void)user;
    (void)bytes;
    wi_free(memory);
}

static const struct wi_arena_source arena_source = { .alloc = arena_alloc, .free = arena_free };

static size_t round_up(size_t bytes)
{
    return (bytes + WI_ARENA_ALIGN - 1) / WI_ARENA_ALIGN * WI_ARENA_ALIGN;
}

/* Places the copies behind the struct; where the arena begins, or NULL without memory. */
static char *place_input(struct weir_request *request, const struct wi_http_request *head,
                         const char *data, size_t bytes)
{
    char *at = (char *)request + round_up(sizeof(*request));
    const char *end = (char *)request + wi_block_bytes(WI_BLOCK_4K);
    const size_t head_bytes = wi_http_request_bytes(head);
    struct wi_http_request *copy = (struct wi_http_request *)(void *)at;
    memcpy(copy, head, head_bytes);
    request->head = copy;
    at += round_up(head_bytes);

    request->input = NULL;
    if (round_up(bytes) + INLINE_ARENA_BYTES_MIN <= (size_t)(end - at)) {
        request->text = at;
        at += round_up(bytes);
    } else {
        const enum wi_block_class class = wi_block_class_for(bytes);
        request->input = wi_block_take(class);
        if (request->input == NULL)
            return NULL;
        request->input_class = (uint8_t) class;
        request->text = request->input;
    }
    memcpy(request->text, data, bytes);
    return at;
}

static void init_body(struct weir_request *request, size_t bytes)
{
    const struct wi_http_head *head = &request->head->head;
    struct wi_http_limits limits = request->server->limits;
    limits.body_bytes_max = (uint64_t)request->route->opts.body_bytes_max;
    request->in = request->text + head->head_bytes;
    request->in_len = bytes - head->head_bytes;
    request->body_done = head->body == WI_HTTP_BODY_NONE ||
                         (head->body == WI_HTTP_BODY_LENGTH && head->content_length == 0);
    request->expects = request->head->expect_continue && !request->body_done;
    request->refill = NULL;
    request->body_error = 0;
    request->left = false;
    request->bytes_in = head->head_bytes;
    request->body_pace = (struct wi_pace){ 0 };
    if (!request->body_done)
        wi_http_body_init(&request->body, head, &limits);
}

struct weir_request *wi_request_create(struct wi_conn *conn, const struct wi_arrival *arrival,
                                       const char *data, size_t bytes)
{
    const struct wi_http_request *head = arrival->head;
    const struct wi_http_match *match = arrival->match;
    struct weir_request *request = wi_block_take(WI_BLOCK_4K);
    if (request == NULL)
        return NULL;
    char *arena = place_input(request, head, data, bytes);
    if (arena == NULL) {
        wi_block_give(WI_BLOCK_4K, request);
        return NULL;
    }
    request->conn = conn;
    request->server = wi_conn_server(conn);
    request->route = match->route->user;
    request->began = arrival->at;
    request->ready = arrival->at;
    request->ticket = arrival->ticket;
    request->deadline = arrival->deadline;
    request->params = NULL;
    request->path = NULL;
    request->param_count = match->param_count;
    request->keep_alive = head->head.keep_alive;
    request->match.route = match->route;
    request->match.param_count = match->param_count;
    memcpy(request->match.params, match->params, match->param_count * sizeof(match->params[0]));
    wi_list_init(&request->waiting_node);
    wi_store_relaxed(&request->expired, 0);
    init_body(request, bytes);
    wi_reply_init(&request->reply, request);
    const size_t room = (size_t)((char *)request + wi_block_bytes(WI_BLOCK_4K) - arena);
    wi_arena_init(&request->arena, arena, room, ARENA_GROWS_BYTES_MAX, arena_source);
    return request;
}

void wi_request_destroy(struct weir_request *request)
{
    wi_reply_fini(&request->reply);
    wi_arena_reset(&request->arena);
    if (request->refill != NULL)
        wi_block_give(WI_BLOCK_16K, request->refill);
    if (request->input != NULL)
        wi_block_give((enum wi_block_class)request->input_class, request->input);
    wi_block_give(WI_BLOCK_4K, request);
}

void wi_request_count_left(struct weir_request *request)
{
    if (!request->left)
        wi_count(request->server, WI_COUNT_CLIENT_GONE, 1);
    request->left = true;
}

/* Decodes an escaped text into the arena; NULL without memory or with a bad escape. */
static char *decode(struct weir_request *request, const char *text, size_t len, bool plus_is_space)
{
    char *out = wi_arena_alloc(&request->arena, len + 1);
    if (out == NULL)
        return NULL;
    const int64_t bytes = wi_http_percent_decode(text, len, plus_is_space, out, len);
    if (bytes < 0)
        return NULL;
    out[bytes] = 0;
    return out;
}

static void end_text(char *text, struct wi_http_slice slice)
{
    if (slice.len > 0)
        text[slice.offset + slice.len] = 0;
}

static void decode_params(struct weir_request *request, const char *path)
{
    const uint32_t count = request->param_count;
    request->params = wi_arena_alloc(&request->arena, count * sizeof(request->params[0]));
    if (request->params == NULL) {
        request->param_count = 0;
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct wi_http_slice value = request->match.params[i].value;
        request->params[i] = decode(request, path + value.offset, value.len, false);
    }
}

void wi_request_prepare(struct weir_request *request)
{
    const struct wi_http_request *head = request->head;
    char *text = request->text;
    if (request->param_count > 0)
        decode_params(request, text + head->path.offset);
    /* The path ends where the query's '?' or the target's end is: it is decoded before its end is
     * overwritten, or from its length. */
    end_text(text, head->target);
    if (head->method == WI_HTTP_METHOD_OTHER)
        end_text(text, head->method_text);
    for (uint32_t i = 0; i < head->head.field_count; i++)
        end_text(text, head->head.fields[i].value);
}

const char *weir_request_method(const weir_request *request)
{
    wi_bug_unless(request != NULL);
    const char *name = wi_http_method_name(request->head->method);
    return name != NULL ? name : request->text + request->head->method_text.offset;
}

const char *weir_request_path(const weir_request *request)
{
    wi_bug_unless(request != NULL);
    if (request->path != NULL)
        return request->path;
    /* The text is made when it is asked for first; to the caller nothing changes. */
    struct weir_request *self = request->reply.request;
    const struct wi_http_slice path = self->head->path;
    const char *decoded =
        path.len == 0 ? "/" : decode(self, self->text + path.offset, path.len, false);
    self->path = decoded != NULL ? decoded : "";
    return self->path;
}

const char *weir_request_query(const weir_request *request)
{
    wi_bug_unless(request != NULL);
    const struct wi_http_slice query = request->head->query;
    return query.len == 0 ? "" : request->text + query.offset;
}

const char *weir_request_target(const weir_request *request)
{
    wi_bug_unless(request != NULL);
    return request->text + request->head->target.offset;
}

const char *weir_request_param(const weir_request *request, const char *name)
{
    wi_bug_unless(request != NULL);
    wi_bug_unless(name != NULL);
    const char *pattern = request->match.route->pattern;
    const size_t len = strlen(name);
    for (uint32_t i = 0; i < request->param_count; i++) {
        const struct wi_http_slice own = request->match.params[i].name;
        if (own.len == len && memcmp(pattern + own.offset, name, len) == 0)
            return request->params[i];
    }
    return NULL;
}

const char *weir_request_query_param(weir_request *request, const char *name)
{
    wi_bug_unless(request != NULL);
    wi_bug_unless(name != NULL);
    const struct wi_http_slice query = request->head->query;
    const char *rest = request->text + query.offset;
    size_t rest_len = query.len;
    const size_t name_len = strlen(name);
    struct wi_http_pair pair;
    while (wi_http_query_next(&rest, &rest_len, &pair)) {
        const char *pair_name = decode(request, pair.name, pair.name_len, true);
        if (pair_name == NULL || strlen(pair_name) != name_len || strcmp(pair_name, name) != 0)
            continue;
        return decode(request, pair.value, pair.value_len, true);
    }
    return NULL;
}

/* The decimal number in the text; false if it is none or does not fit. */
static bool parse_int(const char *text, int64_t *out)
{
    const bool negative = *text == '-';
    const char *at = negative ? text + 1 : text;
    if (*at == 0)
        return false;
    int64_t value = 0;
    for (; *at != 0; at++) {
        if (*at < '0' || *at > '9')
            return false;
        const int64_t digit = *at - '0';
        if (value < (INT64_MIN + digit) / 10)
            return false;
        value = value * 10 - digit; /* below zero, where there is room for every number */
    }
    if (!negative && value == INT64_MIN)
        return false;
    *out = negative ? value : -value;
    return true;
}

int64_t weir_request_query_int(weir_request *request, const char *name, int64_t fallback,
                               int *error)
{
    int64_t value = fallback;
    const char *text = weir_request_query_param(request, name);
    const bool good = text == NULL || parse_int(text, &value);
    if (error != NULL)
        *error = good ? 0 : WEIR_EINVAL;
    return good ? value : fallback;
}

const char *weir_request_header(const weir_request *request, const char *name)
{
    wi_bug_unless(request != NULL);
    wi_bug_unless(name != NULL);
    const struct wi_http_head *head = &request->head->head;
    const int index = wi_http_field_find(head, request->text, name, 0);
    if (index < 0)
        return NULL;
    const struct wi_http_slice value = head->fields[index].value;
    return value.len == 0 ? "" : request->text + value.offset;
}

weir_time weir_request_deadline(const weir_request *request)
{
    wi_bug_unless(request != NULL);
    return request->deadline;
}

int64_t weir_request_body_bytes(const weir_request *request)
{
    wi_bug_unless(request != NULL);
    const struct wi_http_head *head = &request->head->head;
    if (head->body == WI_HTTP_BODY_CHUNKED)
        return -1;
    return head->body == WI_HTTP_BODY_LENGTH ? (int64_t)head->content_length : 0;
}

void *weir_request_alloc(weir_request *request, size_t bytes)
{
    wi_bug_unless(request != NULL);
    return wi_arena_alloc(&request->arena, bytes);
}

const char *weir_request_peer(weir_request *request)
{
    wi_bug_unless(request != NULL);
    const struct wi_conn *conn = request->conn;
    if (conn->peer_bytes == 0)
        return "unix";
    char *text = wi_arena_alloc(&request->arena, PEER_TEXT_BYTES);
    if (text == NULL)
        return "";
    struct wi_addr peer = { .bytes = conn->peer_bytes };
    memcpy(peer.data, conn->peer, conn->peer_bytes);
    wi_transport_peer(&peer, text, PEER_TEXT_BYTES);
    return text;
}
