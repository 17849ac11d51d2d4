/* SPDX-License-Identifier: MIT */
/* The run queue's ring, four slots short: what is pushed comes out once, in order, whoever takes
 * it; a slot is not overwritten while a thief may still take what lies in it.
 *
 * explores: sync/runq.c */
#include "model/explore.h"

#include <stddef.h>

#include "sync/runq.h"

enum {
    ITEMS_MAX = 16
};

static struct wi_runq queue;
static struct wi_runq thief_queue;
static int items[ITEMS_MAX];
static int times_taken[ITEMS_MAX]; /* each by who took it: a race if two do */

static void push(int number)
{
    items[number] = number + 100; /* plain: seen by who takes it only if the push publishes */
    explore_check(wi_runq_push(&queue, &items[number]));
}

static void take(void *item)
{
    const int number = (int)((int *)item - items);
    explore_check_eq(items[number], number + 100);
    times_taken[number]++;
}

static void drain(struct wi_runq *from)
{
    void *item;
    while ((item = wi_runq_pop(from)) != NULL)
        take(item);
}

static void check_all_taken(int count)
{
    drain(&queue);
    drain(&thief_queue);
    for (int i = 0; i < count; i++)
        explore_check_eq(times_taken[i], 1);
}

static void steal_some(void *arg)
{
    (void)arg;
    wi_runq_init(&thief_queue, true);
    (void)wi_runq_steal(&queue, &thief_queue);
    drain(&thief_queue);
}

static void steal_one(void *arg)
{
    struct wi_runq *own = arg;
    if (wi_runq_steal(&queue, own) > 0)
        drain(own);
}

static void owner_pushes_and_pops(void *arg)
{
    const int count = *(int *)arg;
    for (int i = 0; i < count; i++) {
        push(i);
        if (i % 2 == 1) {
            void *item = wi_runq_pop(&queue);
            if (item != NULL)
                take(item);
        }
    }
}

static void a_thief_and_the_owner_share(void)
{
    static int count = 4;
    wi_runq_init(&queue, true);
    explore_start(owner_pushes_and_pops, &count);
    explore_start(steal_some, NULL);
    explore_join();
    check_all_taken(count);
}

static void two_thieves_meet(void)
{
    static struct wi_runq own[2];
    wi_runq_init(&queue, true);
    wi_runq_init(&thief_queue, true);
    for (int i = 0; i < 3; i++)
        push(i);
    for (int i = 0; i < 2; i++) {
        wi_runq_init(&own[i], true);
        explore_start(steal_one, &own[i]);
    }
    explore_join();
    check_all_taken(3);
}

/* Full, emptied and filled again: the slots come round while a thief is at work. */
static void fill_twice(void *arg)
{
    (void)arg;
    for (int i = 0; i < WI_RUNQ_SLOTS; i++)
        push(i);
    for (int i = 0; i < 2; i++) {
        void *item = wi_runq_pop(&queue);
        if (item != NULL)
            take(item);
    }
    for (int i = WI_RUNQ_SLOTS; i < WI_RUNQ_SLOTS + 2; i++)
        push(i);
}

static void slots_come_round_under_a_thief(void)
{
    wi_runq_init(&queue, true);
    explore_start(fill_twice, NULL);
    explore_start(steal_some, NULL);
    explore_join();
    check_all_taken(WI_RUNQ_SLOTS + 2);
}

static void push_or_spill(void *arg)
{
    (void)arg;
    void *spilled[WI_RUNQ_SLOTS / 2];
    for (int i = 0; i < WI_RUNQ_SLOTS + 1; i++) {
        items[i] = i + 100;
        while (!wi_runq_push(&queue, &items[i])) {
            const int count = wi_runq_spill(&queue, spilled);
            for (int at = 0; at < count; at++)
                take(spilled[at]);
        }
    }
}

static void a_full_queue_spills_beside_a_thief(void)
{
    wi_runq_init(&queue, true);
    explore_start(push_or_spill, NULL);
    explore_start(steal_some, NULL);
    explore_join();
    check_all_taken(WI_RUNQ_SLOTS + 1);
}

/* Whoever is told by another way that something was pushed finds it. */
static wi_atomic_u32 told;

static void push_and_tell(void *arg)
{
    (void)arg;
    push(0);
    wi_store_release(&told, 1);
}

static void look_when_told(void *arg)
{
    (void)arg;
    if (wi_load_acquire(&told) != 0)
        explore_check_eq(wi_runq_count(&queue), 1);
}

static void the_count_is_seen_with_the_word_of_it(void)
{
    wi_runq_init(&queue, true);
    wi_store_relaxed(&told, 0);
    explore_start(push_and_tell, NULL);
    explore_start(look_when_told, NULL);
    explore_join();
}

/* What a thief has moved to its own queue may be stolen from there. */
static void steal_and_keep(void *arg)
{
    (void)arg;
    (void)wi_runq_steal(&queue, &thief_queue);
}

static void steal_from_the_thief(void *arg)
{
    struct wi_runq *own = arg;
    if (wi_runq_steal(&thief_queue, own) > 0)
        drain(own);
}

static void what_was_stolen_is_stolen_again(void)
{
    static struct wi_runq own;
    wi_runq_init(&queue, true);
    wi_runq_init(&thief_queue, true);
    wi_runq_init(&own, true);
    for (int i = 0; i < 3; i++)
        push(i);
    explore_start(steal_and_keep, NULL);
    explore_start(steal_from_the_thief, &own);
    explore_join();
    check_all_taken(3);
}

EXPLORE_MAIN(EXPLORE(a_thief_and_the_owner_share), EXPLORE(two_thieves_meet),
             EXPLORE(slots_come_round_under_a_thief), EXPLORE(a_full_queue_spills_beside_a_thief),
             EXPLORE(what_was_stolen_is_stolen_again),
             EXPLORE(the_count_is_seen_with_the_word_of_it))
