/* SPDX-License-Identifier: MIT */
/* What the tasks do, as text of bounded length and on standard error. */
#include "app/tasks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

static char data[64 * 1024];

static const char *written(size_t cap)
{
    struct wi_text text;
    wi_text_init(&text, data, cap);
    wi_tasks_write(&text);
    CHECK(!text.cut);
    CHECK_EQ(strlen(data), text.bytes);
    return data;
}

RUN(the_caller_is_among_the_tasks)
{
    const char *text = written(sizeof(data));
    CHECK(strstr(text, "weir: 1 task ") != NULL);
    CHECK(strstr(text, "\"main\"") != NULL);
    CHECK(strstr(text, "does not fit") == NULL);
    return 0;
}

/* Whole lines, and the last says so. */
RUN(what_does_not_fit_is_left_out_and_said)
{
    for (size_t cap = 100; cap < 400; cap += 7) {
        const char *text = written(cap);
        CHECK(strstr(text, "... (the rest does not fit)\n") != NULL);
        const char *line = strstr(text, "...");
        CHECK(line == text || line[-1] == '\n');
    }
    return 0;
}

static void without_a_runtime_it_says_why(void **state)
{
    (void)state;
    assert_string_equal(written(sizeof(data)), "the tasks cannot be told: WEIR_ENOTOPEN\n");
}

static void print_in_child(void)
{
    wi_tasks_print("it");
}

static void printing_frames_the_dump(void **state)
{
    (void)state;
    char text[4096];
    assert_int_equal(run_in_child(print_in_child, text, sizeof(text)), 0);
    assert_string_equal(text, "it: what every task does now\n"
                              "the tasks cannot be told: WEIR_ENOTOPEN\n"
                              "it: that was every task\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_caller_is_among_the_tasks),
        cmocka_unit_test(what_does_not_fit_is_left_out_and_said),
        cmocka_unit_test(without_a_runtime_it_says_why),
        cmocka_unit_test(printing_frames_the_dump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
