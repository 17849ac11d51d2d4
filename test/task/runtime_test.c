/* SPDX-License-Identifier: MIT */
/* The runtime as an embedder sees it: a `loop` runtime turned by somebody else's poll(2) loop,
 * wakes from foreign threads, opening and closing in every scheduler, forked children. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/run.h"

static const struct weir_opts loop_opts = { .scheduler = WEIR_SCHEDULER_LOOP };

/* -- a foreign loop ---------------------------------------------------------------------------- */

struct host {
    weir_chan *requests;
    weir_chan *replies;
    int served;
    int slept;
    int over;
    int turns;
};

/* What an unchanged program does with its own loop: polls the descriptor until the deadline that
 * the runtime names, then has it turn once without waiting. */
static void host_once(struct host *host)
{
    const weir_time deadline = weir_turn_deadline();
    int timeout_ms = -1;
    if (deadline != WEIR_NO_DEADLINE) {
        const int64_t left = deadline - weir_now();
        timeout_ms = left <= 0 ? 0 : (int)((left + WEIR_NS_PER_MS - 1) / WEIR_NS_PER_MS);
    }
    struct pollfd one = { .fd = weir_pollfd(), .events = POLLIN };
    /* A hang guard, not a period: no wake may be missing for so long. */
    const int guard_ms = 20000;
    const int rc = poll(&one, 1, timeout_ms < 0 ? guard_ms : timeout_ms);
    CHECK(rc > 0 || timeout_ms >= 0);
    CHECK(weir_turn(WEIR_DONT_WAIT) >= 0);
    host->turns++;
}

static int serve(void *arg)
{
    struct host *host = arg;
    int value;
    while (weir_chan_recv(host->requests, &value, WEIR_NO_DEADLINE) == 0) {
        value++;
        CHECK_EQ(weir_chan_send(host->replies, &value, WEIR_NO_DEADLINE), 0);
        host->served++;
    }
    host->over = 1;
    return 0;
}

