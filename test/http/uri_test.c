/* SPDX-License-Identifier: MIT */
/* Goal: authorities, URLs, escapes and queries are cut as uri.h says.  Method: tables of accepted
 * and refused texts; refused ones are the classic ways to make two parsers disagree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/status.h"
#include "http/uri.h"

static int64_t decode(const char *text, bool plus, char *out, size_t cap)
{
    return wi_http_percent_decode(text, strlen(text), plus, out, cap);
}

static void escapes_are_decoded_once(void **state)
{
    (void)state;
    char out[32];
    assert_int_equal(decode("a%20b%2Fc%252e", false, out, sizeof out), 8);
    assert_memory_equal(out, "a b/c%2e", 8);
    assert_int_equal(decode("a+b", false, out, sizeof out), 3);
    assert_memory_equal(out, "a+b", 3);
    assert_int_equal(decode("a+b%2b", true, out, sizeof out), 4);
    assert_memory_equal(out, "a b+", 4);
    assert_int_equal(decode("%ff", false, out, sizeof out), 1);
    assert_int_equal((unsigned char)out[0], 0xff);
}

static void malformed_escapes_and_nul_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = { "%", "%4", "%zz", "%4g", "%00", "a%0", "%-1", "% 1" };
    char out[32];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(decode(bad[i], true, out, sizeof out), WEIR_EINVAL);
}

static void decoding_stops_at_the_room_it_has(void **state)
{
    (void)state;
    char out[4] = "....";
    assert_int_equal(decode("abc", false, out, 2), WEIR_ENOSPC);
    assert_int_equal(out[2], '.');
    assert_int_equal(decode("%61%62", false, out, 2), 2);
}

static void decoding_in_place_gives_the_same(void **state)
{
    (void)state;
    char text[] = "x%41%42y";
    assert_int_equal(wi_http_percent_decode(text, 8, false, text, 8), 4);
    assert_memory_equal(text, "xABy", 4);
}

static void dot_segments_and_bad_escapes_are_found_in_paths(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int verdict;
    } table[] = {
        { "/", 0 },
        { "/a.b", 0 },
        { "/...", 0 },
        { "/.a", 0 },
        { "/a..", 0 },
        { "/..a/b", 0 },
        { "/%2f...", 0 },
        { "/..a%2f", 0 },
        { "/%41", 0 },
        { "/.", WI_HTTP_DOT_SEGMENT },
        { "/..", WI_HTTP_DOT_SEGMENT },
        { "/a/../b", WI_HTTP_DOT_SEGMENT },
        { "/a/./b", WI_HTTP_DOT_SEGMENT },
        { "/%2e", WI_HTTP_DOT_SEGMENT },
        { "/%2E%2e/", WI_HTTP_DOT_SEGMENT },
        { "/.%2e/", WI_HTTP_DOT_SEGMENT },
        { "/%2f..", WI_HTTP_DOT_SEGMENT },
        { "/..%2Fa", WI_HTTP_DOT_SEGMENT },
        { "/a%2F.%2e%2fb", WI_HTTP_DOT_SEGMENT },
        { "/%2e%2F", WI_HTTP_DOT_SEGMENT },
        { "/%", WI_HTTP_BAD_ESCAPE },
        { "/%1", WI_HTTP_BAD_ESCAPE },
        { "/%g1", WI_HTTP_BAD_ESCAPE },
        { "/a%00b", WI_HTTP_BAD_ESCAPE },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        assert_int_equal(wi_http_path_check(table[i].path, strlen(table[i].path)),
                         table[i].verdict);
}

static void queries_are_cut_into_pairs(void **state)
{
    (void)state;
    const char *rest = "&a=1&&b&c==2&=3&";
    size_t left = strlen(rest);
    static const char *const want[][2] = { { "a", "1" }, { "b", "" }, { "c", "=2" }, { "", "3" } };
    struct wi_http_pair pair;
    for (size_t i = 0; i < 4; i++) {
        assert_true(wi_http_query_next(&rest, &left, &pair));
        assert_int_equal(pair.name_len, strlen(want[i][0]));
        assert_memory_equal(pair.name, want[i][0], pair.name_len);
        assert_int_equal(pair.value_len, strlen(want[i][1]));
        assert_memory_equal(pair.value, want[i][1], pair.value_len);
    }
    assert_false(wi_http_query_next(&rest, &left, &pair));
}

static void good_authorities_are_accepted(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t host_len;
        int port;
    } table[] = {
        { "h", 1, -1 },
        { "example.com:8080", 11, 8080 },
        { "h:", 1, -1 },
        { "h:0", 1, 0 },
        { "h:65535", 1, 65535 },
        { "192.0.2.1:80", 9, 80 },
        { "[::]", 4, -1 },
        { "[::1]:80", 5, 80 },
        { "[1:2:3:4:5:6:7:8]", 17, -1 },
        { "[1::8]", 6, -1 },
        { "[1:2:3:4:5:6:7::]", 17, -1 },
        { "[::1.2.3.4]", 11, -1 },
        { "[1:2:3:4:5:6:1.2.3.4]", 21, -1 },
        { "a_b~c!d", 7, -1 },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct wi_http_authority out;
        const size_t len = strlen(table[i].text);
        assert_int_equal(wi_http_authority_parse(table[i].text, len, &out), 0);
        assert_int_equal(out.host_len, table[i].host_len);
        assert_int_equal(out.port, table[i].port);
    }
}

static void bad_authorities_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        ":80",
        "u@h",
        "u:p@h",
        "h:65536",
        "h:000080",
        "h:x",
        "h:-1",
        "h:80:80",
        "h/x",
        "h ",
        "a b",
        "%61",
        "[]",
        "[::1",
        "[:1]",
        "[1:2]",
        "[1::2::3]",
        "[:::]",
        "[1:2:3:4:5:6:7:8:9]",
        "[1:2:3:4:5:6:7:8::]",
        "[12345::]",
        "[::g]",
        "[::1]x",
        "[::1.2.3]",
        "[::1.2.3.256]",
        "[::1.2.3.4.5]",
        "[::01.2.3.4]",
        "[::1.2.3.]",
        "[1.2.3.4]",
        "[1:2:3:4:5:6:7:1.2.3.4]",
        "[::1%25eth0]",
        "[v1.a]",
        "[1:]",
        "[1:2:3:4:5:6:7:]",
        "\xc3\xa9",
        "[:]",
        "[::1.]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct wi_http_authority out;
        if (wi_http_authority_parse(bad[i], strlen(bad[i]), &out) != WEIR_EINVAL)
            fail_msg("accepted: %s", bad[i]);
    }
}

static void urls_are_cut_into_their_parts(void **state)
{
    (void)state;
    const char *text = "HTTPS://[::1]:8443/a/b?x=1?y";
    struct wi_http_url url;
    assert_int_equal(wi_http_url_parse(text, strlen(text), &url), 0);
    assert_true(url.https);
    assert_int_equal(url.port, 8443);
    assert_int_equal(url.authority_len, 10);
    assert_int_equal(url.host_len, 3);
    assert_memory_equal(url.host, "::1", 3);
    assert_int_equal(url.path_len, 4);
    assert_memory_equal(url.path, "/a/b", 4);
    assert_int_equal(url.query_len, 5);
    assert_memory_equal(url.query, "x=1?y", 5);

    assert_int_equal(wi_http_url_parse("http://h", 8, &url), 0);
    assert_int_equal(url.port, 80);
    assert_int_equal(url.path_len, 0);
    assert_null(url.query);
    assert_int_equal(wi_http_url_parse("https://h?q", 11, &url), 0);
    assert_int_equal(url.port, 443);
    assert_int_equal(url.path_len, 0);
    assert_int_equal(url.query_len, 1);
}

static void other_urls_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = { "",           "h",          "http:/h",    "http://",
                                       "http:///a",  "ftp://h/",   "http://u@h", "http://h/#x",
                                       "http://h#x", "http://h/ ", "http://h\\", "http://h/\x7f",
                                       "httpx://h",  "http://h?#", "//h/" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct wi_http_url url;
        assert_int_equal(wi_http_url_parse(bad[i], strlen(bad[i]), &url), WEIR_EINVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_are_decoded_once),
        cmocka_unit_test(malformed_escapes_and_nul_are_refused),
        cmocka_unit_test(decoding_stops_at_the_room_it_has),
        cmocka_unit_test(decoding_in_place_gives_the_same),
        cmocka_unit_test(dot_segments_and_bad_escapes_are_found_in_paths),
        cmocka_unit_test(queries_are_cut_into_pairs),
        cmocka_unit_test(good_authorities_are_accepted),
        cmocka_unit_test(bad_authorities_are_refused),
        cmocka_unit_test(urls_are_cut_into_their_parts),
        cmocka_unit_test(other_urls_are_refused),
    };
    return cmocka_run_group_tests_name("http/uri", tests, NULL, NULL);
}
