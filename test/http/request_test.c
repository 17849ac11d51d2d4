/* SPDX-License-Identifier: MIT */
/* Goal: a request head gives the facts that a server needs, or the right verdict, however the
 * bytes arrive.  Method: whole heads with all facts compared; every prefix of many heads, both
 * one call per byte with the hint and single calls, which must agree; a table of verdicts.  The
 * large table of hostile requests is run by smuggling_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http/request.h"
#include "http/status.h"

static struct wi_http_limits limits;

static int fill_limits(void **state)
{
    (void)state;
    limits = (struct wi_http_limits){ 0 };
    wi_http_limits_fill(&limits);
    return 0;
}

static int parse(const char *text, struct wi_http_request *out)
{
    return wi_http_request_parse(text, strlen(text), 0, out, &limits);
}

static void assert_slice(const char *buf, struct wi_http_slice slice, const char *want)
{
    assert_int_equal(slice.len, strlen(want));
    assert_memory_equal(buf + slice.offset, want, slice.len);
}

static const char usual[] = "GET /hello/w%6Frld?x=1&y=2 HTTP/1.1\r\n"
                            "Host: localhost:8080\r\n"
                            "User-Agent: curl/7.88.1\r\n"
                            "Accept: */*\r\n"
                            "\r\n";

static void a_usual_request_gives_its_facts(void **state)
{
    (void)state;
    struct wi_http_request q;
    assert_int_equal(parse(usual, &q), sizeof usual - 1);
    assert_int_equal(q.head.head_bytes, sizeof usual - 1);
    assert_int_equal(q.method, WI_HTTP_GET);
    assert_slice(usual, q.method_text, "GET");
    assert_slice(usual, q.target, "/hello/w%6Frld?x=1&y=2");
    assert_slice(usual, q.path, "/hello/w%6Frld");
    assert_slice(usual, q.query, "x=1&y=2");
    assert_slice(usual, q.host, "localhost:8080");
    assert_int_equal(q.target_form, WI_HTTP_TARGET_ORIGIN);
    assert_int_equal(q.head.version_minor, 1);
    assert_int_equal(q.head.body, WI_HTTP_BODY_NONE);
    assert_true(q.head.keep_alive);
    assert_false(q.expect_continue);
    assert_false(q.head.upgrade);
    assert_int_equal(q.head.field_count, 3);
    assert_slice(usual, q.head.fields[1].name, "User-Agent");
    assert_slice(usual, q.head.fields[1].value, "curl/7.88.1");
}

static void the_used_part_of_the_struct_is_a_copy_of_the_request(void **state)
{
    (void)state;
    struct wi_http_request q;
    struct wi_http_request copy;
    char elsewhere[sizeof usual];
    assert_true(parse(usual, &q) > 0);
    memset(&copy, 0xa5, sizeof copy);
    assert_true(wi_http_request_bytes(&q) < 128);
    memcpy(&copy, &q, wi_http_request_bytes(&q));
    memcpy(elsewhere, usual, sizeof usual);
    const int at = wi_http_field_find(&copy.head, elsewhere, "accept", 0);
    assert_int_equal(at, 2);
    assert_slice(elsewhere, copy.head.fields[at].value, "*/*");
}

static void a_body_is_announced_by_length_or_chunks(void **state)
{
    (void)state;
    struct wi_http_request q;
    const char *text = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 42\r\n\r\n";
    assert_true(parse(text, &q) > 0);
    assert_int_equal(q.method, WI_HTTP_POST);
    assert_int_equal(q.head.body, WI_HTTP_BODY_LENGTH);
    assert_int_equal(q.head.content_length, 42);
    text = "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
           "Expect: 100-Continue\r\n\r\n";
    assert_true(parse(text, &q) > 0);
    assert_int_equal(q.head.body, WI_HTTP_BODY_CHUNKED);
    assert_true(q.expect_continue);
    text = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n";
    assert_true(parse(text, &q) > 0);
    assert_false(q.expect_continue);
}

static void an_absolute_target_is_cut_into_host_and_path(void **state)
{
    (void)state;
    struct wi_http_request q;
    const char *text = "GET HTTP://Ex.org:81/a/b?c HTTP/1.1\r\nHost: ex.ORG:81\r\n\r\n";
    assert_true(parse(text, &q) > 0);
    assert_int_equal(q.target_form, WI_HTTP_TARGET_ABSOLUTE);
    assert_slice(text, q.path, "/a/b");
    assert_slice(text, q.query, "c");
    assert_slice(text, q.host, "ex.ORG:81");
    text = "GET http://h HTTP/1.0\r\n\r\n";
    assert_true(parse(text, &q) > 0);
    assert_slice(text, q.path, "");
    assert_slice(text, q.host, "h");
    text = "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_true(parse(text, &q) > 0);
    assert_int_equal(q.target_form, WI_HTTP_TARGET_ASTERISK);
    assert_slice(text, q.target, "*");
}

