/* SPDX-License-Identifier: MIT */
/* The accessor of errno: the calling thread's own, in every thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "os/thread.h"
#include "weir/task.h"

static void it_is_the_callers_errno(void **state)
{
    (void)state;
    errno = 17;
    assert_int_equal(*weir_errno_address(), 17);
    *weir_errno_address() = 4;
    assert_int_equal(errno, 4);
}

static void look(void *arg)
{
    int **address = arg;
    *address = weir_errno_address();
    errno = 99;
}

static void every_thread_has_its_own(void **state)
{
    (void)state;
    int *other = NULL;
    struct wi_os_thread thread;
    errno = 5;
    assert_int_equal(wi_os_thread_start(&thread, look, &other, 0, "errno"), 0);
    wi_os_thread_join(&thread);
    assert_non_null(other);
    assert_ptr_not_equal(other, weir_errno_address());
    assert_int_not_equal(*weir_errno_address(), 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_callers_errno),
        cmocka_unit_test(every_thread_has_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
