/* SPDX-License-Identifier: MIT */
/* Semaphores: the bound, order, weights, deadlines and cancellation that take nothing, misuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/crowd.h"
#include "support/run.h"

enum {
    PERMITS = 3
};

struct shared {
    weir_semaphore *semaphore;
    int inside; /* permits that are out */
    int started;
    int got;
    int order[8];
    int orders; /* only where tasks interleave on one thread */
};

static struct shared make(int64_t permits, int64_t permits_max)
{
    struct shared shared = { .inside = 0 };
    const struct weir_semaphore_opts opts = { .permits = permits, .permits_max = permits_max };
    CHECK_EQ(weir_semaphore_create(&shared.semaphore, &opts), 0);
    return shared;
}

static int go_in_and_out(void *arg)
{
    struct shared *shared = arg;
    for (int i = 0; i < 300; i++) {
        const int weight = 1 + i % PERMITS;
        CHECK_EQ(weir_semaphore_acquire(shared->semaphore, weight, WEIR_NO_DEADLINE), 0);
        CHECK(__atomic_add_fetch(&shared->inside, weight, __ATOMIC_SEQ_CST) <= PERMITS);
        if (i % 16 == 0)
            IGNORE(weir_yield());
        CHECK(__atomic_sub_fetch(&shared->inside, weight, __ATOMIC_SEQ_CST) >= 0);
        weir_semaphore_release(shared->semaphore, weight);
    }
    return 0;
}

RUN(never_more_are_out_than_there_are)
{
    struct shared shared = make(PERMITS, PERMITS);
    struct crowd crowd = { .task_count = 0 };
    crowd_start(&crowd, 6, 2, go_in_and_out, &shared);
    crowd_join(&crowd);
    CHECK_EQ(weir_semaphore_available(shared.semaphore), PERMITS);
    weir_semaphore_destroy(shared.semaphore);
    return 0;
}

struct asker {
    struct shared *shared;
    int wants;
    int number;
    weir_time patience_ns; /* 0: endless */
};

static int ask(void *arg)
{
    struct asker *self = arg;
    struct shared *shared = self->shared;
    const weir_time deadline =
        self->patience_ns != 0 ? weir_in_ns(self->patience_ns) : WEIR_NO_DEADLINE;
    bump(&shared->started);
    const int rc = weir_semaphore_acquire(shared->semaphore, self->wants, deadline);
    if (rc != 0) {
        CHECK_EQ(rc, WEIR_ETIMEDOUT);
        return 0;
    }
    if (!model_is_parallel())
        shared->order[shared->orders++] = self->number;
    bump(&shared->got);
    return 0;
}

