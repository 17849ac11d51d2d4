/* SPDX-License-Identifier: MIT */
/* Slots: shared with forked children, and totals that survive them. */
#include "cluster/slots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "os/process.h"
#include "os/signal.h"

struct payload {
    wi_atomic_i64 count; /* folded */
    wi_atomic_i64 gauge; /* dies with the process */
};

static void fold(void *total, const void *dead)
{
    const struct payload *payload = dead;
    (void)wi_add_relaxed(&((struct payload *)total)->count, wi_load_relaxed(&payload->count));
}

static int64_t count_of_all(const struct wi_slots *slots)
{
    int64_t sum = wi_load_relaxed(&((struct payload *)wi_slots_total(slots))->count);
    for (int i = 0; i < slots->count; i++)
        sum += wi_load_relaxed(&((struct payload *)wi_slots_payload(slots, i))->count);
    return sum;
}

static void what_a_killed_child_counted_stays(void **state)
{
    (void)state;
    struct wi_slots slots;
    assert_int_equal(wi_slots_open(&slots, 2, sizeof(struct payload), fold), 0);
    for (int round = 1; round <= 3; round++) {
        const int child = wi_process_fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct payload *own = wi_slots_payload(&slots, 1);
            (void)wi_add_relaxed(&own->count, 10);
            (void)wi_add_relaxed(&own->gauge, 5);
            wi_store_relaxed(&wi_slots_head(&slots, 1)->state, WI_MEMBER_READY);
            (void)wi_process_signal(wi_process_id(), wi_signal_kill);
        }
        struct wi_process_end end;
        assert_int_equal(wi_process_reap_one(child, true, &end), 1);
        assert_true(end.signaled);
        assert_int_equal(count_of_all(&slots), 10 * round);
        assert_int_equal(wi_load_relaxed(&wi_slots_head(&slots, 1)->state), WI_MEMBER_READY);
        wi_slots_retire(&slots, 1);
        assert_int_equal(count_of_all(&slots), 10 * round);
        const struct payload *cleared = wi_slots_payload(&slots, 1);
        assert_int_equal(wi_load_relaxed(&cleared->gauge), 0);
        assert_int_equal(wi_load_relaxed(&wi_slots_head(&slots, 1)->state), WI_MEMBER_NONE);
    }
    wi_slots_close(&slots);
}

static void slots_do_not_overlap(void **state)
{
    (void)state;
    enum {
        COUNT = 5,
        BYTES = 1000
    };
    struct wi_slots slots;
    assert_int_equal(wi_slots_open(&slots, COUNT, BYTES, NULL), 0);
    for (int i = 0; i < COUNT; i++) {
        memset(wi_slots_payload(&slots, i), i + 1, BYTES);
        memset(wi_slots_head(&slots, i)->reason, i + 1, WI_SLOT_REASON_BYTES);
    }
    memset(wi_slots_total(&slots), 99, BYTES);
    for (int i = 0; i < COUNT; i++) {
        const char *payload = wi_slots_payload(&slots, i);
        assert_int_equal((uintptr_t)payload % 64, 0);
        for (int j = 0; j < BYTES; j++)
            assert_int_equal(payload[j], i + 1);
        for (int j = 0; j < WI_SLOT_REASON_BYTES; j++)
            assert_int_equal(wi_slots_head(&slots, i)->reason[j], i + 1);
    }
    wi_slots_close(&slots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_killed_child_counted_stays),
        cmocka_unit_test(slots_do_not_overlap),
    };
    return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
