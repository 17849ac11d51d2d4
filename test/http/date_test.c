/* SPDX-License-Identifier: MIT */
/* Goal: dates are formatted and parsed right over the whole range.  Method: known dates, a walk
 * over 8,000 years by parse(format(t)) == t with an independent calendar count, refused forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http/date.h"

#define NOW 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */

static int parse(const char *text, int64_t now, int64_t *out)
{
    return wi_http_date_parse(text, strlen(text), now, out);
}

static void known_times_have_their_text(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        const char *text;
    } table[] = {
        { 0, "Thu, 01 Jan 1970 00:00:00 GMT" },
        { NOW, "Sun, 06 Nov 1994 08:49:37 GMT" },
        { 951782400, "Tue, 29 Feb 2000 00:00:00 GMT" },
        { 4107542400, "Mon, 01 Mar 2100 00:00:00 GMT" },
        { 253402300799, "Fri, 31 Dec 9999 23:59:59 GMT" },
        { 253402300800, "Fri, 31 Dec 9999 23:59:59 GMT" },
        { -1, "Thu, 01 Jan 1970 00:00:00 GMT" },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char text[WI_HTTP_DATE_BYTES + 1] = { 0 };
        wi_http_date_format(table[i].seconds, text);
        assert_string_equal(text, table[i].text);
    }
}

static void every_day_of_eight_thousand_years_goes_round(void **state)
{
    (void)state;
    static const int lens[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int year = 1970, month = 0, day = 1;
    for (int64_t days = 0; year < 9999; days++) {
        char text[WI_HTTP_DATE_BYTES];
        char want[64];
        int64_t back = -1;
        const int64_t seconds = days * 86400 + days % 86400;
        wi_http_date_format(seconds, text);
        assert_int_equal(wi_http_date_parse(text, sizeof text, 0, &back), 0);
        assert_int_equal(back, seconds);
        snprintf(want, sizeof want, "%02d", day);
        assert_memory_equal(text + 5, want, 2);
        snprintf(want, sizeof want, "%04d", year);
        assert_memory_equal(text + 12, want, 4);
        const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        if (++day > lens[month] + (month == 1 && leap ? 1 : 0)) {
            day = 1;
            month = (month + 1) % 12;
            year += month == 0 ? 1 : 0;
        }
    }
}

static void the_three_forms_mean_the_same_time(void **state)
{
    (void)state;
    static const char *const forms[] = { "Sun, 06 Nov 1994 08:49:37 GMT",
                                         "Sunday, 06-Nov-94 08:49:37 GMT",
                                         "Sun Nov  6 08:49:37 1994", "Sun Nov 06 08:49:37 1994" };
    for (size_t i = 0; i < 4; i++) {
        int64_t out = 0;
        assert_int_equal(parse(forms[i], NOW, &out), 0);
        assert_int_equal(out, NOW);
    }
}

static void two_digit_years_lie_within_fifty_years_ahead(void **state)
{
    (void)state;
    int64_t out = 0;
    const int64_t in_2026 = 1793466000;
    assert_int_equal(parse("Friday, 06-Nov-76 08:49:37 GMT", in_2026, &out), 0);
    assert_int_equal(out, 3371878177); /* 2076 */
    assert_int_equal(parse("Sunday, 06-Nov-77 08:49:37 GMT", in_2026, &out), 0);
    assert_int_equal(out, 247654177); /* 1977 */
    assert_int_equal(parse("Thursday, 01-Jan-70 00:00:00 GMT", -5, &out), 0);
    assert_int_equal(out, 0);
}

static void a_leap_second_is_the_second_after(void **state)
{
    (void)state;
    int64_t out = 0;
    assert_int_equal(parse("Sat, 31 Dec 2016 23:59:60 GMT", 0, &out), 0);
    assert_int_equal(out, 1483228800);
}

static void what_is_no_date_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "sun, 06 nov 1994 08:49:37 GMT",
        "Sux, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nox 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Thu, 29 Feb 2100 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 19a4 08:49:37 GMT",
        "Sunday, 31-Nov-94 08:49:37 GMT",
        "Sunday 06-Nov-94 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun Nov  0 08:49:37 1994",
        "Sun Nov x6 08:49:37 1994",
        "Sun Nov 31 08:49:37 1994",
        "784111777",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t out = 0;
        if (parse(bad[i], NOW, &out) != WEIR_EINVAL)
            fail_msg("accepted: %s", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_times_have_their_text),
        cmocka_unit_test(every_day_of_eight_thousand_years_goes_round),
        cmocka_unit_test(the_three_forms_mean_the_same_time),
        cmocka_unit_test(two_digit_years_lie_within_fifty_years_ahead),
        cmocka_unit_test(a_leap_second_is_the_second_after),
        cmocka_unit_test(what_is_no_date_is_refused),
    };
    return cmocka_run_group_tests_name("http/date", tests, NULL, NULL);
}
