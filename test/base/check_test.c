/* SPDX-License-Identifier: MIT */
/* Checks: a failing one says where and what, and aborts; each in a forked child. */
#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs fn in a child; its standard error comes back as text, its wait status is returned. */
static int run_child(void (*fn)(void), char *text, size_t text_bytes)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        dup2(fds[1], STDERR_FILENO);
        fn();
        _exit(0);
    }
    close(fds[1]);
    size_t used = 0;
    for (;;) {
        const ssize_t got = read(fds[0], text + used, text_bytes - 1 - used);
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    text[used] = '\0';
    close(fds[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void expect_abort(void (*fn)(void), const char *part)
{
    char text[512];
    const int status = run_child(fn, text, sizeof(text));
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(text, part));
    assert_int_equal(text[strlen(text) - 1], '\n');
}

static void true_conditions(void)
{
    wi_bug_unless(1 + 1 == 2);
    wi_bug_unless_cmp(1, <, 2);
}

static void false_condition(void)
{
    const int one = 1;
    wi_bug_unless(one == 2);
}

static void misuse_of_two(void)
{
    wi_bug_misuse_values("weir_thing", "it has", -3, "asked for", 4);
}

static void false_comparison(void)
{
    const int64_t left = -7;
    wi_bug_unless_cmp(left, >=, 3);
}

static void misuse(void)
{
    wi_bug_misuse("weir_chan_send", "no message", 5);
}

static void a_true_condition_does_nothing(void **state)
{
    (void)state;
    char text[64];
    const int status = run_child(true_conditions, text, sizeof(text));
    assert_true(WIFEXITED(status));
    assert_string_equal(text, "");
}

static void a_false_condition_aborts_with_file_and_text(void **state)
{
    (void)state;
    expect_abort(false_condition, "check_test.c:");
    expect_abort(false_condition, "expected one == 2");
}

static void a_false_comparison_shows_both_values(void **state)
{
    (void)state;
    expect_abort(false_comparison, "expected left >= 3, have -7 and 3");
}

static void misuse_names_the_call(void **state)
{
    (void)state;
    expect_abort(misuse, "misuse of weir_chan_send: no message (5)");
    expect_abort(misuse_of_two, "misuse of weir_thing: it has -3, asked for 4");
}

struct outer {
    int before;
    int inner;
};

static void a_member_leads_to_its_struct(void **state)
{
    (void)state;
    struct outer outer = { 1, 2 };
    assert_ptr_equal(wi_container_of(&outer.inner, struct outer, inner), &outer);
    const int three[3] = { 0 };
    assert_int_equal(wi_count_of(three), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_true_condition_does_nothing),
        cmocka_unit_test(a_false_condition_aborts_with_file_and_text),
        cmocka_unit_test(a_false_comparison_shows_both_values),
        cmocka_unit_test(misuse_names_the_call),
        cmocka_unit_test(a_member_leads_to_its_struct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
