/* SPDX-License-Identifier: MIT */
/* What a person is told when a start fails for want of something: the limit to raise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/shortage.h"
#include "weir/err.h"

static void a_shortage_names_the_limit_to_raise(void **state)
{
    (void)state;
    assert_non_null(strstr(wi_shortage_text(WEIR_EAGAIN), "ulimit -u"));
    assert_non_null(strstr(wi_shortage_text(WEIR_EAGAIN), "pids.max"));
    assert_non_null(strstr(wi_shortage_text(WEIR_EMFILE), "ulimit -n"));
    assert_non_null(strstr(wi_shortage_text(WEIR_ENFILE), "fs.file-max"));
    assert_non_null(strstr(wi_shortage_text(WEIR_ENOMEM), "ulimit -v"));
}

static void another_code_has_its_plain_text(void **state)
{
    (void)state;
    assert_string_equal(wi_shortage_text(WEIR_EACCES), weir_err_text(WEIR_EACCES));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shortage_names_the_limit_to_raise),
        cmocka_unit_test(another_code_has_its_plain_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
