/* SPDX-License-Identifier: MIT */
/* Processes: real forks, real ends. */
#define _GNU_SOURCE 1
#include "os/process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/prctl.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/poll.h"
#include "os/signal.h"
#include "os/thread.h"
#include "os/vm.h"

/* Blocks until the parent closes its end; what a child does that shall live on. */
static void live_until_closed(int fds[2])
{
    char byte;
    wi_file_close(fds[1]);
    const int64_t got = wi_file_read(fds[0], &byte, 1);
    wi_process_exit(got == 0 ? 0 : 1);
}

static int start_living_child(int fds[2])
{
    assert_int_equal(wi_pipe_open(fds, false), 0);
    const int child = wi_process_fork();
    assert_true(child >= 0);
    if (child == 0)
        live_until_closed(fds);
    wi_file_close(fds[0]);
    return child;
}

static void an_exit_status_is_reaped_once(void **state)
{
    (void)state;
    const int child = wi_process_fork();
    assert_true(child >= 0);
    if (child == 0)
        wi_process_exit(42);
    struct wi_process_end end;
    assert_int_equal(wi_process_reap_one(child, true, &end), 1);
    assert_int_equal(end.process_id, child);
    assert_false(end.signaled);
    assert_int_equal(end.code, 42);
    assert_int_equal(wi_process_reap_one(child, true, &end), WEIR_ENOENT);
    assert_int_equal(wi_process_reap(&end), WEIR_ENOENT);
}

static void a_living_child_is_not_reaped_and_a_killed_one_says_how(void **state)
{
    (void)state;
    int fds[2];
    struct wi_process_end end;
    const int child = start_living_child(fds);
    assert_int_equal(wi_process_reap(&end), 0);
    assert_int_equal(wi_process_reap_one(child, false, &end), 0);
    assert_int_equal(wi_process_signal(child, wi_signal_kill), 0);
    assert_int_equal(wi_process_reap_one(child, true, &end), 1);
    assert_true(end.signaled);
    assert_int_equal(end.code, wi_signal_kill);
    assert_int_equal(wi_process_signal(child, wi_signal_term), WEIR_ENOENT);
    wi_file_close(fds[1]);
}

static void parents_and_children_know_each_other(void **state)
{
    (void)state;
    const int me = wi_process_id();
    const int child = wi_process_fork();
    assert_true(child >= 0);
    if (child == 0)
        wi_process_exit(wi_process_parent_id() == me && wi_process_id() != me ? 0 : 1);
    struct wi_process_end end;
    assert_int_equal(wi_process_reap_one(child, true, &end), 1);
    assert_int_equal(end.code, 0);
}

/* The grandchild tells its number through a pipe and dies with its parent: the pipe then reads the
 * end of the stream, though nobody told it to stop. */
static void a_child_dies_with_its_parent(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(wi_pipe_open(fds, false), 0);
    const int child = wi_process_fork();
    assert_true(child >= 0);
    if (child == 0) {
        const int me = wi_process_id();
        const int grandchild = wi_process_fork();
        if (grandchild == 0) {
            wi_process_die_with_parent(me);
            const int self = wi_process_id();
            (void)!wi_file_write(fds[1], &self, sizeof(self));
            for (;;)
                pause();
        }
        for (;;)
            pause();
    }
    wi_file_close(fds[1]);
    int grandchild;
    assert_int_equal(wi_file_read(fds[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
    assert_int_equal(wi_process_signal(child, wi_signal_kill), 0);
    struct wi_process_end end;
    assert_int_equal(wi_process_reap_one(child, true, &end), 1);
    const weir_time deadline = wi_clock_now() + 10 * WEIR_NS_PER_S;
    assert_true(wi_poll_one(fds[0], WI_POLL_READ, deadline) > 0);
    char byte;
    assert_int_equal(wi_file_read(fds[0], &byte, 1), 0);
    wi_file_close(fds[0]);
}

static void a_child_whose_parent_is_gone_already_ends_at_once(void **state)
{
    (void)state;
    const int child = wi_process_fork();
    assert_true(child >= 0);
    if (child == 0) {
        wi_process_die_with_parent(wi_process_id()); /* never its own parent */
        wi_process_exit(0);
    }
    struct wi_process_end end;
    assert_int_equal(wi_process_reap_one(child, true, &end), 1);
    assert_int_equal(end.code, 128 + wi_signal_kill);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void idle(void *arg)
{
    char byte;
    const int *fds = arg;
    (void)!wi_file_read(fds[0], &byte, 1);
}

static void usage_counts_cpu_memory_and_threads(void **state)
{
    (void)state;
    const int me = wi_process_id();
    struct wi_process_usage before;
    struct wi_process_usage after;
    int fds[2];
    struct wi_os_thread thread;
    /* A sanitizer starts a thread of its own beside the first one; it shall not count. */
    assert_int_equal(wi_os_thread_start(&thread, nothing, NULL, 0, "first"), 0);
    wi_os_thread_join(&thread);
    assert_int_equal(wi_pipe_open(fds, false), 0);
    assert_int_equal(wi_process_usage(me, &before), 0);
    assert_true(before.cpu_ns > 0);

    assert_int_equal(wi_os_thread_start(&thread, idle, fds, 0, "idle"), 0);
    const size_t bytes = (size_t)8 << 20;
    void *memory;
    assert_int_equal(wi_vm_map(bytes, &memory), 0);
    memset(memory, 1, bytes);
    const int64_t start = wi_clock_process_cpu();
    while (wi_clock_process_cpu() - start < 20 * WEIR_NS_PER_MS) {
    }
    assert_int_equal(wi_process_usage(me, &after), 0);
    assert_true(after.cpu_ns - before.cpu_ns >= 20 * WEIR_NS_PER_MS);
    assert_true(after.resident_bytes - before.resident_bytes >= (int64_t)bytes / 2);
    assert_int_equal(after.threads, before.threads + 1);

    wi_vm_unmap(memory, bytes);
    wi_file_close(fds[1]);
    wi_os_thread_join(&thread);
    wi_file_close(fds[0]);
}

static void usage_survives_a_hostile_name_and_a_dead_process(void **state)
{
    (void)state;
    struct wi_process_usage usage;
    assert_int_equal(prctl(PR_SET_NAME, "a) R 1 (b"), 0);
    assert_int_equal(wi_process_usage(wi_process_id(), &usage), 0);
    assert_in_range(usage.threads, 1, 3); /* sanitizers bring one of their own */

    const int child = wi_process_fork();
    assert_true(child >= 0);
    if (child == 0)
        wi_process_exit(0);
    struct wi_process_end end;
    assert_int_equal(wi_process_reap_one(child, true, &end), 1);
    assert_int_equal(wi_process_usage(child, &usage), WEIR_ENOENT);
}

static void the_environment_is_read(void **state)
{
    (void)state;
    assert_int_equal(setenv("WEIR_PROCESS_TEST", "yes", 1), 0);
    assert_string_equal(wi_process_env("WEIR_PROCESS_TEST"), "yes");
    assert_null(wi_process_env("WEIR_PROCESS_TEST_NONE"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exit_status_is_reaped_once),
        cmocka_unit_test(a_living_child_is_not_reaped_and_a_killed_one_says_how),
        cmocka_unit_test(parents_and_children_know_each_other),
        cmocka_unit_test(a_child_dies_with_its_parent),
        cmocka_unit_test(a_child_whose_parent_is_gone_already_ends_at_once),
        cmocka_unit_test(usage_counts_cpu_memory_and_threads),
        cmocka_unit_test(usage_survives_a_hostile_name_and_a_dead_process),
        cmocka_unit_test(the_environment_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
