/* SPDX-License-Identifier: MIT */
/* Children that weir forks: their end is seen by its pipe, not by a signal of the host's. */
#include "proc/child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/futex.h"
#include "os/poll.h"
#include "os/signal.h"
#include "os/thread.h"

static _Noreturn void sleep_for_ever(void)
{
    wi_atomic_u32 word = { 0 };
    for (;;)
        (void)wi_futex_wait(&word, 0, WEIR_NO_DEADLINE);
}

/* A child that lives until it is killed. */
static int fork_sleeper(struct wi_child *child)
{
    const int id = wi_child_fork(child, true);
    if (id == 0)
        sleep_for_ever();
    assert_true(id > 0);
    assert_int_equal(child->process_id, id);
    return id;
}

static void an_end_is_seen_and_reaped_once(void **state)
{
    (void)state;
    struct wi_child child;
    struct wi_process_end end;
    const int id = wi_child_fork(&child, true);
    if (id == 0)
        wi_process_exit(7);
    assert_true(wi_child_join(&child, &end, weir_in_ms(10000)));
    assert_int_equal(end.process_id, id);
    assert_int_equal(wi_child_status(&end), 7);
    assert_int_equal(child.end_fd, -1);
    assert_int_equal(wi_process_reap_one(id, false, &end), WEIR_ENOENT);
}

static void a_join_gives_up_at_its_deadline_and_may_be_repeated(void **state)
{
    (void)state;
    struct wi_child child;
    struct wi_process_end end;
    const int id = fork_sleeper(&child);
    const weir_time deadline = weir_in_ms(30);
    assert_false(wi_child_join(&child, &end, deadline));
    assert_true(wi_clock_now() >= deadline);
    assert_false(wi_child_join(&child, &end, WEIR_DONT_WAIT));
    assert_int_equal(wi_process_signal(id, wi_signal_kill), 0);
    assert_true(wi_child_join(&child, &end, weir_in_ms(10000)));
    assert_int_equal(wi_child_status(&end), -wi_signal_kill);
}

static void a_grandchild_that_holds_the_pipe_delays_a_join_only_a_little(void **state)
{
    (void)state;
    struct wi_child child;
    struct wi_process_end end;
    int grand[2];
    assert_int_equal(wi_pipe_open(grand, false), 0);
    const int id = wi_child_fork(&child, true);
    if (id == 0) {
        /* A plain fork, as a program's own code does it, inherits every descriptor. */
        if (wi_process_fork() == 0) {
            char byte;
            wi_file_close(grand[1]);
            wi_process_exit(wi_file_read(grand[0], &byte, 1) == 0 ? 0 : 1);
        }
        wi_process_exit(3);
    }
    wi_file_close(grand[0]);
    assert_true(wi_child_join(&child, &end, weir_in_ms(10000)));
    assert_int_equal(wi_child_status(&end), 3);
    wi_file_close(grand[1]);
}

static void a_child_of_a_child_does_not_hold_its_parents_pipe(void **state)
{
    (void)state;
    struct wi_child child;
    const int id = wi_child_fork(&child, true);
    if (id == 0) {
        struct wi_child inner;
        const int inner_id = wi_child_fork(&inner, true);
        if (inner_id == 0)
            sleep_for_ever();
        wi_process_exit(inner_id > 0 ? 5 : 1);
    }
    /* The pipe itself is at its end, though the inner child may not have been killed yet. */
    assert_true(wi_poll_one(child.end_fd, WI_POLL_READ, weir_in_ms(10000)) > 0);
    struct wi_process_end end;
    assert_true(wi_child_join(&child, &end, weir_in_ms(10000)));
    assert_int_equal(wi_child_status(&end), 5);
}

static void wait_for_flag(void *arg)
{
    wi_atomic_u32 *flag = arg;
    while (wi_load_acquire(flag) == 0)
        wi_os_thread_yield();
}

static void a_process_with_threads_does_not_fork(void **state)
{
    (void)state;
    struct wi_os_thread thread;
    wi_atomic_u32 flag = { 0 };
    assert_int_equal(wi_os_thread_start(&thread, wait_for_flag, &flag, 0, "waiter"), 0);
    struct wi_child child;
    assert_int_equal(wi_child_fork(&child, true), WEIR_ENOTSUP);
    wi_store_release(&flag, 1);
    wi_os_thread_join(&thread);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_end_is_seen_and_reaped_once),
        cmocka_unit_test(a_join_gives_up_at_its_deadline_and_may_be_repeated),
        cmocka_unit_test(a_grandchild_that_holds_the_pipe_delays_a_join_only_a_little),
        cmocka_unit_test(a_child_of_a_child_does_not_hold_its_parents_pipe),
        cmocka_unit_test(a_process_with_threads_does_not_fork),
    };
    return cmocka_run_group_tests_name("child", tests, NULL, NULL);
}
