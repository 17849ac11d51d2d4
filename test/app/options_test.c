/* SPDX-License-Identifier: MIT */
/* Options: what the parser takes, from where, and how it refuses the rest. */
#include "app/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "weir/time.h"

static const char *const *variables; /* name, value, name, value, ..., NULL */

static const char *env(const char *name)
{
    for (const char *const *at = variables; at != NULL && *at != NULL; at += 2) {
        if (strcmp(at[0], name) == 0)
            return at[1];
    }
    return NULL;
}

static struct wi_options options;
static char why_text[512];

/* Parses up to seven arguments after the program's name. */
static int parse(const char *const *arguments)
{
    static char copies[12][256];
    char *argv[13] = { copies[0] };
    int argc = 1;
    struct wi_text why;
    wi_text_init(&why, why_text, sizeof(why_text));
    while (argc < 12 && arguments[argc - 1] != NULL) {
        (void)snprintf(copies[argc], sizeof(copies[argc]), "%s", arguments[argc - 1]);
        argv[argc] = copies[argc];
        argc++;
    }
    const int rc = wi_options_parse(&options, argc, argv, env, &why);
    assert_false(why.cut);
    assert_null(strchr(why_text, '\n'));
    assert_int_equal(rc == 0, why_text[0] == '\0');
    return rc;
}

#define PARSE(...) parse((const char *const[]){ __VA_ARGS__, NULL })

static int clear(void **state)
{
    (void)state;
    variables = NULL;
    return 0;
}

static void nothing_asks_for_nothing(void **state)
{
    (void)state;
    assert_int_equal(parse((const char *const[]){ NULL }), 0);
    assert_null(options.wish.model);
    assert_int_equal(options.wish.scheduler, -1);
    assert_int_equal(options.wish.processes, 0);
    assert_int_equal(options.wish.cores, 0);
    assert_int_equal(options.wish.running_max, 0);
    assert_int_equal(options.waiting_max, 0);
    assert_int_equal(options.waiting_age_ns, 0);
    assert_int_equal(options.listen_count, 0);
    assert_null(options.admin);
    assert_int_equal(options.drain_ns, 10 * WEIR_NS_PER_S);
    assert_int_equal(options.log_level, WI_LOG_INFO);
    assert_false(options.old_kernel);
}

static void both_ways_to_write_a_value_are_read(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--model=go", "--cores", "3", "--listen", ":1", "--listen=:2"), 0);
    assert_string_equal(options.wish.model->name, "tasks");
    assert_int_equal(options.wish.cores, 3);
    assert_int_equal(options.listen_count, 2);
    assert_string_equal(options.listen[0], ":1");
    assert_string_equal(options.listen[1], ":2");
}

static void every_option_is_understood(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--scheduler=threads", "--processes=4", "--max-running=9",
                           "--max-waiting=200,500ms", "--admin=:9", "--drain-timeout=2m",
                           "--log=debug", "--sigquit=stay", "--admission=off",
                           "--client-abort=ignore"),
                     0);
    assert_true(options.quit_stays);
    assert_true(options.admission_off);
    assert_true(options.ignore_client_abort);
    assert_int_equal(options.wish.scheduler, WEIR_SCHEDULER_THREADS);
    assert_int_equal(options.wish.processes, 4);
    assert_int_equal(options.wish.running_max, 9);
    assert_int_equal(options.waiting_max, 200);
    assert_int_equal(options.waiting_age_ns, 500 * WEIR_NS_PER_MS);
    assert_string_equal(options.admin, ":9");
    assert_int_equal(options.drain_ns, 120 * WEIR_NS_PER_S);
    assert_int_equal(options.log_level, WI_LOG_DEBUG);
}

