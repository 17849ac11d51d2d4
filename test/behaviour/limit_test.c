/* SPDX-License-Identifier: MIT */
/* The adaptive limit between tasks and threads: the bound, the order of the line, deadlines and
 * cancellation that take nothing, and callers that are told at once that it is hopeless. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/crowd.h"
#include "support/run.h"

enum {
    RUNNING = 3
};

struct shared {
    weir_limit *limit;
    int inside;
    int started;
    int got;
    int order[8];
    int orders; /* written by who is let in, one after the other */
};

static struct shared make(int64_t running_max)
{
    struct shared shared = { .inside = 0 };
    const struct weir_limit_opts opts = { .running_max = running_max, .fixed = true };
    CHECK_EQ(weir_limit_create(&shared.limit, &opts), 0);
    return shared;
}

static struct weir_limit_stats stats_of(weir_limit *limit)
{
    struct weir_limit_stats stats = { .size = sizeof(stats) };
    weir_limit_stats_read(limit, &stats);
    return stats;
}

static void take(struct shared *shared)
{
    CHECK_EQ(weir_limit_acquire(shared->limit, WEIR_NO_DEADLINE), 0);
}

static void give(struct shared *shared)
{
    weir_limit_release(shared->limit, WEIR_LIMIT_GOOD, 0);
}

static int go_in_and_out(void *arg)
{
    struct shared *shared = arg;
    for (int i = 0; i < 300; i++) {
        take(shared);
        CHECK(__atomic_add_fetch(&shared->inside, 1, __ATOMIC_SEQ_CST) <= RUNNING);
        if (i % 16 == 0)
            IGNORE(weir_yield());
        CHECK(__atomic_sub_fetch(&shared->inside, 1, __ATOMIC_SEQ_CST) >= 0);
        give(shared);
    }
    return 0;
}

RUN(never_more_run_than_are_allowed)
{
    struct shared shared = make(RUNNING);
    struct crowd crowd = { .task_count = 0 };
    crowd_start(&crowd, 6, 2, go_in_and_out, &shared);
    crowd_join(&crowd);
    const struct weir_limit_stats stats = stats_of(shared.limit);
    CHECK_EQ(stats.begun, 8 * 300);
    CHECK_EQ(stats.running, 0);
    CHECK_EQ(stats.waiting, 0);
    weir_limit_destroy(shared.limit);
    return 0;
}

struct asker {
    struct shared *shared;
    int number;
};

static int ask_and_keep(void *arg)
{
    struct asker *self = arg;
    struct shared *shared = self->shared;
    take(shared);
    /* The next one is let in by the release below, so nobody else is here. */
    shared->order[shared->orders++] = self->number;
    give(shared);
    return 0;
}

enum {
    ASKERS = 6,
    STANDING_MS = 100 /* limit.h */
};

RUN(who_came_first_is_let_in_first)
{
    struct shared shared = make(1);
    struct crowd crowd = { .task_count = 0 };
    struct asker askers[ASKERS];
    take(&shared);
    const weir_time begun = weir_now();
    for (int i = 0; i < ASKERS; i++) {
        askers[i] = (struct asker){ .shared = &shared, .number = i };
        crowd_task(&crowd, ask_and_keep, &askers[i]);
        await_waiters("acquire limit", i + 1);
    }
    CHECK_EQ(stats_of(shared.limit).waiting, ASKERS);
    give(&shared);
    crowd_join(&crowd);
    /* On a machine that stood still the line did too, and the order is that of the next test. */
    if (weir_now() - begun < STANDING_MS * WEIR_NS_PER_MS)
        for (int i = 0; i < ASKERS; i++)
            CHECK_EQ(shared.order[i], i);
    CHECK_EQ(shared.orders, ASKERS);
    weir_limit_destroy(shared.limit);
    return 0;
}

RUN(in_a_line_that_stands_the_newest_goes_first)
{
    struct shared shared = make(1);
    struct crowd crowd = { .task_count = 0 };
    struct asker askers[ASKERS];
    take(&shared);
    for (int i = 0; i < ASKERS; i++) {
        askers[i] = (struct asker){ .shared = &shared, .number = i };
        crowd_task(&crowd, ask_and_keep, &askers[i]);
        await_waiters("acquire limit", i + 1);
        if (i == 0)
            IGNORE(weir_sleep(weir_in_ms(STANDING_MS + 10)));
    }
    give(&shared);
    crowd_join(&crowd);
    for (int i = 0; i < ASKERS; i++)
        CHECK_EQ(shared.order[i], ASKERS - 1 - i);
    weir_limit_destroy(shared.limit);
    return 0;
}

