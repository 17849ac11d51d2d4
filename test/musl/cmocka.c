/* SPDX-License-Identifier: MIT */
/* The runner behind cmocka.h of this folder. */
#include "cmocka.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static jmp_buf skip_to;
static const char *running = "none";

static void say(const char *word, const char *name)
{
    fflush(stdout); /* what the case said comes before what became of it */
    fprintf(stderr, "[ %8s ] %s\n", word, name);
}

void print_error(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    (void)vfprintf(stderr, format, values);
    va_end(values);
}

void mini_fail(const char *file, int line, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    (void)vfprintf(stderr, format, values);
    va_end(values);
    fprintf(stderr, "\n%s:%d: error: Failure!\n", file, line);
    say("FAILED", running);
    fflush(NULL);
    _exit(1);
}

void mini_skip(void)
{
    longjmp(skip_to, 1);
}

void mini_holds(int holds, const char *words, const char *file, int line)
{
    if (!holds)
        mini_fail(file, line, "%s", words);
}

void mini_same(uint64_t left, uint64_t right, int want_same, const char *words, const char *file,
               int line)
{
    if ((left == right) != want_same)
        mini_fail(file, line, "%s: %" PRId64 " and %" PRId64, words, (int64_t)left, (int64_t)right);
}

void mini_text(const char *left, const char *right, int want_same, const char *file, int line)
{
    if ((strcmp(left, right) == 0) != want_same)
        mini_fail(file, line, "\"%s\" and \"%s\"", left, right);
}

void mini_bytes(const void *left, const void *right, size_t bytes, int want_same, const char *file,
                int line)
{
    if ((memcmp(left, right, bytes) == 0) != want_same)
        mini_fail(file, line, "%zu bytes %s", bytes, want_same ? "differ" : "are the same");
}

void mini_range(uint64_t value, uint64_t least, uint64_t most, const char *file, int line)
{
    if (value < least || value > most)
        mini_fail(file, line, "%" PRIu64 " is not within %" PRIu64 " to %" PRIu64, value, least,
                  most);
}

static void run_case(const struct CMUnitTest *test, void **state)
{
    running = test->name;
    say("RUN     ", test->name);
    if (test->setup_func != NULL && test->setup_func(state) != 0)
        mini_fail(__FILE__, __LINE__, "the setup failed");
    const int skipped = setjmp(skip_to);
    if (skipped == 0)
        test->test_func(state);
    if (test->teardown_func != NULL && test->teardown_func(state) != 0)
        mini_fail(__FILE__, __LINE__, "the teardown failed");
    say(skipped != 0 ? "SKIPPED" : "OK", test->name);
}

int mini_run(const char *group, const struct CMUnitTest *cases, size_t count,
             CMFixtureFunction setup, CMFixtureFunction teardown)
{
    void *group_state = NULL;
    running = group;
    fprintf(stderr, "[==========] Running %zu test(s).\n", count);
    if (setup != NULL && setup(&group_state) != 0)
        mini_fail(__FILE__, __LINE__, "the setup of the group failed");
    for (size_t i = 0; i < count; i++) {
        void *state = group_state;
        run_case(&cases[i], &state);
    }
    if (teardown != NULL && teardown(&group_state) != 0)
        mini_fail(__FILE__, __LINE__, "the teardown of the group failed");
    fprintf(stderr, "[==========] %zu test(s) run.\n", count);
    return 0;
}