static void every_method_has_its_number_and_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < WI_HTTP_METHOD_OTHER; i++) {
        const char *name = wi_http_method_name(i);
        assert_int_equal(wi_http_method_of(name, strlen(name)), i);
    }
    assert_null(wi_http_method_name(WI_HTTP_METHOD_OTHER));
    assert_null(wi_http_method_name(WI_HTTP_METHOD_COUNT));
    assert_int_equal(wi_http_method_of("get", 3), WI_HTTP_METHOD_OTHER);
    assert_int_equal(wi_http_method_of("PROPFIND", 8), WI_HTTP_METHOD_OTHER);
    struct wi_http_request q;
    const char *text = "PROPFIND / HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_true(parse(text, &q) > 0);
    assert_int_equal(q.method, WI_HTTP_METHOD_OTHER);
    assert_slice(text, q.method_text, "PROPFIND");
}

static const struct {
    const char *text;
    int verdict;
} refused[] = {
    { "\x16\x03\x01", WI_HTTP_BAD_METHOD },
    { "\n", WI_HTTP_BARE_LF },
    { " GET / HTTP/1.1\r\n", WI_HTTP_BAD_METHOD },
    { "GET\r\n", WI_HTTP_BAD_METHOD },
    { "G@T / HTTP/1.1\r\n", WI_HTTP_BAD_METHOD },
    { "\r\n\r\nGET / HTTP/1.1\r\n", WI_HTTP_BAD_METHOD },
    { "\rGET / HTTP/1.1\r\n", WI_HTTP_BARE_CR },
    { "AAAAAAAAAABBBBBBBBBBCCCCCCCCCCDDD / HTTP/1.1\r\n", WI_HTTP_METHOD_TOO_LONG },
    { "GET  / HTTP/1.1\r\n", WI_HTTP_BAD_REQUEST_LINE },
    { "GET /\r\n", WI_HTTP_BAD_REQUEST_LINE },
    { "GET /\n", WI_HTTP_BAD_REQUEST_LINE },
    { "GET / x HTTP/1.1\r\n", WI_HTTP_BAD_REQUEST_LINE },
    { "GET /\x01 HTTP/1.1\r\n", WI_HTTP_BAD_TARGET },
    { "GET /#x HTTP/1.1\r\n", WI_HTTP_BAD_TARGET },
    { "GET x HTTP/1.1\r\n", WI_HTTP_BAD_TARGET },
    { "GET * HTTP/1.1\r\n", WI_HTTP_BAD_TARGET },
    { "GET ftp://h/ HTTP/1.1\r\n", WI_HTTP_BAD_TARGET },
    { "GET /%00 HTTP/1.1\r\n", WI_HTTP_BAD_ESCAPE },
    { "GET http://h/%zz HTTP/1.1\r\n", WI_HTTP_BAD_ESCAPE },
    { "GET /a/../b HTTP/1.1\r\n", WI_HTTP_DOT_SEGMENT },
    { "GET http://h/.. HTTP/1.1\r\n", WI_HTTP_DOT_SEGMENT },
    { "GET / \r\n", WI_HTTP_BAD_VERSION },
    { "GET / HTTP/1.1\n", WI_HTTP_BARE_LF },
    { "GET / \n", WI_HTTP_BARE_LF },
    { "GET / HTTP/1.1\r\r\n", WI_HTTP_BARE_CR },
    { "GET / http/1.1\r\n", WI_HTTP_BAD_VERSION },
    { "GET / HTTP/11.1\r\n", WI_HTTP_BAD_VERSION },
    { "GET / HTTP/2.0\r\n", WI_HTTP_UNSUPPORTED_VERSION },
    { "CONNECT h:1 HTTP/1.1\r\n", WI_HTTP_CONNECT_REFUSED },
    { "GET / HTTP/1.1\r\nX\r\n", WI_HTTP_BAD_FIELD_NAME },
    { "GET / HTTP/1.1\r\n\r\n", WI_HTTP_HOST_MISSING },
    { "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", WI_HTTP_HOST_REPEATED },
    { "GET / HTTP/1.1\r\nHost: h/\r\n\r\n", WI_HTTP_BAD_HOST },
    { "GET http://g/ HTTP/1.1\r\nHost: h\r\n\r\n", WI_HTTP_HOST_MISMATCH },
    { "GET / HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n", WI_HTTP_BAD_EXPECTATION },
};

static void refused_heads_have_their_verdict(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct wi_http_request q;
        const int rc = parse(refused[i].text, &q);
        if (rc != refused[i].verdict)
            fail_msg("row %zu: %s instead of %s", i, wi_http_verdict_name(rc),
                     wi_http_verdict_name(refused[i].verdict));
    }
}

