/* SPDX-License-Identifier: MIT */
/* The mutex: one holder, who sees what the last one did; a waiter that gives up does not take the
 * lock with it.
 *
 * explores: chan/mutex.c sync/spin.c waits */
#include "model/parkers.h"

#include "base/alloc.h"
#include "sync/spin.h"
#include "weir/err.h"
#include "weir/mutex.h"

static weir_mutex *mutex;
static int inside;
static int visits;

static void visit(void *arg)
{
    (void)arg;
    explore_check_eq(weir_mutex_lock(mutex, WEIR_NO_DEADLINE), 0);
    explore_check_eq(inside, 0);
    inside = 1;
    visits++;
    inside = 0;
    weir_mutex_unlock(mutex);
}

static void visit_until(void *arg)
{
    (void)arg;
    const int rc = weir_mutex_lock(mutex, 2000);
    if (rc == 0) {
        visits++;
        weir_mutex_unlock(mutex);
    } else {
        explore_check_eq(rc, WEIR_ETIMEDOUT);
    }
}

static void begin(void)
{
    model_parkers_init();
    wi_spin_configure(2, 2);
    explore_check_eq(weir_mutex_create(&mutex), 0);
}

/* Whoever comes after everything finds it free. */
static void end(void)
{
    explore_check_eq(weir_mutex_lock(mutex, WEIR_DONT_WAIT), 0);
    weir_mutex_unlock(mutex);
    weir_mutex_destroy(mutex);
}

static void three_take_turns(void)
{
    begin();
    for (int i = 0; i < 3; i++)
        explore_start(visit, NULL);
    explore_join();
    explore_check_eq(visits, 3);
    end();
}

static void a_waiter_gives_up_as_it_is_handed_the_lock(void)
{
    begin();
    explore_deadline(2000);
    explore_start(visit, NULL);
    explore_start(visit_until, NULL);
    explore_join();
    explore_check(visits == 1 || visits == 2);
    explore_saw(visits - 1);
    end();
}

/* The clock may pass the instant at which a waiter has waited long enough to be handed the lock. */
static void visit_twice(void *arg)
{
    visit(arg);
    visit(arg);
}

static void who_waited_long_is_handed_the_lock(void)
{
    begin();
    explore_deadline(2 * WEIR_NS_PER_MS);
    explore_start(visit_twice, NULL);
    explore_start(visit, NULL);
    explore_join();
    explore_check_eq(visits, 3);
    end();
}

static void three_of_whom_one_waited_long(void)
{
    begin();
    explore_deadline(2 * WEIR_NS_PER_MS);
    for (int i = 0; i < 3; i++)
        explore_start(visit, NULL);
    explore_join();
    explore_check_eq(visits, 3);
    end();
}

static void try_visit(void *arg)
{
    (void)arg;
    const int rc = weir_mutex_lock(mutex, WEIR_DONT_WAIT);
    if (rc == 0) {
        visits++;
        weir_mutex_unlock(mutex);
    } else {
        explore_check_eq(rc, WEIR_ETIMEDOUT);
    }
}

static void a_try_comes_between(void)
{
    begin();
    explore_start(visit, NULL);
    explore_start(visit, NULL);
    explore_start(try_visit, NULL);
    explore_join();
    explore_check(visits == 2 || visits == 3);
    explore_saw(visits - 2);
    end();
}

/* Who learns under the lock that nobody else will come may destroy it at once. */
struct object {
    weir_mutex *mutex;
    int references; /* guarded by mutex */
};

static void drop_reference(void *arg)
{
    struct object *object = arg;
    explore_check_eq(weir_mutex_lock(object->mutex, WEIR_NO_DEADLINE), 0);
    const int left = --object->references;
    weir_mutex_unlock(object->mutex);
    if (left > 0)
        return;
    weir_mutex_destroy(object->mutex);
    wi_free(object);
}

static void the_last_user_may_destroy_it(void)
{
    begin();
    struct object *object = wi_alloc(sizeof(*object));
    object->mutex = mutex;
    object->references = 3;
    for (int i = 0; i < 3; i++)
        explore_start(drop_reference, object);
    explore_join();
}

EXPLORE_MAIN(EXPLORE(three_take_turns),
             EXPLORE_WITH(a_waiter_gives_up_as_it_is_handed_the_lock, .outcomes = 2,
                          .preemptions = 3),
             EXPLORE(who_waited_long_is_handed_the_lock), EXPLORE(three_of_whom_one_waited_long),
             EXPLORE_WITH(a_try_comes_between, .outcomes = 2),
             EXPLORE(the_last_user_may_destroy_it))
