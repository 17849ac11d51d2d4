/* SPDX-License-Identifier: MIT */
/* Goal: the chunked decoder gives the same data and the same end for every cut of its input, never
 * more data than input, and takes back what the chunk writer writes.
 *
 * Method: the input is decoded whole, byte by byte and in parts; then it is taken as data, written
 * as chunks whose sizes come from its first byte, and must come back unchanged. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/chunked.h"
#include "http/status.h"
#include "http/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct run {
    char *data;
    size_t len;
    size_t consumed;
    int result;
};

/* Decodes in parts of `step`, each from a block of its own exact size. */
static struct run decode(const char *text, size_t len, size_t step,
                         const struct wi_http_limits *limits)
{
    struct wi_http_chunked chunked;
    struct run run = { .data = malloc(len + 1), .result = WI_HTTP_DECODE_MORE };
    wi_bug_unless(run.data != NULL);
    wi_http_chunked_init(&chunked, limits);
    for (size_t pos = 0; pos < len && run.result == WI_HTTP_DECODE_MORE; pos += step) {
        const size_t part = step < len - pos ? step : len - pos;
        char *exact = malloc(part);
        wi_bug_unless(exact != NULL);
        memcpy(exact, text + pos, part);
        size_t at = 0;
        do {
            size_t used = 0;
            struct wi_http_piece piece;
            run.result = wi_http_chunked_decode(&chunked, exact + at, part - at, &used, &piece);
            wi_bug_unless_cmp(used, <=, part - at);
            wi_bug_unless_cmp(piece.len, <=, used);
            memcpy(run.data + run.len, piece.data, piece.len);
            run.len += piece.len;
            at += used;
        } while (run.result == WI_HTTP_DECODE_DATA);
        wi_bug_unless(at == part || run.result != WI_HTTP_DECODE_MORE);
        run.consumed += at;
        free(exact);
    }
    return run;
}

static void check_same(const char *text, size_t len, size_t step,
                       const struct wi_http_limits *limits)
{
    struct run whole = decode(text, len, len + 1, limits);
    struct run parts = decode(text, len, step, limits);
    wi_bug_unless_cmp(whole.result, ==, parts.result);
    wi_bug_unless_cmp(whole.consumed, ==, parts.consumed);
    wi_bug_unless_cmp(whole.len, ==, parts.len);
    wi_bug_unless(memcmp(whole.data, parts.data, whole.len) == 0);
    wi_bug_unless(whole.result >= 0 || wi_http_verdict_status(whole.result) != 500);
    free(whole.data);
    free(parts.data);
}

static void check_round_trip(const char *text, size_t len, size_t chunk,
                             const struct wi_http_limits *limits)
{
    const size_t room = len + (len / chunk + 1) * (WI_HTTP_CHUNK_HEAD_BYTES_MAX + 2) + 5;
    char *wire = malloc(room);
    wi_bug_unless(wire != NULL);
    size_t at = 0;
    for (size_t pos = 0; pos < len; pos += chunk) {
        const size_t part = chunk < len - pos ? chunk : len - pos;
        at += wi_http_chunk_head_write(wire + at, part);
        memcpy(wire + at, text + pos, part);
        memcpy(wire + at + part, WI_HTTP_CHUNK_END, 2);
        at += part + 2;
    }
    memcpy(wire + at, WI_HTTP_CHUNK_LAST, 5);
    at += 5;
    wi_bug_unless_cmp(at, <=, room);
    struct run back = decode(wire, at, chunk, limits);
    wi_bug_unless_cmp(back.result, ==, WI_HTTP_DECODE_DONE);
    wi_bug_unless_cmp(back.consumed, ==, at);
    wi_bug_unless_cmp(back.len, ==, len);
    wi_bug_unless(memcmp(back.data, text, len) == 0);
    free(back.data);
    free(wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < 1)
        return 0;
    struct wi_http_limits limits = { 0 };
    struct wi_http_limits small = { .chunk_extension_bytes_max = 8,
                                    .trailer_bytes_max = 16,
                                    .body_bytes_max = 20 };
    wi_http_limits_fill(&limits);
    wi_http_limits_fill(&small);
    const char *text = (const char *)data + 1;
    check_same(text, bytes - 1, 1, &limits);
    check_same(text, bytes - 1, 2u + data[0] % 30, &limits);
    check_same(text, bytes - 1, 1, &small);
    check_round_trip(text, bytes - 1, 1u + data[0], &limits);
    return 0;
}
