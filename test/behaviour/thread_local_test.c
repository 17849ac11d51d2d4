/* SPDX-License-Identifier: MIT */
/* Thread-locals, under every model: a pinned task stays on one OS thread, and weir.h's errno is
 * that of the thread which runs the caller now, also right after a wait. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/run.h"

/* -- pinned ------------------------------------------------------------------------------------ */

enum {
    PINNED = 6,
    WAITS = 300
};

static _Thread_local int lent; /* what a library with thread-local state would keep */

struct stage {
    weir_chan *in;
    weir_chan *out;
    int number;
    int gate;
};

static int stay(void *arg)
{
    struct stage *stage = arg;
    const pid_t home = gettid();
    lent = stage->number;
    for (int i = 0; i < WAITS; i++) {
        int item = 0;
        CHECK_EQ(weir_chan_recv(stage->in, &item, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(gettid(), home);
        if (i % 3 == 0)
            CHECK_EQ(weir_yield(), 0);
        if (i % 50 == 0)
            CHECK_EQ(weir_sleep(weir_in_ns(20000)), 0);
        item++;
        CHECK_EQ(weir_chan_send(stage->out, &item, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(gettid(), home);
        if (model_is_parallel())
            CHECK_EQ(lent, stage->number);
    }
    return 0;
}

/* A ring of pinned tasks that hand a number on, so that each waits for another at every step. */
RUN(a_pinned_task_stays_on_its_thread)
{
    struct stage stages[PINNED];
    weir_chan *channels[PINNED + 1];
    weir_scope *scope;
    for (int i = 0; i <= PINNED; i++)
        CHECK_EQ(
            weir_chan_create(&channels[i], &(struct weir_chan_opts){ .elem_bytes = sizeof(int) }),
            0);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < PINNED; i++) {
        stages[i] = (struct stage){ .in = channels[i], .out = channels[i + 1], .number = i + 100 };
        CHECK_EQ(weir_go(stay, &stages[i], .pinned = true), 0);
    }
    for (int i = 0; i < WAITS; i++) {
        int item = i;
        CHECK_EQ(weir_chan_send(channels[0], &item, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(weir_chan_recv(channels[PINNED], &item, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(item, i + PINNED);
    }
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    for (int i = 0; i <= PINNED; i++)
        weir_chan_destroy(channels[i]);
    return 0;
}

static int note_thread(void *arg)
{
    post(arg, gettid());
    return 0;
}

RUN(under_loop_all_tasks_share_the_thread_that_turns)
{
    if (model_is_parallel())
        return 0; /* the claim is about loop alone */
    for (int i = 0; i < 50; i++) {
        int tid = 0;
        weir_task *task;
        CHECK_EQ(weir_task_start(&task, note_thread, &tid, .pinned = i % 2 == 0), 0);
        CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(tid, gettid());
    }
    return 0;
}

/* -- errno ------------------------------------------------------------------------------------- */

enum {
    WANDERERS = 8,
    HOPS = 400,
    MOVES_WANTED = 20,
    TURNS_MAX = 200
};

struct wandering {
    int moves; /* waits after which a task was on another thread */
};

/* What this thread's errno is, found in a thread that has just asked: never inlined, so that no
 * address is kept over a wait. */
__attribute__((noinline)) static int *true_address(void)
{
    __asm__ volatile("" ::: "memory");
    return __errno_location();
}

/* Parks now and then, so that workers run out of tasks and steal. */
static void hop_on(int hop)
{
    if (hop % 4 == 0)
        CHECK_EQ(weir_sleep(weir_in_ns(20000)), 0);
    else
        CHECK_EQ(weir_yield(), 0);
}

static int wander(void *arg)
{
    struct wandering *wandering = arg;
    for (int hop = 0; hop < HOPS; hop++) {
        const pid_t before = gettid();
        errno = 1000 + hop;
        CHECK_EQ(errno, 1000 + hop);
        hop_on(hop);
        if (gettid() != before)
            bump(&wandering->moves);
        CHECK(&errno == true_address());
        errno = 2000 + hop;
        CHECK_EQ(*true_address(), 2000 + hop);
    }
    return 0;
}

RUN(errno_is_that_of_the_thread_that_runs_the_task_now)
{
    struct wandering wandering = { .moves = 0 };
    const bool moves = model_scheduler() == WEIR_SCHEDULER_TASKS;
    int turns = 0;
    do {
        weir_scope *scope;
        CHECK_EQ(weir_scope_open(&scope, NULL), 0);
        for (int i = 0; i < WANDERERS; i++)
            CHECK_EQ(weir_go(wander, &wandering), 0);
        CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    } while (moves && peek(&wandering.moves) < MOVES_WANTED && ++turns < TURNS_MAX);
    if (moves)
        CHECK(wandering.moves >= MOVES_WANTED);
    else
        CHECK_EQ(wandering.moves, 0);
    return 0;
}

static void *use_errno(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++) {
        errno = i;
        CHECK(&errno == true_address());
        CHECK_EQ(errno, i);
    }
    return NULL;
}

static void a_plain_thread_has_its_own_errno_before_and_after_open(void **state)
{
    (void)state;
    pthread_t thread;
    (void)use_errno(NULL);
    runtime_open(NULL);
    assert_int_equal(pthread_create(&thread, NULL, use_errno, NULL), 0);
    (void)use_errno(NULL);
    assert_int_equal(pthread_join(thread, NULL), 0);
    runtime_close();
    (void)use_errno(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pinned_task_stays_on_its_thread),
        cmocka_unit_test(under_loop_all_tasks_share_the_thread_that_turns),
        cmocka_unit_test(errno_is_that_of_the_thread_that_runs_the_task_now),
        cmocka_unit_test(a_plain_thread_has_its_own_errno_before_and_after_open),
    };
    return cmocka_run_group_tests_name("thread_local", tests, NULL, NULL);
}
