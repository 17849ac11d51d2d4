/* SPDX-License-Identifier: MIT */
/* The library's own scopes: counted, drained under a deadline as often as one likes, keep going. */
#include "task/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"
#include "task/runtime.h"

static int wait_for(void *arg)
{
    await(arg, 1);
    return WEIR_EIO; /* keeps going all the same */
}

static void spawn(weir_scope *scope, int *released, uint32_t flags)
{
    CHECK_EQ(wi_task_spawn(scope, wait_for, released, "child", "here", flags, 0, WEIR_NO_DEADLINE),
             0);
}

static int drain_in_steps(void *arg)
{
    (void)arg;
    int released = 0;
    weir_scope *scope;
    CHECK_EQ(wi_scope_create(&scope), 0);
    CHECK_EQ(wi_scope_children(scope), 0);
    CHECK_EQ(wi_scope_drain(scope, WEIR_DONT_WAIT), 0);
    spawn(scope, &released, 0);
    spawn(scope, &released, WI_SPAWN_BLOCKING);
    spawn(scope, &released, WI_SPAWN_PINNED);
    CHECK_EQ(wi_scope_children(scope), 3);
    CHECK_EQ(wi_scope_drain(scope, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    CHECK_EQ(wi_scope_drain(scope, weir_in_ms(2)), WEIR_ETIMEDOUT);
    CHECK_EQ(wi_scope_children(scope), 3);
    post(&released, 1);
    CHECK_EQ(wi_scope_drain(scope, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(wi_scope_children(scope), 0);
    /* A drained scope goes on to be used; an error of a child has canceled nothing. */
    spawn(scope, &released, 0);
    CHECK_EQ(wi_scope_drain(scope, WEIR_NO_DEADLINE), 0);
    wi_scope_destroy(scope);
    return 0;
}

static void a_scope_is_drained_in_steps(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        const struct weir_opts opts = { .scheduler = (enum weir_scheduler)i };
        run_body_with(&opts, drain_in_steps, NULL);
    }
}

static int spawn_into_canceled(void *arg)
{
    (void)arg;
    int released = 1;
    weir_scope *scope;
    CHECK_EQ(wi_scope_create(&scope), 0);
    weir_scope_cancel(scope, WEIR_EDRAINING);
    CHECK_EQ(wi_task_spawn(scope, wait_for, &released, "", "", 0, 0, WEIR_NO_DEADLINE),
             WEIR_ECANCELED);
    CHECK_EQ(
        wi_task_spawn(scope, wait_for, &released, "", "", WI_SPAWN_BLOCKING, 0, WEIR_NO_DEADLINE),
        WEIR_ECANCELED);
    CHECK_EQ(wi_scope_children(scope), 0);
    wi_scope_destroy(scope);
    return 0;
}

static void a_canceled_scope_takes_no_more_children(void **state)
{
    (void)state;
    run_body(spawn_into_canceled, NULL);
}

static int destroy_too_early(void *arg)
{
    weir_scope *scope;
    CHECK_EQ(wi_scope_create(&scope), 0);
    spawn(scope, arg, 0);
    wi_scope_destroy(scope);
    return 0;
}

static void run_destroy_too_early(void)
{
    int released = 0;
    run_body(destroy_too_early, &released);
}

static void destroying_a_scope_with_children_aborts_with_their_number(void **state)
{
    (void)state;
    char text[512];
    assert_int_equal(run_in_child(run_destroy_too_early, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "scope->count == 0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scope_is_drained_in_steps),
        cmocka_unit_test(a_canceled_scope_takes_no_more_children),
        cmocka_unit_test(destroying_a_scope_with_children_aborts_with_their_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
