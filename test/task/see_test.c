/* SPDX-License-Identifier: MIT */
/* One look at one record: what it says, and that a wake during the look is not lost. */
#include "task/see.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"
#include "task/record.h"

static int wait_to_be_canceled(void *arg)
{
    bump(arg);
    return weir_sleep(WEIR_NO_DEADLINE) == WEIR_ECANCELED ? 7 : 0;
}

/* Looks until the task waits. */
static void await_waiting(weir_task *task, struct wi_seen *seen, struct wi_frames *frames)
{
    do {
        CHECK(wi_see_task(task, seen, frames));
        (void)weir_yield();
    } while (seen->state != WI_SEEN_WAITING);
}

RUN(a_look_tells_who_waits_for_what_since_when)
{
    int started = 0;
    weir_task *task;
    struct wi_seen seen;
    struct wi_frames frames;
    CHECK_EQ(weir_task_start(&task, wait_to_be_canceled, &started, .name = "it"), 0);
    await_waiting(task, &seen, &frames);
    CHECK_EQ(seen.id, wi_task_id(task));
    CHECK_EQ(strcmp(seen.name, "it"), 0);
    CHECK(strstr(seen.site, "see_test.c:") != NULL);
    CHECK(seen.parker == &task->parker);
    CHECK_EQ(strcmp(seen.waitable->what, "sleep"), 0);
    CHECK(seen.object == NULL);
    CHECK(seen.holder == NULL);
    CHECK_EQ(seen.number, -1);
    CHECK(seen.since > 0);
    CHECK(seen.since <= weir_now());
    CHECK_EQ(seen.until, WEIR_NO_DEADLINE);
    CHECK_EQ(seen.cancel, 0);
    CHECK(frames.count > 2);
    int result = 0;
    weir_task_cancel(task, WEIR_ECANCELED);
    CHECK_EQ(weir_task_join(task, &result, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(result, 7);
    return 0;
}

RUN(a_record_whose_task_has_ended_is_nobody)
{
    int started = 0;
    weir_task *task;
    struct wi_seen seen;
    struct wi_frames frames;
    CHECK_EQ(weir_task_start(&task, wait_to_be_canceled, &started), 0);
    weir_task_cancel(task, WEIR_ECANCELED);
    while (wi_see_task(task, &seen, &frames))
        (void)weir_yield();
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK(!wi_see_task(task, &seen, &frames));
    return 0;
}

RUN(the_caller_runs)
{
    struct wi_seen seen;
    struct wi_frames frames;
    CHECK(wi_see_task(wi_task_current(), &seen, &frames));
    CHECK_EQ(seen.state,
             model_scheduler() == WEIR_SCHEDULER_THREADS ? WI_SEEN_THREAD : WI_SEEN_RUNNING);
    CHECK(frames.count > 2);
    CHECK(wi_task_of_parker(seen.parker) == wi_task_current());
    CHECK(wi_task_of_parker((struct wi_parker *)(void *)&seen) == NULL);
    return 0;
}

struct relay {
    weir_chan *ch;
    weir_task *task;
    int looks;
    int stop;
};

static int receive_all(void *arg)
{
    struct relay *relay = arg;
    int value;
    int sum = 0;
    while (weir_chan_recv(relay->ch, &value, WEIR_NO_DEADLINE) == 0)
        sum += value;
    return sum;
}

static void *look_all_the_time(void *arg)
{
    struct relay *relay = arg;
    struct wi_seen seen;
    struct wi_frames frames;
    while (peek(&relay->stop) == 0) {
        if (wi_see_task(relay->task, &seen, &frames))
            bump(&relay->looks);
    }
    return NULL;
}

/* Without step c of see.c the receiver would be left stopped within some of these rounds. */
RUN(wakes_during_a_look_are_not_lost)
{
    enum {
        ROUNDS = 3000
    };
    struct relay relay = { .stop = 0 };
    pthread_t thread;
    CHECK_EQ(weir_chan_create(&relay.ch, &(struct weir_chan_opts){ .elem_bytes = sizeof(int) }), 0);
    CHECK_EQ(weir_task_start(&relay.task, receive_all, &relay), 0);
    CHECK_EQ(pthread_create(&thread, NULL, look_all_the_time, &relay), 0);
    const int one = 1;
    await(&relay.looks, 1);
    for (int i = 0; i < ROUNDS; i++)
        CHECK_EQ(weir_chan_send(relay.ch, &one, WEIR_NO_DEADLINE), 0);
    post(&relay.stop, 1);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(weir_chan_close(relay.ch), 0);
    int sum = 0;
    CHECK_EQ(weir_task_join(relay.task, &sum, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(sum, ROUNDS);
    weir_chan_destroy(relay.ch);
    return 0;
}

static void under_every_scheduler(void **state)
{
    (void)state;
    static const char *const models[] = { "tasks", "loop", "threads" };
    for (int i = 0; i < 3; i++) {
        setenv("WEIR_TEST_MODEL", models[i], 1);
        a_look_tells_who_waits_for_what_since_when(NULL);
        a_record_whose_task_has_ended_is_nobody(NULL);
        the_caller_runs(NULL);
        wakes_during_a_look_are_not_lost(NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(under_every_scheduler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
