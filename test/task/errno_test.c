/* SPDX-License-Identifier: MIT */
/* errno across waits after which a task runs on another thread.  Built a second time with the whole
 * library under link-time optimization, where a compiler sees every body and could keep an address.
 *
 * The task asks for errno on both sides of a wait in one function, as user code does.  The truth is
 * asked for through a pointer that the compiler cannot look through. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/run.h"

enum {
    TASKS = 8,
    HOPS = 400,
    MOVES_WANTED = 50,
    TURNS_MAX = 400
};

static int *(*volatile locate)(void) = __errno_location;

static int looks; /* atomic */
static int moves; /* atomic: waits after which a task was on another thread */
static int stale; /* atomic: how often the C library's own errno was the old thread's then */

/* Parks now and then, so that workers run out of tasks and steal. */
static void hop_on(int hop)
{
    if (hop % 4 == 0)
        CHECK_EQ(weir_sleep(weir_in_ns(20000)), 0);
    else
        CHECK_EQ(weir_yield(), 0);
}

static int hop_about(void *arg)
{
    (void)arg;
    for (int hop = 0; hop < HOPS; hop++) {
        int *const truth_before = locate();
        CHECK(__errno_location() == truth_before);
        errno = 100 + hop;
        CHECK(&errno == truth_before);
        CHECK_EQ(*truth_before, 100 + hop);

        hop_on(hop);

        int *const truth = locate();
        CHECK(&errno == truth);
        errno = 500 + hop;
        CHECK_EQ(*truth, 500 + hop);
        if (truth != truth_before)
            bump(&moves);
        /* What weir.h is for: this may be the old thread's. */
        if (__errno_location() != truth)
            bump(&stale);
        bump(&looks);
    }
    return 0;
}

static int hop_until_moved(void *arg)
{
    (void)arg;
    for (int turn = 0; turn < TURNS_MAX && peek(&moves) < MOVES_WANTED; turn++) {
        weir_scope *scope;
        CHECK_EQ(weir_scope_open(&scope, NULL), 0);
        for (int i = 0; i < TASKS; i++)
            CHECK_EQ(weir_go(hop_about, NULL), 0);
        CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    }
    return 0;
}

static void errno_follows_the_task_from_thread_to_thread(void **state)
{
    (void)state;
    const struct weir_opts opts = { .scheduler = WEIR_SCHEDULER_TASKS, .workers = 2 };
    run_body_with(&opts, hop_until_moved, NULL);
    printf("%d looks, %d after a move; the C library's own was stale %d times\n", looks, moves,
           stale);
    assert_true(moves >= MOVES_WANTED);
}

/* The task's number and name are read through thread-locals too. */
static int keep_identity(void *arg)
{
    (void)arg;
    const uint64_t id = weir_task_id();
    const char *const name = weir_task_name();
    for (int hop = 0; hop < HOPS; hop++) {
        int *const before = locate();
        hop_on(hop);
        if (locate() != before)
            bump(&moves);
        CHECK_EQ(weir_task_id(), id);
        CHECK(weir_task_name() == name);
        CHECK_EQ(weir_cancel_cause(), 0);
        CHECK_EQ(weir_deadline(), WEIR_NO_DEADLINE);
    }
    return 0;
}

static int keep_until_moved(void *arg)
{
    (void)arg;
    static const char *const names[TASKS] = { "a", "b", "c", "d", "e", "f", "g", "h" };
    for (int turn = 0; turn < TURNS_MAX && peek(&moves) < MOVES_WANTED; turn++) {
        weir_scope *scope;
        CHECK_EQ(weir_scope_open(&scope, NULL), 0);
        for (int i = 0; i < TASKS; i++)
            CHECK_EQ(weir_go(keep_identity, NULL, .name = names[i]), 0);
        CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    }
    return 0;
}

static void a_task_knows_itself_on_every_thread(void **state)
{
    (void)state;
    const struct weir_opts opts = { .scheduler = WEIR_SCHEDULER_TASKS, .workers = 2 };
    post(&moves, 0);
    run_body_with(&opts, keep_until_moved, NULL);
    assert_true(moves >= MOVES_WANTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errno_follows_the_task_from_thread_to_thread),
        cmocka_unit_test(a_task_knows_itself_on_every_thread),
    };
    return cmocka_run_group_tests_name("errno", tests, NULL, NULL);
}
