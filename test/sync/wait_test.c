/* SPDX-License-Identifier: MIT */
/* The waiter's one winner, with real threads: done against giving up against cancellation, and the
 * last touch that lets the owner free everything at once. */
#include "sync/cancel.h"
#include "sync/wait.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"
#include "sync/lock.h"
#include "sync/thread_parker.h"

static const struct wi_waitable test_waitable = { .what = "test" };

/* A waitable of the test's own: a lock, a queue, a stock of items. */
struct stock {
    struct wi_lock lock;
    struct wi_list queue; /* guarded by lock */
    int items;            /* guarded by lock */
};

static void stock_init(struct stock *stock)
{
    wi_lock_init(&stock->lock);
    wi_list_init(&stock->queue);
    stock->items = 0;
}

static void supply(struct stock *stock)
{
    wi_lock(&stock->lock);
    struct wi_waiter *waiter = wi_waitlist_claim_first(&stock->queue);
    if (waiter == NULL)
        stock->items++;
    wi_unlock(&stock->lock);
    if (waiter != NULL)
        wi_waiter_done(waiter, 1);
}

static int consume(struct stock *stock, weir_time deadline)
{
    struct wi_wait wait;
    struct wi_waiter waiter;
    wi_wait_init(&wait, &test_waitable, NULL);
    wi_waiter_init(&waiter, &wait, 0, NULL);
    wi_lock(&stock->lock);
    if (stock->items > 0) {
        stock->items--;
        wi_unlock(&stock->lock);
        return 1;
    }
    wi_list_push_back(&stock->queue, &waiter.node);
    wi_unlock(&stock->lock);
    const int rc = wi_wait(&wait, deadline, WI_WAIT_CANCELABLE);
    if (rc < 0) {
        wi_lock(&stock->lock);
        wi_list_remove(&waiter.node);
        wi_unlock(&stock->lock);
        return rc;
    }
    CHECK_EQ(rc, 0);
    return waiter.result;
}

/* -- alone ------------------------------------------------------------------------------------- */

static void only_one_of_two_claims_succeeds(void **state)
{
    (void)state;
    struct wi_wait wait;
    struct wi_waiter waiters[2];
    wi_wait_init(&wait, &test_waitable, NULL);
    for (uint32_t i = 0; i < 2; i++)
        wi_waiter_init(&waiters[i], &wait, i, NULL);
    assert_true(wi_waiter_claim(&waiters[1]));
    assert_false(wi_waiter_claim(&waiters[0]));
    wi_waiter_done(&waiters[1], 42);
    assert_int_equal(wi_wait(&wait, WEIR_DONT_WAIT, WI_WAIT_CANCELABLE), 1);
    assert_int_equal(waiters[1].result, 42);
}

static void a_wait_that_gave_up_cannot_be_claimed(void **state)
{
    (void)state;
    struct wi_wait wait;
    struct wi_waiter waiter;
    wi_wait_init(&wait, &test_waitable, NULL);
    wi_waiter_init(&waiter, &wait, 0, NULL);
    assert_int_equal(wi_wait(&wait, WEIR_DONT_WAIT, WI_WAIT_CANCELABLE), WEIR_ETIMEDOUT);
    assert_false(wi_waiter_claim(&waiter));
}

static void a_queue_skips_those_that_gave_up(void **state)
{
    (void)state;
    struct wi_list queue;
    struct wi_wait waits[5];
    struct wi_waiter waiters[5];
    wi_list_init(&queue);
    for (uint32_t i = 0; i < 5; i++) {
        wi_wait_init(&waits[i], &test_waitable, NULL);
        wi_waiter_init(&waiters[i], &waits[i], i, NULL);
        wi_list_push_back(&queue, &waiters[i].node);
    }
    assert_int_equal(wi_wait(&waits[0], WEIR_DONT_WAIT, WI_WAIT_CANCELABLE), WEIR_ETIMEDOUT);
    assert_int_equal(wi_wait(&waits[2], WEIR_DONT_WAIT, WI_WAIT_CANCELABLE), WEIR_ETIMEDOUT);
    assert_ptr_equal(wi_waitlist_claim_first(&queue), &waiters[1]);
    struct wi_list claimed;
    wi_list_init(&claimed);
    wi_waitlist_claim_all(&queue, &claimed);
    assert_true(wi_list_empty(&queue));
    wi_waitlist_finish(&claimed, 7);
    assert_int_equal(waiters[3].result, 7);
    assert_int_equal(waiters[4].result, 7);
    assert_int_equal(waiters[2].result, 0);
    assert_null(wi_waitlist_claim_first(&queue));
}

/* An uncancelable wait goes on through a cancellation, and ends at its own deadline. */
static void an_uncancelable_wait_ends_by_its_deadline_only(void **state)
{
    (void)state;
    struct wi_parker parker;
    wi_parker_init(&parker, &wi_thread_parker_ops);
    wi_parker_cancel(&parker, WEIR_EIO);
    struct wi_wait wait = { .parker = &parker };
    wi_store_relaxed(&wait.word, WI_WAITING);
    const weir_time deadline = weir_in_ms(3);
    assert_int_equal(wi_wait(&wait, deadline, WI_WAIT_UNCANCELABLE), WEIR_ETIMEDOUT);
    assert_true(weir_now() >= deadline);
    wi_store_relaxed(&wait.word, WI_WAITING);
    assert_int_equal(wi_wait(&wait, WEIR_NO_DEADLINE, WI_WAIT_CANCELABLE), WEIR_ECANCELED);
}

