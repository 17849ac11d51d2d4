/* SPDX-License-Identifier: MIT */
/* Signals as descriptors, and the report of a fault before the process dies of it. */
#define _GNU_SOURCE 1
#include "os/signal.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <sys/wait.h>
#include <unistd.h>

#include "os/file.h"
#include "os/poll.h"
#include "os/thread.h"
#include "os/vm.h"
#include "weir/time.h"

/* Runs fn in a child whose standard error comes back as text. The wait status. */
static int run_child(void (*fn)(void), char *text, size_t text_bytes)
{
    int fds[2];
    assert_int_equal(wi_pipe_open(fds, false), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(fds[1], STDERR_FILENO);
        fn();
        _exit(0);
    }
    wi_file_close(fds[1]);
    size_t used = 0;
    for (;;) {
        const int64_t got = wi_file_read(fds[0], text + used, text_bytes - 1 - used);
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    text[used] = '\0';
    wi_file_close(fds[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void a_signal_arrives_as_a_readable_descriptor(void **state)
{
    (void)state;
    sigset_t before;
    sigprocmask(SIG_SETMASK, NULL, &before);
    const int list[] = { wi_signal_term, wi_signal_user1, 0 };
    const int fd = wi_signal_open(list);
    assert_true(fd >= 0);
    assert_int_equal(wi_signal_take(fd), WEIR_EAGAIN);
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    assert_int_equal(wi_poll_one(fd, WI_POLL_READ, WEIR_NO_DEADLINE), WI_POLL_READ);
    assert_int_equal(wi_signal_take(fd), wi_signal_term);
    assert_int_equal(wi_signal_take(fd), WEIR_EAGAIN);
    wi_file_close(fd);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

static void what_came_while_it_was_held_is_taken(void **state)
{
    (void)state;
    sigset_t before;
    sigprocmask(SIG_SETMASK, NULL, &before);
    const int list[] = { wi_signal_term, 0 };
    assert_int_equal(wi_signal_hold(list), 0);
    assert_int_equal(kill(getpid(), SIGTERM), 0); /* it would end the test */
    const int fd = wi_signal_open(list);
    assert_true(fd >= 0);
    assert_int_equal(wi_signal_take(fd), wi_signal_term);
    assert_int_equal(wi_signal_take(fd), WEIR_EAGAIN);
    wi_file_close(fd);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

static void signals_have_names(void **state)
{
    (void)state;
    assert_string_equal(wi_signal_name(wi_signal_term), "SIGTERM");
    assert_string_equal(wi_signal_name(wi_signal_kill), "SIGKILL");
    assert_string_equal(wi_signal_name(SIGSEGV), "SIGSEGV");
    assert_string_equal(wi_signal_name(40), "signal 40");
    assert_string_equal(wi_signal_name(0), "signal ?");
    assert_string_equal(wi_signal_name(-1), "signal ?");
    assert_string_equal(wi_signal_name(1000), "signal ?");
    for (int signal = 1; signal <= 64; signal++)
        assert_true(strlen(wi_signal_name(signal)) > 0);
}

static void ignore_and_block(void)
{
    wi_signal_ignore_pipe();
    wi_signal_block_all();
    wi_signal_reset();
    sigset_t mask;
    struct sigaction action;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    sigaction(SIGPIPE, NULL, &action);
    const bool clean = sigismember(&mask, SIGTERM) == 0 && action.sa_handler == SIG_DFL;
    _exit(clean ? 7 : 1);
}

static void reset_gives_defaults_and_an_empty_mask(void **state)
{
    (void)state;
    char text[64];
    const int status = run_child(ignore_and_block, text, sizeof(text));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
}

static char *guard;

static void report(const void *address)
{
    wi_signal_write((const char *)address == guard ? "fault in the guard\n" : "fault elsewhere\n");
}

static void make_guard(void)
{
    void *memory;
    if (wi_vm_map(wi_vm_page_bytes(), &memory) != 0)
        _exit(3);
    guard = memory;
    if (wi_vm_guard_install(memory, wi_vm_page_bytes(), WI_VM_GUARD_MPROTECT) != 0)
        _exit(3);
}

static void fault_with_default(void)
{
    wi_signal_reset();
    make_guard();
    if (wi_signal_on_fault(report) != 0 || wi_signal_on_fault(report) != 0)
        _exit(3);
    *(volatile char *)guard = 1;
}

static void a_fault_is_reported_and_then_kills(void **state)
{
    (void)state;
    char text[256];
    const int status = run_child(fault_with_default, text, sizeof(text));
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    assert_string_equal(text, "fault in the guard\n");
}

static void sent_fault(void)
{
    wi_signal_reset();
    if (wi_signal_on_fault(report) != 0)
        _exit(3);
    kill(getpid(), SIGSEGV);
    pause();
}

static void a_fault_signal_that_somebody_sent_kills_too(void **state)
{
    (void)state;
    char text[256];
    const int status = run_child(sent_fault, text, sizeof(text));
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
}

static void on_segv(int signal, siginfo_t *info, void *context)
{
    (void)context;
    _exit(signal == SIGSEGV && (char *)info->si_addr == guard ? 9 : 1);
}

static void fault_with_handler(void)
{
    wi_signal_reset();
    make_guard();
    struct sigaction action = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO };
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, NULL);
    if (wi_signal_on_fault(report) != 0)
        _exit(3);
    *(volatile char *)guard = 1;
}

static void the_handler_that_was_there_runs_after_the_report(void **state)
{
    (void)state;
    char text[256];
    const int status = run_child(fault_with_handler, text, sizeof(text));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 9);
    assert_string_equal(text, "fault in the guard\n");
}

/* Runs over the thread's own stack: only an alternate stack lets the report run at all. */
__attribute__((noinline)) static int sink(volatile char *frame, int depth)
{
    volatile char bigger[4096];
    bigger[0] = frame == NULL ? 0 : frame[0];
    if (depth == 0)
        return bigger[0];
    return sink(bigger, depth - 1) + bigger[0];
}

static void overflow(void *arg)
{
    (void)arg;
    (void)sink(NULL, 1000000);
}

static void fault_by_overflow(void)
{
    wi_signal_reset();
    struct wi_os_thread thread;
    if (wi_signal_on_fault(report) != 0 ||
        wi_os_thread_start(&thread, overflow, NULL, 0, "overflow") != 0)
        _exit(3);
    wi_os_thread_join(&thread);
}

static void an_overflowing_thread_is_reported(void **state)
{
    (void)state;
    char text[256];
    const int status = run_child(fault_by_overflow, text, sizeof(text));
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    assert_string_equal(text, "fault elsewhere\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_arrives_as_a_readable_descriptor),
        cmocka_unit_test(what_came_while_it_was_held_is_taken),
        cmocka_unit_test(signals_have_names),
        cmocka_unit_test(reset_gives_defaults_and_an_empty_mask),
        cmocka_unit_test(a_fault_is_reported_and_then_kills),
        cmocka_unit_test(a_fault_signal_that_somebody_sent_kills_too),
        cmocka_unit_test(the_handler_that_was_there_runs_after_the_report),
        cmocka_unit_test(an_overflowing_thread_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
