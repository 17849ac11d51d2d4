/* SPDX-License-Identifier: MIT */
/* Goal: chunked bodies are decoded exactly, refused exactly, and alike for every split.  Method:
 * tables of inputs with the expected data and result; each runs whole, byte by byte and at every
 * single cut, from blocks of exact size so that a sanitizer sees a read too far. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/chunked.h"
#include "http/status.h"

static struct wi_http_limits limits;

static int fill_limits(void **state)
{
    (void)state;
    limits = (struct wi_http_limits){ 0 };
    wi_http_limits_fill(&limits);
    return 0;
}

struct decoded {
    char data[65536];
    size_t len;
    size_t consumed;
    int result;
};

/* Feeds one part and appends what comes out. */
static void feed(struct wi_http_chunked *state, const char *text, size_t len, struct decoded *out)
{
    char *exact = malloc(len + (len == 0));
    assert_non_null(exact);
    memcpy(exact, text, len);
    size_t pos = 0;
    for (;;) {
        size_t used = 0;
        struct wi_http_piece piece;
        out->result = wi_http_chunked_decode(state, exact + pos, len - pos, &used, &piece);
        pos += used;
        if (out->result != WI_HTTP_DECODE_DATA)
            break;
        assert_true(piece.len > 0);
        memcpy(out->data + out->len, piece.data, piece.len);
        out->len += piece.len;
    }
    out->consumed += pos;
    free(exact);
}

/* Decodes text cut at `cut`, and from there on in parts of `step` bytes (0: in one part). */
static void decode(const char *text, size_t len, size_t cut, size_t step, struct decoded *out)
{
    struct wi_http_chunked state;
    wi_http_chunked_init(&state, &limits);
    out->len = 0;
    out->consumed = 0;
    feed(&state, text, cut, out);
    for (size_t pos = cut; pos < len && out->result == WI_HTTP_DECODE_MORE;) {
        const size_t part = step == 0 || step > len - pos ? len - pos : step;
        feed(&state, text + pos, part, out);
        pos += part;
    }
}

static void check(const char *text, const char *data, int result, size_t left_over)
{
    static struct decoded out;
    const size_t len = strlen(text);
    for (size_t cut = 0; cut <= len; cut++) {
        for (size_t step = 0; step < 3; step++) {
            decode(text, len, cut, step, &out);
            if (out.result != result)
                fail_msg("%s: result %d instead of %d", text, out.result, result);
            if (data == NULL)
                continue;
            assert_int_equal(out.len, strlen(data));
            assert_memory_equal(out.data, data, out.len);
            assert_int_equal(out.consumed, len - left_over);
        }
    }
}

static void sound_bodies_give_their_data(void **state)
{
    (void)state;
    const int done = WI_HTTP_DECODE_DONE;
    check("0\r\n\r\n", "", done, 0);
    check("3\r\nabc\r\n0\r\n\r\n", "abc", done, 0);
    check("3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", "abc0123456789", done, 0);
    check("0003\r\nabc\r\n000\r\n\r\nGET /", "abc", done, 5);
    check("4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", done, 0);
    check("1;a\r\nx\r\n0;b=c;d=\"e;\\\"f\"\r\n\r\n", "x", done, 0);
    check("1 ; a = b\t;c\r\nx\r\n0 ;z\r\n\r\n", "x", done, 0);
    check("1;a  ;b\r\nx\r\n0\r\n\r\n", "x", done, 0);
    check("1;a=\"\";b\r\nx\r\n0\r\n\r\n", "x", done, 0);
    check("0\r\nX: y\r\nEmpty:\r\nHosts: a\r\nTransfer-Encodin: b\r\n\r\n", "", done, 0);
    check("0\r\nX: y\r\n", "", WI_HTTP_DECODE_MORE, 0);
    check("3\r\nab", "ab", WI_HTTP_DECODE_MORE, 0);
}