static int ask_hastily(void *arg)
{
    struct shared *shared = arg;
    for (int i = 0; i < 200; i++) {
        const int rc =
            weir_limit_acquire(shared->limit, i % 7 == 0 ? 1 : weir_in_ns(1000 * (i % 40)));
        if (rc == WEIR_ECANCELED)
            return 0;
        CHECK(rc == 0 || rc == WEIR_ETIMEDOUT || rc == WEIR_ESHED);
        if (rc != 0)
            continue;
        bump(&shared->got);
        IGNORE(weir_yield());
        weir_limit_release(shared->limit, (enum weir_limit_end)(i % 3), i % 2 == 0 ? 1000 : -1);
    }
    return 0;
}

RUN(who_gave_up_has_taken_nothing)
{
    struct shared shared = make(2);
    struct crowd crowd = { .task_count = 0 };
    crowd_start(&crowd, 8, 2, ask_hastily, &shared);
    for (int i = 0; i < 4; i++) {
        IGNORE(weir_sleep(weir_in_ns(300000)));
        weir_task_cancel(crowd.tasks[i], WEIR_EPERM);
    }
    crowd_join(&crowd);
    const struct weir_limit_stats stats = stats_of(shared.limit);
    CHECK_EQ(stats.begun, shared.got);
    CHECK_EQ(stats.running, 0);
    CHECK_EQ(stats.waiting, 0);
    take(&shared);
    take(&shared);
    CHECK_EQ(weir_limit_acquire(shared.limit, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    give(&shared);
    give(&shared);
    weir_limit_destroy(shared.limit);
    return 0;
}

static int be_canceled(void *arg)
{
    struct shared *shared = arg;
    CHECK_EQ(weir_limit_acquire(shared->limit, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    /* Sticky, and what is free it does not get either. */
    await(&shared->started, 1);
    CHECK_EQ(weir_limit_acquire(shared->limit, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    return 0;
}

RUN(a_canceled_one_leaves_the_line)
{
    struct shared shared = make(1);
    struct crowd crowd = { .task_count = 0 };
    take(&shared);
    crowd_task(&crowd, be_canceled, &shared);
    await_waiters("acquire limit", 1);
    weir_task_cancel(crowd.tasks[0], WEIR_EPERM);
    while (stats_of(shared.limit).waiting > 0)
        IGNORE(weir_yield());
    give(&shared);
    post(&shared.started, 1);
    crowd_join(&crowd);
    CHECK_EQ(stats_of(shared.limit).gone, 1);
    weir_limit_destroy(shared.limit);
    return 0;
}

RUN(a_hopeless_wait_is_refused_at_once)
{
    struct shared shared = make(1);
    /* A round is some seconds, by what was said of the calls. */
    for (int i = 0; i < 100; i++) {
        take(&shared);
        weir_limit_release(shared.limit, WEIR_LIMIT_GOOD, 8 * WEIR_NS_PER_S);
    }
    take(&shared);
    CHECK_EQ(weir_limit_acquire(shared.limit, weir_in_ms(10000)), WEIR_ESHED);
    /* By the ambient deadline too. */
    struct weir_timeout timeout;
    weir_timeout_begin(&timeout, weir_in_ms(10000));
    const int rc = weir_limit_acquire(shared.limit, WEIR_NO_DEADLINE);
    CHECK_EQ(weir_timeout_end(&timeout, rc), WEIR_ESHED);
    CHECK_EQ(stats_of(shared.limit).shed, 2);
    give(&shared);
    weir_limit_destroy(shared.limit);
    return 0;
}

static int give_one(void *arg)
{
    weir_limit_release(arg, WEIR_LIMIT_GOOD, 0);
    return 0;
}

/* The sanitizers see whether the releaser touches it after the other was let in. */
RUN(who_was_let_in_last_may_free_it)
{
    for (int i = 0; i < 200; i++) {
        struct shared shared = make(1);
        struct crowd crowd = { .task_count = 0 };
        take(&shared);
        crowd_task(&crowd, give_one, shared.limit);
        take(&shared);
        give(&shared);
        weir_limit_destroy(shared.limit);
        crowd_join(&crowd);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_more_run_than_are_allowed),
        cmocka_unit_test(who_came_first_is_let_in_first),
        cmocka_unit_test(in_a_line_that_stands_the_newest_goes_first),
        cmocka_unit_test(who_gave_up_has_taken_nothing),
        cmocka_unit_test(a_canceled_one_leaves_the_line),
        cmocka_unit_test(a_hopeless_wait_is_refused_at_once),
        cmocka_unit_test(who_was_let_in_last_may_free_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