RUN(one_that_wants_many_is_not_overtaken_by_those_that_want_few)
{
    enum {
        ASKERS = 4
    };
    if (model_is_parallel())
        return 0; /* test/chan/semaphore_test.c sees from inside who is queued */
    static const int wants[ASKERS] = { 1, 3, 1, 2 };
    struct shared shared = make(0, 0);
    struct crowd crowd = { .task_count = 0 };
    struct asker askers[ASKERS];
    for (int i = 0; i < ASKERS; i++) {
        askers[i] = (struct asker){ .shared = &shared, .wants = wants[i], .number = i };
        crowd_task(&crowd, ask, &askers[i]);
        await(&shared.started, i + 1);
    }
    for (int i = 0; i < 7; i++) {
        weir_semaphore_release(shared.semaphore, 1);
        IGNORE(weir_yield());
        CHECK_EQ(weir_semaphore_acquire(shared.semaphore, 1, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    }
    crowd_join(&crowd);
    for (int i = 0; i < ASKERS; i++)
        CHECK_EQ(shared.order[i], i);
    CHECK_EQ(weir_semaphore_available(shared.semaphore), 0);
    weir_semaphore_destroy(shared.semaphore);
    return 0;
}

RUN(who_gives_up_lets_those_behind_it_go)
{
    struct shared shared = make(1, 0);
    struct crowd crowd = { .task_count = 0 };
    struct asker many = { .shared = &shared, .wants = 5, .patience_ns = 3 * WEIR_NS_PER_MS };
    struct asker few = { .shared = &shared, .wants = 1 };
    crowd_task(&crowd, ask, &many);
    await(&shared.started, 1);
    crowd_task(&crowd, ask, &few);
    crowd_join(&crowd);
    CHECK_EQ(shared.got, 1);
    CHECK_EQ(weir_semaphore_available(shared.semaphore), 0);
    weir_semaphore_destroy(shared.semaphore);
    return 0;
}

/* -- giving up -------------------------------------------------------------------------------- */

static int ask_hastily(void *arg)
{
    struct shared *shared = arg;
    for (int i = 0; i < 200; i++) {
        const int weight = 1 + i % 2;
        const int rc = weir_semaphore_acquire(shared->semaphore, weight,
                                              i % 7 == 0 ? 1 : weir_in_ns(1000 * (i % 40)));
        if (rc == WEIR_ECANCELED)
            return 0;
        CHECK(rc == 0 || rc == WEIR_ETIMEDOUT);
        if (rc != 0)
            continue;
        bump(&shared->got);
        IGNORE(weir_yield());
        weir_semaphore_release(shared->semaphore, weight);
    }
    return 0;
}

RUN(who_gave_up_has_taken_nothing)
{
    struct shared shared = make(2, 2);
    struct crowd crowd = { .task_count = 0 };
    crowd_start(&crowd, 8, 2, ask_hastily, &shared);
    for (int i = 0; i < 4; i++) {
        IGNORE(weir_sleep(weir_in_ns(300000)));
        weir_task_cancel(crowd.tasks[i], WEIR_EPERM);
    }
    crowd_join(&crowd);
    CHECK_EQ(weir_semaphore_available(shared.semaphore), 2);
    CHECK_EQ(weir_semaphore_acquire(shared.semaphore, 2, WEIR_DONT_WAIT), 0);
    CHECK_EQ(weir_semaphore_acquire(shared.semaphore, 1, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    weir_semaphore_destroy(shared.semaphore);
    return 0;
}

static int be_canceled(void *arg)
{
    struct shared *shared = arg;
    bump(&shared->started);
    CHECK_EQ(weir_semaphore_acquire(shared->semaphore, 1, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    weir_semaphore_release(shared->semaphore, 1);
    CHECK_EQ(weir_semaphore_acquire(shared->semaphore, 1, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    return 0;
}

RUN(a_canceled_one_takes_no_permit)
{
    struct shared shared = make(0, 1);
    struct crowd crowd = { .task_count = 0 };
    crowd_task(&crowd, be_canceled, &shared);
    await(&shared.started, 1);
    weir_task_cancel(crowd.tasks[0], WEIR_EPERM);
    crowd_join(&crowd);
    CHECK_EQ(weir_semaphore_available(shared.semaphore), 1);
    weir_semaphore_destroy(shared.semaphore);
    return 0;
}

static int give_one(void *arg)
{
    weir_semaphore_release(arg, 1);
    return 0;
}

/* The sanitizers see whether the releaser touches it after the permit is there. */
RUN(who_has_acquired_what_was_released_last_may_free_it)
{
    for (int i = 0; i < 200; i++) {
        struct shared shared = make(0, 0);
        struct crowd crowd = { .task_count = 0 };
        (i % 4 == 0 ? crowd_thread : crowd_task)(&crowd, give_one, shared.semaphore);
        const int rc = weir_semaphore_acquire(shared.semaphore, 1, weir_in_ns(i * 100));
        if (rc != 0)
            CHECK_EQ(weir_semaphore_acquire(shared.semaphore, 1, WEIR_NO_DEADLINE), 0);
        weir_semaphore_destroy(shared.semaphore);
        crowd_join(&crowd);
    }
    return 0;
}

/* -- bad input and misuse --------------------------------------------------------------------- */

static void refuse(int64_t permits, int64_t permits_max)
{
    weir_semaphore *semaphore;
    const struct weir_semaphore_opts opts = { .permits = permits, .permits_max = permits_max };
    CHECK_EQ(weir_semaphore_create(&semaphore, &opts), WEIR_EINVAL);
}

RUN(what_can_never_be_is_refused)
{
    refuse(-1, 0);
    refuse(0, -1);
    refuse(3, 2);
    refuse(0, WEIR_SEMAPHORE_PERMITS_MAX + 1);
    refuse(WEIR_SEMAPHORE_PERMITS_MAX + 1, 0);
    struct shared shared = make(2, 2);
    CHECK_EQ(weir_semaphore_acquire(shared.semaphore, 3, WEIR_NO_DEADLINE), WEIR_EINVAL);
    CHECK_EQ(weir_semaphore_acquire(shared.semaphore, 0, WEIR_NO_DEADLINE), WEIR_EINVAL);
    CHECK_EQ(weir_semaphore_acquire(shared.semaphore, INT64_MIN, WEIR_DONT_WAIT), WEIR_EINVAL);
    CHECK_EQ(weir_semaphore_available(shared.semaphore), 2);
    weir_semaphore_destroy(shared.semaphore);
    return 0;
}

static int release_too_many(void *unused)
{
    (void)unused;
    struct shared shared = make(1, 2);
    weir_semaphore_release(shared.semaphore, 2);
    return 0;
}

static int release_too_many_while_one_waits(void *unused)
{
    (void)unused;
    struct shared shared = make(0, 2);
    struct crowd crowd = { .task_count = 0 };
    struct asker asker = { .shared = &shared, .wants = 2 };
    crowd_task(&crowd, ask, &asker);
    await(&shared.started, 1);
    weir_semaphore_release(shared.semaphore, 3);
    return 0;
}

static int release_none(void *unused)
{
    (void)unused;
    struct shared shared = make(1, 2);
    weir_semaphore_release(shared.semaphore, 0);
    return 0;
}

static int destroy_awaited(void *unused)
{
    (void)unused;
    struct shared shared = make(0, 2);
    struct crowd crowd = { .task_count = 0 };
    struct asker asker = { .shared = &shared, .wants = 2 };
    crowd_task(&crowd, ask, &asker);
    await_waiters("acquire semaphore", 1);
    weir_semaphore_destroy(shared.semaphore);
    return 0;
}

static void misuse_aborts_and_shows_both_values(void **state)
{
    (void)state;
    expect_misuse_of(release_too_many,
                     "weir_semaphore_release: permits would be 3, the maximum is 2");
    expect_misuse_of(release_too_many_while_one_waits,
                     "weir_semaphore_release: permits would be 3, the maximum is 2");
    expect_misuse_of(release_none, "expected permits > 0, have 0 and 0");
    expect_misuse_of(destroy_awaited, "weir_semaphore_destroy: so many wait for permits (1)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_more_are_out_than_there_are),
        cmocka_unit_test(one_that_wants_many_is_not_overtaken_by_those_that_want_few),
        cmocka_unit_test(who_gives_up_lets_those_behind_it_go),
        cmocka_unit_test(who_gave_up_has_taken_nothing),
        cmocka_unit_test(a_canceled_one_takes_no_permit),
        cmocka_unit_test(who_has_acquired_what_was_released_last_may_free_it),
        cmocka_unit_test(what_can_never_be_is_refused),
        cmocka_unit_test(misuse_aborts_and_shows_both_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
