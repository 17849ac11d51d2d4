/* SPDX-License-Identifier: MIT */
/* Conditions between tasks and threads: wakes, deadlines, cancellation, no lost signal, misuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/crowd.h"
#include "support/run.h"

enum {
    PLACES = 3
};

struct store {
    weir_mutex *mutex;
    weir_cond *filled;
    weir_cond *emptied;
    /* guarded by mutex */
    int goods;
    int waiting;
    int woken;
    int go;
    /* constant */
    int rounds;
};

static struct store make(void)
{
    struct store store = { .rounds = 400 };
    CHECK_EQ(weir_mutex_create(&store.mutex), 0);
    CHECK_EQ(weir_cond_create(&store.filled), 0);
    CHECK_EQ(weir_cond_create(&store.emptied), 0);
    return store;
}

static void destroy(struct store *store)
{
    weir_cond_destroy(store->filled);
    weir_cond_destroy(store->emptied);
    weir_mutex_destroy(store->mutex);
}

static void lock(struct store *store)
{
    CHECK_EQ(weir_mutex_lock(store->mutex, WEIR_NO_DEADLINE), 0);
}

static int produce(void *arg)
{
    struct store *store = arg;
    for (int i = 0; i < store->rounds; i++) {
        lock(store);
        while (store->goods == PLACES)
            CHECK_EQ(weir_cond_wait(store->emptied, store->mutex, WEIR_NO_DEADLINE), 0);
        store->goods++;
        weir_cond_signal(store->filled);
        weir_mutex_unlock(store->mutex);
    }
    return 0;
}

static int consume(void *arg)
{
    struct store *store = arg;
    for (int i = 0; i < store->rounds; i++) {
        lock(store);
        while (store->goods == 0)
            CHECK_EQ(weir_cond_wait(store->filled, store->mutex, WEIR_NO_DEADLINE), 0);
        CHECK(--store->goods < PLACES);
        weir_mutex_unlock(store->mutex);
        weir_cond_signal(store->emptied);
    }
    return 0;
}

RUN(producers_and_consumers_never_miss_each_other)
{
    struct store store = make();
    struct crowd crowd = { .task_count = 0 };
    crowd_start(&crowd, 3, 1, produce, &store);
    crowd_start(&crowd, 3, 1, consume, &store);
    crowd_join(&crowd);
    CHECK_EQ(store.goods, 0);
    destroy(&store);
    return 0;
}

static int wait_for_go(void *arg)
{
    struct store *store = arg;
    lock(store);
    store->waiting++;
    while (!store->go)
        CHECK_EQ(weir_cond_wait(store->filled, store->mutex, WEIR_NO_DEADLINE), 0);
    store->woken++;
    weir_mutex_unlock(store->mutex);
    return 0;
}

/* Who has counted itself and let the mutex go waits. */
static void await_waiting(struct store *store, int count)
{
    for (;;) {
        lock(store);
        const int waiting = store->waiting;
        weir_mutex_unlock(store->mutex);
        if (waiting >= count)
            return;
        IGNORE(weir_sleep(weir_in_ns(50000)));
    }
}

RUN(a_broadcast_wakes_all)
{
    struct store store = make();
    struct crowd crowd = { .task_count = 0 };
    crowd_start(&crowd, 5, 3, wait_for_go, &store);
    await_waiting(&store, 8);
    lock(&store);
    store.go = 1;
    weir_cond_broadcast(store.filled);
    weir_mutex_unlock(store.mutex);
    crowd_join(&crowd);
    CHECK_EQ(store.woken, 8);
    weir_cond_signal(store.filled); /* nobody waits: nothing happens */
    weir_cond_broadcast(store.filled);
    destroy(&store);
    return 0;
}

