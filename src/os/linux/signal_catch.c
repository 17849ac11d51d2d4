/* SPDX-License-Identifier: MIT */
/* Caught signals on Linux: a handler that counts, and an eventfd that tells of it.
 *
 * The descriptor is kept once it was opened, for the life of the process: a handler on some other
 * thread may be about to write to it at any time, and must not meet somebody else's file.
 *
 * Threads: `before` is guarded by the caller, who serialises catching and letting go; the rest is
 * atomic, for the handler. */
#define _GNU_SOURCE 1
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/check.h"
#include "os/linux/code.h"
#include "os/signal.h"

static struct {
    struct sigaction before[WI_SIGNALS_MAX + 1];
    wi_atomic_u64 count[WI_SIGNALS_MAX + 1];
    wi_atomic_int fd_plus_1; /* 0: not opened yet */
} caught;

static void on_signal(int signal)
{
    const int error = errno;
    const uint64_t one = 1;
    (void)wi_add_acq_rel(&caught.count[signal], 1);
    /* Fails only when there is a number to read already. */
    const ssize_t put = write(wi_load_relaxed(&caught.fd_plus_1) - 1, &one, sizeof(one));
    (void)put;
    errno = error;
}

int wi_signal_catch_open(void)
{
    const int before = wi_load_relaxed(&caught.fd_plus_1);
    if (before != 0)
        return before - 1;
    const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0)
        return wi_os_code();
    wi_store_relaxed(&caught.fd_plus_1, fd + 1);
    return fd;
}

void wi_signal_catch_drain(void)
{
    uint64_t number;
    const ssize_t got = read(wi_load_relaxed(&caught.fd_plus_1) - 1, &number, sizeof(number));
    (void)got;
}

bool wi_signal_catchable(int signal)
{
    static const int refused[] = { SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE,
                                   SIGILL,  SIGTRAP, SIGSYS,  SIGABRT };
    for (size_t i = 0; i < wi_count_of(refused); i++) {
        if (signal == refused[i])
            return false;
    }
    struct sigaction now; /* fails for what does not exist and for the C library's own */
    return signal >= 1 && signal <= WI_SIGNALS_MAX && sigaction(signal, NULL, &now) == 0;
}

int wi_signal_catch(int signal)
{
    wi_bug_unless(wi_load_relaxed(&caught.fd_plus_1) != 0);
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK };
    sigemptyset(&action.sa_mask);
    return sigaction(signal, &action, &caught.before[signal]) == 0 ? 0 : wi_os_code();
}

void wi_signal_let_go(int signal)
{
    const int rc = sigaction(signal, &caught.before[signal], NULL);
    wi_bug_unless_cmp(rc, ==, 0);
}

uint64_t wi_signal_caught(int signal)
{
    return wi_load_acquire(&caught.count[signal]);
}