static void *ask(void *arg)
{
    struct host *host = arg;
    for (int i = 0; i < 3000; i++) {
        int value = i;
        CHECK_EQ(weir_chan_send(host->requests, &value, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(weir_chan_recv(host->replies, &value, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(value, i + 1);
    }
    CHECK_EQ(weir_chan_close(host->requests), 0);
    return NULL;
}

static int nap(void *arg)
{
    struct host *host = arg;
    for (int i = 0; i < 5; i++) {
        const weir_time until = weir_in_ms(2);
        CHECK_EQ(weir_sleep(until), 0);
        CHECK(weir_now() >= until);
        host->slept++;
    }
    return 0;
}

static void a_foreign_loop_hears_of_every_wake(void **state)
{
    (void)state;
    struct host host = { .served = 0 };
    const struct weir_chan_opts opts = { .elem_bytes = sizeof(int) };
    pthread_t thread;
    runtime_open(&loop_opts);
    assert_true(weir_pollfd() >= 0);
    assert_int_equal(weir_chan_create(&host.requests, &opts), 0);
    assert_int_equal(weir_chan_create(&host.replies, &opts), 0);
    assert_int_equal(weir_go(serve, &host), 0);
    assert_int_equal(pthread_create(&thread, NULL, ask, &host), 0);
    while (!host.over)
        host_once(&host);
    assert_int_equal(host.served, 3000);
    assert_int_equal(pthread_join(thread, NULL), 0);
    weir_chan_destroy(host.requests);
    weir_chan_destroy(host.replies);
    runtime_close();
}

static void a_foreign_loop_is_told_of_timers(void **state)
{
    (void)state;
    struct host host = { .served = 0 };
    runtime_open(&loop_opts);
    assert_int_equal(weir_go(nap, &host), 0);
    while (host.slept < 5)
        host_once(&host);
    assert_true(host.turns < 100); /* it slept in between */
    assert_true(weir_turn_deadline() == WEIR_NO_DEADLINE);
    runtime_close();
}

static int count_run(void *arg)
{
    bump(arg);
    return 0;
}

/* Spawns by the host itself, between its turns, are seen by the descriptor and by the deadline. */
static void ready_tasks_are_told_between_turns(void **state)
{
    (void)state;
    int ran = 0;
    runtime_open(&loop_opts);
    assert_int_equal(weir_turn(WEIR_DONT_WAIT), 0);
    struct pollfd one = { .fd = weir_pollfd(), .events = POLLIN };
    assert_int_equal(poll(&one, 1, 0), 0);
    assert_int_equal(weir_go(count_run, &ran), 0);
    assert_int_equal(poll(&one, 1, 0), 1);
    assert_int_equal(weir_turn_deadline(), WEIR_DONT_WAIT);
    assert_int_equal(ran, 0); /* never at once */
    assert_true(weir_turn(WEIR_DONT_WAIT) > 0);
    assert_int_equal(ran, 1);
    assert_true(weir_turn_deadline() == WEIR_NO_DEADLINE);
    runtime_close();
}

/* More than one turn runs: nothing is forgotten at its bound. */
static void a_turn_that_stops_at_its_bound_is_due_again(void **state)
{
    (void)state;
    enum {
        TASKS = 5000
    };
    struct host host = { .served = 0 };
    int ran = 0;
    runtime_open(&loop_opts);
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(weir_go(count_run, &ran), 0);
    while (ran < TASKS)
        host_once(&host);
    assert_true(host.turns > 1);
    runtime_close();
}

static void a_turn_waits_until_its_deadline_and_not_longer(void **state)
{
    (void)state;
    runtime_open(&loop_opts);
    const weir_time deadline = weir_in_ms(3);
    while (weir_turn(deadline) > 0) {
    }
    assert_true(weir_now() >= deadline);
    runtime_close();
}

static void only_a_loop_is_turned(void **state)
{
    (void)state;
    const enum weir_scheduler others[] = { WEIR_SCHEDULER_TASKS, WEIR_SCHEDULER_THREADS };
    for (int i = 0; i < 2; i++) {
        const struct weir_opts opts = { .scheduler = others[i], .workers = 1 };
        runtime_open(&opts);
        assert_int_equal(weir_turn(WEIR_DONT_WAIT), WEIR_ENOTSUP);
        assert_int_equal(weir_pollfd(), WEIR_ENOTSUP);
        assert_true(weir_turn_deadline() == WEIR_NO_DEADLINE);
        assert_int_equal(weir_scheduler_kind(), others[i]);
        runtime_close();
    }
    assert_int_equal(weir_turn(WEIR_DONT_WAIT), WEIR_ENOTOPEN);
    assert_int_equal(weir_pollfd(), WEIR_ENOTOPEN);
}

/* A blocking task ends on another thread, which must wake the opener however it stands. */
static int end_at_once(void *arg)
{
    (void)arg;
    return 5;
}

static void the_opener_hears_of_tasks_that_end_elsewhere(void **state)
{
    (void)state;
    runtime_open(&loop_opts);
    for (int i = 0; i < 2000; i++) {
        weir_task *task;
        int result = 0;
        assert_int_equal(weir_task_start(&task, end_at_once, NULL, .blocking = true), 0);
        assert_int_equal(weir_task_join(task, &result, WEIR_NO_DEADLINE), 0);
        assert_int_equal(result, 5);
    }
    runtime_close();
}

/* -- open, close, fork ------------------------------------------------------------------------- */

static int spawn_a_few(void *arg)
{
    for (int i = 0; i < 10; i++)
        CHECK_EQ(weir_go(count_run, arg), 0);
    return 0;
}

static void a_runtime_opens_and_closes_again_and_again(void **state)
{
    (void)state;
    int ran = 0;
    for (int i = 0; i < 60; i++) {
        const struct weir_opts opts = { .scheduler = (enum weir_scheduler)(i % 3),
                                        .workers = i % 3 == WEIR_SCHEDULER_TASKS ? 1 + i % 5 : 0,
                                        .old_kernel = i % 7 == 0 };
        run_body_with(&opts, spawn_a_few, &ran);
        assert_int_equal(ran, (i + 1) * 10);
    }
}

static void nothing_is_left_behind(void **state)
{
    (void)state;
    int ran = 0;
    struct weir_runtime_stats stats = { .size = sizeof(stats) };
    for (int i = 0; i < 3; i++) {
        const struct weir_opts opts = { .scheduler = (enum weir_scheduler)i };
        runtime_open(&opts);
        for (int k = 0; k < 100; k++)
            assert_int_equal(weir_run(spawn_a_few, &ran, NULL), 0);
        while (weir_runtime_stats_read(&stats), stats.tasks_live > 0)
            (void)weir_sleep(weir_in_ms(1));
        assert_int_equal(stats.tasks_started, 1100);
        assert_int_equal(stats.log_lines_dropped, 0);
        runtime_close();
    }
}

/* In a forked child the poller is shared with the parent: the child must not take its events, and
 * what waits there blocks like any thread. */
static weir_task *of_the_parent;

static int sleep_on(void *arg)
{
    (void)arg;
    return weir_sleep(WEIR_NO_DEADLINE);
}

static int child_of_the_opener(void)
{
    int value = 0;
    const struct weir_chan_opts opts = { .elem_bytes = sizeof(int) };
    weir_chan *ch;
    bool ok = !weir_is_open();
    ok = ok && weir_go(count_run, &value) == WEIR_EFORKED;
    ok = ok && weir_open(&loop_opts) == WEIR_EFORKED;
    ok = ok && weir_close(WEIR_DONT_WAIT) == WEIR_EFORKED;
    ok = ok && weir_turn(WEIR_DONT_WAIT) == WEIR_EFORKED;
    ok = ok && weir_task_id() == 0;
    ok = ok && weir_chan_create(&ch, &opts) == 0;
    ok = ok && weir_chan_recv(ch, &value, weir_in_ms(5)) == WEIR_ETIMEDOUT;
    ok = ok && weir_sleep(weir_in_ms(5)) == 0;
    ok = ok && weir_task_join(of_the_parent, NULL, WEIR_NO_DEADLINE) == WEIR_EFORKED;
    return ok ? 0 : 1;
}

static void fork_and_check(void)
{
    CHECK_EQ(weir_task_start(&of_the_parent, sleep_on, NULL), 0);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        _exit(child_of_the_opener());
    int status = 1;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    weir_task_cancel(of_the_parent, WEIR_ECANCELED);
    CHECK_EQ(weir_task_join(of_the_parent, NULL, WEIR_NO_DEADLINE), 0);
}

static int fork_in_a_task(void *arg)
{
    (void)arg;
    fork_and_check();
    return 0;
}

static void a_forked_child_does_not_turn_the_parents_loop(void **state)
{
    (void)state;
    runtime_open(&loop_opts);
    fork_and_check();
    assert_int_equal(weir_run(fork_in_a_task, NULL, NULL), 0);
    int ran = 0;
    assert_int_equal(weir_run(spawn_a_few, &ran, NULL), 0);
    runtime_close();
    assert_int_equal(ran, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_foreign_loop_hears_of_every_wake),
        cmocka_unit_test(a_foreign_loop_is_told_of_timers),
        cmocka_unit_test(ready_tasks_are_told_between_turns),
        cmocka_unit_test(a_turn_that_stops_at_its_bound_is_due_again),
        cmocka_unit_test(a_turn_waits_until_its_deadline_and_not_longer),
        cmocka_unit_test(only_a_loop_is_turned),
        cmocka_unit_test(the_opener_hears_of_tasks_that_end_elsewhere),
        cmocka_unit_test(a_runtime_opens_and_closes_again_and_again),
        cmocka_unit_test(nothing_is_left_behind),
        cmocka_unit_test(a_forked_child_does_not_turn_the_parents_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
