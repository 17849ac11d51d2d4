/* SPDX-License-Identifier: MIT */
/* Signals on Linux: signalfd(2) for the ones that are waited for, one handler for faults.
 *
 * Threads: the fault handler reads `fault` on whichever thread faults; everything it needs is
 * written before the handler is installed, and `report` is atomic. */
#define _GNU_SOURCE 1
#include "os/signal.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/check.h"
#include "os/linux/code.h"

const int wi_signal_term = SIGTERM;
const int wi_signal_int = SIGINT;
const int wi_signal_quit = SIGQUIT;
const int wi_signal_kill = SIGKILL;
const int wi_signal_child = SIGCHLD;
const int wi_signal_user1 = SIGUSR1;

enum {
    SIGNAL_COUNT = 65
}; /* numbers 1 to 64 */

/* Raised by what a thread itself does; blocking them would turn a report into a silent death. */
static const int synchronous[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };

static const int fault_signals[] = { SIGSEGV, SIGBUS };

static struct {
    /* constant after install */
    struct sigaction before[SIGNAL_COUNT];
    bool installed;
    /* atomic */
    wi_atomic_ptr report; /* void (*)(const void *), stored as its address */
} fault;

/* A function pointer through a void pointer, as POSIX allows. */
union report_ptr {
    void (*fn)(const void *);
    void *raw;
};

const char *wi_signal_name(int signal)
{
    static const char *const names[] = {
        [SIGHUP] = "SIGHUP",   [SIGINT] = "SIGINT",   [SIGQUIT] = "SIGQUIT", [SIGILL] = "SIGILL",
        [SIGTRAP] = "SIGTRAP", [SIGABRT] = "SIGABRT", [SIGBUS] = "SIGBUS",   [SIGFPE] = "SIGFPE",
        [SIGKILL] = "SIGKILL", [SIGUSR1] = "SIGUSR1", [SIGSEGV] = "SIGSEGV", [SIGUSR2] = "SIGUSR2",
        [SIGPIPE] = "SIGPIPE", [SIGALRM] = "SIGALRM", [SIGTERM] = "SIGTERM", [SIGCHLD] = "SIGCHLD",
        [SIGCONT] = "SIGCONT", [SIGSTOP] = "SIGSTOP", [SIGTSTP] = "SIGTSTP", [SIGXCPU] = "SIGXCPU",
        [SIGXFSZ] = "SIGXFSZ", [SIGSYS] = "SIGSYS",
    };
    /* "signal N" must outlive the call and be the same for every caller, so all are made ready. */
    static const char others[SIGNAL_COUNT][12] = {
#define OTHER(n) [n] = "signal " #n
        OTHER(16), OTHER(21), OTHER(22), OTHER(23), OTHER(26), OTHER(27), OTHER(28),
        OTHER(29), OTHER(30), OTHER(32), OTHER(33), OTHER(34), OTHER(35), OTHER(36),
        OTHER(37), OTHER(38), OTHER(39), OTHER(40), OTHER(41), OTHER(42), OTHER(43),
        OTHER(44), OTHER(45), OTHER(46), OTHER(47), OTHER(48), OTHER(49), OTHER(50),
        OTHER(51), OTHER(52), OTHER(53), OTHER(54), OTHER(55), OTHER(56), OTHER(57),
        OTHER(58), OTHER(59), OTHER(60), OTHER(61), OTHER(62), OTHER(63), OTHER(64),
#undef OTHER
    };
    if (signal <= 0 || signal >= SIGNAL_COUNT)
        return "signal ?";
    if (signal < (int)wi_count_of(names) && names[signal] != NULL)
        return names[signal];
    return others[signal];
}

static sigset_t set_of(const int *signals)
{
    sigset_t set;
    sigemptyset(&set);
    for (const int *signal = signals; *signal != 0; signal++)
        sigaddset(&set, *signal);
    return set;
}

