/* SPDX-License-Identifier: MIT */
/* Processes on Linux. */
#define _GNU_SOURCE 1
#include "os/process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "os/file.h"
#include "os/linux/code.h"
#include "os/vm.h"
#include "weir/time.h"

enum {
    PROC_TEXT_BYTES = 1024,
    PROC_PATH_BYTES = 64
};

int wi_process_fork(void)
{
    const pid_t child = fork();
    return child >= 0 ? (int)child : wi_os_code();
}

int wi_process_id(void)
{
    return (int)getpid();
}

int wi_process_parent_id(void)
{
    return (int)getppid();
}

_Noreturn void wi_process_exit(int status)
{
    _exit(status);
}

/* The parent may have died between its fork and our prctl(); then the child has a new parent
 * already and the signal would never come. */
void wi_process_die_with_parent(int parent_id)
{
    const int rc = prctl(PR_SET_PDEATHSIG, SIGKILL);
    wi_bug_unless(rc == 0);
    if (getppid() != parent_id)
        _exit(128 + SIGKILL);
}

static int reap(pid_t which, int flags, struct wi_process_end *out)
{
    int status;
    pid_t child;
    do {
        child = waitpid(which, &status, flags);
    } while (child < 0 && errno == EINTR);
    if (child < 0)
        return errno == ECHILD ? WEIR_ENOENT : wi_os_code();
    if (child == 0)
        return 0;

    const bool signaled = WIFSIGNALED(status);
    *out = (struct wi_process_end){
        .process_id = (int)child,
        .signaled = signaled,
        .code = signaled ? WTERMSIG(status) : WEXITSTATUS(status),
        .dumped = signaled && WCOREDUMP(status),
    };
    return 1;
}

int wi_process_reap(struct wi_process_end *out)
{
    return reap(-1, WNOHANG, out);
}

int wi_process_reap_one(int process_id, bool wait, struct wi_process_end *out)
{
    wi_bug_unless_cmp(process_id, >, 0); /* 0 and below name groups */
    return reap(process_id, wait ? 0 : WNOHANG, out);
}

int wi_process_signal(int process_id, int signal)
{
    wi_bug_unless_cmp(process_id, >, 0);
    if (kill(process_id, signal) == 0)
        return 0;
    return errno == ESRCH ? WEIR_ENOENT : wi_os_code();
}

static int read_proc(int process_id, const char *file, char *text)
{
    char path[PROC_PATH_BYTES];
    snprintf(path, sizeof(path), "/proc/%d/%s", process_id, file);
    const int64_t got = wi_file_read_all(path, text, PROC_TEXT_BYTES);
    if (got == -ESRCH) /* it ended while we read */
        return WEIR_ENOENT;
    return got < 0 ? (int)got : 0;
}

/* Field 20 of proc_pid_stat(5).  The second field, the name, may hold spaces and parentheses; the
 * last ')' ends it. */
static int threads_of(int process_id, int32_t *out)
{
    char text[PROC_TEXT_BYTES];
    const int rc = read_proc(process_id, "stat", text);
    if (rc != 0)
        return rc;
    const char *rest = strrchr(text, ')');
    long count;
    if (rest == NULL ||
        sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld",
               &count) != 1)
        return WEIR_EPROTO;
    *out = (int32_t)count;
    return 0;
}

static int resident_of(int process_id, int64_t *out)
{
    char text[PROC_TEXT_BYTES];
    const int rc = read_proc(process_id, "statm", text);
    if (rc != 0)
        return rc;
    long long pages;
    if (sscanf(text, "%*d %lld", &pages) != 1)
        return WEIR_EPROTO;
    *out = (int64_t)pages * (int64_t)wi_vm_page_bytes();
    return 0;
}

/* The process's CPU clock counts in nanoseconds, threads that have ended included; the ticks in
 * /proc are ten million times coarser. */
static int cpu_of(int process_id, int64_t *out)
{
    clockid_t clock;
    struct timespec used;
    const int error = clock_getcpuclockid(process_id, &clock);
    /* For a process that is gone the kernel says EINVAL, of which glibc makes ESRCH. */
    if (error != 0)
        return error == ESRCH || error == EINVAL ? WEIR_ENOENT : wi_os_code_of(error);
    if (clock_gettime(clock, &used) != 0)
        return errno == EINVAL ? WEIR_ENOENT : wi_os_code();
    *out = (int64_t)used.tv_sec * WEIR_NS_PER_S + used.tv_nsec;
    return 0;
}

int wi_process_usage(int process_id, struct wi_process_usage *out)
{
    wi_bug_unless_cmp(process_id, >, 0);
    struct wi_process_usage usage = { 0 };
    int rc = cpu_of(process_id, &usage.cpu_ns);
    if (rc == 0)
        rc = resident_of(process_id, &usage.resident_bytes);
    if (rc == 0)
        rc = threads_of(process_id, &usage.threads);
    if (rc == 0)
        *out = usage;
    return rc;
}

const char *wi_process_env(const char *name)
{
    return getenv(name);
}
