/* SPDX-License-Identifier: MIT */
/* The table of task-local keys: its bound, and hooks that set values as they destroy others. */
#include "weir/local.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"
#include "task/extras.h"

static weir_local *keys[WEIR_LOCALS_MAX];
static int destroyed;

/* Sets itself again as often as it is destroyed, which must come to an end. */
static void come_back(void *value)
{
    destroyed++;
    CHECK_EQ(weir_local_set(keys[0], value), 0);
}

static int set_a_stubborn_value(void *arg)
{
    CHECK_EQ(weir_local_set(keys[0], arg), 0);
    CHECK_EQ(weir_local_set(keys[WEIR_LOCALS_MAX - 1], arg), 0);
    return 0;
}

static void keys_are_bounded_and_a_stubborn_value_is_given_up(void **state)
{
    (void)state;
    const struct weir_local_opts stubborn = { .destroy = come_back };
    for (int i = 0; i < WEIR_LOCALS_MAX; i++)
        assert_int_equal(weir_local_create(&keys[i], i == 0 ? &stubborn : NULL), 0);
    weir_local *none;
    assert_int_equal(weir_local_create(&none, NULL), WEIR_EOVERFLOW);
    run_body(set_a_stubborn_value, &destroyed);
    assert_true(destroyed > 1 && destroyed < 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_bounded_and_a_stubborn_value_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