int wi_signal_hold(const int *signals)
{
    const sigset_t set = set_of(signals);
    const int error = pthread_sigmask(SIG_BLOCK, &set, NULL);
    return error == 0 ? 0 : wi_os_code_of(error);
}

int wi_signal_open(const int *signals)
{
    const int rc = wi_signal_hold(signals);
    if (rc != 0)
        return rc;
    const sigset_t set = set_of(signals);
    const int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd >= 0 ? fd : wi_os_code();
}

int wi_signal_take(int fd)
{
    struct signalfd_siginfo info;
    ssize_t got;
    do {
        got = read(fd, &info, sizeof(info));
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return wi_os_code();
    wi_bug_unless_cmp(got, ==, sizeof(info));
    return (int)info.ssi_signo;
}

/* SIGKILL, SIGSTOP and the C library's own two refuse; that is as it should be. */
void wi_signal_reset(void)
{
    struct sigaction action = { .sa_handler = SIG_DFL };
    sigemptyset(&action.sa_mask);
    for (int signal = 1; signal < SIGNAL_COUNT; signal++)
        (void)sigaction(signal, &action, NULL);
    fault.installed = false;

    sigset_t none;
    sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
}

void wi_signal_default(int signal)
{
    struct sigaction action = { .sa_handler = SIG_DFL };
    sigemptyset(&action.sa_mask);
    (void)sigaction(signal, &action, NULL);
}

void wi_signal_block_all(void)
{
    sigset_t set;
    sigfillset(&set);
    for (size_t i = 0; i < wi_count_of(synchronous); i++)
        sigdelset(&set, synchronous[i]);
    const int error = pthread_sigmask(SIG_SETMASK, &set, NULL);
    wi_bug_unless_cmp(error, ==, 0);
}

void wi_signal_ignore_pipe(void)
{
    struct sigaction action = { .sa_handler = SIG_IGN };
    sigemptyset(&action.sa_mask);
    (void)sigaction(SIGPIPE, &action, NULL);
}

/* Restores the default and lets the signal happen again: a fault repeats by itself when the
 * handler returns; one that somebody sent is sent once more, and waits until the handler ends. */
static void die_of(int signal, const siginfo_t *info)
{
    struct sigaction action = { .sa_handler = SIG_DFL };
    sigemptyset(&action.sa_mask);
    (void)sigaction(signal, &action, NULL);
    if (info->si_code <= 0)
        (void)syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), signal);
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    const int error = errno;
    const union report_ptr report = { .raw = wi_load_acquire(&fault.report) };
    report.fn(info->si_addr);

    const struct sigaction *before = &fault.before[signal];
    if ((before->sa_flags & SA_SIGINFO) != 0)
        before->sa_sigaction(signal, info, context);
    else if (before->sa_handler == SIG_DFL || before->sa_handler == SIG_IGN)
        die_of(signal, info); /* the kernel does not let a real fault be ignored either */
    else
        before->sa_handler(signal);
    errno = error;
}

int wi_signal_on_fault(void (*report)(const void *address))
{
    wi_bug_unless(report != NULL);
    const union report_ptr stored = { .fn = report };
    wi_store_release(&fault.report, stored.raw); /* pairs with on_fault() */
    if (fault.installed)
        return 0; /* somebody may have chained to us: installing again would make a circle */

    for (size_t i = 0; i < wi_count_of(fault_signals); i++) {
        const int signal = fault_signals[i];
        struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
        sigemptyset(&action.sa_mask);
        /* Asked for first: a fault between the exchange and its result would chain to nothing. */
        if (sigaction(signal, NULL, &fault.before[signal]) != 0 ||
            sigaction(signal, &action, NULL) != 0)
            return wi_os_code();
    }
    fault.installed = true;
    return 0;
}

void wi_signal_write(const char *text)
{
    const int error = errno;
    const ssize_t put = write(STDERR_FILENO, text, strlen(text));
    (void)put; /* nowhere to complain */
    errno = error;
}
