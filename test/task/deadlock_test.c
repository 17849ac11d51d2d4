/* SPDX-License-Identifier: MIT */
/* When everybody waits and nothing can end that, it is reported once; and not as long as anything
 * could.  The looks are made here, at instants of the test's choice, on a loop that it turns
 * itself: to the watch its opener waits without a deadline.  test/behaviour/deadlock_test.c sees
 * the real thing. */
#include "task/deadlock.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/run.h"
#include "sync/wait.h"
#include "task/rt.h"

static struct {
    char text[16384];
    int calls;
    weir_time now;
    weir_chan *ch;
} seen;

static void take_line(void *user, const char *line)
{
    (void)user;
    strncat(seen.text, line, sizeof(seen.text) - strlen(seen.text) - 2);
    strcat(seen.text, "\n");
}

static void on_deadlock(void *user)
{
    CHECK(user == &seen);
    seen.calls++;
}

static void open_loop(void)
{
    const struct weir_opts opts = { .scheduler = WEIR_SCHEDULER_LOOP,
                                    .log = take_line,
                                    .on_deadlock = on_deadlock,
                                    .deadlock_user = &seen };
    memset(&seen, 0, sizeof(seen));
    runtime_open(&opts);
    CHECK_EQ(weir_chan_create(&seen.ch, &(struct weir_chan_opts){ .elem_bytes = 1 }), 0);
    seen.now = weir_now();
    wi_store_relaxed(&wi_rt.opener_until, WEIR_NO_DEADLINE);
}

static void turn(void)
{
    while (weir_turn(WEIR_DONT_WAIT) > 0)
        continue;
}

static void close_loop(void)
{
    wi_store_relaxed(&wi_rt.opener_until, 0);
    (void)weir_chan_close(seen.ch);
    turn();
    runtime_close();
    weir_chan_destroy(seen.ch);
}

/* As many looks as a report can take, a second apart each time. */
static void look(void)
{
    for (int i = 0; i < 4; i++) {
        seen.now += WEIR_NS_PER_S;
        wi_deadlock_look(seen.now);
    }
}

static int receive(void *arg)
{
    (void)arg;
    char byte;
    return weir_chan_recv(seen.ch, &byte, WEIR_NO_DEADLINE) == WEIR_ECLOSED ? 0 : -1;
}

static void start(weir_task_fn *fn, void *arg, const char *name)
{
    const struct weir_task_opts opts = { .name = name, .site = "here" };
    CHECK_EQ(weir_go_with(fn, arg, &opts), 0);
    turn();
}

static void a_deadlock_is_reported_once_with_a_dump(void **state)
{
    (void)state;
    open_loop();
    start(receive, NULL, "stuck one");
    start(receive, NULL, "stuck two");
    look();
    assert_int_equal(seen.calls, 1);
    assert_non_null(strstr(seen.text, "error: deadlock: 2 tasks wait, all there are"));
    assert_non_null(strstr(seen.text, "\"stuck one\", spawned at here"));
    assert_non_null(strstr(seen.text, "\"stuck two\", spawned at here"));
    assert_non_null(strstr(seen.text, "receive from channel"));
    look();
    assert_int_equal(seen.calls, 1);
    /* After something has gone on another one may come. */
    start(receive, NULL, "stuck three");
    look();
    assert_int_equal(seen.calls, 2);
    close_loop();
}

static void without_tasks_there_is_none(void **state)
{
    (void)state;
    open_loop();
    look();
    assert_int_equal(seen.calls, 0);
    close_loop();
}

static int sleep_long(void *arg)
{
    (void)arg;
    (void)weir_sleep(weir_in_ms(3600 * 1000));
    return 0;
}

static void a_timer_is_a_reason_to_go_on(void **state)
{
    (void)state;
    open_loop();
    start(receive, NULL, "stuck");
    start(sleep_long, NULL, "sleeper");
    look();
    assert_int_equal(seen.calls, 0);
    close_loop();
}

static int wait_for_bytes(void *arg)
{
    const int *fds = arg;
    return weir_fd_wait(fds[0], WEIR_FD_READ, WEIR_NO_DEADLINE) > 0 ? 0 : -1;
}

