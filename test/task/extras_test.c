/* SPDX-License-Identifier: MIT */
/* The record of what few tasks have: none without need, a copy for children only of locals, and a
 * lent one is its owner's. */
#include "task/extras.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"
#include "task/task.h"
#include "task/worker.h"

static weir_local *key;

static void nothing(void *arg)
{
    (void)arg;
}

static int expect_record(void *arg)
{
    const bool expected = arg != NULL;
    CHECK_EQ(wi_task_current()->extras != NULL, expected);
    CHECK(weir_local_get(key) == arg);
    return 0;
}

static void in_child(void *expected)
{
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, expect_record, expected), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
}

static int need_it_by_and_by(void *arg)
{
    CHECK(wi_task_current()->extras == NULL);
    CHECK(weir_local_get(key) == NULL);
    CHECK_EQ(weir_local_set(key, NULL), 0);
    CHECK(wi_task_current()->extras == NULL);
    in_child(NULL);
    CHECK_EQ(weir_defer(nothing, NULL), 0);
    CHECK(wi_task_current()->extras != NULL);
    in_child(NULL); /* handlers are no child's */
    CHECK_EQ(weir_local_set(key, arg), 0);
    in_child(arg);
    CHECK_EQ(weir_local_set(key, NULL), 0);
    in_child(NULL);
    return 0;
}

static void a_record_is_made_when_it_is_needed(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        const struct weir_opts opts = { .scheduler = (enum weir_scheduler)i };
        run_body_with(&opts, need_it_by_and_by, &key);
    }
}

static void *work_for_another(void *arg)
{
    wi_extras_lend(arg);
    CHECK(wi_extras_place() == arg);
    CHECK_EQ(weir_local_set(key, &key), 0);
    wi_extras_lend(NULL);
    CHECK(weir_local_get(key) == NULL);
    return NULL;
}

static void a_lent_record_is_its_owners(void **state)
{
    (void)state;
    pthread_t thread;
    struct wi_extras **place = wi_extras_place();
    assert_null(*place);
    assert_int_equal(pthread_create(&thread, NULL, work_for_another, place), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ptr_equal(weir_local_get(key), &key);
    assert_int_equal(weir_local_set(key, NULL), 0);
    wi_extras_free(*place);
    *place = NULL;
}

static int make_key(void **state)
{
    (void)state;
    return weir_local_create(&key, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_made_when_it_is_needed),
        cmocka_unit_test(a_lent_record_is_its_owners),
    };
    return cmocka_run_group_tests(tests, make_key, NULL);
}
