/* SPDX-License-Identifier: MIT */
/* Spinning goes on only while it may help, and ends by itself. */
#include "sync/spin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

static const struct wi_parker_ops worker_ops = { .on_worker = true };
static const struct wi_parker_ops thread_ops = { .on_worker = false };

static struct wi_parker parker_with(const struct wi_parker_ops *ops)
{
    struct wi_parker parker;
    wi_parker_init(&parker, ops);
    return parker;
}

/* Whether the first turn says to look again. */
static bool would_spin(const struct wi_parker_ops *ops, uint32_t word_of_holder)
{
    const struct wi_parker self = parker_with(ops);
    struct wi_parker holder = parker_with(ops);
    struct wi_spin spin = { 0 };
    wi_store_relaxed(&holder.word, word_of_holder);
    return wi_spin_turn(&spin, &self, &holder);
}

static void nobody_spins_on_one_core(void **state)
{
    (void)state;
    wi_spin_configure(1, 4);
    assert_false(would_spin(&worker_ops, WI_PARKER_EMPTY));
    assert_false(would_spin(&thread_ops, WI_PARKER_EMPTY));
}

static void tasks_of_one_worker_do_not_spin_but_threads_do(void **state)
{
    (void)state;
    wi_spin_configure(4, 1);
    assert_false(would_spin(&worker_ops, WI_PARKER_EMPTY));
    assert_true(would_spin(&thread_ops, WI_PARKER_EMPTY));
    wi_spin_configure(4, 2);
    assert_true(would_spin(&worker_ops, WI_PARKER_EMPTY));
}

static void nobody_spins_against_who_has_stopped(void **state)
{
    (void)state;
    wi_spin_configure(4, 2);
    assert_false(would_spin(&worker_ops, WI_PARKER_PARKED));
    assert_false(would_spin(&thread_ops, WI_PARKER_ASLEEP));
    assert_false(would_spin(&thread_ops, WI_PARKER_NOTIFIED));
}

static void a_spin_ends_by_itself(void **state)
{
    (void)state;
    wi_spin_configure(4, 2);
    const struct wi_parker self = parker_with(&worker_ops);
    const struct wi_parker holder = parker_with(&worker_ops);
    struct wi_spin spin = { 0 };
    int turns = 0;
    while (wi_spin_turn(&spin, &self, &holder))
        turns++;
    assert_in_range(turns, 1, WI_SPIN_TURNS_MAX);
    assert_false(wi_spin_turn(&spin, &self, &holder));
    assert_true(turns == WI_SPIN_TURNS_MAX || weir_now() >= spin.until);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_spins_on_one_core),
        cmocka_unit_test(tasks_of_one_worker_do_not_spin_but_threads_do),
        cmocka_unit_test(nobody_spins_against_who_has_stopped),
        cmocka_unit_test(a_spin_ends_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