static void waiting_is_a_count_an_age_or_both(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--max-waiting=7"), 0);
    assert_int_equal(options.waiting_max, 7);
    assert_int_equal(options.waiting_age_ns, 0);
    assert_int_equal(PARSE("--max-waiting=2s"), 0);
    assert_int_equal(options.waiting_max, 0);
    assert_int_equal(options.waiting_age_ns, 2 * WEIR_NS_PER_S);
    assert_int_equal(PARSE("--max-waiting=2s,7"), 0);
    assert_int_equal(options.waiting_max, 7);
    static const char *const wrong[] = {
        "",        ",",   "7,8",    "1s,2s", "7,",
        "0",       "0s",  "7,8,9s", "-1",    "1.5s",
        "1000001", "7s8", "7,1s,",  " 7",    "99999999999999999999"
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char argument[64];
        (void)snprintf(argument, sizeof(argument), "--max-waiting=%s", wrong[i]);
        assert_int_equal(PARSE(argument), WEIR_EINVAL);
        assert_non_null(strstr(why_text, "--max-waiting="));
        assert_non_null(strstr(why_text, "200,500ms"));
    }
}

static void durations_have_units(void **state)
{
    (void)state;
    assert_int_equal(wi_duration_parse("5"), 5 * WEIR_NS_PER_S);
    assert_int_equal(wi_duration_parse("0"), 0);
    assert_int_equal(wi_duration_parse("250us"), 250 * WEIR_NS_PER_US);
    assert_int_equal(wi_duration_parse("250ms"), 250 * WEIR_NS_PER_MS);
    assert_int_equal(wi_duration_parse("10s"), 10 * WEIR_NS_PER_S);
    assert_int_equal(wi_duration_parse("2m"), 120 * WEIR_NS_PER_S);
    assert_int_equal(wi_duration_parse("24h"), 24 * 3600 * WEIR_NS_PER_S);
    static const char *const wrong[] = { "",
                                         "s",
                                         "-1s",
                                         "1.5s",
                                         "10 s",
                                         "10S",
                                         "10d",
                                         "25h",
                                         "+1",
                                         "0x5",
                                         "9223372036854775807s",
                                         "99999999999999999999" };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(wi_duration_parse(wrong[i]), WEIR_EINVAL);
}

/* option, what the line must say */
static void what_is_wrong_is_named_with_its_value_and_what_is_allowed(void **state)
{
    (void)state;
    static const char *const table[][3] = {
        { "--model=lop", "--model=lop: ", "did you mean loop?" },
        { "--model=erlang", "--model=erlang: ", "loop, cluster, tasks, threads, prefork" },
        { "--model=", "--model=: ", "no such model" },
        { "--scheduler=sim", "--scheduler=sim: ", "loop, tasks, threads" },
        { "--cores=0", "--cores=0: ", "from 1 to 256" },
        { "--cores=two", "--cores=two: ", "a whole number" },
        { "--cores=2x", "--cores=2x: ", "a whole number" },
        { "--cores=-1", "--cores=-1: ", "a whole number" },
        { "--processes=257", "--processes=257: ", "from 1 to 256" },
        { "--max-running=99999999999999999999", "--max-running=", "from 1 to" },
        { "--listen=", "--listen=: ", "an address is needed" },
        { "--drain-timeout=soon", "--drain-timeout=soon: ", "10s" },
        { "--sigquit=core", "--sigquit=core: ", "exit or stay" },
        { "--admission=some", "--admission=some: ", "on or off" },
        { "--client-abort=off", "--client-abort=off: ", "cancel or ignore" },
        { "--log=loud", "--log=loud: ", "error, warn, info or debug" },
        { "--modle=loop", "--modle: ", "did you mean --model?" },
        { "--frobnicate", "--frobnicate: ", "--help" },
        { "--model", "--model needs a value", "NAME" },
        { "--help=yes", "--help", "takes no value" },
        { "-x", "-x: ", "not an option" },
        { "--", "--: ", "not an option" },
        { "serve", "serve: ", "not an option" },
        { "", ": ", "not an option" },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_int_equal(PARSE(table[i][0]), WEIR_EINVAL);
        assert_ptr_equal(strstr(why_text, table[i][1]), why_text);
        assert_non_null(strstr(why_text, table[i][2]));
    }
}

