/* SPDX-License-Identifier: MIT */
/* Goal: the four framings end where they should, also when the peer closes.  Method: one small
 * body per framing, fed byte by byte and whole, then closed early and late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/body.h"
#include "http/status.h"

static struct wi_http_limits limits;

static int fill_limits(void **state)
{
    (void)state;
    limits = (struct wi_http_limits){ 0 };
    wi_http_limits_fill(&limits);
    return 0;
}

static struct wi_http_body body_of(uint8_t kind, uint64_t length)
{
    const struct wi_http_head head = { .body = kind, .content_length = length };
    struct wi_http_body body;
    wi_http_body_init(&body, &head, &limits);
    return body;
}

/* Feeds parts of `step` bytes; returns the last result and the number of data bytes. */
static int feed(struct wi_http_body *body, const char *text, size_t step, size_t *data,
                size_t *consumed)
{
    const size_t len = strlen(text);
    int rc = WI_HTTP_DECODE_MORE;
    *data = 0;
    *consumed = 0;
    while (rc >= 0 && rc != WI_HTTP_DECODE_DONE) {
        const size_t left = len - *consumed;
        size_t used = 0;
        struct wi_http_piece piece;
        rc = wi_http_body_decode(body, text + *consumed, left < step ? left : step, &used, &piece);
        *consumed += used;
        *data += piece.len;
        if (rc == WI_HTTP_DECODE_MORE && used == 0)
            break;
    }
    return rc;
}

static void each_framing_takes_its_own_bytes_only(void **state)
{
    (void)state;
    static const struct {
        uint8_t kind;
        uint64_t length;
        const char *text;
        size_t data;
        size_t consumed;
        int result;
    } table[] = {
        { WI_HTTP_BODY_NONE, 0, "GET", 0, 0, WI_HTTP_DECODE_DONE },
        { WI_HTTP_BODY_NONE, 7, "GET", 0, 0, WI_HTTP_DECODE_DONE },
        { WI_HTTP_BODY_LENGTH, 0, "GET", 0, 0, WI_HTTP_DECODE_DONE },
        { WI_HTTP_BODY_LENGTH, 3, "abcGET", 3, 3, WI_HTTP_DECODE_DONE },
        { WI_HTTP_BODY_LENGTH, 9, "abc", 3, 3, WI_HTTP_DECODE_MORE },
        { WI_HTTP_BODY_CHUNKED, 0, "1\r\na\r\n0\r\n\r\nGET", 1, 11, WI_HTTP_DECODE_DONE },
        { WI_HTTP_BODY_CHUNKED, 0, "x", 0, 0, WI_HTTP_BAD_CHUNK_SIZE },
        { WI_HTTP_BODY_UNTIL_CLOSE, 0, "abc", 3, 3, WI_HTTP_DECODE_MORE },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        for (size_t step = 1; step < 20; step += 6) {
            struct wi_http_body body = body_of(table[i].kind, table[i].length);
            size_t data = 0;
            size_t consumed = 0;
            assert_int_equal(feed(&body, table[i].text, step, &data, &consumed), table[i].result);
            assert_int_equal(data, table[i].data);
            assert_int_equal(consumed, table[i].consumed);
        }
    }
}

static void closing_ends_a_body_or_breaks_it(void **state)
{
    (void)state;
    size_t data = 0;
    size_t consumed = 0;
    struct wi_http_body body = body_of(WI_HTTP_BODY_NONE, 0);
    assert_int_equal(wi_http_body_closed(&body), WI_HTTP_DECODE_DONE);
    body = body_of(WI_HTTP_BODY_LENGTH, 3);
    assert_int_equal(wi_http_body_closed(&body), WI_HTTP_BODY_TRUNCATED);
    assert_int_equal(feed(&body, "abc", 3, &data, &consumed), WI_HTTP_DECODE_DONE);
    assert_int_equal(wi_http_body_closed(&body), WI_HTTP_DECODE_DONE);
    body = body_of(WI_HTTP_BODY_CHUNKED, 0);
    assert_int_equal(feed(&body, "1\r\na\r\n0\r\n", 9, &data, &consumed), WI_HTTP_DECODE_MORE);
    assert_int_equal(wi_http_body_closed(&body), WI_HTTP_BODY_TRUNCATED);
    body = body_of(WI_HTTP_BODY_CHUNKED, 0);
    assert_int_equal(feed(&body, "x", 9, &data, &consumed), WI_HTTP_BAD_CHUNK_SIZE);
    assert_int_equal(wi_http_body_closed(&body), WI_HTTP_BAD_CHUNK_SIZE);
    body = body_of(WI_HTTP_BODY_UNTIL_CLOSE, 0);
    assert_int_equal(feed(&body, "abc", 3, &data, &consumed), WI_HTTP_DECODE_MORE);
    assert_int_equal(wi_http_body_closed(&body), WI_HTTP_DECODE_DONE);
}

static void a_body_until_close_is_bounded(void **state)
{
    (void)state;
    limits.body_bytes_max = 3;
    size_t data = 0;
    size_t consumed = 0;
    struct wi_http_body body = body_of(WI_HTTP_BODY_UNTIL_CLOSE, 0);
    assert_int_equal(feed(&body, "abc", 2, &data, &consumed), WI_HTTP_DECODE_MORE);
    assert_int_equal(feed(&body, "d", 1, &data, &consumed), WI_HTTP_BODY_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_framing_takes_its_own_bytes_only, fill_limits),
        cmocka_unit_test_setup(closing_ends_a_body_or_breaks_it, fill_limits),
        cmocka_unit_test_setup(a_body_until_close_is_bounded, fill_limits),
    };
    return cmocka_run_group_tests_name("http/body", tests, NULL, NULL);
}
