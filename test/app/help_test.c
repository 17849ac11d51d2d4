/* SPDX-License-Identifier: MIT */
/* The help of any app fits a terminal and names every option. */
#include "app/help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/options.h"

static char buffer[WI_HELP_BYTES];

static const char *help_of(const struct weir_app_spec *spec)
{
    struct wi_text text;
    wi_text_init(&text, buffer, sizeof(buffer));
    wi_help_write(&text, spec);
    assert_false(text.cut);
    return buffer;
}

static void no_line_is_longer_than_a_terminal(void **state)
{
    (void)state;
    static const struct weir_app_spec specs[] = {
        { .name = "hello", .state = WEIR_STATE_NONE },
        { .name = "hello",
          .state = WEIR_STATE_LOOP_ONLY,
          .listen = "unix:/run/hello.sock",
          .summary = "greets everybody who asks, by name, as often as they like and as politely as "
                     "can be expected of a program that was written to be measured" },
        { .name = "a-program-of-a-rather-long-name", .state = WEIR_STATE_PER_PROCESS },
    };
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        for (const char *line = help_of(&specs[i]); *line != '\0';) {
            const size_t columns = strcspn(line, "\n");
            if (strstr(specs[i].name, "long") == NULL || strncmp(line, "  ", 2) != 0)
                assert_in_range(columns, 0, 80);
            assert_true(columns == 0 || line[columns - 1] != ' ');
            line += columns + 1;
        }
    }
}

static void every_option_model_and_variable_is_there(void **state)
{
    (void)state;
    const char *text = help_of(&(struct weir_app_spec){ .name = "x", .state = WEIR_STATE_NONE });
    for (const struct wi_option_row *row = wi_option_rows; row->name != NULL; row++) {
        assert_non_null(strstr(text, row->name));
        if (row->env != NULL)
            assert_non_null(strstr(text, row->env));
    }
    for (int i = 0; i < WI_MODELS; i++) {
        assert_non_null(strstr(text, wi_models[i].name));
        assert_non_null(strstr(text, wi_models[i].aliases[0]));
    }
}

static void the_default_is_that_of_the_app(void **state)
{
    (void)state;
    assert_non_null(strstr(help_of(&(struct weir_app_spec){
                               .name = "x", .state = WEIR_STATE_LOOP_ONLY, .listen = ":1234" }),
                           "\n* loop "));
    assert_non_null(strstr(buffer, "[:1234]"));
    assert_non_null(strstr(buffer, "[loop] WEIR_MODEL"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_line_is_longer_than_a_terminal),
        cmocka_unit_test(every_option_model_and_variable_is_there),
        cmocka_unit_test(the_default_is_that_of_the_app),
    };
    return cmocka_run_group_tests_name("help", tests, NULL, NULL);
}
