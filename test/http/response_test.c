/* SPDX-License-Identifier: MIT */
/* Goal: a client learns from a response head what follows it, or that the connection is of no
 * use.  Method: a table of heads with body kind and keep-alive, a table of verdicts, and every
 * prefix with and without the hint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/response.h"
#include "http/status.h"

static struct wi_http_limits limits;

static int fill_limits(void **state)
{
    (void)state;
    limits = (struct wi_http_limits){ 0 };
    wi_http_limits_fill(&limits);
    return 0;
}

static int parse(const char *text, bool to_head, struct wi_http_response *out)
{
    return wi_http_response_parse(text, strlen(text), 0, to_head, out, &limits);
}

static const struct {
    const char *text;
    bool to_head;
    int status;
    int body;
    bool keep;
} sound[] = {
    { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, 200, WI_HTTP_BODY_LENGTH, true },
    { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, 200, WI_HTTP_BODY_NONE, true },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, 200, WI_HTTP_BODY_CHUNKED,
      true },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true, 200, WI_HTTP_BODY_NONE, true },
    { "HTTP/1.1 200 \r\n\r\n", false, 200, WI_HTTP_BODY_UNTIL_CLOSE, false },
    { "HTTP/1.1 200\r\n\r\n", false, 200, WI_HTTP_BODY_UNTIL_CLOSE, false },
    { "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false, 200, WI_HTTP_BODY_LENGTH, false },
    { "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", false, 200,
      WI_HTTP_BODY_LENGTH, true },
    { "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", false, 204, WI_HTTP_BODY_NONE, true },
    { "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", false, 304, WI_HTTP_BODY_NONE,
      true },
    { "HTTP/1.1 100 Continue\r\n\r\n", false, 100, WI_HTTP_BODY_NONE, true },
    { "HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", false, 503,
      WI_HTTP_BODY_LENGTH, false },
    { "HTTP/1.3 999 caf\xc3\xa9\r\nContent-Length: 0\r\n\r\n", false, 999, WI_HTTP_BODY_LENGTH,
      true },
};

static void sound_heads_say_what_follows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sound / sizeof sound[0]; i++) {
        struct wi_http_response r;
        const int rc = parse(sound[i].text, sound[i].to_head, &r);
        assert_int_equal(rc, strlen(sound[i].text));
        assert_int_equal(r.head.head_bytes, rc);
        assert_int_equal(r.status, sound[i].status);
        assert_int_equal(r.head.body, sound[i].body);
        assert_int_equal(r.head.keep_alive, sound[i].keep);
    }
}

static void interim_answers_are_marked_but_101_is_final(void **state)
{
    (void)state;
    struct wi_http_response r;
    assert_true(parse("HTTP/1.1 103 Early Hints\r\n\r\n", false, &r) > 0);
    assert_true(r.interim);
    assert_true(parse("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", false,
                      &r) > 0);
    assert_false(r.interim);
    assert_true(r.head.upgrade);
    assert_true(parse("HTTP/1.1 200 Fine\r\n\r\n", false, &r) > 0);
    assert_false(r.interim);
    assert_int_equal(r.reason.len, 4);
    assert_int_equal(r.reason.offset, 13);
}

static const struct {
    const char *text;
    int verdict;
} refused[] = {
    { "X", WI_HTTP_BAD_STATUS_LINE },
    { "\r\nHTTP/1.1 200 OK\r\n\r\n", WI_HTTP_BAD_STATUS_LINE },
    { "HTTP/1.1\r\n", WI_HTTP_BAD_STATUS_LINE },
    { "HTTP/1.1 20\r\n", WI_HTTP_BAD_STATUS_LINE },
    { "HTTP/1.1 2000 OK\r\n", WI_HTTP_BAD_STATUS_LINE },
    { "HTTP/1.1 099 OK\r\n", WI_HTTP_BAD_STATUS_LINE },
    { "HTTP/1.1 2x0 OK\r\n", WI_HTTP_BAD_STATUS_LINE },
    { "HTTP/1.1  200 OK\r\n", WI_HTTP_BAD_STATUS_LINE },
    { "HTTP/1.1 200\tOK\r\n", WI_HTTP_BAD_STATUS_LINE },
    { "HTTP/1.1 200 O\x01K\r\n", WI_HTTP_BAD_STATUS_LINE },
    { "HTTP/11.1 200 OK\r\n", WI_HTTP_BAD_STATUS_LINE },
    { "HTTPS/1.1 200 OK\r\n", WI_HTTP_BAD_STATUS_LINE },
    { "HTTP/2.0 200 OK\r\n", WI_HTTP_UNSUPPORTED_VERSION },
    { "HTTP/1.1 200 OK\n", WI_HTTP_BARE_LF },
    { "HTTP/1.1 200 O\rK\r\n", WI_HTTP_BARE_CR },
    { "HTTP/1.1 200 OK\r\nX : y\r\n", WI_HTTP_SPACE_BEFORE_COLON },
    { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
      WI_HTTP_LENGTH_REPEATED },
    { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      WI_HTTP_LENGTH_AND_CODING },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", WI_HTTP_UNSUPPORTED_CODING },
    { "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", WI_HTTP_CODING_MISPLACED },
    { "HTTP/1.1 204 OK\r\nTransfer-Encoding: chunked\r\n\r\n", WI_HTTP_CODING_MISPLACED },
    { "HTTP/1.1 100 OK\r\nTransfer-Encoding: chunked\r\n\r\n", WI_HTTP_CODING_MISPLACED },
};

static void refused_heads_have_their_verdict(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct wi_http_response r;
        const int rc = parse(refused[i].text, false, &r);
        if (rc != refused[i].verdict)
            fail_msg("row %zu: %s instead of %s", i, wi_http_verdict_name(rc),
                     wi_http_verdict_name(refused[i].verdict));
    }
}

static void check_all_prefixes(const char *text)
{
    struct wi_http_response r;
    for (size_t i = 0; i <= strlen(text); i++) {
        const int once = wi_http_response_parse(text, i, 0, false, &r, &limits);
        const int again = wi_http_response_parse(text, i, i > 0 ? i - 1 : 0, false, &r, &limits);
        assert_int_equal(once, again);
        if (once != 0)
            return;
    }
}

static void verdicts_do_not_depend_on_how_bytes_arrive(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sound / sizeof sound[0]; i++)
        check_all_prefixes(sound[i].text);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        check_all_prefixes(refused[i].text);
}

static void a_length_without_a_body_is_not_held_against_the_limit(void **state)
{
    (void)state;
    limits.body_bytes_max = 10;
    struct wi_http_response r;
    const char *text = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n";
    assert_int_equal(parse(text, false, &r), WI_HTTP_BODY_TOO_LARGE);
    assert_true(parse(text, true, &r) > 0);
    assert_int_equal(r.head.content_length, 11);
    assert_true(r.head.has_length);
}

static void a_head_is_bounded(void **state)
{
    (void)state;
    limits.head_bytes_max = 30;
    struct wi_http_response r;
    assert_int_equal(parse("HTTP/1.1 200 OK\r\nX: 678901\r\n\r\n", false, &r), 30);
    assert_int_equal(parse("HTTP/1.1 200 OK\r\nX: 6789012\r\n\r\n", false, &r),
                     WI_HTTP_HEAD_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(sound_heads_say_what_follows, fill_limits),
        cmocka_unit_test_setup(interim_answers_are_marked_but_101_is_final, fill_limits),
        cmocka_unit_test_setup(refused_heads_have_their_verdict, fill_limits),
        cmocka_unit_test_setup(verdicts_do_not_depend_on_how_bytes_arrive, fill_limits),
        cmocka_unit_test_setup(a_length_without_a_body_is_not_held_against_the_limit, fill_limits),
        cmocka_unit_test_setup(a_head_is_bounded, fill_limits),
    };
    return cmocka_run_group_tests_name("http/response", tests, NULL, NULL);
}
