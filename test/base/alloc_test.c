/* SPDX-License-Identifier: MIT */
/* Goal: a program's allocator serves the library from its first allocation on, or not at all.
 * Method: each case in a forked child, since the hook is set once for a process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "weir/chan.h"
#include "weir/memory.h"

struct counts {
    int allocated;
    int released;
};

static void *count_allocate(void *user, size_t bytes)
{
    ((struct counts *)user)->allocated++;
    return malloc(bytes);
}

static void count_release(void *user, void *memory)
{
    ((struct counts *)user)->released++;
    free(memory);
}

/* The exit status of a child that runs `body`. */
static int in_child(int (*body)(void))
{
    pid_t child = fork();
    if (child == 0)
        _exit(body());
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int channel_through_the_hook(void)
{
    struct counts counts = { 0 };
    const struct weir_allocator allocator = { count_allocate, count_release, &counts };
    weir_chan *ch;
    if (weir_allocator_set(&allocator) != 0 || weir_chan_create(&ch, NULL) != 0)
        return 1;
    weir_chan_destroy(ch);
    return counts.allocated == 1 && counts.released == 1 ? 0 : 2;
}

static void a_set_allocator_serves_the_library(void **state)
{
    (void)state;
    assert_int_equal(in_child(channel_through_the_hook), 0);
}

static int set_after_use(void)
{
    const struct weir_allocator allocator = { count_allocate, count_release, NULL };
    wi_free(wi_alloc(1));
    return weir_allocator_set(&allocator) == WEIR_EALREADY ? 0 : 1;
}

static void an_allocator_that_comes_late_is_refused(void **state)
{
    (void)state;
    assert_int_equal(in_child(set_after_use), 0);
}

static void an_incomplete_allocator_is_refused(void **state)
{
    (void)state;
    const struct weir_allocator allocator = { count_allocate, NULL, NULL };
    assert_int_equal(weir_allocator_set(&allocator), WEIR_EINVAL);
}

static void zeroed_memory_is_zero_and_overflow_is_null(void **state)
{
    (void)state;
    unsigned char *memory = wi_alloc_zeroed(16, 16);
    assert_non_null(memory);
    for (int i = 0; i < 256; i++)
        assert_int_equal(memory[i], 0);
    wi_free(memory);
    assert_null(wi_alloc_zeroed(SIZE_MAX / 2, 3));
}

static void a_copied_text_is_equal_and_separate(void **state)
{
    (void)state;
    char text[] = "river";
    char *copy = wi_strdup(text);
    assert_non_null(copy);
    text[0] = 'l';
    assert_string_equal(copy, "river");
    wi_free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_incomplete_allocator_is_refused),
        cmocka_unit_test(a_set_allocator_serves_the_library),
        cmocka_unit_test(an_allocator_that_comes_late_is_refused),
        cmocka_unit_test(zeroed_memory_is_zero_and_overflow_is_null),
        cmocka_unit_test(a_copied_text_is_equal_and_separate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
