/* SPDX-License-Identifier: MIT */
/* Stalls on a made-up clock: what is one, who waited through it, and how far it counts. */
#include "load/stall.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MS WEIR_NS_PER_MS
#define NOW (1000 * WEIR_NS_PER_S)

/* As a tick sees it `elapsed_ms` after the last one. */
static struct wi_stall looked(int64_t elapsed_ms, int64_t cpu_ms)
{
    struct wi_stall stall = { 0 };
    wi_stall_look(&stall, NOW, elapsed_ms * MS, cpu_ms * MS);
    return stall;
}

static void ticks_in_time_are_no_stall(void **state)
{
    (void)state;
    struct wi_stall stall = looked(5, 0);
    assert_false(wi_stall_is_recent(&stall, NOW));
    stall = looked(9, 0);
    assert_false(wi_stall_is_recent(&stall, NOW));
}

static void who_waited_counts_from_its_beginning_and_who_came_later_does_not(void **state)
{
    (void)state;
    const struct wi_stall stall = looked(200, 0);
    assert_true(wi_stall_is_recent(&stall, NOW));
    assert_int_equal(wi_stall_arrived(&stall, NOW, 190 * MS), NOW - 200 * MS);
    assert_int_equal(wi_stall_arrived(&stall, NOW, 4 * MS), NOW - 200 * MS);
    /* They are read one after the other. */
    const weir_time then = NOW + 30 * MS;
    assert_int_equal(wi_stall_arrived(&stall, then, 40 * MS), NOW - 200 * MS);
    assert_int_equal(wi_stall_arrived(&stall, then, 20 * MS), then);
}

static void clients_that_were_silent_are_no_stall(void **state)
{
    (void)state;
    const struct wi_stall stall = looked(200, 0);
    assert_int_equal(wi_stall_arrived(&stall, NOW, 0), NOW);
    assert_int_equal(wi_stall_arrived(&stall, NOW + 1, 0), NOW + 1);
}

static void a_handler_that_computes_is_no_stall(void **state)
{
    (void)state;
    struct wi_stall stall = looked(200, 199);
    assert_false(wi_stall_is_recent(&stall, NOW));
    /* Two at once have had more than the time that passed. */
    stall = looked(200, 380);
    assert_false(wi_stall_is_recent(&stall, NOW));
    /* Nor is the part of a stall in which one did. */
    stall = looked(200, 150);
    assert_int_equal(wi_stall_arrived(&stall, NOW, 100 * MS), NOW - 50 * MS);
}

static void a_long_one_is_forgiven_in_part(void **state)
{
    (void)state;
    const struct wi_stall stall = looked(10000, 3);
    assert_int_equal(wi_stall_arrived(&stall, NOW, 9000 * MS), NOW - WI_STALL_MAX_NS);
}

static void one_is_over_after_as_long_as_it_lasted(void **state)
{
    (void)state;
    const struct wi_stall stall = looked(60, 0);
    assert_true(wi_stall_is_recent(&stall, NOW + 59 * MS));
    assert_false(wi_stall_is_recent(&stall, NOW + 60 * MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_in_time_are_no_stall),
        cmocka_unit_test(who_waited_counts_from_its_beginning_and_who_came_later_does_not),
        cmocka_unit_test(clients_that_were_silent_are_no_stall),
        cmocka_unit_test(a_handler_that_computes_is_no_stall),
        cmocka_unit_test(a_long_one_is_forgiven_in_part),
        cmocka_unit_test(one_is_over_after_as_long_as_it_lasted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