/* One call per byte with the hint must say at each length what a single call says. */
static void check_all_prefixes(const char *text, size_t len)
{
    struct wi_http_request q;
    for (size_t i = 0; i <= len; i++) {
        const int once = wi_http_request_parse(text, i, 0, &q, &limits);
        const int again = wi_http_request_parse(text, i, i > 0 ? i - 1 : 0, &q, &limits);
        assert_int_equal(once, again);
        if (once != 0)
            return;
        const int far = wi_http_request_parse(text, i, i / 2, &q, &limits);
        assert_int_equal(far, 0);
    }
}

static void verdicts_do_not_depend_on_how_bytes_arrive(void **state)
{
    (void)state;
    check_all_prefixes(usual, sizeof usual - 1);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        check_all_prefixes(refused[i].text, strlen(refused[i].text));
    const char *text = "\r\nPOST http://h/a?b HTTP/1.0\r\nHost: h\r\nA: b\r\nC:d\r\n\r\n";
    check_all_prefixes(text, strlen(text));
}

static void a_trickling_head_ends_with_the_same_facts(void **state)
{
    (void)state;
    struct wi_http_request whole;
    struct wi_http_request slow;
    memset(&whole, 0, sizeof whole);
    memset(&slow, 0, sizeof slow);
    assert_true(parse(usual, &whole) > 0);
    const size_t len = sizeof usual - 1;
    assert_int_equal(wi_http_request_parse(usual, len, len - 1, &slow, &limits), len);
    assert_memory_equal(&whole, &slow, wi_http_request_bytes(&whole));
}

static void sizes_are_bounded_and_named(void **state)
{
    (void)state;
    static char big[70000];
    struct wi_http_request q;
    limits.head_bytes_max = 100;
    limits.target_bytes_max = 40;

    memset(big, 'A', sizeof big);
    assert_int_equal(wi_http_request_parse(big, 99, 0, &q, &limits), 0);
    assert_int_equal(wi_http_request_parse(big, 100, 99, &q, &limits), WI_HTTP_METHOD_TOO_LONG);
    assert_int_equal(wi_http_request_parse(big, sizeof big, 0, &q, &limits),
                     WI_HTTP_METHOD_TOO_LONG);
    memcpy(big, "GET /", 5);
    assert_int_equal(wi_http_request_parse(big, 100, 0, &q, &limits), WI_HTTP_TARGET_TOO_LONG);
    memcpy(big + 60, " HTTP/1.1\r\n", 11);
    assert_int_equal(wi_http_request_parse(big, 71, 0, &q, &limits), WI_HTTP_TARGET_TOO_LONG);
    memcpy(big, "\r\nGET / HTTP/1.1\r\n", 18);
    assert_int_equal(wi_http_request_parse(big, 100, 0, &q, &limits), WI_HTTP_SPACE_BEFORE_COLON);
    big[70] = 'A';
    assert_int_equal(wi_http_request_parse(big, 100, 50, &q, &limits), WI_HTTP_HEAD_TOO_LARGE);

    /* A head of exactly the limit is accepted, one byte more is not. */
    const int len =
        snprintf(big, sizeof big, "GET / HTTP/1.1\r\nHost: h\r\nX: %.*s\r\n\r\n", 68,
                 "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
    assert_int_equal(len, 100);
    assert_int_equal(wi_http_request_parse(big, 100, 0, &q, &limits), 100);
    limits.head_bytes_max = 99;
    assert_int_equal(wi_http_request_parse(big, 100, 0, &q, &limits), WI_HTTP_HEAD_TOO_LARGE);
}

static void a_field_limit_of_its_own_holds_while_trickling(void **state)
{
    (void)state;
    limits.fields_max = 1;
    const char *text = "GET / HTTP/1.1\r\nHost: h\r\nA:1\r\nB:2\r\n\r\n";
    check_all_prefixes(text, strlen(text));
    struct wi_http_request q;
    assert_int_equal(parse(text, &q), WI_HTTP_TOO_MANY_FIELDS);
    assert_int_equal(wi_http_request_parse(text, strlen(text), 26, &q, &limits),
                     WI_HTTP_TOO_MANY_FIELDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_usual_request_gives_its_facts, fill_limits),
        cmocka_unit_test_setup(the_used_part_of_the_struct_is_a_copy_of_the_request, fill_limits),
        cmocka_unit_test_setup(a_body_is_announced_by_length_or_chunks, fill_limits),
        cmocka_unit_test_setup(an_absolute_target_is_cut_into_host_and_path, fill_limits),
        cmocka_unit_test_setup(every_method_has_its_number_and_name, fill_limits),
        cmocka_unit_test_setup(refused_heads_have_their_verdict, fill_limits),
        cmocka_unit_test_setup(verdicts_do_not_depend_on_how_bytes_arrive, fill_limits),
        cmocka_unit_test_setup(a_trickling_head_ends_with_the_same_facts, fill_limits),
        cmocka_unit_test_setup(sizes_are_bounded_and_named, fill_limits),
        cmocka_unit_test_setup(a_field_limit_of_its_own_holds_while_trickling, fill_limits),
    };
    return cmocka_run_group_tests_name("http/request", tests, NULL, NULL);
}
