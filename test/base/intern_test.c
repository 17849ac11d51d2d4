/* SPDX-License-Identifier: MIT */
/* Interned texts: one copy of equal ones, whatever becomes of the original, up to a bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/intern.h"

static void equal_texts_have_one_copy(void **state)
{
    (void)state;
    char text[] = "/users/:id";
    const char *kept = wi_intern(text);
    assert_non_null(kept);
    assert_ptr_not_equal(kept, text);
    text[1] = 'U';
    assert_string_equal(kept, "/users/:id");
    assert_ptr_equal(wi_intern("/users/:id"), kept);
    assert_ptr_not_equal(wi_intern(text), kept);
    assert_string_equal(wi_intern(""), "");
}

static void texts_beyond_the_bound_are_refused_and_known_ones_stay(void **state)
{
    (void)state;
    char text[16];
    const char *first = NULL;
    for (int i = 0;; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        const char *copy = wi_intern(text);
        if (copy == NULL)
            break;
        assert_string_equal(copy, text);
        first = first == NULL ? copy : first;
        assert_true(i < WI_INTERN_BYTES_MAX);
    }
    assert_non_null(first);
    assert_ptr_equal(wi_intern("0"), first);
    assert_null(wi_intern(text));
}

static void a_text_longer_than_all_is_refused(void **state)
{
    (void)state;
    static char text[WI_INTERN_BYTES_MAX + 8];
    memset(text, 'y', sizeof(text) - 1);
    assert_null(wi_intern(text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_texts_have_one_copy),
        cmocka_unit_test(a_text_longer_than_all_is_refused),
        cmocka_unit_test(texts_beyond_the_bound_are_refused_and_known_ones_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
