/* SPDX-License-Identifier: MIT */
/* Who runs here is asked afresh: each thread has its own answer, and a task's answer follows the
 * task over waits and threads. */
#include "task/task.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"
#include "task/worker.h"

static void *nobody_here(void *arg)
{
    (void)arg;
    CHECK(wi_thread_self() == NULL);
    CHECK(wi_task_current() == NULL);
    return NULL;
}

static void a_foreign_thread_is_nobody(void **state)
{
    (void)state;
    pthread_t thread;
    runtime_open(NULL);
    assert_int_equal(pthread_create(&thread, NULL, nobody_here, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    runtime_close();
    (void)nobody_here(NULL);
}

/* One function, so that the compiler has every reason to keep what it knew before the wait. */
static int stays_itself(void *arg)
{
    int *moved = arg;
    const struct weir_task *self = wi_task_current();
    const uint64_t number = weir_task_id();
    CHECK(self != NULL);
    for (int i = 0; i < 200; i++) {
        const struct wi_thread *before = wi_thread_self();
        CHECK(wi_load_relaxed(&before->task) == self);
        (void)(i % 2 == 0 ? weir_yield() : weir_sleep(weir_in_ns(1000 * (i % 7))));
        const struct wi_thread *after = wi_thread_self();
        CHECK(wi_load_relaxed(&after->task) == self);
        CHECK(wi_task_current() == self);
        CHECK_EQ(weir_task_id(), number);
        if (before != after)
            bump(moved);
    }
    return 0;
}

static int many_stay(void *arg)
{
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(weir_go(stays_itself, arg), 0);
    return weir_scope_close(scope, WEIR_NO_DEADLINE);
}

static void a_task_is_itself_on_whatever_thread(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        const struct weir_opts opts = { .scheduler = (enum weir_scheduler)i, .workers = 3 };
        int moved = 0;
        run_body_with(&opts, many_stay, &moved);
        if (opts.scheduler != WEIR_SCHEDULER_TASKS)
            assert_int_equal(moved, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_foreign_thread_is_nobody),
        cmocka_unit_test(a_task_is_itself_on_whatever_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
