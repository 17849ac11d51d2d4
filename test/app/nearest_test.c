/* SPDX-License-Identifier: MIT */
/* The word that somebody may have meant. */
#include "app/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void distances(void **state)
{
    (void)state;
    assert_int_equal(wi_word_distance("", ""), 0);
    assert_int_equal(wi_word_distance("", "abc"), 3);
    assert_int_equal(wi_word_distance("loop", "loop"), 0);
    assert_int_equal(wi_word_distance("lop", "loop"), 1);
    assert_int_equal(wi_word_distance("looop", "loop"), 1);
    assert_int_equal(wi_word_distance("loap", "loop"), 1);
    assert_int_equal(wi_word_distance("olop", "loop"), 1); /* a swap of neighbours */
    assert_int_equal(wi_word_distance("kitten", "sitting"), 3);
}

static void a_word_of_any_length_is_compared(void **state)
{
    (void)state;
    char word[1000];
    memset(word, 'x', sizeof(word));
    word[sizeof(word) - 1] = '\0';
    assert_true(wi_word_distance(word, "loop") >= 31);
    assert_int_equal(wi_word_distance(word, word), 0);
}

static void only_slips_of_the_finger_are_guessed(void **state)
{
    (void)state;
    static const char *const words[] = { "loop", "cluster", "tasks", "threads", "prefork" };
    assert_string_equal(wi_nearest("lop", words, 5), "loop");
    assert_string_equal(wi_nearest("clutser", words, 5), "cluster");
    assert_string_equal(wi_nearest("thread", words, 5), "threads");
    assert_string_equal(wi_nearest("task", words, 5), "tasks");
    assert_null(wi_nearest("erlang", words, 5));
    assert_null(wi_nearest("", words, 5));
    assert_null(wi_nearest("x", words, 5));
    assert_null(wi_nearest("loop", words, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances),
        cmocka_unit_test(a_word_of_any_length_is_compared),
        cmocka_unit_test(only_slips_of_the_finger_are_guessed),
    };
    return cmocka_run_group_tests_name("nearest", tests, NULL, NULL);
}
