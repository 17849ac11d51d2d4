/* SPDX-License-Identifier: MIT */
/* The lopsided handshake: of two threads that store their own word and then look at the other's, at
 * least one sees the other, with and without the kernel's help.  Many short races. */
#include "sync/handshake.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/run.h"

enum {
    ROUNDS = 20000
};

static struct {
    wi_atomic_u32 often, seldom; /* the two words */
    wi_atomic_u32 round;         /* that the helper shall play */
    wi_atomic_u32 played;        /* that it has played */
    uint32_t seen_by_helper;
} race;

static void *often_side(void *unused)
{
    (void)unused;
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        while (wi_load_acquire(&race.round) != round) {
        }
        wi_store_light(&race.often, 1);
        race.seen_by_helper = wi_load_seq_cst(&race.seldom);
        wi_store_release(&race.played, round);
    }
    return NULL;
}

static void run_races(bool even)
{
    pthread_t helper;
    wi_handshake_open(even);
    wi_store_relaxed(&race.round, 0);
    wi_store_relaxed(&race.played, 0);
    assert_int_equal(pthread_create(&helper, NULL, often_side, NULL), 0);
    int missed = 0;
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        wi_store_relaxed(&race.often, 0);
        wi_store_relaxed(&race.seldom, 0);
        wi_store_release(&race.round, round);
        wi_store_seq_cst(&race.seldom, 1);
        wi_handshake_barrier();
        const uint32_t seen = wi_load_seq_cst(&race.often);
        while (wi_load_acquire(&race.played) != round) {
        }
        missed += seen == 0 && race.seen_by_helper == 0;
    }
    assert_int_equal(pthread_join(helper, NULL), 0);
    assert_int_equal(missed, 0);
}

static void at_least_one_side_sees_the_other(void **state)
{
    (void)state;
    run_races(false);
}

static void so_it_is_where_both_sides_pay(void **state)
{
    (void)state;
    run_races(true);
    assert_int_equal(wi_load_relaxed(&wi_handshake_lopsided), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_least_one_side_sees_the_other),
        cmocka_unit_test(so_it_is_where_both_sides_pay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