static void help_answers_whatever_follows(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--help", "--nonsense"), 0);
    assert_true(options.help);
    assert_int_equal(PARSE("-h"), 0);
    assert_true(options.help);
    assert_int_equal(PARSE("--version"), 0);
    assert_true(options.version);
}

static void the_environment_does_what_options_do(void **state)
{
    (void)state;
    variables = (const char *const[]){ "WEIR_MODEL",
                                       "node",
                                       "WEIR_CORES",
                                       "2",
                                       "WEIR_LISTEN",
                                       ":1,unix:/a,[::1]:2",
                                       "WEIR_FORCE_OLD_KERNEL",
                                       "1",
                                       "WEIR_LOG",
                                       "",
                                       NULL };
    assert_int_equal(parse((const char *const[]){ NULL }), 0);
    assert_string_equal(options.wish.model->name, "loop");
    assert_int_equal(options.wish.cores, 2);
    assert_int_equal(options.listen_count, 3);
    assert_string_equal(options.listen[0], ":1");
    assert_string_equal(options.listen[1], "unix:/a");
    assert_string_equal(options.listen[2], "[::1]:2");
    assert_true(options.old_kernel);
    assert_int_equal(options.log_level, WI_LOG_INFO);
}

static void the_command_line_wins_over_the_environment(void **state)
{
    (void)state;
    variables = (const char *const[]){ "WEIR_MODEL", "nonsense", "WEIR_LISTEN", ":1,:2", NULL };
    assert_int_equal(PARSE("--model=loop", "--listen=:3"), 0);
    assert_string_equal(options.wish.model->name, "loop");
    assert_int_equal(options.listen_count, 1);
    assert_string_equal(options.listen[0], ":3");
}

static void a_wrong_variable_is_named(void **state)
{
    (void)state;
    variables = (const char *const[]){ "WEIR_CORES", "many", NULL };
    assert_int_equal(parse((const char *const[]){ NULL }), WEIR_EINVAL);
    assert_ptr_equal(strstr(why_text, "WEIR_CORES=many: "), why_text);
    variables = (const char *const[]){ "WEIR_LISTEN", ":1,,:2", NULL };
    assert_int_equal(parse((const char *const[]){ NULL }), WEIR_EINVAL);
    assert_ptr_equal(strstr(why_text, "WEIR_LISTEN=: "), why_text);
}

static void lists_and_values_are_bounded(void **state)
{
    (void)state;
    static char list[4 * WI_LISTEN_BYTES];
    for (size_t i = 0; i + 3 < sizeof(list); i += 3)
        memcpy(list + i, ":1,", 3);
    variables = (const char *const[]){ "WEIR_LISTEN", list, NULL };
    assert_int_equal(parse((const char *const[]){ NULL }), WEIR_EINVAL);
    list[3 * (WI_LISTEN_MAX + 1) - 1] = '\0';
    assert_int_equal(parse((const char *const[]){ NULL }), WEIR_EINVAL);
    assert_non_null(strstr(why_text, "at most 16"));
    list[3 * WI_LISTEN_MAX - 1] = '\0';
    assert_int_equal(parse((const char *const[]){ NULL }), 0);
    assert_int_equal(options.listen_count, WI_LISTEN_MAX);

    variables = NULL;
    char argument[256];
    memset(argument, 'm', sizeof(argument));
    memcpy(argument, "--", 2);
    argument[sizeof(argument) - 1] = '\0';
    assert_int_equal(PARSE(argument), WEIR_EINVAL);
}

#define CASE(name) cmocka_unit_test_setup(name, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(nothing_asks_for_nothing),
        CASE(both_ways_to_write_a_value_are_read),
        CASE(every_option_is_understood),
        CASE(waiting_is_a_count_an_age_or_both),
        CASE(durations_have_units),
        CASE(what_is_wrong_is_named_with_its_value_and_what_is_allowed),
        CASE(help_answers_whatever_follows),
        CASE(the_environment_does_what_options_do),
        CASE(the_command_line_wins_over_the_environment),
        CASE(a_wrong_variable_is_named),
        CASE(lists_and_values_are_bounded),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
