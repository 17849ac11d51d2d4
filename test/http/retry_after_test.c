/* SPDX-License-Identifier: MIT */
/* When a server wants to be asked again: numbers, dates, and what is neither. */
#include "http/retry_after.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http/response.h"
#include "weir/time.h"

#define NOW 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */

static int64_t seconds_in(const char *text)
{
    const int64_t wait_ns = wi_http_retry_after_of_s(text, strlen(text), NOW);
    if (wait_ns < 0 || wait_ns == INT64_MAX)
        return wait_ns;
    assert_int_equal(wait_ns % WEIR_NS_PER_S, 0);
    return wait_ns / WEIR_NS_PER_S;
}

static void a_number_is_seconds(void **state)
{
    (void)state;
    assert_int_equal(seconds_in("0"), 0);
    assert_int_equal(seconds_in("120"), 120);
    assert_int_equal(seconds_in("000000000000000000000000000007"), 7);
    assert_int_equal(seconds_in("9223372036"), 9223372036);
}

static void a_number_beyond_all_bounds_is_as_long_as_fits(void **state)
{
    (void)state;
    static const char *const texts[] = { "9223372037", "9223372036854775807", "9223372036854775808",
                                         "99999999999999999999999999999999999999999999999999" };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(seconds_in(texts[i]), INT64_MAX);
    assert_int_equal(wi_http_retry_after_of_ms("9223372036854", 13), 9223372036854 * 1000000);
    assert_int_equal(wi_http_retry_after_of_ms("9223372036855", 13), INT64_MAX);
}

static void each_form_of_a_date_is_as_far_away_as_it_is(void **state)
{
    (void)state;
    assert_int_equal(seconds_in("Sun, 06 Nov 1994 08:50:07 GMT"), 30);
    assert_int_equal(seconds_in("Sunday, 06-Nov-94 08:50:07 GMT"), 30);
    assert_int_equal(seconds_in("Sun Nov  6 08:50:07 1994"), 30);
    assert_int_equal(seconds_in("Fri, 31 Dec 9999 23:59:59 GMT"), INT64_MAX);
}

static void a_date_that_has_passed_is_now(void **state)
{
    (void)state;
    assert_int_equal(seconds_in("Sun, 06 Nov 1994 08:49:37 GMT"), 0);
    assert_int_equal(seconds_in("Sun, 06 Nov 1994 08:49:36 GMT"), 0);
    assert_int_equal(seconds_in("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
}

static void what_is_neither_is_not_there(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",    "-1", "+1",   "1.5",  "1 2",
        "1e3", "0x", "soon", "1, 2", "Sun, 06 Nov 1994",
        "1s",  " 1", "1 ",   "\xff", "Sun, 31 Feb 1994 0:0:0 GMT"
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(seconds_in(texts[i]), -1);
        assert_int_equal(wi_http_retry_after_of_ms(texts[i], strlen(texts[i])), -1);
    }
    const char *date = "Sun, 06 Nov 1994 08:50:07 GMT";
    assert_int_equal(wi_http_retry_after_of_ms(date, strlen(date)), -1);
}

static int64_t asked_by(const char *fields)
{
    char buf[1024];
    static struct wi_http_response response;
    static const struct wi_http_limits none;
    struct wi_http_limits limits = none;
    wi_http_limits_fill(&limits);
    const int bytes =
        snprintf(buf, sizeof(buf), "HTTP/1.1 503 Slow Down\r\n%sContent-Length: 0\r\n\r\n", fields);
    assert_true(wi_http_response_parse(buf, (size_t)bytes, 0, false, &response, &limits) > 0);
    return wi_http_retry_after(&response.head, buf, NOW);
}

static void an_answer_tells_the_clock_that_its_date_is_of(void **state)
{
    (void)state;
    assert_int_equal(asked_by(""), -1);
    assert_int_equal(asked_by("Retry-After: 2\r\n"), 2 * WEIR_NS_PER_S);
    assert_int_equal(asked_by("retry-after: Sun, 06 Nov 1994 08:49:40 GMT\r\n"), 3 * WEIR_NS_PER_S);
    /* An hour ahead of us, and then ten minutes. */
    assert_int_equal(asked_by("Date: Sun, 06 Nov 1994 09:49:37 GMT\r\n"
                              "Retry-After: Sun, 06 Nov 1994 09:59:37 GMT\r\n"),
                     600 * WEIR_NS_PER_S);
    assert_int_equal(asked_by("Date: today\r\n"
                              "Retry-After: Sun, 06 Nov 1994 08:49:40 GMT\r\n"),
                     3 * WEIR_NS_PER_S);
}

static void milliseconds_count_before_seconds(void **state)
{
    (void)state;
    assert_int_equal(asked_by("Retry-After-Ms: 250\r\n"), 250 * WEIR_NS_PER_MS);
    assert_int_equal(asked_by("Retry-After: 1\r\nRetry-After-Ms: 250\r\n"), 250 * WEIR_NS_PER_MS);
    assert_int_equal(asked_by("Retry-After: 1\r\nRetry-After-Ms: soon\r\n"), WEIR_NS_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_seconds),
        cmocka_unit_test(a_number_beyond_all_bounds_is_as_long_as_fits),
        cmocka_unit_test(each_form_of_a_date_is_as_far_away_as_it_is),
        cmocka_unit_test(a_date_that_has_passed_is_now),
        cmocka_unit_test(what_is_neither_is_not_there),
        cmocka_unit_test(an_answer_tells_the_clock_that_its_date_is_of),
        cmocka_unit_test(milliseconds_count_before_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
