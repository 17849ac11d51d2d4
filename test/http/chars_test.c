/* SPDX-License-Identifier: MIT */
/* Goal: the class table says what the grammar says.  Method: every class of every byte is
 * recomputed here from the productions of RFC 9110 and RFC 3986 and compared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/chars.h"

static bool one_of(int byte, const char *set)
{
    return byte != 0 && strchr(set, byte) != NULL;
}

static bool is_alnum(int b)
{
    return (b >= '0' && b <= '9') || (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z');
}

static unsigned classes_of(int b)
{
    const bool host = is_alnum(b) || one_of(b, "-._~!$&'()*+,;=");
    const bool path = host || one_of(b, ":@/%[]^`{|}");
    unsigned bits = 0;
    if (is_alnum(b) || one_of(b, "!#$%&'*+-.^_`|~"))
        bits |= WI_HTTP_TOKEN;
    if (b == '\t' || (b >= 0x20 && b != 0x7f))
        bits |= WI_HTTP_VALUE;
    if (path)
        bits |= WI_HTTP_PATH;
    if (path || b == '?')
        bits |= WI_HTTP_QUERY;
    if (host)
        bits |= WI_HTTP_HOST;
    if (b == '%' || b == '.')
        bits |= WI_HTTP_MARK;
    if (one_of(b, "0123456789abcdefABCDEF"))
        bits |= WI_HTTP_HEX;
    return bits;
}

static void every_byte_has_the_classes_of_the_grammar(void **state)
{
    (void)state;
    for (int b = 0; b < 256; b++)
        assert_int_equal(wi_http_class[b], classes_of(b));
}

static void hex_values_cover_both_cases_and_nothing_else(void **state)
{
    (void)state;
    for (int b = 0; b < 256; b++) {
        const char *digits = "0123456789abcdef";
        const char lower = wi_http_lower((char)b);
        const char *at = b != 0 ? strchr(digits, lower) : NULL;
        assert_int_equal(wi_http_hex_value((char)b), at != NULL ? (int)(at - digits) : -1);
    }
}

static void only_letters_have_a_lower_case(void **state)
{
    (void)state;
    for (int b = 0; b < 256; b++) {
        const bool upper = b >= 'A' && b <= 'Z';
        assert_int_equal((unsigned char)wi_http_lower((char)b), upper ? b + 32 : b);
    }
    assert_true(wi_http_same_text("HoSt", "hOsT", 4));
    assert_false(wi_http_same_text("host", "hosT\x01", 5));
    assert_false(wi_http_same_text("a\rb", "a-b", 3));
}

static void no_bytes_are_all_of_any_class(void **state)
{
    (void)state;
    assert_true(wi_http_all_of("", 0, WI_HTTP_TOKEN));
    assert_true(wi_http_all_of("abc", 3, WI_HTTP_TOKEN));
    assert_false(wi_http_all_of("ab c", 4, WI_HTTP_TOKEN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_has_the_classes_of_the_grammar),
        cmocka_unit_test(hex_values_cover_both_cases_and_nothing_else),
        cmocka_unit_test(only_letters_have_a_lower_case),
        cmocka_unit_test(no_bytes_are_all_of_any_class),
    };
    return cmocka_run_group_tests_name("http/chars", tests, NULL, NULL);
}
