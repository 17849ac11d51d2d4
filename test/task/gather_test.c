/* SPDX-License-Identifier: MIT */
/* Random sets of calls against what their results allow; and whatever comes of them, the caller is
 * left as it was: no region open, nothing canceled, no child alive. */
#include "weir/gather.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"
#include "sync/cancel.h"

enum {
    CALLS_MAX = 12,
    ROUNDS = 150
};

struct plan {
    int result;
    int yields;
    int *alive;
};

static int follow(void *arg)
{
    const struct plan *plan = arg;
    bump(plan->alive);
    int rc = 0;
    for (int i = 0; i < plan->yields && rc == 0; i++)
        rc = weir_yield();
    __atomic_sub_fetch(plan->alive, 1, __ATOMIC_SEQ_CST);
    return rc == 0 ? plan->result : WEIR_ECANCELED;
}

static bool somebody_returned(const struct weir_call *calls, int count, int result)
{
    bool found = false;
    for (int i = 0; i < count; i++)
        found = found || calls[i].result == result;
    return found;
}

static bool all_well(const struct weir_call *calls, int count)
{
    bool well = true;
    for (int i = 0; i < count; i++)
        well = well && calls[i].result >= 0;
    return well;
}

static void check_gather(struct weir_call *calls, int count, const struct weir_gather_opts *opts)
{
    const int rc = weir_gather(calls, (size_t)count, opts, WEIR_NO_DEADLINE);
    if (opts->keep_going) {
        CHECK_EQ(rc, 0);
        for (int i = 0; i < count; i++)
            CHECK_EQ(calls[i].result, ((const struct plan *)calls[i].arg)->result);
    } else if (rc == 0) {
        CHECK(all_well(calls, count));
    } else {
        CHECK(somebody_returned(calls, count, rc));
    }
}

static void check_race(struct weir_call *calls, int count, const struct weir_gather_opts *opts)
{
    const int rc = weir_race(calls, (size_t)count, opts, WEIR_NO_DEADLINE);
    if (rc >= 0)
        CHECK(opts->any_end || calls[rc].result >= 0);
    else
        CHECK(!opts->any_end && somebody_returned(calls, count, rc));
}

static void check_one_by_one(struct weir_call *calls, int count,
                             const struct weir_gather_opts *opts, int wanted)
{
    weir_gathering *gathering;
    bool told[CALLS_MAX] = { false };
    CHECK_EQ(weir_gather_start(&gathering, calls, (size_t)count, opts), 0);
    for (int i = 0; i < wanted; i++) {
        const int index = weir_gather_next(gathering, WEIR_NO_DEADLINE);
        CHECK(index >= 0 && index < count);
        CHECK(!told[index]);
        told[index] = true;
        CHECK_EQ(calls[index].result, ((const struct plan *)calls[index].arg)->result);
    }
    weir_gather_end(gathering);
}

static int draw_result(uint64_t *random)
{
    static const int results[] = { WEIR_EIO, WEIR_EPROTO, WEIR_ECANCELED, WEIR_ETIMEDOUT };
    const int drawn = draw_below(random, 12);
    return drawn < 4 ? results[drawn] : drawn;
}

static int run_random_sets(void *arg)
{
    uint64_t *random = arg;
    struct wi_parker *parker = wi_current_parker();
    for (int round = 0; round < ROUNDS; round++) {
        int alive = 0;
        struct plan plans[CALLS_MAX];
        struct weir_call calls[CALLS_MAX];
        const int count = 1 + draw_below(random, CALLS_MAX);
        for (int i = 0; i < count; i++) {
            plans[i] = (struct plan){ .result = draw_result(random),
                                      .yields = draw_below(random, 6),
                                      .alive = &alive };
            calls[i] = (struct weir_call){ .fn = follow, .arg = &plans[i] };
        }
        const struct weir_gather_opts opts = {
            .keep_going = draw_below(random, 2) == 0,
            .any_end = draw_below(random, 2) == 0,
            .limit = draw_below(random, 4),
        };
        const int form = draw_below(random, 3);
        if (form == 0)
            check_gather(calls, count, &opts);
        else if (form == 1)
            check_race(calls, count, &opts);
        else
            check_one_by_one(calls, count, &opts, draw_below(random, count + 1));
        CHECK_EQ(peek(&alive), 0);
        CHECK(parker->regions == NULL);
        CHECK_EQ(wi_load_relaxed(&parker->cancel), 0);
        CHECK_EQ(parker->deadline, WEIR_NO_DEADLINE);
    }
    return 0;
}

static void every_set_of_calls_ends_as_its_results_allow(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    for (int i = 0; i < 3; i++) {
        const struct weir_opts opts = { .scheduler = (enum weir_scheduler)i, .workers = 2 };
        run_body_with(&opts, run_random_sets, &random);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_set_of_calls_ends_as_its_results_allow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