static int time_out(void *arg)
{
    struct store *store = arg;
    lock(store);
    const weir_time deadline = weir_in_ms(2);
    CHECK_EQ(weir_cond_wait(store->filled, store->mutex, deadline), WEIR_ETIMEDOUT);
    CHECK(weir_now() >= deadline);
    CHECK_EQ(weir_cond_wait(store->filled, store->mutex, 1), WEIR_ETIMEDOUT);
    CHECK_EQ(weir_cond_wait(store->filled, store->mutex, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    weir_mutex_unlock(store->mutex); /* aborts unless it is held again */
    return 0;
}

RUN(a_deadline_ends_the_wait_with_the_mutex_held)
{
    struct store store = make();
    struct crowd crowd = { .task_count = 0 };
    crowd_start(&crowd, 2, 1, time_out, &store);
    crowd_join(&crowd);
    destroy(&store);
    return 0;
}

static int be_canceled(void *arg)
{
    struct store *store = arg;
    lock(store);
    store->waiting++;
    CHECK_EQ(weir_cond_wait(store->filled, store->mutex, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    CHECK_EQ(weir_cond_wait(store->filled, store->mutex, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    weir_mutex_unlock(store->mutex);
    return 0;
}

RUN(cancellation_ends_the_wait_with_the_mutex_held)
{
    struct store store = make();
    weir_task *task;
    int result = 1;
    CHECK_EQ(weir_task_start(&task, be_canceled, &store), 0);
    await_waiting(&store, 1);
    lock(&store);
    weir_task_cancel(task, WEIR_EPERM);
    /* It cannot return while somebody else holds the mutex. */
    CHECK_EQ(weir_task_join(task, NULL, weir_in_ms(3)), WEIR_ETIMEDOUT);
    weir_mutex_unlock(store.mutex);
    CHECK_EQ(weir_task_join(task, &result, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(result, 0);
    destroy(&store);
    return 0;
}

/* -- a signal against a deadline -------------------------------------------------------------- */

struct hasty {
    struct store *store;
    weir_time patience_ns;
    int rc;
};

static int wait_hastily(void *arg)
{
    struct hasty *hasty = arg;
    lock(hasty->store);
    hasty->store->waiting++;
    hasty->rc =
        weir_cond_wait(hasty->store->filled, hasty->store->mutex, weir_in_ns(hasty->patience_ns));
    hasty->store->woken += hasty->rc == 0;
    weir_mutex_unlock(hasty->store->mutex);
    return 0;
}

static int wait_patiently(void *arg)
{
    struct store *store = arg;
    lock(store);
    store->waiting++;
    CHECK_EQ(weir_cond_wait(store->filled, store->mutex, WEIR_NO_DEADLINE), 0);
    store->woken++;
    weir_mutex_unlock(store->mutex);
    return 0;
}

/* The hasty one waits longest, so the signal is for it, unless it has given up. */
static bool one_signal(struct store *store, int round)
{
    struct hasty hasty = { .store = store, .patience_ns = 20000 + 3000 * (round % 40) };
    struct crowd crowd = { .task_count = 0 };
    store->waiting = 0;
    store->woken = 0;
    (round % 2 == 0 ? crowd_task : crowd_thread)(&crowd, wait_hastily, &hasty);
    while (true) {
        lock(store);
        const int waiting = store->waiting;
        weir_mutex_unlock(store->mutex);
        if (waiting == 1)
            break;
        IGNORE(weir_yield());
    }
    crowd_task(&crowd, wait_patiently, store);
    await_waiting(store, 2);
    weir_cond_signal(store->filled);
    int woken = 0;
    while (woken == 0) { /* a lost signal would never end this */
        IGNORE(weir_yield());
        lock(store);
        woken = store->woken;
        weir_mutex_unlock(store->mutex);
    }
    if (woken == 1)
        weir_cond_signal(store->filled); /* for the other, if it is still there */
    crowd_join(&crowd);
    CHECK_EQ(store->woken, hasty.rc == 0 ? 2 : 1);
    return hasty.rc == 0;
}

RUN(a_signal_is_never_lost_to_who_gave_up)
{
    struct store store = make();
    int in_time = 0;
    for (int round = 0; round < 120; round++)
        in_time += one_signal(&store, round);
    printf("%d of 120 signals came in time\n", in_time);
    destroy(&store);
    return 0;
}

/* -- misuse ----------------------------------------------------------------------------------- */

static int wait_without_the_mutex(void *unused)
{
    (void)unused;
    struct store store = make();
    return weir_cond_wait(store.filled, store.mutex, WEIR_NO_DEADLINE);
}

static int wait_with_two_mutexes(void *unused)
{
    (void)unused;
    struct store store = make();
    struct crowd crowd = { .task_count = 0 };
    crowd_task(&crowd, wait_patiently, &store);
    await_waiting(&store, 1);
    CHECK_EQ(weir_mutex_create(&store.mutex), 0);
    lock(&store);
    return weir_cond_wait(store.filled, store.mutex, WEIR_NO_DEADLINE);
}

static int destroy_awaited(void *unused)
{
    (void)unused;
    struct store store = make();
    struct crowd crowd = { .task_count = 0 };
    crowd_start(&crowd, 2, 0, wait_patiently, &store);
    await_waiting(&store, 2);
    weir_cond_destroy(store.filled);
    return 0;
}

static void misuse_aborts_and_says_what(void **state)
{
    (void)state;
    expect_misuse_of(wait_without_the_mutex,
                     "weir_cond_wait: the holder is task 0, the caller is ");
    expect_misuse_of(wait_with_two_mutexes, "weir_cond_wait: others wait with mutex");
    expect_misuse_of(destroy_awaited, "weir_cond_destroy: so many wait on it (2)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(producers_and_consumers_never_miss_each_other),
        cmocka_unit_test(a_broadcast_wakes_all),
        cmocka_unit_test(a_deadline_ends_the_wait_with_the_mutex_held),
        cmocka_unit_test(cancellation_ends_the_wait_with_the_mutex_held),
        cmocka_unit_test(a_signal_is_never_lost_to_who_gave_up),
        cmocka_unit_test(misuse_aborts_and_says_what),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
