/* SPDX-License-Identifier: MIT */
/* Barriers: generations, one index each, abort, reset, what breaks them, freed at once, misuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/crowd.h"
#include "support/run.h"

enum {
    PARTIES = 6,
    GENERATIONS = 60
};

struct shared {
    weir_barrier *barrier;
    int came[GENERATIONS];          /* by generation */
    int with[GENERATIONS][PARTIES]; /* and by index */
    int started;
    int broken;
    int passed;
    int gave_up;
};

static struct shared make(int parties)
{
    struct shared shared = { .started = 0 };
    CHECK_EQ(weir_barrier_create(&shared.barrier, parties), 0);
    return shared;
}

static int pass_all(void *arg)
{
    struct shared *shared = arg;
    for (int i = 0; i < GENERATIONS; i++) {
        bump(&shared->came[i]);
        const int index = weir_barrier_wait(shared->barrier, WEIR_NO_DEADLINE);
        CHECK(index >= 0 && index < PARTIES);
        CHECK_EQ(peek(&shared->came[i]), PARTIES);
        bump(&shared->with[i][index]);
    }
    return 0;
}

RUN(nobody_passes_before_all_have_come_and_each_has_its_index)
{
    struct shared shared = make(PARTIES);
    struct crowd crowd = { .task_count = 0 };
    crowd_start(&crowd, PARTIES - 2, 2, pass_all, &shared);
    crowd_join(&crowd);
    for (int i = 0; i < GENERATIONS; i++)
        for (int index = 0; index < PARTIES; index++)
            CHECK_EQ(shared.with[i][index], 1);
    weir_barrier_destroy(shared.barrier);
    return 0;
}

RUN(one_party_alone_never_waits)
{
    struct shared shared = make(1);
    CHECK_EQ(weir_barrier_wait(shared.barrier, WEIR_DONT_WAIT), 0);
    CHECK_EQ(weir_barrier_wait(shared.barrier, WEIR_NO_DEADLINE), 0);
    weir_barrier_destroy(shared.barrier);
    CHECK_EQ(weir_barrier_create(&shared.barrier, 0), WEIR_EINVAL);
    CHECK_EQ(weir_barrier_create(&shared.barrier, -1), WEIR_EINVAL);
    return 0;
}

static int find_it_broken(void *arg)
{
    struct shared *shared = arg;
    bump(&shared->started);
    CHECK_EQ(weir_barrier_wait(shared->barrier, WEIR_NO_DEADLINE), WEIR_EBROKEN);
    bump(&shared->broken);
    return 0;
}

static int pass_once(void *arg)
{
    struct shared *shared = arg;
    CHECK(weir_barrier_wait(shared->barrier, WEIR_NO_DEADLINE) >= 0);
    bump(&shared->passed);
    return 0;
}

static void check_usable(struct shared *shared, int parties)
{
    struct crowd crowd = { .task_count = 0 };
    shared->passed = 0;
    crowd_start(&crowd, parties - 1, 1, pass_once, shared);
    crowd_join(&crowd);
    CHECK_EQ(shared->passed, parties);
}

RUN(an_abort_breaks_it_for_all_until_the_reset)
{
    struct shared shared = make(4);
    struct crowd crowd = { .task_count = 0 };
    crowd_start(&crowd, 2, 1, find_it_broken, &shared);
    await(&shared.started, 3);
    weir_barrier_abort(shared.barrier);
    crowd_join(&crowd);
    CHECK(weir_barrier_is_broken(shared.barrier));
    CHECK_EQ(find_it_broken(&shared), 0);
    CHECK_EQ(weir_barrier_wait(shared.barrier, WEIR_DONT_WAIT), WEIR_EBROKEN);
    weir_barrier_reset(shared.barrier);
    CHECK(!weir_barrier_is_broken(shared.barrier));
    check_usable(&shared, 4);
    weir_barrier_destroy(shared.barrier);
    return 0;
}

/* In parallel models a party may come after the reset, and then waits for others: so each round
 * ends with an abort. */
RUN(a_reset_breaks_it_for_those_that_wait_only)
{
    struct shared shared = make(4);
    struct crowd crowd = { .task_count = 0 };
    crowd_start(&crowd, 2, 1, find_it_broken, &shared);
    await(&shared.started, 3);
    weir_barrier_reset(shared.barrier);
    CHECK(!weir_barrier_is_broken(shared.barrier));
    while (peek(&shared.broken) < 3) {
        weir_barrier_abort(shared.barrier);
        IGNORE(weir_yield());
    }
    crowd_join(&crowd);
    weir_barrier_reset(shared.barrier);
    check_usable(&shared, 4);
    weir_barrier_destroy(shared.barrier);
    return 0;
}

static int time_out(void *arg)
{
    struct shared *shared = arg;
    const weir_time deadline = weir_in_ms(3);
    const int rc = weir_barrier_wait(shared->barrier, deadline);
    if (rc == WEIR_ETIMEDOUT)
        CHECK(weir_now() >= deadline);
    else
        CHECK_EQ(rc, WEIR_EBROKEN);
    bump(rc == WEIR_ETIMEDOUT ? &shared->gave_up : &shared->broken);
    return 0;
}

