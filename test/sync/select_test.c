/* SPDX-License-Identifier: MIT */
/* The door by which select reaches kinds of the floors above: empty at first, then what was set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sync/select.h"

static void kinds_are_there_once_they_were_set(void **state)
{
    (void)state;
    static const struct wi_selectable timers = { .done = NULL };
    static const struct wi_selectable *const kinds[WI_SELECT_OPS] = {
        [WEIR_SELECT_TIMER] = &timers,
    };
    assert_null(wi_selectable_of(WEIR_SELECT_TIMER));
    wi_selectables_set(kinds);
    assert_ptr_equal(wi_selectable_of(WEIR_SELECT_TIMER), &timers);
    assert_null(wi_selectable_of(WEIR_SELECT_JOIN));
}

static void without_them_a_case_says_that_nothing_is_open(void **state)
{
    (void)state;
    wi_selectables_set(NULL);
    struct weir_select_case cases[] = { { .op = WEIR_SELECT_READABLE, .fd = 0 } };
    assert_int_equal(weir_select(cases, 1, WEIR_NO_DEADLINE), 0);
    assert_int_equal(cases[0].result, WEIR_ENOTOPEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_there_once_they_were_set),
        cmocka_unit_test(without_them_a_case_says_that_nothing_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
