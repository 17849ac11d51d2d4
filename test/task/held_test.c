/* SPDX-License-Identifier: MIT */
/* The check itself: silent for a caller without a mutex, and for any caller of a build that does
 * not watch.  What it reports is in test/behaviour/held_mutex_test.c. */
#include "task/held.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"
#include "task/rt.h"

static int check_myself(void *arg)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    (void)arg;
    wi_held_check(wi_task_current());
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    if (wi_rt.scheduler == WEIR_SCHEDULER_LOOP)
        wi_held_check(wi_task_current());
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    wi_held_check(wi_task_current());
    return 0;
}

static void nothing_is_said_of_a_task_that_holds_none_or_comes_back_to_its_thread(void **state)
{
    (void)state;
    const struct weir_opts ways[] = { { .scheduler = WEIR_SCHEDULER_TASKS, .workers = 1 },
                                      { .scheduler = WEIR_SCHEDULER_LOOP } };
    for (int i = 0; i < 2; i++)
        run_body_with(&ways[i], check_myself, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_said_of_a_task_that_holds_none_or_comes_back_to_its_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
