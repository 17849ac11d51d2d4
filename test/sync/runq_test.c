/* SPDX-License-Identifier: MIT */
/* The run queue alone and under thieves: first in first out, bounded, nothing lost or doubled. */
#include "sync/runq.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

static struct wi_runq queue;

static void *item(intptr_t number)
{
    return (void *)number;
}

static void one_owner_sees_first_in_first_out(void **state)
{
    (void)state;
    for (intptr_t round = 0; round < 10; round++) {
        if (round % 5 == 0) /* with thieves to reckon with, and without */
            wi_runq_init(&queue, round == 0);
        assert_null(wi_runq_pop(&queue));
        for (intptr_t i = 1; i <= WI_RUNQ_SLOTS; i++)
            assert_true(wi_runq_push(&queue, item(i)));
        assert_false(wi_runq_push(&queue, item(1)));
        assert_int_equal(wi_runq_count(&queue), WI_RUNQ_SLOTS);
        for (intptr_t i = 1; i <= WI_RUNQ_SLOTS; i++)
            assert_ptr_equal(wi_runq_pop(&queue), item(i));
        assert_null(wi_runq_pop(&queue));
        assert_int_equal(wi_runq_count(&queue), 0);
    }
}

static void spilling_takes_the_older_half(void **state)
{
    (void)state;
    void *items[WI_RUNQ_SLOTS / 2];
    wi_runq_init(&queue, true);
    assert_int_equal(wi_runq_spill(&queue, items), 0);
    for (intptr_t i = 1; i <= WI_RUNQ_SLOTS; i++)
        assert_true(wi_runq_push(&queue, item(i)));
    assert_int_equal(wi_runq_spill(&queue, items), WI_RUNQ_SLOTS / 2);
    for (intptr_t i = 0; i < WI_RUNQ_SLOTS / 2; i++)
        assert_ptr_equal(items[i], item(i + 1));
    assert_ptr_equal(wi_runq_pop(&queue), item(WI_RUNQ_SLOTS / 2 + 1));
}

static void a_thief_takes_the_older_half_rounded_up(void **state)
{
    (void)state;
    static struct wi_runq own;
    for (intptr_t count = 0; count <= WI_RUNQ_SLOTS; count++) {
        wi_runq_init(&queue, true);
        wi_runq_init(&own, true);
        for (intptr_t i = 1; i <= count; i++)
            assert_true(wi_runq_push(&queue, item(i)));
        const int stolen = wi_runq_steal(&queue, &own);
        assert_int_equal(stolen, (count + 1) / 2);
        for (intptr_t i = 1; i <= stolen; i++)
            assert_ptr_equal(wi_runq_pop(&own), item(i));
        for (intptr_t i = stolen + 1; i <= count; i++)
            assert_ptr_equal(wi_runq_pop(&queue), item(i));
        assert_null(wi_runq_pop(&queue));
    }
}

/* The indices run over 2^32 without a stumble. */
static void the_indices_may_wrap(void **state)
{
    (void)state;
    wi_runq_init(&queue, true);
    wi_store_relaxed(&queue.head, UINT32_MAX - 10);
    wi_store_relaxed(&queue.tail, UINT32_MAX - 10);
    for (intptr_t i = 1; i <= 100; i++)
        assert_true(wi_runq_push(&queue, item(i)));
    static struct wi_runq own;
    wi_runq_init(&own, true);
    assert_int_equal(wi_runq_steal(&queue, &own), 50);
    for (intptr_t i = 51; i <= 100; i++)
        assert_ptr_equal(wi_runq_pop(&queue), item(i));
}

/* -- thieves ----------------------------------------------------------------------------------- */

enum {
    THIEVES = 3,
    ITEMS = 120000
};

static unsigned char seen[ITEMS + 1]; /* atomic: how often each item came out */
static int taken;

static void take(void *number)
{
    const intptr_t index = (intptr_t)number;
    CHECK(index >= 1 && index <= ITEMS);
    CHECK_EQ(__atomic_fetch_add(&seen[index], 1, __ATOMIC_RELAXED), 0);
    bump(&taken);
}

static void *thief(void *arg)
{
    static struct wi_runq own[THIEVES];
    struct wi_runq *mine = &own[(intptr_t)arg];
    wi_runq_init(mine, true);
    while (peek(&taken) < ITEMS) {
        (void)wi_runq_steal(&queue, mine);
        void *got;
        intptr_t before = 0;
        while ((got = wi_runq_pop(mine)) != NULL) {
            CHECK((intptr_t)got > before); /* what one steal took is in order */
            before = (intptr_t)got;
            take(got);
        }
    }
    return NULL;
}

static void owner_and_thieves_conserve_every_item(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    pthread_t threads[THIEVES];
    wi_runq_init(&queue, true);
    memset(seen, 0, sizeof(seen));
    taken = 0;
    for (intptr_t i = 0; i < THIEVES; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, thief, (void *)i), 0);
    for (intptr_t next = 1; next <= ITEMS;) {
        const int pushes = draw_below(&seed, 200);
        for (int i = 0; i < pushes && next <= ITEMS; i++) {
            if (wi_runq_push(&queue, item(next))) {
                next++;
                continue;
            }
            void *items[WI_RUNQ_SLOTS / 2];
            const int count = wi_runq_spill(&queue, items);
            for (int k = 0; k < count; k++)
                take(items[k]);
        }
        for (int i = draw_below(&seed, 100); i > 0; i--) {
            void *got = wi_runq_pop(&queue);
            if (got != NULL)
                take(got);
        }
    }
    for (int i = 0; i < THIEVES; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 1; i <= ITEMS; i++)
        assert_int_equal(seen[i], 1);
    assert_null(wi_runq_pop(&queue));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_owner_sees_first_in_first_out),
        cmocka_unit_test(spilling_takes_the_older_half),
        cmocka_unit_test(a_thief_takes_the_older_half_rounded_up),
        cmocka_unit_test(the_indices_may_wrap),
        cmocka_unit_test(owner_and_thieves_conserve_every_item),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
