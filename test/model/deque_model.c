/* SPDX-License-Identifier: MIT */
/* The work-stealing deque, four slots short: what is pushed is taken once, by the owner at either
 * end or by a thief; with membarrier and without.
 *
 * explores: sync/deque.c sync/handshake.c */
#include "model/explore.h"

#include <stddef.h>

#include "sync/deque.h"
#include "sync/handshake.h"

enum {
    ITEMS_MAX = 8
};

static struct wi_deque deque;
static int items[ITEMS_MAX];
static int times_taken[ITEMS_MAX]; /* plain: a race if two take one */

static void begin(void)
{
    if (explore_choose(2) == 1)
        explore_without_membarrier();
    wi_handshake_open(false);
    wi_deque_init(&deque, true);
}

static void push(int number)
{
    items[number] = number + 100; /* plain: seen by who takes it only if the push publishes */
    explore_check(wi_deque_push(&deque, &items[number]));
}

static void take(void *item)
{
    if (item == NULL)
        return;
    const int number = (int)((int *)item - items);
    explore_check_eq(items[number], number + 100);
    times_taken[number]++;
}

static void end(int count)
{
    void *item;
    while ((item = wi_deque_pop(&deque)) != NULL)
        take(item);
    for (int i = 0; i < count; i++)
        explore_check_eq(times_taken[i], 1);
    explore_check_eq(wi_deque_count(&deque), 0);
}

static void pop_twice(void *arg)
{
    (void)arg;
    take(wi_deque_pop(&deque));
    take(wi_deque_pop(&deque));
}

static void steal_once(void *arg)
{
    (void)arg;
    take(wi_deque_steal(&deque));
}

static void steal_twice(void *arg)
{
    (void)arg;
    take(wi_deque_steal(&deque));
    take(wi_deque_steal(&deque));
}

static void owner_and_thief_meet_at_the_last(void)
{
    begin();
    push(0);
    explore_start(pop_twice, NULL);
    explore_start(steal_once, NULL);
    explore_join();
    end(1);
}

static void owner_and_thief_share_two(void)
{
    begin();
    push(0);
    push(1);
    explore_start(pop_twice, NULL);
    explore_start(steal_twice, NULL);
    explore_join();
    end(2);
}

static void owner_and_two_thieves_share_two(void)
{
    begin();
    push(0);
    push(1);
    explore_start(pop_twice, NULL);
    explore_start(steal_once, NULL);
    explore_start(steal_once, NULL);
    explore_join();
    end(2);
}

static void push_pop_push(void *arg)
{
    (void)arg;
    push(0);
    push(1);
    take(wi_deque_pop(&deque));
    push(2);
    take(wi_deque_pop(&deque));
}

static void a_thief_comes_while_the_owner_pushes_and_pops(void)
{
    begin();
    explore_start(push_pop_push, NULL);
    explore_start(steal_twice, NULL);
    explore_join();
    end(3);
}

static void pop_at_both_ends(void *arg)
{
    (void)arg;
    take(wi_deque_pop_oldest(&deque));
    take(wi_deque_pop(&deque));
}

static void the_owner_takes_at_both_ends(void)
{
    begin();
    push(0);
    push(1);
    explore_start(pop_at_both_ends, NULL);
    explore_start(steal_once, NULL);
    explore_join();
    end(2);
}

/* The slots come round while a thief is at work. */
static void fill_twice(void *arg)
{
    (void)arg;
    for (int i = 0; i < WI_DEQUE_SLOTS; i++)
        push(i);
    take(wi_deque_pop_oldest(&deque));
    take(wi_deque_pop_oldest(&deque));
    push(WI_DEQUE_SLOTS);
    push(WI_DEQUE_SLOTS + 1);
}

static void slots_come_round_under_a_thief(void)
{
    begin();
    explore_start(fill_twice, NULL);
    explore_start(steal_once, NULL);
    explore_join();
    end(WI_DEQUE_SLOTS + 2);
}

EXPLORE_MAIN(EXPLORE_WITH(owner_and_thief_meet_at_the_last, .preemptions = 3, .stale = 3),
             EXPLORE_WITH(owner_and_thief_share_two, .preemptions = 3),
             EXPLORE(owner_and_two_thieves_share_two),
             EXPLORE(a_thief_comes_while_the_owner_pushes_and_pops),
             EXPLORE(the_owner_takes_at_both_ends), EXPLORE(slots_come_round_under_a_thief))
