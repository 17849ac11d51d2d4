/* SPDX-License-Identifier: MIT */
/* Mutex, readers-writer lock, once, condition.  Guide: doc/guide/coming-from-go.md. */

#include <stdatomic.h>

#include "../guide/program.h"

static weir_mutex *mutex;
static weir_cond *cond;
static int count; /* guarded by mutex */
static bool ready;
static weir_once once = WEIR_ONCE_INIT;
static atomic_int calls;

static int add_100(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        must(weir_mutex_lock(mutex, WEIR_NO_DEADLINE));
        count++;
        weir_mutex_unlock(mutex);
    }
    return 0;
}

static int make(void *arg)
{
    (void)arg;
    atomic_fetch_add(&calls, 1);
    return 0;
}

static int make_once(void *arg)
{
    return weir_once_run(&once, make, arg, WEIR_NO_DEADLINE);
}

static int make_ready(void *arg)
{
    (void)arg;
    must(weir_mutex_lock(mutex, WEIR_NO_DEADLINE));
    ready = true;
    weir_mutex_unlock(mutex);
    weir_cond_signal(cond);
    return 0;
}

static void run(weir_task_fn *fn, int tasks)
{
    weir_scope *scope;
    must(weir_scope_open(&scope, NULL));
    for (int i = 0; i < tasks; i++)
        must(weir_go(fn, NULL));
    must(weir_scope_close(scope, WEIR_NO_DEADLINE));
}

static void read_and_write(weir_rwlock *lock)
{
    must(weir_rwlock_read_lock(lock, WEIR_NO_DEADLINE));
    const int second = weir_rwlock_read_lock(lock, WEIR_DONT_WAIT);
    const int writer = weir_rwlock_write_lock(lock, WEIR_DONT_WAIT);
    printf("a second reader: %s\n", yes_or_no(second == 0));
    printf("a writer beside readers: %s\n", yes_or_no(writer == 0));
    weir_rwlock_read_unlock(lock);
    weir_rwlock_read_unlock(lock);
}

/* Not the holder, whom a second lock would tell WEIR_EDEADLK. */
static int try_lock(void *arg)
{
    (void)arg;
    return weir_mutex_lock(mutex, WEIR_DONT_WAIT);
}

static int program(void *arg)
{
    (void)arg;
    weir_rwlock *lock;
    must(weir_mutex_create(&mutex));
    must(weir_cond_create(&cond));
    must(weir_rwlock_create(&lock));

    run(add_100, 8);
    printf("count: %d\n", count);

    weir_task *task;
    int tried;
    must(weir_mutex_lock(mutex, WEIR_NO_DEADLINE));
    must(weir_task_start(&task, try_lock, NULL));
    must(weir_task_join(task, &tried, WEIR_NO_DEADLINE));
    printf("try while it is held: %s\n", yes_or_no(tried == 0));
    weir_mutex_unlock(mutex);

    read_and_write(lock);

    run(make_once, 4);
    printf("calls: %d\n", atomic_load(&calls));

    must(weir_task_start(&task, make_ready, NULL));
    must(weir_mutex_lock(mutex, WEIR_NO_DEADLINE));
    while (!ready)
        must(weir_cond_wait(cond, mutex, WEIR_NO_DEADLINE));
    weir_mutex_unlock(mutex);
    printf("ready: %s\n", yes_or_no(ready));
    must(weir_task_join(task, NULL, WEIR_NO_DEADLINE));

    weir_rwlock_destroy(lock);
    weir_cond_destroy(cond);
    weir_mutex_destroy(mutex);
    return 0;
}
