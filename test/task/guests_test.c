/* SPDX-License-Identifier: MIT */
/* Threads open, fill and close scopes while the runtime closes: each child ends, none is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "task/guests.h"
#include "weir/weir.h"

enum {
    THREADS = 3,
    ROUNDS = 40
};

static int started;
static int ended;

static int sleep_until_canceled(void *arg)
{
    (void)arg;
    const int rc = weir_sleep(WEIR_NO_DEADLINE);
    (void)__atomic_add_fetch(&ended, 1, __ATOMIC_RELAXED);
    return rc;
}

/* Until the runtime is closed: nothing else ends it. */
static int open_and_close(void *arg)
{
    int rounds = 0;
    weir_scope *scope;
    while (weir_scope_open(&scope, NULL) == 0) {
        for (int i = 0; i < 3; i++) {
            const int rc = weir_go(sleep_until_canceled, NULL);
            if (rc == 0)
                (void)__atomic_add_fetch(&started, 1, __ATOMIC_RELAXED);
            else if (rc != WEIR_ECANCELED && rc != WEIR_ENOTOPEN)
                return 1;
        }
        const int rc = weir_scope_close(scope, weir_in_ns(20000));
        if (rc != WEIR_ETIMEDOUT && rc != WEIR_ECANCELED)
            return 1;
        if (++rounds == 2)
            weir_event_set(arg);
    }
    return 0;
}

static void no_child_outlives_the_runtime(enum weir_scheduler scheduler)
{
    const struct weir_opts opts = { .scheduler = scheduler, .workers = 2 };
    for (int round = 0; round < ROUNDS; round++) {
        weir_thread *threads[THREADS];
        weir_event *busy;
        assert_int_equal(weir_event_create(&busy), 0);
        assert_int_equal(weir_open(&opts), 0);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(weir_thread_start(&threads[i], open_and_close, busy), 0);
        assert_int_equal(weir_event_wait(busy, WEIR_NO_DEADLINE), 0);
        assert_int_equal(weir_close(weir_in_ms(60000)), 0);
        for (int i = 0; i < THREADS; i++) {
            int result = 1;
            assert_int_equal(weir_thread_join(threads[i], &result, WEIR_NO_DEADLINE), 0);
            assert_int_equal(result, 0);
        }
        assert_int_equal(started, ended);
        weir_event_destroy(busy);
    }
}

static void no_child_outlives_a_loop(void **state)
{
    (void)state;
    no_child_outlives_the_runtime(WEIR_SCHEDULER_LOOP);
}

static void no_child_outlives_workers(void **state)
{
    (void)state;
    no_child_outlives_the_runtime(WEIR_SCHEDULER_TASKS);
}

static void no_child_outlives_threads(void **state)
{
    (void)state;
    no_child_outlives_the_runtime(WEIR_SCHEDULER_THREADS);
}

static void without_guests_there_is_nothing_to_wait_for(void **state)
{
    (void)state;
    wi_guests_cancel(WEIR_ECANCELED);
    assert_int_equal(wi_guests_wait(WEIR_DONT_WAIT), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_guests_there_is_nothing_to_wait_for),
        cmocka_unit_test(no_child_outlives_a_loop),
        cmocka_unit_test(no_child_outlives_workers),
        cmocka_unit_test(no_child_outlives_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
