/* SPDX-License-Identifier: MIT */
/* Barriers on demand: asked for twice the kernel answers the same, and a forked child still has
 * what its parent registered.  What the barrier is worth, sync/handshake_test.c shows. */
#include "os/barrier.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/run.h"

static bool parent_has;

static void ask_in_child(void)
{
    wi_barrier_all_threads();
    exit(wi_barrier_register() == parent_has ? 0 : 1);
}

static void parent_and_child_get_one_answer(void **state)
{
    (void)state;
    char text[512];
    wi_barrier_all_threads(); /* before it is registered: nothing */
    parent_has = wi_barrier_register();
    assert_int_equal(wi_barrier_register(), parent_has);
    wi_barrier_all_threads();
    assert_int_equal(run_in_child(ask_in_child, text, sizeof(text)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parent_and_child_get_one_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