static void an_ambient_deadline_cancels_with_its_cause(void **state)
{
    (void)state;
    struct wi_parker parker;
    wi_parker_init(&parker, &wi_thread_parker_ops);
    parker.deadline = weir_in_ms(3);
    struct wi_wait wait = { .parker = &parker };
    wi_store_relaxed(&wait.word, WI_WAITING);
    assert_int_equal(wi_wait(&wait, WEIR_NO_DEADLINE, WI_WAIT_CANCELABLE), WEIR_ECANCELED);
    assert_true(weir_now() >= parker.deadline);
    assert_int_equal(wi_parker_cancel_cause(&parker), WEIR_ETIMEDOUT);
}

static void a_double_finish_is_a_bug(void)
{
    struct wi_wait wait;
    struct wi_waiter waiter;
    wi_wait_init(&wait, &test_waitable, NULL);
    wi_waiter_init(&waiter, &wait, 0, NULL);
    (void)wi_waiter_claim(&waiter);
    wi_waiter_done(&waiter, 0);
    wi_waiter_done(&waiter, 0);
}

static void finishing_a_waiter_twice_aborts_with_the_word(void **state)
{
    (void)state;
    char text[1024];
    assert_int_equal(run_in_child(a_double_finish_is_a_bug, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "WI_CLAIMED"));
}

/* -- races ------------------------------------------------------------------------------------- */

enum {
    SUPPLIES = 30000,
    CONSUMERS = 3
};

struct market {
    struct stock stock;
    int consumed;
    int gave_up;
    int over;
};

static void *consumer(void *arg)
{
    struct market *market = arg;
    for (int i = 0;; i++) {
        const int rc = consume(&market->stock, weir_in_ns(500 * (1 + i % 40)));
        if (rc == 1) {
            bump(&market->consumed);
            continue;
        }
        CHECK_EQ(rc, WEIR_ETIMEDOUT);
        bump(&market->gave_up);
        if (peek(&market->over))
            return NULL;
    }
}

static void deadlines_that_race_supplies_lose_and_double_nothing(void **state)
{
    (void)state;
    struct market market = { .consumed = 0 };
    pthread_t threads[CONSUMERS];
    stock_init(&market.stock);
    for (int i = 0; i < CONSUMERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, consumer, &market), 0);
    for (int i = 0; i < SUPPLIES; i++)
        supply(&market.stock);
    post(&market.over, 1);
    for (int i = 0; i < CONSUMERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(market.consumed + market.stock.items, SUPPLIES);
    assert_true(wi_list_empty(&market.stock.queue));
}

/* Two suppliers race for one wait with two waiters in two stocks; the owner then frees both. */
struct pair {
    struct stock *stocks[2];
    int go;
};

static void *supply_second(void *arg)
{
    struct pair *pair = arg;
    await(&pair->go, 1);
    supply(pair->stocks[1]);
    return NULL;
}

static void one_wait_on_two_things_takes_exactly_one(void **state)
{
    (void)state;
    int won[2] = { 0, 0 };
    for (int round = 0; round < 300; round++) {
        struct pair pair = { .go = 0 };
        struct wi_wait wait;
        struct wi_waiter waiters[2];
        pthread_t thread;
        wi_wait_init(&wait, &test_waitable, NULL);
        for (uint32_t i = 0; i < 2; i++) {
            pair.stocks[i] = malloc(sizeof(struct stock));
            assert_non_null(pair.stocks[i]);
            stock_init(pair.stocks[i]);
            wi_waiter_init(&waiters[i], &wait, i, NULL);
            wi_list_push_back(&pair.stocks[i]->queue, &waiters[i].node);
        }
        assert_int_equal(pthread_create(&thread, NULL, supply_second, &pair), 0);
        post(&pair.go, 1);
        if (round % 3 != 0)
            supply(pair.stocks[0]);
        const int which = wi_wait(&wait, WEIR_NO_DEADLINE, WI_WAIT_CANCELABLE);
        assert_in_range(which, 0, 1);
        won[which]++;
        assert_int_equal(waiters[which].result, 1);
        assert_int_equal(pthread_join(thread, NULL), 0);
        const int items = pair.stocks[0]->items + pair.stocks[1]->items;
        assert_int_equal(items, round % 3 != 0 ? 1 : 0);
        free(pair.stocks[0]);
        free(pair.stocks[1]);
    }
    assert_true(won[1] >= 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_one_of_two_claims_succeeds),
        cmocka_unit_test(a_wait_that_gave_up_cannot_be_claimed),
        cmocka_unit_test(a_queue_skips_those_that_gave_up),
        cmocka_unit_test(an_uncancelable_wait_ends_by_its_deadline_only),
        cmocka_unit_test(an_ambient_deadline_cancels_with_its_cause),
        cmocka_unit_test(finishing_a_waiter_twice_aborts_with_the_word),
        cmocka_unit_test(deadlines_that_race_supplies_lose_and_double_nothing),
        cmocka_unit_test(one_wait_on_two_things_takes_exactly_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
