/* SPDX-License-Identifier: MIT */
/* A POSIX mutex held across a wait, which a Debug build reports: under `tasks` by name of the task,
 * place of its spawn, address of the mutex and place of the lock; not where the wait cannot lead to
 * another thread, and not for a mutex that was unlocked before.
 *
 * What shall be reported ends the process, so it is done in a child. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/run.h"

#ifdef WI_WATCH_MUTEXES
static const bool watched = true;
#else
static const bool watched = false;
#endif

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static bool skipped(void)
{
    if (watched)
        return false;
    printf("SKIP: only Debug builds watch mutexes (make debug)\n");
    return true;
}

/* What is done with the mutex before the wait, and after it. */
struct way {
    const char *name;
    int (*before)(void);
    int (*after)(void);
};

static int lock(void)
{
    return pthread_mutex_lock(&mutex);
}

static int unlock(void)
{
    return pthread_mutex_unlock(&mutex);
}

static int nothing(void)
{
    return 0;
}

static int try_lock(void)
{
    return pthread_mutex_trylock(&mutex);
}

static int lock_until(void)
{
    const struct timespec until = { .tv_sec = time(NULL) + 60 };
    return pthread_mutex_timedlock(&mutex, &until);
}

/* The mutex is given back and taken again inside the call. */
static int lock_and_wait(void)
{
    const struct timespec past = { .tv_sec = 1 };
    const int code = pthread_mutex_lock(&mutex);
    if (code != 0)
        return code;
    return pthread_cond_timedwait(&changed, &mutex, &past) == ETIMEDOUT ? 0 : -1;
}

static int lock_and_unlock(void)
{
    const int code = pthread_mutex_lock(&mutex);
    return code != 0 ? code : pthread_mutex_unlock(&mutex);
}

static int fail_to_lock(void)
{
    return pthread_mutex_trylock(&mutex) == EBUSY ? 0 : -1;
}

static int nest(void)
{
    static pthread_mutex_t other = PTHREAD_MUTEX_INITIALIZER;
    CHECK_EQ(lock(), 0);
    CHECK_EQ(pthread_mutex_lock(&other), 0);
    CHECK_EQ(unlock(), 0);
    return pthread_mutex_unlock(&other);
}

static int wait_between(void *arg)
{
    const struct way *way = arg;
    CHECK_EQ(way->before(), 0);
    CHECK_EQ(weir_sleep(weir_in_ns(WEIR_NS_PER_MS)), 0);
    CHECK_EQ(way->after(), 0);
    return 0;
}

static int yield_between(void *arg)
{
    const struct way *way = arg;
    CHECK_EQ(way->before(), 0);
    CHECK_EQ(weir_yield(), 0);
    CHECK_EQ(way->after(), 0);
    return 0;
}

static int end_after(void *arg)
{
    const struct way *way = arg;
    return way->before();
}

/* -- what is reported -------------------------------------------------------------------------- */

static const struct way *way_in_child;
static weir_task_fn *task_in_child;

static int spawn_the_culprit(void *arg)
{
    weir_task *task;
    (void)arg;
    CHECK_EQ(
        weir_task_start(&task, task_in_child, (void *)(uintptr_t)way_in_child, .name = "culprit"),
        0);
    return weir_task_join(task, NULL, WEIR_NO_DEADLINE);
}

static void run_the_culprit(void)
{
    run_body(spawn_the_culprit, NULL);
}

static void check_reported(weir_task_fn *task, const struct way *way)
{
    char text[2048];
    char address[32];
    task_in_child = task;
    way_in_child = way;
    const int status = run_in_child(run_the_culprit, text, sizeof(text));
    if (model_scheduler() != WEIR_SCHEDULER_TASKS) {
        assert_int_equal(status, 0);
        return;
    }
    (void)snprintf(address, sizeof(address), "mutex %p", (void *)&mutex);
    if (status != 128 + SIGABRT || strstr(text, "pthread mutex") == NULL)
        fprintf(stderr, "%s: status %d: %s\n", way->name, status, text);
    assert_int_equal(status, 128 + SIGABRT);
    assert_non_null(strstr(text, "misuse of a pthread mutex"));
    assert_non_null(strstr(text, "\"culprit\""));
    assert_non_null(strstr(text, "held_mutex_test.c:"));
    assert_non_null(strstr(text, address));
    assert_non_null(strstr(text, "locked at "));
    assert_non_null(strstr(text, "held_mutex_")); /* the program in which that is */
}

static void a_mutex_held_across_a_wait_is_reported_under_tasks(void **state)
{
    static const struct way ways[] = {
        { "lock", lock, unlock },
        { "trylock", try_lock, unlock },
        { "timedlock", lock_until, unlock },
        { "after a condition's wait", lock_and_wait, unlock },
    };
    (void)state;
    if (skipped())
        skip();
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        check_reported(wait_between, &ways[i]);
    check_reported(yield_between, &ways[0]);
}

static void a_mutex_held_at_a_task_s_end_is_reported_under_tasks(void **state)
{
    static const struct way way = { "at the end", lock, nothing };
    (void)state;
    if (skipped())
        skip();
    check_reported(end_after, &way);
}

/* -- what is not ------------------------------------------------------------------------------- */

static void a_mutex_unlocked_before_the_wait_is_not_reported(void **state)
{
    static const struct way ways[] = {
        { "lock and unlock", lock_and_unlock, nothing },
        { "two, unlocked in the order of their locks", nest, nothing },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        run_body(wait_between, (void *)(uintptr_t)&ways[i]);
}

/* A lock that failed is not held; it is held by the thread of the test, which waits too. */
static void a_mutex_that_another_thread_holds_is_not_reported(void **state)
{
    static const struct way way = { "held by another", fail_to_lock, nothing };
    (void)state;
    assert_int_equal(lock(), 0);
    run_body(wait_between, (void *)(uintptr_t)&way);
    assert_int_equal(unlock(), 0);
}

static int spawn_one_that_stays(void *arg)
{
    static const struct way way = { "pinned", lock, unlock };
    const bool blocking = *(const bool *)arg;
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, wait_between, (void *)(uintptr_t)&way, .pinned = !blocking,
                             .blocking = blocking),
             0);
    return weir_task_join(task, NULL, WEIR_NO_DEADLINE);
}

static void a_task_that_stays_on_its_thread_may_hold_a_mutex(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        bool blocking = i != 0;
        run_body(spawn_one_that_stays, &blocking);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mutex_held_across_a_wait_is_reported_under_tasks),
        cmocka_unit_test(a_mutex_held_at_a_task_s_end_is_reported_under_tasks),
        cmocka_unit_test(a_mutex_unlocked_before_the_wait_is_not_reported),
        cmocka_unit_test(a_mutex_that_another_thread_holds_is_not_reported),
        cmocka_unit_test(a_task_that_stays_on_its_thread_may_hold_a_mutex),
    };
    return cmocka_run_group_tests_name("held_mutex", tests, NULL, NULL);
}
