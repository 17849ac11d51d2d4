/* SPDX-License-Identifier: MIT */
/* See every.h. */
#include "fault/every.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    RUN_SECONDS_MAX = 40
};

static char what[128]; /* written before each run, read by the watchdog */

static void bark(int signal_number)
{
    (void)signal_number;
    const char *victim = wi_fault_victim();
    ssize_t put = write(STDERR_FILENO, what, strlen(what));
    if (victim != NULL)
        put += write(STDERR_FILENO, victim, strlen(victim));
    put += write(STDERR_FILENO, "\n", 1);
    (void)put;
    (void)signal(SIGABRT, SIG_DFL);
    abort();
}

static void tell(int signal_number)
{
    (void)signal_number;
    bark(0);
}

static int count_entries(const char *path)
{
    int count = 0;
    DIR *folder = opendir(path);
    CHECK(folder != NULL);
    while (readdir(folder) != NULL)
        count++;
    CHECK_EQ(closedir(folder), 0);
    return count;
}

/* A joined thread may stay in the table for a moment more. */
static void expect_threads(int expected)
{
    const weir_time patience = weir_in_ms(10000);
    int threads;
    while ((threads = count_entries("/proc/self/task")) > expected && weir_now() < patience)
        (void)weir_yield();
    CHECK(threads <= expected);
}

bool every_orderly(int rc)
{
    switch (rc) {
    case WEIR_ENOMEM:
    case WEIR_EAGAIN:
    case WEIR_EMFILE:
    case WEIR_ENOSPC:
    case WEIR_EBADF:
    case WEIR_EPIPE:
    case WEIR_ECONNRESET:
    case WEIR_EEOF:
    case WEIR_EADDRINUSE:
    case WEIR_ENETUNREACH:
    case WEIR_ENOBUFS:
    case WEIR_ENOTCONN:
    case WEIR_ENOTSUP:
        return true;
    default:
        return false;
    }
}

static bool run_once(bool (*run)(void *arg), void *arg, unsigned n)
{
    (void)snprintf(what, sizeof(what), "with call %u failing, which was: ", n);
    (void)alarm(RUN_SECONDS_MAX);
    const bool worked = run(arg);
    (void)alarm(0);
    return worked;
}

void every_call_fails(bool (*run)(void *arg), void *arg)
{
    (void)signal(SIGALRM, bark);
    (void)signal(SIGABRT, tell);
    /* Twice: what is made once and kept for the process is there then. */
    wi_fault_disarm();
    CHECK(run_once(run, arg, 0));
    CHECK(run_once(run, arg, 0));
    const int descriptors = count_entries("/proc/self/fd");
    const int threads = count_entries("/proc/self/task");
    bool fired = true;
    unsigned failed = 0;
    unsigned n = 1;
    for (; fired && n <= EVERY_MAX; n++) {
        wi_fault_arm(n, 0);
        const bool worked = run_once(run, arg, n);
        fired = wi_fault_fired();
        failed += worked ? 0 : 1;
        CHECK(worked || fired);
        wi_fault_disarm();
        CHECK_EQ(count_entries("/proc/self/fd"), descriptors);
        expect_threads(threads);
        /* Nothing lasts: the next one works. */
        if (!worked)
            CHECK(run_once(run, arg, n));
    }
    CHECK(!fired);
    CHECK(failed > 0);
    printf("%u calls, %u of them cost the run\n", n - 2, failed);
    (void)signal(SIGABRT, SIG_DFL);
}
