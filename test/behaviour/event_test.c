/* SPDX-License-Identifier: MIT */
/* Events: set, clear, waiting by many, deadlines, cancellation, freed at once, misuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/crowd.h"
#include "support/run.h"

struct shared {
    weir_event *event;
    weir_event *answer;
    int news; /* plain: the event says when it may be read */
    int started;
    int returned;
};

static struct shared make(void)
{
    struct shared shared = { .news = 0 };
    CHECK_EQ(weir_event_create(&shared.event), 0);
    CHECK_EQ(weir_event_create(&shared.answer), 0);
    return shared;
}

static void destroy(struct shared *shared)
{
    weir_event_destroy(shared->event);
    weir_event_destroy(shared->answer);
}

static int wait_for_news(void *arg)
{
    struct shared *shared = arg;
    bump(&shared->started);
    CHECK_EQ(weir_event_wait(shared->event, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(shared->news, 7);
    bump(&shared->returned);
    return 0;
}

RUN(a_set_wakes_all_that_wait_and_lets_the_later_pass)
{
    struct shared shared = make();
    struct crowd crowd = { .task_count = 0 };
    CHECK(!weir_event_is_set(shared.event));
    crowd_start(&crowd, 5, 3, wait_for_news, &shared);
    await(&shared.started, 8);
    CHECK_EQ(peek(&shared.returned), 0);
    shared.news = 7;
    weir_event_set(shared.event);
    weir_event_set(shared.event);
    CHECK(weir_event_is_set(shared.event));
    crowd_join(&crowd);
    CHECK_EQ(weir_event_wait(shared.event, WEIR_DONT_WAIT), 0);
    CHECK_EQ(weir_event_wait(shared.event, 1), 0);
    weir_event_clear(shared.event);
    CHECK(!weir_event_is_set(shared.event));
    CHECK_EQ(weir_event_wait(shared.event, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    destroy(&shared);
    return 0;
}

static int answer_each(void *arg)
{
    struct shared *shared = arg;
    for (int i = 0; i < 300; i++) {
        CHECK_EQ(weir_event_wait(shared->event, WEIR_NO_DEADLINE), 0);
        weir_event_clear(shared->event);
        shared->news++;
        weir_event_set(shared->answer);
    }
    return 0;
}

static void ask_and_be_answered(bool of_thread)
{
    struct shared shared = make();
    struct crowd crowd = { .task_count = 0 };
    (of_thread ? crowd_thread : crowd_task)(&crowd, answer_each, &shared);
    for (int i = 0; i < 300; i++) {
        weir_event_set(shared.event);
        CHECK_EQ(weir_event_wait(shared.answer, WEIR_NO_DEADLINE), 0);
        weir_event_clear(shared.answer);
        CHECK_EQ(shared.news, i + 1);
    }
    crowd_join(&crowd);
    destroy(&shared);
}

RUN(two_take_turns_by_setting_and_clearing)
{
    ask_and_be_answered(false);
    ask_and_be_answered(true);
    return 0;
}

static int time_out(void *arg)
{
    struct shared *shared = arg;
    const weir_time deadline = weir_in_ms(2);
    CHECK_EQ(weir_event_wait(shared->event, deadline), WEIR_ETIMEDOUT);
    CHECK(weir_now() >= deadline);
    CHECK_EQ(weir_event_wait(shared->event, 1), WEIR_ETIMEDOUT);
    return 0;
}

RUN(a_deadline_ends_the_wait)
{
    struct shared shared = make();
    struct crowd crowd = { .task_count = 0 };
    crowd_start(&crowd, 2, 2, time_out, &shared);
    crowd_join(&crowd);
    weir_event_set(shared.event); /* nobody waits any more */
    CHECK_EQ(weir_event_wait(shared.event, WEIR_DONT_WAIT), 0);
    destroy(&shared);
    return 0;
}

static int be_canceled(void *arg)
{
    struct shared *shared = arg;
    bump(&shared->started);
    CHECK_EQ(weir_event_wait(shared->event, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    CHECK_EQ(weir_event_wait(shared->event, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    return 0;
}

RUN(cancellation_ends_the_wait)
{
    struct shared shared = make();
    struct crowd crowd = { .task_count = 0 };
    crowd_task(&crowd, be_canceled, &shared);
    await(&shared.started, 1);
    weir_task_cancel(crowd.tasks[0], WEIR_EPERM);
    crowd_join(&crowd);
    destroy(&shared);
    return 0;
}

static int set_it(void *arg)
{
    weir_event_set(arg);
    return 0;
}

/* The sanitizers see whether the setter touches it after the wait. */
RUN(who_has_waited_may_free_it_at_once)
{
    for (int i = 0; i < 200; i++) {
        weir_event *event;
        struct crowd crowd = { .task_count = 0 };
        CHECK_EQ(weir_event_create(&event), 0);
        (i % 4 == 0 ? crowd_thread : crowd_task)(&crowd, set_it, event);
        if (i % 3 == 0)
            IGNORE(weir_event_wait(event, weir_in_ns(i * 100)));
        CHECK_EQ(weir_event_wait(event, WEIR_NO_DEADLINE), 0);
        weir_event_destroy(event);
        crowd_join(&crowd);
    }
    return 0;
}

static int destroy_awaited(void *unused)
{
    (void)unused;
    struct shared shared = make();
    struct crowd crowd = { .task_count = 0 };
    crowd_task(&crowd, wait_for_news, &shared);
    await_waiters("wait for event", 1);
    weir_event_destroy(shared.event);
    return 0;
}

static void misuse_aborts_and_says_what(void **state)
{
    (void)state;
    expect_misuse_of(destroy_awaited, "weir_event_destroy: so many wait for it (1)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_wakes_all_that_wait_and_lets_the_later_pass),
        cmocka_unit_test(two_take_turns_by_setting_and_clearing),
        cmocka_unit_test(a_deadline_ends_the_wait),
        cmocka_unit_test(cancellation_ends_the_wait),
        cmocka_unit_test(who_has_waited_may_free_it_at_once),
        cmocka_unit_test(misuse_aborts_and_says_what),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
