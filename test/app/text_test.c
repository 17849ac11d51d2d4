/* SPDX-License-Identifier: MIT */
/* Bounded text: what fits is there, what does not is left out whole. */
#include "app/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void pieces_follow_each_other(void **state)
{
    (void)state;
    char buffer[32];
    struct wi_text text;
    wi_text_init(&text, buffer, sizeof(buffer));
    assert_string_equal(text.data, "");
    wi_text_add(&text, "%d-", 1);
    wi_text_add(&text, "%s", "two");
    assert_string_equal(text.data, "1-two");
    assert_int_equal(text.bytes, 5);
    assert_false(text.cut);
}

static void a_piece_that_does_not_fit_is_left_out_whole(void **state)
{
    (void)state;
    char buffer[8];
    struct wi_text text;
    wi_text_init(&text, buffer, sizeof(buffer));
    wi_text_add(&text, "1234");
    wi_text_add(&text, "5678");
    assert_true(text.cut);
    assert_string_equal(text.data, "1234");
    wi_text_add(&text, "567");
    assert_string_equal(text.data, "1234567");
    assert_true(text.cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_follow_each_other),
        cmocka_unit_test(a_piece_that_does_not_fit_is_left_out_whole),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
