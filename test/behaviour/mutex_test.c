/* SPDX-License-Identifier: MIT */
/* Mutexes between tasks and threads: exclusion, order, deadlines, cancellation, misuse. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

struct shared {
    weir_mutex *mutex;
    int64_t plain; /* guarded by mutex; unguarded access would lose counts */
    int rounds;
    int started;
    int done;
    int order[16];
    int orders;
};

static struct shared make(void)
{
    struct shared shared = { .rounds = 2000 };
    CHECK_EQ(weir_mutex_create(&shared.mutex), 0);
    return shared;
}

static int add_under_lock(void *arg)
{
    struct shared *shared = arg;
    for (int i = 0; i < shared->rounds; i++) {
        CHECK_EQ(weir_mutex_lock(shared->mutex, WEIR_NO_DEADLINE), 0);
        const int64_t before = shared->plain;
        if (i % 64 == 0)
            (void)weir_yield(); /* a holder may wait */
        shared->plain = before + 1;
        weir_mutex_unlock(shared->mutex);
    }
    return 0;
}

static void *add_on_thread(void *arg)
{
    (void)add_under_lock(arg);
    return NULL;
}

RUN(one_holder_at_a_time_among_tasks_and_threads)
{
    enum {
        TASKS = 4,
        THREADS = 2
    };
    struct shared shared = make();
    weir_scope *scope;
    pthread_t threads[THREADS];
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < TASKS; i++)
        CHECK_EQ(weir_go(add_under_lock, &shared), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, add_on_thread, &shared), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(shared.plain, (TASKS + THREADS) * shared.rounds);
    weir_mutex_destroy(shared.mutex);
    return 0;
}

struct queued {
    struct shared *shared;
    int number;
};

static int note_order(void *arg)
{
    struct queued *self = arg;
    struct shared *shared = self->shared;
    bump(&shared->started);
    CHECK_EQ(weir_mutex_lock(shared->mutex, WEIR_NO_DEADLINE), 0);
    shared->order[shared->orders++] = self->number;
    weir_mutex_unlock(shared->mutex);
    return 0;
}

RUN(waiters_get_it_in_the_order_of_their_coming)
{
    enum {
        WAITERS = 10
    };
    if (model_is_parallel())
        return 0; /* test/chan/mutex_test.c sees from inside when a waiter is queued */
    struct shared shared = make();
    struct queued queued[WAITERS];
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    CHECK_EQ(weir_mutex_lock(shared.mutex, WEIR_NO_DEADLINE), 0);
    for (int i = 0; i < WAITERS; i++) {
        queued[i] = (struct queued){ .shared = &shared, .number = i };
        CHECK_EQ(weir_go(note_order, &queued[i]), 0);
        await(&shared.started, i + 1);
    }
    weir_mutex_unlock(shared.mutex);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    for (int i = 0; i < WAITERS; i++)
        CHECK_EQ(shared.order[i], i);
    weir_mutex_destroy(shared.mutex);
    return 0;
}