static void malformed_bodies_are_refused_at_every_split(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int verdict;
    } table[] = {
        { "\r\n", WI_HTTP_BAD_CHUNK_SIZE },
        { " 3\r\n", WI_HTTP_BAD_CHUNK_SIZE },
        { "-1\r\n", WI_HTTP_BAD_CHUNK_SIZE },
        { "0x1\r\n", WI_HTTP_BAD_CHUNK_SIZE },
        { "3g\r\n", WI_HTTP_BAD_CHUNK_SIZE },
        { "8000000000000000\r\n", WI_HTTP_BAD_CHUNK_SIZE },
        { "00000000000000000\r\n", WI_HTTP_BAD_CHUNK_SIZE },
        { "3\n", WI_HTTP_BARE_LF },
        { "3\ra", WI_HTTP_BARE_CR },
        { "3 \r\n", WI_HTTP_BAD_CHUNK_EXTENSION },
        { "3 a\r\n", WI_HTTP_BAD_CHUNK_EXTENSION },
        { "3;\r\n", WI_HTTP_BAD_CHUNK_EXTENSION },
        { "3;a=\r\n", WI_HTTP_BAD_CHUNK_EXTENSION },
        { "3;a \r\n", WI_HTTP_BAD_CHUNK_EXTENSION },
        { "3;a b\r\n", WI_HTTP_BAD_CHUNK_EXTENSION },
        { "3;a=b c\r\n", WI_HTTP_BAD_CHUNK_EXTENSION },
        { "3;a@\r\n", WI_HTTP_BAD_CHUNK_EXTENSION },
        { "3;a=\"\r\n", WI_HTTP_BAD_CHUNK_EXTENSION },
        { "3;a=\"\\\r\n", WI_HTTP_BAD_CHUNK_EXTENSION },
        { "3;a=\"b\"c\r\n", WI_HTTP_BAD_CHUNK_EXTENSION },
        { "3;a=\"b\n", WI_HTTP_BARE_LF },
        { "3;a\n", WI_HTTP_BARE_LF },
        { "3;a\rb", WI_HTTP_BARE_CR },
        { "3\r\nabcd", WI_HTTP_BAD_CHUNK_END },
        { "3\r\nabc\n", WI_HTTP_BAD_CHUNK_END },
        { "3\r\nabc\rd", WI_HTTP_BAD_CHUNK_END },
        { "0\r\n\n", WI_HTTP_BARE_LF },
        { "0\r\n\rX", WI_HTTP_BARE_CR },
        { "0\r\n X: y\r\n", WI_HTTP_BAD_TRAILER },
        { "0\r\nX y\r\n", WI_HTTP_BAD_TRAILER },
        { "0\r\nX : y\r\n", WI_HTTP_BAD_TRAILER },
        { "0\r\n: y\r\n", WI_HTTP_BAD_TRAILER },
        { "0\r\nX\r\n", WI_HTTP_BAD_TRAILER },
        { "0\r\nX: \x01\r\n", WI_HTTP_BAD_TRAILER },
        { "0\r\nX: y\n", WI_HTTP_BARE_LF },
        { "0\r\nX: y\rz", WI_HTTP_BARE_CR },
        { "0\r\nContent-Length: 1\r\n\r\n", WI_HTTP_FORBIDDEN_TRAILER },
        { "0\r\nA: b\r\ntransfer-encODING: x\r\n\r\n", WI_HTTP_FORBIDDEN_TRAILER },
        { "0\r\nHost:x\r\n\r\n", WI_HTTP_FORBIDDEN_TRAILER },
        { "0\r\nTE:x\r\n\r\n", WI_HTTP_FORBIDDEN_TRAILER },
        { "0\r\nTrailer:x\r\n\r\n", WI_HTTP_FORBIDDEN_TRAILER },
        { "0\r\nConnection:x\r\n\r\n", WI_HTTP_FORBIDDEN_TRAILER },
        { "0\r\nExpect:x\r\n\r\n", WI_HTTP_FORBIDDEN_TRAILER },
        { "0\r\nAuthorization:x\r\n\r\n", WI_HTTP_FORBIDDEN_TRAILER },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        check(table[i].text, NULL, table[i].verdict, 0);
}

static void a_verdict_and_an_end_are_final(void **state)
{
    (void)state;
    struct wi_http_chunked chunked;
    struct wi_http_piece piece;
    size_t used = 9;
    wi_http_chunked_init(&chunked, &limits);
    assert_int_equal(wi_http_chunked_decode(&chunked, "x", 1, &used, &piece),
                     WI_HTTP_BAD_CHUNK_SIZE);
    assert_int_equal(used, 0);
    assert_int_equal(wi_http_chunked_decode(&chunked, "0\r\n\r\n", 5, &used, &piece),
                     WI_HTTP_BAD_CHUNK_SIZE);
    wi_http_chunked_init(&chunked, &limits);
    assert_int_equal(wi_http_chunked_decode(&chunked, "0\r\n\r\n", 5, &used, &piece),
                     WI_HTTP_DECODE_DONE);
    assert_int_equal(wi_http_chunked_decode(&chunked, "x", 1, &used, &piece), WI_HTTP_DECODE_DONE);
    assert_int_equal(used, 0);
}

