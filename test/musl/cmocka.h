/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TEST_CMOCKA_H
#define WEIR_TEST_CMOCKA_H

/* What the tests use of cmocka, for a C library that Debian has no cmocka for.  It prints cmocka's
 * lines, which tool/test counts.  Other than there, the first failed assertion ends the program:
 * it may stand in a task, whose stack cannot be left by a longjmp().
 *
 * Threads: assertions on any, skip() on the one that runs the case. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef int (*CMFixtureFunction)(void **state);

struct CMUnitTest {
    const char *name;
    void (*test_func)(void **state);
    CMFixtureFunction setup_func;
    CMFixtureFunction teardown_func;
};

#define cmocka_unit_test(fn)                                                                       \
    {                                                                                              \
#fn, fn, NULL, NULL                                                                        \
    }
#define cmocka_unit_test_setup(fn, setup)                                                          \
    {                                                                                              \
#fn, fn, setup, NULL                                                                       \
    }
#define cmocka_unit_test_setup_teardown(fn, setup, teardown)                                       \
    {                                                                                              \
#fn, fn, setup, teardown                                                                   \
    }
#define cmocka_run_group_tests(cases, setup, teardown)                                             \
    cmocka_run_group_tests_name(#cases, cases, setup, teardown)
#define cmocka_run_group_tests_name(name, cases, setup, teardown)                                  \
    mini_run(name, cases, sizeof(cases) / sizeof((cases)[0]), setup, teardown)

int mini_run(const char *group, const struct CMUnitTest *cases, size_t count,
             CMFixtureFunction setup, CMFixtureFunction teardown);

/* Says where and what, and ends the process with status 1. */
__attribute__((noreturn, format(printf, 3, 4))) void mini_fail(const char *file, int line,
                                                               const char *format, ...);
/* Leaves the case that runs. */
__attribute__((noreturn)) void mini_skip(void);
__attribute__((format(printf, 1, 2))) void print_error(const char *format, ...);

#define skip() mini_skip()
#define fail() mini_fail(__FILE__, __LINE__, "failed")
#define fail_msg(...) mini_fail(__FILE__, __LINE__, __VA_ARGS__)

void mini_same(uint64_t left, uint64_t right, int want_same, const char *words, const char *file,
               int line);
void mini_text(const char *left, const char *right, int want_same, const char *file, int line);
void mini_bytes(const void *left, const void *right, size_t bytes, int want_same, const char *file,
                int line);
void mini_range(uint64_t value, uint64_t least, uint64_t most, const char *file, int line);
void mini_holds(int holds, const char *words, const char *file, int line);

#define assert_true(c) mini_holds((c) ? 1 : 0, #c, __FILE__, __LINE__)
#define assert_false(c) mini_holds((c) ? 0 : 1, "!(" #c ")", __FILE__, __LINE__)
#define assert_non_null(p) mini_holds((p) != NULL, #p " != NULL", __FILE__, __LINE__)
#define assert_null(p) mini_holds((p) == NULL, #p " == NULL", __FILE__, __LINE__)
#define assert_int_equal(a, b)                                                                     \
    mini_same((uint64_t)(a), (uint64_t)(b), 1, #a " == " #b, __FILE__, __LINE__)
#define assert_int_not_equal(a, b)                                                                 \
    mini_same((uint64_t)(a), (uint64_t)(b), 0, #a " != " #b, __FILE__, __LINE__)
#define assert_ptr_equal(a, b)                                                                     \
    mini_same((uint64_t)(uintptr_t)(a), (uint64_t)(uintptr_t)(b), 1, #a " == " #b, __FILE__,       \
              __LINE__)
#define assert_ptr_not_equal(a, b)                                                                 \
    mini_same((uint64_t)(uintptr_t)(a), (uint64_t)(uintptr_t)(b), 0, #a " != " #b, __FILE__,       \
              __LINE__)
#define assert_string_equal(a, b) mini_text(a, b, 1, __FILE__, __LINE__)
#define assert_string_not_equal(a, b) mini_text(a, b, 0, __FILE__, __LINE__)
#define assert_memory_equal(a, b, n) mini_bytes(a, b, n, 1, __FILE__, __LINE__)
#define assert_memory_not_equal(a, b, n) mini_bytes(a, b, n, 0, __FILE__, __LINE__)
#define assert_in_range(v, a, b)                                                                   \
    mini_range((uint64_t)(v), (uint64_t)(a), (uint64_t)(b), __FILE__, __LINE__)

#endif
