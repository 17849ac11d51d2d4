/* SPDX-License-Identifier: MIT */
/* The table of what select can wait for: complete, and each kind whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "task/selectables.h"

static void every_op_of_a_runtime_has_a_kind(void **state)
{
    (void)state;
    for (int op = 0; op < WI_SELECT_OPS; op++) {
        const bool own = op < WEIR_SELECT_TIMER || op > WEIR_SELECT_WRITABLE;
        assert_int_equal(wi_selectables[op] == NULL, own);
    }
}

static void every_kind_has_what_select_calls(void **state)
{
    (void)state;
    for (int op = 0; op < WI_SELECT_OPS; op++) {
        const struct wi_selectable *kind = wi_selectables[op];
        if (kind == NULL)
            continue;
        assert_true(kind->begin != NULL);
        assert_true(kind->lock != NULL);
        assert_true(kind->ready_locked != NULL);
        assert_true(kind->take_locked != NULL);
        assert_true(kind->queue_locked != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_op_of_a_runtime_has_a_kind),
        cmocka_unit_test(every_kind_has_what_select_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
