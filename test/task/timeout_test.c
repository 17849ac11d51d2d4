/* SPDX-License-Identifier: MIT */
/* A timeout leaves its owner's parker as it found it, under every scheduler and for threads. */
#include "weir/timeout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"
#include "sync/cancel.h"

enum {
    DEPTH = 40
};

/* Begins DEPTH timeouts at random instants, some of them past, and ends them all. */
static int nest_at_random(void *arg)
{
    uint64_t *random = arg;
    struct wi_parker *parker = wi_current_parker();
    struct weir_timeout timeouts[DEPTH];
    weir_time earliest = WEIR_NO_DEADLINE;
    weir_time own[DEPTH];
    for (int i = 0; i < DEPTH; i++) {
        own[i] = draw_below(random, 10) == 0 ? 1 + draw_below(random, 5)
                                             : weir_in_ms(60000 + draw_below(random, 1000));
        weir_timeout_begin(&timeouts[i], own[i]);
        earliest = own[i] < earliest ? own[i] : earliest;
        CHECK_EQ(parker->deadline, earliest);
        CHECK_EQ(wi_parker_cancel_cause(parker) != 0, earliest < 10);
        CHECK_EQ(wi_load_relaxed(&parker->cancel) != 0, earliest < 10);
    }
    for (int i = DEPTH - 1; i >= 0; i--) {
        earliest = WEIR_NO_DEADLINE;
        for (int k = 0; k < i; k++)
            earliest = own[k] < earliest ? own[k] : earliest;
        int expected = own[i] < 10 ? WEIR_ETIMEDOUT : WEIR_ECANCELED;
        if (earliest < 10)
            expected = WEIR_ECANCELED;
        CHECK_EQ(weir_timeout_end(&timeouts[i], WEIR_ECANCELED), expected);
        CHECK_EQ(parker->deadline, earliest);
        CHECK_EQ(wi_load_relaxed(&parker->cancel) != 0, earliest < 10);
    }
    CHECK(parker->regions == NULL);
    CHECK_EQ(wi_load_relaxed(&parker->cancel), 0);
    return 0;
}

static void nested_timeouts_leave_nothing_behind(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    for (int i = 0; i < 3; i++) {
        const struct weir_opts opts = { .scheduler = (enum weir_scheduler)i };
        for (int round = 0; round < 10; round++)
            run_body_with(&opts, nest_at_random, &random);
    }
    for (int round = 0; round < 100; round++)
        (void)nest_at_random(&random); /* no runtime is needed */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nested_timeouts_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
