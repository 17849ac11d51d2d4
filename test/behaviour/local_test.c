/* SPDX-License-Identifier: MIT */
/* Task-locals: children begin with their spawner's values, blocking calls see the caller's, hooks
 * run once for each value. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

static weir_local *plain;  /* shared by reference */
static weir_local *cloned; /* int of its own for each task */
static weir_local *owned;  /* destroyed, not inherited */
static int live;           /* values of `cloned` and `owned` that exist */

static void *clone_int(void *value)
{
    int *copy = malloc(sizeof(*copy));
    CHECK(copy != NULL);
    *copy = *(int *)value + 1;
    bump(&live);
    return copy;
}

static void free_int(void *value)
{
    __atomic_sub_fetch(&live, 1, __ATOMIC_SEQ_CST);
    free(value);
}

static int *new_int(int value)
{
    int *made = malloc(sizeof(*made));
    CHECK(made != NULL);
    *made = value;
    bump(&live);
    return made;
}

static int make_keys(void **state)
{
    (void)state;
    const struct weir_local_opts clones = { .inherit = clone_int, .destroy = free_int };
    const struct weir_local_opts owns = { .destroy = free_int };
    int rc = weir_local_create(&plain, NULL);
    if (rc == 0)
        rc = weir_local_create(&cloned, &clones);
    if (rc == 0)
        rc = weir_local_create(&owned, &owns);
    return rc;
}

static void in_child(weir_task_fn *fn, void *arg)
{
    weir_task *task;
    int result = 1;
    CHECK_EQ(weir_task_start(&task, fn, arg), 0);
    CHECK_EQ(weir_task_join(task, &result, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(result, 0);
}

/* -- inheritance ------------------------------------------------------------------------------- */

static int expect_and_change(void *arg)
{
    int own = 0;
    CHECK(weir_local_get(plain) == arg);
    CHECK_EQ(weir_local_set(plain, &own), 0);
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(weir_yield(), 0);
        CHECK(weir_local_get(plain) == &own);
    }
    CHECK_EQ(weir_local_set(plain, NULL), 0);
    CHECK(weir_local_get(plain) == NULL);
    return 0;
}

RUN(children_begin_with_the_value_and_change_their_own)
{
    int value = 0;
    CHECK(weir_local_get(plain) == NULL);
    in_child(expect_and_change, NULL);
    CHECK_EQ(weir_local_set(plain, &value), 0);
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(weir_go(expect_and_change, &value), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    CHECK(weir_local_get(plain) == &value);
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, expect_and_change, &value, .detached = true), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    return 0;
}

static int descend(void *arg)
{
    int *depth = arg;
    const int *own = weir_local_get(cloned);
    CHECK_EQ(*own, 5 - *depth);
    CHECK(weir_local_get(owned) == NULL);
    if ((*depth)-- > 0)
        in_child(descend, depth);
    return 0;
}

static int start_the_descent(void *arg)
{
    CHECK_EQ(weir_local_set(cloned, new_int(0)), 0);
    CHECK_EQ(weir_local_set(owned, new_int(0)), 0);
    in_child(descend, arg);
    CHECK_EQ(weir_local_set(owned, new_int(1)), 0); /* destroys the one before */
    CHECK_EQ(live, 2);
    return 0;
}

RUN(a_hook_clones_and_every_value_is_destroyed_once)
{
    int depth = 4;
    post(&live, 0);
    in_child(start_the_descent, &depth);
    CHECK_EQ(live, 0);
    return 0;
}

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int spawn_in_vain(void *arg)
{
    weir_scope *scope = arg;
    CHECK_EQ(weir_local_set(cloned, new_int(0)), 0);
    CHECK_EQ(weir_go(do_nothing, NULL, .scope = scope), WEIR_ECANCELED);
    CHECK_EQ(live, 1);
    return 0;
}

RUN(a_refused_child_leaves_no_values_behind)
{
    weir_scope *scope;
    post(&live, 0);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    weir_scope_cancel(scope, WEIR_EPERM);
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, spawn_in_vain, scope, .detached = true), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), WEIR_EPERM);
    CHECK_EQ(live, 0);
    return 0;
}

/* -- blocking calls and threads ---------------------------------------------------------------- */

static void see_and_set(void *arg)
{
    CHECK(weir_local_get(plain) == arg);
    CHECK_EQ(weir_local_set(plain, &plain), 0);
}

static int call_blocking(void *arg)
{
    CHECK_EQ(weir_local_set(plain, arg), 0);
    CHECK_EQ(weir_blocking(NULL, see_and_set, arg, WEIR_NO_DEADLINE), 0);
    CHECK(weir_local_get(plain) == &plain);
    return 0;
}

RUN(a_blocking_call_sees_and_sets_the_callers_values)
{
    int values[20];
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(weir_go(call_blocking, i % 4 == 0 ? NULL : &values[i]), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    return 0;
}

static void *use_on_a_thread(void *arg)
{
    CHECK(weir_local_get(plain) == NULL);
    CHECK_EQ(weir_local_set(plain, arg), 0);
    CHECK_EQ(weir_local_set(owned, new_int(3)), 0);
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, expect_and_change, arg), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK(weir_local_get(plain) == arg);
    CHECK_EQ(weir_blocking(NULL, see_and_set, arg, WEIR_NO_DEADLINE), 0);
    CHECK(weir_local_get(plain) == &plain);
    return NULL;
}

static int await_thread(void *arg)
{
    while (peek(arg) == 0)
        (void)weir_yield();
    return 0;
}

struct thread_run {
    void *value;
    int done;
};

static void *thread_run(void *arg)
{
    struct thread_run *run = arg;
    (void)use_on_a_thread(run->value);
    post(&run->done, 1);
    return NULL;
}

static void a_plain_thread_has_values_of_its_own(void **state)
{
    (void)state;
    int value = 0;
    struct thread_run run = { .value = &value };
    pthread_t thread;
    post(&live, 0);
    runtime_open(NULL);
    assert_int_equal(pthread_create(&thread, NULL, thread_run, &run), 0);
    assert_int_equal(weir_run(await_thread, &run.done, NULL), 0); /* turns a loop meanwhile */
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(live, 0); /* destroyed as the thread ended */
    runtime_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_begin_with_the_value_and_change_their_own),
        cmocka_unit_test(a_hook_clones_and_every_value_is_destroyed_once),
        cmocka_unit_test(a_refused_child_leaves_no_values_behind),
        cmocka_unit_test(a_blocking_call_sees_and_sets_the_callers_values),
        cmocka_unit_test(a_plain_thread_has_values_of_its_own),
    };
    return cmocka_run_group_tests(tests, make_keys, NULL);
}