static void the_largest_size_is_two_to_the_63_less_one(void **state)
{
    (void)state;
    struct wi_http_chunked chunked;
    struct wi_http_piece piece;
    size_t used = 0;
    wi_http_chunked_init(&chunked, &limits);
    assert_int_equal(wi_http_chunked_decode(&chunked, "7fffffffffffffff\r\nab", 20, &used, &piece),
                     WI_HTTP_DECODE_DATA);
    assert_int_equal(used, 20);
    assert_int_equal(piece.len, 2);
    assert_int_equal(chunked.chunk_left, INT64_MAX - 2);
}

static void the_sum_of_all_chunks_is_bounded(void **state)
{
    (void)state;
    limits.body_bytes_max = 5;
    check("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde", WI_HTTP_DECODE_DONE, 0);
    check("3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n", NULL, WI_HTTP_BODY_TOO_LARGE, 0);
    check("7fffffffffffffff\r\n", NULL, WI_HTTP_BODY_TOO_LARGE, 0);
}

static void extensions_are_bounded_per_line(void **state)
{
    (void)state;
    limits.chunk_extension_bytes_max = 4;
    check("1;abcd\r\nx\r\n0\r\n\r\n", NULL, WI_HTTP_CHUNK_EXTENSION_TOO_LONG, 0);
    check("1;abc\r\nx\r\n0;def\r\n\r\n", "x", WI_HTTP_DECODE_DONE, 0);
}

static void extensions_may_not_outweigh_the_body_for_long(void **state)
{
    (void)state;
    static struct decoded out;
    struct wi_http_chunked chunked;
    char line[300];
    wi_http_chunked_init(&chunked, &limits);
    const int len = snprintf(line, sizeof line, "1;%0200d\r\nx\r\n", 0);
    int rounds = 0;
    out.result = WI_HTTP_DECODE_MORE;
    out.len = 0;
    while (out.result == WI_HTTP_DECODE_MORE && rounds < 1000) {
        feed(&chunked, line, (size_t)len, &out);
        rounds++;
    }
    assert_int_equal(out.result, WI_HTTP_CHUNK_EXTENSION_TOO_LONG);
    assert_in_range(rounds, 70, 90);
}

static void trailers_are_bounded(void **state)
{
    (void)state;
    limits.trailer_bytes_max = 8;
    check("0\r\nX: y\r\n\r\n", "", WI_HTTP_DECODE_DONE, 0);
    check("0\r\nX: yz\r\n\r\n", NULL, WI_HTTP_TRAILERS_TOO_LARGE, 0);
}

static void a_long_trailer_name_is_no_forbidden_one(void **state)
{
    (void)state;
    char text[700];
    snprintf(text, sizeof text, "0\r\n%0300d: x\r\nhost%0300d: x\r\n", 0, 0);
    check("0\r\nte-x: a\r\nhosthost: b\r\n\r\n", "", WI_HTTP_DECODE_DONE, 0);
    static struct decoded out;
    decode(text, strlen(text), 0, 0, &out);
    assert_int_equal(out.result, WI_HTTP_DECODE_MORE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(sound_bodies_give_their_data, fill_limits),
        cmocka_unit_test_setup(malformed_bodies_are_refused_at_every_split, fill_limits),
        cmocka_unit_test_setup(a_verdict_and_an_end_are_final, fill_limits),
        cmocka_unit_test_setup(the_largest_size_is_two_to_the_63_less_one, fill_limits),
        cmocka_unit_test_setup(the_sum_of_all_chunks_is_bounded, fill_limits),
        cmocka_unit_test_setup(extensions_are_bounded_per_line, fill_limits),
        cmocka_unit_test_setup(extensions_may_not_outweigh_the_body_for_long, fill_limits),
        cmocka_unit_test_setup(trailers_are_bounded, fill_limits),
        cmocka_unit_test_setup(a_long_trailer_name_is_no_forbidden_one, fill_limits),
    };
    return cmocka_run_group_tests_name("http/chunked", tests, NULL, NULL);
}
