/* SPDX-License-Identifier: MIT */
/* Lines of the log: the calendar, the form, and what does not fit. */
#include "app/line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "weir/time.h"

static void dates_are_those_of_the_calendar(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        const char *text;
    } table[] = {
        { 0, "1970-01-01T00:00:00.000Z" },          { 951782399, "2000-02-28T23:59:59.000Z" },
        { 951782400, "2000-02-29T00:00:00.000Z" },  { 951868800, "2000-03-01T00:00:00.000Z" },
        { 1709164800, "2024-02-29T00:00:00.000Z" }, { 1735689599, "2024-12-31T23:59:59.000Z" },
        { 1735689600, "2025-01-01T00:00:00.000Z" }, { 4107542400, "2100-03-01T00:00:00.000Z" },
        { 1795455025, "2026-11-23T17:30:25.000Z" },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char line[WI_LINE_BYTES];
        (void)wi_line_format(line, sizeof(line), table[i].seconds * WEIR_NS_PER_S, WI_LOG_INFO, "n",
                             "t");
        assert_memory_equal(line, table[i].text, strlen(table[i].text));
    }
}

static void a_line_has_time_level_name_and_text(void **state)
{
    (void)state;
    char line[WI_LINE_BYTES];
    const size_t bytes = wi_line_format(line, sizeof(line), 1234567890123456789, WI_LOG_WARN,
                                        "hello", "something happened");
    assert_string_equal(line, "2009-02-13T23:31:30.123Z warn  hello: something happened\n");
    assert_int_equal(bytes, strlen(line));
}

static void a_long_line_is_cut_and_keeps_its_end(void **state)
{
    (void)state;
    char text[2 * WI_LINE_BYTES];
    char line[64];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    const size_t bytes = wi_line_format(line, sizeof(line), 0, WI_LOG_ERROR, "n", text);
    assert_int_equal(bytes, sizeof(line) - 1);
    assert_int_equal(line[bytes - 1], '\n');
    assert_int_equal(line[bytes], '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_are_those_of_the_calendar),
        cmocka_unit_test(a_line_has_time_level_name_and_text),
        cmocka_unit_test(a_long_line_is_cut_and_keeps_its_end),
    };
    return cmocka_run_group_tests_name("line", tests, NULL, NULL);
}