static int try_with_deadlines(void *arg)
{
    struct shared *shared = arg;
    CHECK_EQ(weir_mutex_lock(shared->mutex, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    const weir_time deadline = weir_in_ms(3);
    CHECK_EQ(weir_mutex_lock(shared->mutex, deadline), WEIR_ETIMEDOUT);
    CHECK(weir_now() >= deadline);
    return 0;
}

RUN(a_deadline_ends_the_wait_without_the_lock)
{
    struct shared shared = make();
    weir_task *task;
    CHECK_EQ(weir_mutex_lock(shared.mutex, WEIR_DONT_WAIT), 0);
    CHECK_EQ(weir_task_start(&task, try_with_deadlines, &shared), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    weir_mutex_unlock(shared.mutex);
    CHECK_EQ(weir_mutex_lock(shared.mutex, WEIR_DONT_WAIT), 0);
    weir_mutex_unlock(shared.mutex);
    weir_mutex_destroy(shared.mutex);
    return 0;
}

RUN(the_holder_that_locks_again_is_told)
{
    struct shared shared = make();
    CHECK_EQ(weir_mutex_lock(shared.mutex, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_mutex_lock(shared.mutex, WEIR_NO_DEADLINE), WEIR_EDEADLK);
    CHECK_EQ(weir_mutex_lock(shared.mutex, WEIR_DONT_WAIT), WEIR_EDEADLK);
    weir_mutex_unlock(shared.mutex);
    weir_mutex_destroy(shared.mutex);
    return 0;
}

static int lock_while_canceled(void *arg)
{
    struct shared *shared = arg;
    bump(&shared->started);
    CHECK_EQ(weir_mutex_lock(shared->mutex, WEIR_NO_DEADLINE), 0);
    shared->plain++;
    weir_mutex_unlock(shared->mutex);
    CHECK_EQ(weir_cancel_cause(), WEIR_EPERM);
    CHECK_EQ(weir_mutex_lock(shared->mutex, WEIR_NO_DEADLINE), 0);
    weir_mutex_unlock(shared->mutex);
    bump(&shared->done);
    return 0;
}

RUN(ambient_cancellation_does_not_interrupt_a_lock)
{
    struct shared shared = make();
    weir_task *task;
    CHECK_EQ(weir_mutex_lock(shared.mutex, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_task_start(&task, lock_while_canceled, &shared), 0);
    await(&shared.started, 1);
    weir_task_cancel(task, WEIR_EPERM);
    CHECK_EQ(weir_task_join(task, NULL, weir_in_ms(5)), WEIR_ETIMEDOUT);
    CHECK_EQ(peek(&shared.done), 0);
    weir_mutex_unlock(shared.mutex);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(shared.done, 1);
    CHECK_EQ(shared.plain, 1);
    weir_mutex_destroy(shared.mutex);
    return 0;
}

/* Deadlines race hand-overs; a lock that was got by a waiter that gave up would stay locked. */
static int lock_with_short_deadlines(void *arg)
{
    struct shared *shared = arg;
    for (int i = 0; i < shared->rounds; i++) {
        const int rc = weir_mutex_lock(shared->mutex, weir_in_ns(1000 * (i % 50)));
        CHECK(rc == 0 || rc == WEIR_ETIMEDOUT);
        if (rc != 0)
            continue;
        shared->plain++;
        bump(&shared->done);
        if (i % 8 == 0)
            (void)weir_yield();
        weir_mutex_unlock(shared->mutex);
    }
    return 0;
}

RUN(a_lock_is_never_lost_to_a_waiter_that_gave_up)
{
    enum {
        TASKS = 6
    };
    struct shared shared = make();
    shared.rounds = 500;
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < TASKS; i++)
        CHECK_EQ(weir_go(lock_with_short_deadlines, &shared), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(shared.plain, shared.done);
    CHECK_EQ(weir_mutex_lock(shared.mutex, WEIR_DONT_WAIT), 0);
    weir_mutex_unlock(shared.mutex);
    weir_mutex_destroy(shared.mutex);
    return 0;
}

static void unlock_unlocked(void)
{
    weir_mutex *mutex;
    IGNORE(weir_mutex_create(&mutex));
    weir_mutex_unlock(mutex);
}

static void destroy_held(void)
{
    weir_mutex *mutex;
    IGNORE(weir_mutex_create(&mutex));
    IGNORE(weir_mutex_lock(mutex, WEIR_DONT_WAIT));
    weir_mutex_destroy(mutex);
}

static void *unlock_foreign(void *mutex)
{
    weir_mutex_unlock(mutex);
    return NULL;
}

static void unlock_somebody_elses(void)
{
    weir_mutex *mutex;
    pthread_t thread;
    IGNORE(weir_mutex_create(&mutex));
    IGNORE(weir_mutex_lock(mutex, WEIR_DONT_WAIT));
    (void)pthread_create(&thread, NULL, unlock_foreign, mutex);
    (void)pthread_join(thread, NULL);
}

static int unlock_as_task(void *mutex)
{
    weir_mutex_unlock(mutex);
    return 0;
}

static int unlock_another_tasks(void *unused)
{
    (void)unused;
    weir_mutex *mutex;
    weir_task *task;
    IGNORE(weir_mutex_create(&mutex));
    IGNORE(weir_mutex_lock(mutex, WEIR_DONT_WAIT));
    (void)fprintf(stderr, "locked by %llu\n", (unsigned long long)weir_task_id());
    IGNORE(weir_task_start(&task, unlock_as_task, mutex));
    return weir_task_join(task, NULL, WEIR_NO_DEADLINE);
}

static void tasks_unlock_each_others(void)
{
    run_body(unlock_another_tasks, NULL);
}

static void misuse_among_tasks_shows_both(void **state)
{
    (void)state;
    char text[1024];
    assert_int_equal(run_in_child(tasks_unlock_each_others, text, sizeof(text)), 128 + 6);
    unsigned long long owner;
    long long holder;
    long long caller;
    const char *report = strstr(text, "weir: misuse of weir_mutex_unlock");
    assert_non_null(report);
    assert_int_equal(sscanf(text, "locked by %llu", &owner), 1);
    assert_int_equal(sscanf(report,
                            "weir: misuse of weir_mutex_unlock: the holder is task %lld, "
                            "the caller is task %lld",
                            &holder, &caller),
                     2);
    assert_int_equal(holder, owner);
    assert_true(caller > 0 && caller != holder);
}

static void misuse_aborts_and_says_what(void **state)
{
    (void)state;
    char text[1024];
    assert_int_equal(run_in_child(unlock_unlocked, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "weir_mutex_unlock"));
    assert_int_equal(run_in_child(unlock_somebody_elses, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "weir_mutex_unlock"));
    assert_int_equal(run_in_child(destroy_held, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "weir_mutex_destroy: held by task -"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_holder_at_a_time_among_tasks_and_threads),
        cmocka_unit_test(waiters_get_it_in_the_order_of_their_coming),
        cmocka_unit_test(a_deadline_ends_the_wait_without_the_lock),
        cmocka_unit_test(the_holder_that_locks_again_is_told),
        cmocka_unit_test(ambient_cancellation_does_not_interrupt_a_lock),
        cmocka_unit_test(a_lock_is_never_lost_to_a_waiter_that_gave_up),
        cmocka_unit_test(misuse_aborts_and_says_what),
        cmocka_unit_test(misuse_among_tasks_shows_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
