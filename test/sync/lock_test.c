/* SPDX-License-Identifier: MIT */
/* The runtime's lock under contention: exclusion, no lost wake, free for destruction at once. */
#include "sync/lock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "os/thread.h"
#include "support/run.h"

enum {
    THREADS = 4,
    ROUNDS = 20000
};

static struct wi_lock lock;
static int64_t plain; /* guarded by lock */

static void *add(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        wi_lock(&lock);
        plain++;
        if (i % 1000 == 0)
            wi_os_thread_yield(); /* held while others come: they sleep */
        wi_unlock(&lock);
    }
    return NULL;
}

static void one_holder_at_a_time(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    wi_lock_init(&lock);
    plain = 0;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(plain, (int64_t)THREADS * ROUNDS);
    assert_true(wi_try_lock(&lock));
    assert_false(wi_try_lock(&lock));
    wi_unlock(&lock);
}

/* The unlocking swap is the last touch: who learns under the lock that he is the last frees it. */
struct object {
    struct wi_lock lock;
    int users; /* guarded by lock */
};

static void *leave(void *arg)
{
    struct object *object = arg;
    wi_lock(&object->lock);
    const bool last = --object->users == 0;
    wi_unlock(&object->lock);
    if (last)
        free(object);
    return NULL;
}

static void the_last_holder_may_free_the_lock(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        struct object *object = calloc(1, sizeof(*object));
        assert_non_null(object);
        object->users = 2;
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, leave, object), 0);
        (void)leave(object);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_holder_at_a_time),
        cmocka_unit_test(the_last_holder_may_free_the_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
