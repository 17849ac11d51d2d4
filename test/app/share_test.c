/* SPDX-License-Identifier: MIT */
/* What a process shows: the server's own counters and what is published. */
#include "app/share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int64_t get(const struct wi_numbers *numbers, enum wi_number number)
{
    return wi_load_relaxed(&numbers->value[number]);
}

static struct wi_share *process_that_counted(void)
{
    struct wi_share *share = aligned_alloc(64, (sizeof(*share) + 63) / 64 * 64);
    assert_non_null(share);
    memset(share, 0, sizeof(*share));
    wi_store_relaxed(&share->serve.rows[0][WI_COUNT_REQUESTS], 3);
    wi_store_relaxed(&share->serve.rows[WI_COUNTER_SHARDS - 1][WI_COUNT_REQUESTS], 4);
    wi_store_relaxed(&share->serve.running, 2);
    wi_store_relaxed(&share->numbers.value[WI_N_TASKS_STARTED], 9);
    return share;
}

static void both_sources_are_added(void **state)
{
    (void)state;
    struct wi_share *share = process_that_counted();
    struct wi_numbers sum = { 0 };
    wi_share_add(&sum, share);
    wi_share_add(&sum, share);
    assert_int_equal(get(&sum, WI_N_REQUESTS), 14);
    assert_int_equal(get(&sum, WI_N_RUNNING), 4);
    assert_int_equal(get(&sum, WI_N_TASKS_STARTED), 18);
    free(share);
}

static void the_dead_are_folded_without_their_gauges(void **state)
{
    (void)state;
    struct wi_share *dead = process_that_counted();
    struct wi_share *total = process_that_counted();
    memset(total, 0, sizeof(*total));
    wi_share_fold(total, dead);
    assert_int_equal(get(&total->numbers, WI_N_REQUESTS), 7);
    assert_int_equal(get(&total->numbers, WI_N_TASKS_STARTED), 9);
    assert_int_equal(get(&total->numbers, WI_N_RUNNING), 0);
    free(total);
    free(dead);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sources_are_added),
        cmocka_unit_test(the_dead_are_folded_without_their_gauges),
    };
    return cmocka_run_group_tests_name("share", tests, NULL, NULL);
}
