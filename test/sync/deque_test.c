/* SPDX-License-Identifier: MIT */
/* The work-stealing deque: newest first for its owner, oldest first for thieves, and each item once
 * whoever takes it, with both forms of the handshake under it. */
#include "sync/deque.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"
#include "sync/handshake.h"

static struct wi_deque deque;

static void *item(intptr_t number)
{
    return (void *)number;
}

static void the_owner_has_the_newest_and_others_the_oldest(void **state)
{
    (void)state;
    for (int shared = 0; shared < 2; shared++) {
        wi_deque_init(&deque, shared != 0);
        for (int round = 0; round < 3; round++) {
            assert_null(wi_deque_pop(&deque));
            assert_null(wi_deque_pop_oldest(&deque));
            assert_null(wi_deque_steal(&deque));
            for (intptr_t i = 1; i <= WI_DEQUE_SLOTS; i++)
                assert_true(wi_deque_push(&deque, item(i)));
            assert_false(wi_deque_push(&deque, item(1)));
            assert_int_equal(wi_deque_count(&deque), WI_DEQUE_SLOTS);
            assert_ptr_equal(wi_deque_pop(&deque), item(WI_DEQUE_SLOTS));
            assert_ptr_equal(wi_deque_pop_oldest(&deque), item(1));
            assert_ptr_equal(wi_deque_steal(&deque), item(2));
            for (intptr_t i = WI_DEQUE_SLOTS - 1; i >= 3; i--)
                assert_ptr_equal(wi_deque_pop(&deque), item(i));
            assert_int_equal(wi_deque_count(&deque), 0);
        }
    }
}

/* -- with thieves ------------------------------------------------------------------------------ */

enum {
    ITEMS = 400000,
    THIEVES = 2
};

static int taken[ITEMS + 1]; /* how often each was; atomic */
static int over;

static void take(void *got)
{
    if (got != NULL)
        bump(&taken[(intptr_t)got]);
}

static void *steal_until_over(void *unused)
{
    (void)unused;
    while (peek(&over) == 0)
        take(wi_deque_steal(&deque));
    return NULL;
}

/* Few at a time, so that owner and thieves meet at the last one again and again. */
static void share(bool even)
{
    pthread_t thieves[THIEVES];
    uint64_t seed = test_seed();
    wi_handshake_open(even);
    wi_deque_init(&deque, true);
    memset(taken, 0, sizeof(taken));
    post(&over, 0);
    for (int i = 0; i < THIEVES; i++)
        assert_int_equal(pthread_create(&thieves[i], NULL, steal_until_over, NULL), 0);
    intptr_t next = 1;
    while (next <= ITEMS) {
        for (int pushes = 1 + draw_below(&seed, 4); pushes > 0 && next <= ITEMS; pushes--) {
            assert_true(wi_deque_push(&deque, item(next)));
            next++;
        }
        for (int pops = draw_below(&seed, 5); pops > 0; pops--)
            take(draw_below(&seed, 8) == 0 ? wi_deque_pop_oldest(&deque) : wi_deque_pop(&deque));
        while (wi_deque_count(&deque) > WI_DEQUE_SLOTS - 8)
            take(wi_deque_pop(&deque));
    }
    while (wi_deque_count(&deque) > 0)
        take(wi_deque_pop(&deque));
    post(&over, 1);
    for (int i = 0; i < THIEVES; i++)
        assert_int_equal(pthread_join(thieves[i], NULL), 0);
    take(wi_deque_pop(&deque));
    for (intptr_t i = 1; i <= ITEMS; i++)
        assert_int_equal(taken[i], 1);
}

static void each_item_is_taken_once(void **state)
{
    (void)state;
    share(false);
}

static void so_it_is_where_the_kernel_has_no_barrier_on_demand(void **state)
{
    (void)state;
    share(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_owner_has_the_newest_and_others_the_oldest),
        cmocka_unit_test(each_item_is_taken_once),
        cmocka_unit_test(so_it_is_where_the_kernel_has_no_barrier_on_demand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
