/* SPDX-License-Identifier: MIT */
/* The runtime's own lock: one holder at a time who sees what the last one did, no sleeper
 * forgotten, and nothing touched after the unlock.
 *
 * explores: sync/lock.c sync/handshake.c */
#include "model/explore.h"

#include "base/alloc.h"
#include "sync/lock.h"

static struct wi_lock lock;
static int inside; /* plain: a race unless the lock orders its users */
static int visits;

/* Where the kernel makes all threads pass a barrier, and where it does not. */
static void begin(void)
{
    if (explore_choose(2) == 1)
        explore_without_membarrier();
    wi_handshake_open(false);
    wi_lock_init(&lock);
}

static void visit(void)
{
    wi_lock(&lock);
    explore_check_eq(inside, 0);
    inside = 1;
    visits++;
    inside = 0;
    wi_unlock(&lock);
}

static void visit_once(void *arg)
{
    (void)arg;
    visit();
}

static void visit_twice(void *arg)
{
    (void)arg;
    visit();
    visit();
}

static void two_take_turns(void)
{
    begin();
    explore_start(visit_twice, NULL);
    explore_start(visit_twice, NULL);
    explore_join();
    explore_check_eq(visits, 4);
}

static void three_sleep_and_wake_each_other(void)
{
    begin();
    for (int i = 0; i < 3; i++)
        explore_start(visit_once, NULL);
    explore_join();
    explore_check_eq(visits, 3);
}

static void try_visit(void *arg)
{
    (void)arg;
    if (!wi_try_lock(&lock))
        return;
    visits++;
    wi_unlock(&lock);
}

static void a_try_either_has_the_lock_or_leaves_it(void)
{
    begin();
    explore_start(visit_once, NULL);
    explore_start(try_visit, NULL);
    explore_join();
    explore_check(visits == 1 || visits == 2);
}

struct object {
    struct wi_lock lock;
    int references; /* guarded by lock */
};

static void drop_reference(void *arg)
{
    struct object *object = arg;
    wi_lock(&object->lock);
    const int left = --object->references;
    wi_unlock(&object->lock);
    if (left == 0)
        wi_free(object);
}

static void the_unlock_is_the_last_touch(void)
{
    begin();
    struct object *object = wi_alloc(sizeof(*object));
    wi_lock_init(&object->lock);
    object->references = 2;
    explore_start(drop_reference, object);
    explore_start(drop_reference, object);
    explore_join();
}

EXPLORE_MAIN(EXPLORE_WITH(two_take_turns, .stale = 3), EXPLORE(three_sleep_and_wake_each_other),
             EXPLORE(a_try_either_has_the_lock_or_leaves_it), EXPLORE(the_unlock_is_the_last_touch))
