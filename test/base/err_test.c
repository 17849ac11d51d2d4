/* SPDX-License-Identifier: MIT */
/* The table of result codes: numbers are the system's, names and texts are there and unique. */
#include "weir/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

struct row {
    int code;
    const char *name;
    const char *text;
};

static const struct row rows[] = {
#define ROW(name, number, text) { (number), #name, (text) },
    WEIR_ERR_TABLE(ROW)
#undef ROW
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static void every_code_has_its_name_and_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        assert_string_equal(weir_err_name(rows[i].code), rows[i].name);
        assert_string_equal(weir_err_text(rows[i].code), rows[i].text);
        assert_true(rows[i].code < 0);
    }
}

static void no_name_is_used_twice(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(rows[i].code, rows[j].code);
            assert_string_not_equal(rows[i].name, rows[j].name);
            assert_string_not_equal(rows[i].text, rows[j].text);
        }
    }
}

static void codes_of_the_system_are_its_numbers(void **state)
{
    (void)state;
    assert_int_equal(WEIR_EAGAIN, -EAGAIN);
    assert_int_equal(WEIR_EPIPE, -EPIPE);
    assert_int_equal(WEIR_EADDRINUSE, -EADDRINUSE);
    assert_int_equal(WEIR_ECONNRESET, -ECONNRESET);
    assert_int_equal(WEIR_ECONNREFUSED, -ECONNREFUSED);
    assert_int_equal(WEIR_EHOSTUNREACH, -EHOSTUNREACH);
    assert_int_equal(WEIR_ENOTSUP, -ENOTSUP);
    assert_int_equal(WEIR_EMSGSIZE, -EMSGSIZE);
    assert_int_equal(WEIR_EALREADY, -EALREADY);
    assert_int_equal(WEIR_EINPROGRESS, -EINPROGRESS);
    assert_int_equal(WEIR_ENOTCONN, -ENOTCONN);
    assert_int_equal(WEIR_EMFILE, -EMFILE);
    assert_true(WEIR_ECLOSED < -4000);
}

static void success_and_strangers_have_texts_too(void **state)
{
    (void)state;
    assert_string_equal(weir_err_name(0), "0");
    assert_string_equal(weir_err_text(0), "success");
    assert_string_equal(weir_err_name(-3999), "WEIR_E?");
    assert_string_equal(weir_err_text(17), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_name_and_text),
        cmocka_unit_test(no_name_is_used_twice),
        cmocka_unit_test(codes_of_the_system_are_its_numbers),
        cmocka_unit_test(success_and_strangers_have_texts_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