RUN(a_party_that_times_out_breaks_it)
{
    struct shared shared = make(5);
    struct crowd crowd = { .task_count = 0 };
    crowd_start(&crowd, 1, 1, find_it_broken, &shared);
    crowd_start(&crowd, 1, 1, time_out, &shared);
    crowd_join(&crowd);
    CHECK(shared.gave_up >= 1);
    CHECK_EQ(shared.gave_up + shared.broken, 4);
    CHECK(weir_barrier_is_broken(shared.barrier));
    weir_barrier_reset(shared.barrier);
    CHECK_EQ(weir_barrier_wait(shared.barrier, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    CHECK(weir_barrier_is_broken(shared.barrier));
    weir_barrier_reset(shared.barrier);
    CHECK_EQ(weir_barrier_wait(shared.barrier, 1), WEIR_ETIMEDOUT);
    CHECK(weir_barrier_is_broken(shared.barrier));
    weir_barrier_destroy(shared.barrier);
    return 0;
}

static int be_canceled(void *arg)
{
    struct shared *shared = arg;
    bump(&shared->started);
    CHECK_EQ(weir_barrier_wait(shared->barrier, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    CHECK(weir_barrier_is_broken(shared->barrier));
    weir_barrier_reset(shared->barrier);
    CHECK_EQ(weir_barrier_wait(shared->barrier, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    return 0;
}

RUN(a_party_that_is_canceled_breaks_it)
{
    struct shared shared = make(3);
    struct crowd crowd = { .task_count = 0 };
    crowd_task(&crowd, be_canceled, &shared);
    await(&shared.started, 1);
    weir_task_cancel(crowd.tasks[0], WEIR_EPERM);
    crowd_join(&crowd);
    CHECK(weir_barrier_is_broken(shared.barrier));
    weir_barrier_destroy(shared.barrier);
    return 0;
}

/* -- a deadline against the last to come ------------------------------------------------------ */

struct hasty {
    struct shared *shared;
    weir_time patience_ns;
};

static void note(struct shared *shared, int rc)
{
    if (rc >= 0)
        bump(&shared->passed);
    else
        bump(rc == WEIR_ETIMEDOUT ? &shared->gave_up : &shared->broken);
}

static int come_hastily(void *arg)
{
    struct hasty *hasty = arg;
    bump(&hasty->shared->started);
    note(hasty->shared, weir_barrier_wait(hasty->shared->barrier, weir_in_ns(hasty->patience_ns)));
    return 0;
}

/* All pass or none does; and if all have passed the barrier may be freed at once. */
RUN(a_deadline_breaks_it_for_all_or_for_nobody)
{
    int passed = 0;
    for (int round = 0; round < 150; round++) {
        struct shared shared = make(3);
        struct crowd crowd = { .task_count = 0 };
        struct hasty hasty = { .shared = &shared, .patience_ns = 1000 * (round % 60) };
        crowd_start(&crowd, 1, round % 2, come_hastily, &hasty);
        if (round % 2 == 0)
            crowd_task(&crowd, come_hastily, &hasty);
        if (round % 3 == 0)
            await(&shared.started, 2);
        const int rc = weir_barrier_wait(shared.barrier, WEIR_NO_DEADLINE);
        CHECK(rc >= 0 || rc == WEIR_EBROKEN);
        if (rc >= 0)
            weir_barrier_destroy(shared.barrier);
        note(&shared, rc);
        crowd_join(&crowd);
        if (rc < 0)
            weir_barrier_destroy(shared.barrier);
        CHECK_EQ(shared.passed, rc >= 0 ? 3 : 0);
        CHECK_EQ(shared.passed + shared.gave_up + shared.broken, 3);
        passed += rc >= 0;
    }
    printf("%d of 150 generations passed\n", passed);
    return 0;
}

/* -- giving up in the same instant ------------------------------------------------------------ */

struct half {
    struct shared *shared;
    int passed;
};

/* Both come and give up so fast that one often comes while the other is giving up. */
static int come_and_give_up(void *arg)
{
    struct half *half = arg;
    for (int i = 0; i < 20000; i++) {
        const int rc =
            weir_barrier_wait(half->shared->barrier, i % 2 == 0 ? WEIR_DONT_WAIT : weir_in_ns(500));
        if (rc >= 0)
            half->passed++;
        else
            weir_barrier_reset(half->shared->barrier);
    }
    return 0;
}

RUN(two_that_keep_giving_up_pass_together_or_not_at_all)
{
    struct shared shared = make(2);
    struct half halves[2] = { { .shared = &shared }, { .shared = &shared } };
    struct crowd crowd = { .task_count = 0 };
    crowd_task(&crowd, come_and_give_up, &halves[0]);
    crowd_thread(&crowd, come_and_give_up, &halves[1]);
    crowd_join(&crowd);
    CHECK_EQ(halves[0].passed, halves[1].passed);
    printf("%d times both passed\n", halves[0].passed);
    weir_barrier_destroy(shared.barrier);
    return 0;
}

static int destroy_awaited(void *unused)
{
    (void)unused;
    struct shared shared = make(3);
    struct crowd crowd = { .task_count = 0 };
    crowd_task(&crowd, find_it_broken, &shared);
    await_waiters("wait at barrier", 1);
    weir_barrier_destroy(shared.barrier);
    return 0;
}

static void misuse_aborts_and_shows_both_values(void **state)
{
    (void)state;
    expect_misuse_of(destroy_awaited, "weir_barrier_destroy: waiting 1, of 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_passes_before_all_have_come_and_each_has_its_index),
        cmocka_unit_test(one_party_alone_never_waits),
        cmocka_unit_test(an_abort_breaks_it_for_all_until_the_reset),
        cmocka_unit_test(a_reset_breaks_it_for_those_that_wait_only),
        cmocka_unit_test(a_party_that_times_out_breaks_it),
        cmocka_unit_test(a_party_that_is_canceled_breaks_it),
        cmocka_unit_test(a_deadline_breaks_it_for_all_or_for_nobody),
        cmocka_unit_test(two_that_keep_giving_up_pass_together_or_not_at_all),
        cmocka_unit_test(misuse_aborts_and_shows_both_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
