/* SPDX-License-Identifier: MIT */
/* Switching from task to task: whoever arrives finishes what the other left, so that stacks come
 * back and every run is counted, however tasks hand over to each other. */
#include "task/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/run.h"
#include "task/rt.h"

enum {
    RING = 7,
    LAPS = 2000
};

static const struct weir_opts schedulers[] = {
    { .scheduler = WEIR_SCHEDULER_LOOP },
    { .workers = 1 },
    { .workers = 2 },
};

/* -- a ring of tasks that hand a token on ------------------------------------------------------ */

struct link {
    weir_chan *from;
    weir_chan *to;
};

static int hand_on(void *arg)
{
    const struct link *link = arg;
    int token;
    while (weir_chan_recv(link->from, &token, WEIR_NO_DEADLINE) == 0) {
        token++;
        if (weir_chan_send(link->to, &token, WEIR_NO_DEADLINE) != 0)
            break;
    }
    return weir_chan_close(link->to);
}

static int run_ring(void *arg)
{
    weir_chan *links[RING + 1];
    struct link tasks[RING];
    weir_scope *scope;
    (void)arg;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    const struct weir_chan_opts opts = { .elem_bytes = sizeof(int) };
    for (int i = 0; i <= RING; i++)
        CHECK_EQ(weir_chan_create(&links[i], &opts), 0);
    for (int i = 0; i < RING; i++) {
        tasks[i] = (struct link){ links[i], links[i + 1] };
        CHECK_EQ(weir_go(hand_on, &tasks[i]), 0);
    }
    int token = 0;
    for (int lap = 1; lap <= LAPS; lap++) {
        CHECK_EQ(weir_chan_send(links[0], &token, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(weir_chan_recv(links[RING], &token, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(token, lap * RING);
    }
    CHECK_EQ(weir_chan_close(links[0]), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    for (int i = 0; i <= RING; i++)
        weir_chan_destroy(links[i]);
    return 0;
}

static void a_token_goes_round_and_loses_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(schedulers) / sizeof(schedulers[0]); i++)
        run_body_with(&schedulers[i], run_ring, NULL);
}

/* -- stacks ------------------------------------------------------------------------------------ */

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* Ends tasks one after the other and many at once; the pool must not grow with their number. */
static int end_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < LAPS; i++) {
        weir_task *task;
        CHECK_EQ(weir_task_start(&task, nothing, NULL), 0);
        CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    }
    const int64_t mapped = wi_stack_count_mapped();
    for (int round = 0; round < 20; round++) {
        weir_scope *scope;
        CHECK_EQ(weir_scope_open(&scope, NULL), 0);
        for (int i = 0; i < LAPS; i++)
            CHECK_EQ(weir_go(nothing, NULL), 0);
        CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    }
    CHECK_EQ(wi_stack_count_mapped(), mapped);
    return 0;
}

static void stacks_of_ended_tasks_are_used_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(schedulers) / sizeof(schedulers[0]); i++)
        run_body_with(&schedulers[i], end_many, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_goes_round_and_loses_nothing),
        cmocka_unit_test(stacks_of_ended_tasks_are_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
