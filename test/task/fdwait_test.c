/* SPDX-License-Identifier: MIT */
/* weir_fd_wait() on pipes: readiness, deadlines, two tasks on one descriptor, wrong descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "weir/weir.h"

static int fds[2];

static int wait_readable(void *arg)
{
    (void)arg;
    return weir_fd_wait(fds[0], WEIR_FD_READ, weir_in_ms(10000));
}

static int waits(void *arg)
{
    (void)arg;
    weir_task *tasks[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(weir_fd_wait(fds[0], WEIR_FD_READ, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    const weir_time until = weir_in_ms(10);
    assert_int_equal(weir_fd_wait(fds[0], WEIR_FD_READ, until), WEIR_ETIMEDOUT);
    assert_true(weir_now() >= until);
    assert_int_equal(weir_fd_wait(fds[1], WEIR_FD_WRITE, WEIR_NO_DEADLINE), WEIR_FD_WRITE);
    assert_int_equal(weir_fd_wait(fds[1], WEIR_FD_WRITE, WEIR_DONT_WAIT), WEIR_FD_WRITE);
    for (int i = 0; i < 2; i++)
        assert_int_equal(weir_task_start(&tasks[i], wait_readable, NULL), 0);
    assert_int_equal(weir_sleep(weir_in_ms(10)), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    for (int i = 0; i < 2; i++) {
        int result = 0;
        assert_int_equal(weir_task_join(tasks[i], &result, weir_in_ms(10000)), 0);
        assert_int_equal(result, WEIR_FD_READ);
    }
    /* Still readable: asked anew, told anew. */
    assert_int_equal(weir_fd_wait(fds[0], WEIR_FD_READ, weir_in_ms(10000)), WEIR_FD_READ);
    close(fds[1]);
    char byte;
    assert_int_equal(read(fds[0], &byte, 1), 1);
    assert_int_equal(weir_fd_wait(fds[0], WEIR_FD_READ, weir_in_ms(10000)), WEIR_FD_READ);
    close(fds[0]);
    assert_int_equal(weir_fd_wait(fds[0], WEIR_FD_READ, weir_in_ms(10000)), WEIR_EBADF);
    assert_int_equal(weir_fd_wait(-1, WEIR_FD_READ, weir_in_ms(10000)), WEIR_EBADF);
    assert_int_equal(weir_fd_wait(0, 0, weir_in_ms(10000)), WEIR_EINVAL);
    return 0;
}

static int regular_file(void *arg)
{
    (void)arg;
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(weir_fd_wait(fileno(file), WEIR_FD_READ, weir_in_ms(10000)), WEIR_EPERM);
    fclose(file);
    return 0;
}

static void tasks_wait_under_every_scheduler(void **state)
{
    (void)state;
    static const enum weir_scheduler kinds[] = { WEIR_SCHEDULER_LOOP, WEIR_SCHEDULER_TASKS,
                                                 WEIR_SCHEDULER_THREADS };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const struct weir_opts opts = { .scheduler = kinds[i] };
        int result = -1;
        assert_int_equal(weir_open(&opts), 0);
        assert_int_equal(weir_run(waits, NULL, &result), 0);
        assert_int_equal(result, 0);
        assert_int_equal(weir_run(regular_file, NULL, &result), 0);
        assert_int_equal(result, 0);
        assert_int_equal(weir_close(weir_in_ms(10000)), 0);
    }
}

static void plain_threads_wait_too(void **state)
{
    (void)state;
    assert_int_equal(weir_open(NULL), 0);
    assert_int_equal(waits(NULL), 0);
    assert_int_equal(weir_close(weir_in_ms(10000)), 0);
}

static int select_over_the_close(void *arg)
{
    struct weir_select_case cases[] = {
        { .op = WEIR_SELECT_READABLE, .fd = fds[0] },
        { .op = WEIR_SELECT_EVENT, .event = arg },
    };
    const int which = weir_select(cases, 2, WEIR_NO_DEADLINE);
    /* On a busy machine it may have come only after the close. */
    return which == 1 || cases[which].result == WEIR_ENOTOPEN ? 0 : 1;
}

static void a_thread_leaves_a_select_after_the_runtime_has_closed(void **state)
{
    (void)state;
    weir_event *event;
    weir_thread *thread;
    int result = 1;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(weir_event_create(&event), 0);
    assert_int_equal(weir_open(NULL), 0);
    assert_int_equal(weir_thread_start(&thread, select_over_the_close, event), 0);
    assert_int_equal(weir_sleep(weir_in_ms(10)), 0);
    assert_int_equal(weir_close(weir_in_ms(10000)), 0);
    weir_event_set(event);
    assert_int_equal(weir_thread_join(thread, &result, WEIR_NO_DEADLINE), 0);
    assert_int_equal(result, 0);
    weir_event_destroy(event);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_wait_under_every_scheduler),
        cmocka_unit_test(plain_threads_wait_too),
        cmocka_unit_test(a_thread_leaves_a_select_after_the_runtime_has_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