static void so_is_a_descriptor(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    open_loop();
    start(receive, NULL, "stuck");
    start(wait_for_bytes, fds, "poller");
    look();
    assert_int_equal(seen.calls, 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    turn();
    seen.now += 200 * WEIR_NS_PER_S; /* looks in vain come more and more seldom */
    look();
    assert_int_equal(seen.calls, 1);
    close_loop();
    close(fds[0]);
    close(fds[1]);
}

static void *wait_for_post(void *arg)
{
    while (sem_wait(arg) != 0) {
    }
    return NULL;
}

static void so_is_a_thread_that_is_not_ours(void **state)
{
    (void)state;
    sem_t end;
    pthread_t thread;
    assert_int_equal(sem_init(&end, 0, 0), 0);
    open_loop();
    start(receive, NULL, "stuck");
    assert_int_equal(pthread_create(&thread, NULL, wait_for_post, &end), 0);
    look();
    assert_int_equal(seen.calls, 0);
    sem_post(&end);
    assert_int_equal(pthread_join(thread, NULL), 0);
    seen.now += 200 * WEIR_NS_PER_S;
    look();
    assert_int_equal(seen.calls, 1);
    close_loop();
}

static void *receive_in_thread(void *arg)
{
    (void)receive(arg);
    return NULL;
}

/* It waits in weir, without a deadline: it is as stuck as the tasks. */
static void a_thread_that_waits_for_tasks_is_none(void **state)
{
    (void)state;
    pthread_t thread;
    open_loop();
    start(receive, NULL, "stuck");
    assert_int_equal(pthread_create(&thread, NULL, receive_in_thread, NULL), 0);
    while (seen.calls == 0)
        look();
    assert_non_null(strstr(seen.text, "which is no task"));
    close_loop();
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static int wait_outside(void *arg)
{
    static const struct wi_waitable outside = { .what = "news", .outside = true };
    struct wi_wait wait;
    (void)arg;
    wi_wait_init(&wait, &outside, NULL);
    return wi_wait(&wait, WEIR_NO_DEADLINE, WI_WAIT_CANCELABLE) == WEIR_ECANCELED ? 0 : -1;
}

static void so_is_a_wait_for_what_comes_from_outside(void **state)
{
    (void)state;
    open_loop();
    start(receive, NULL, "stuck");
    start(wait_outside, NULL, "listener");
    look();
    assert_int_equal(seen.calls, 0);
    close_loop();
}

static int block(void *arg)
{
    (void)wait_for_post(arg);
    return 0;
}

static void so_is_a_task_that_blocks_on_a_thread(void **state)
{
    (void)state;
    sem_t end;
    assert_int_equal(sem_init(&end, 0, 0), 0);
    open_loop();
    start(receive, NULL, "stuck");
    assert_int_equal(weir_go(block, &end, .blocking = true), 0);
    look();
    assert_int_equal(seen.calls, 0);
    sem_post(&end);
    close_loop();
}

static void an_opener_that_does_not_wait_may_do_anything(void **state)
{
    (void)state;
    open_loop();
    start(receive, NULL, "stuck");
    wi_store_relaxed(&wi_rt.opener_until, 0);
    look();
    wi_store_relaxed(&wi_rt.opener_until, weir_in_ms(1000));
    look();
    assert_int_equal(seen.calls, 0);
    close_loop();
}

static void who_does_not_want_it_is_left_alone(void **state)
{
    (void)state;
    open_loop();
    wi_deadlock_open(&(struct weir_opts){ .ignore_deadlocks = true, .on_deadlock = on_deadlock });
    start(receive, NULL, "stuck");
    look();
    assert_int_equal(seen.calls, 0);
    assert_int_equal(wi_deadlock_next_look(), WEIR_NO_DEADLINE);
    close_loop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deadlock_is_reported_once_with_a_dump),
        cmocka_unit_test(without_tasks_there_is_none),
        cmocka_unit_test(a_timer_is_a_reason_to_go_on),
        cmocka_unit_test(so_is_a_descriptor),
        cmocka_unit_test(so_is_a_thread_that_is_not_ours),
        cmocka_unit_test(a_thread_that_waits_for_tasks_is_none),
        cmocka_unit_test(so_is_a_wait_for_what_comes_from_outside),
        cmocka_unit_test(so_is_a_task_that_blocks_on_a_thread),
        cmocka_unit_test(an_opener_that_does_not_wait_may_do_anything),
        cmocka_unit_test(who_does_not_want_it_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
