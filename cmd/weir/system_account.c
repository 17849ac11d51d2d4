/* SPDX-License-Identifier: MIT */
/* Accounting of a tree of processes.  See system_account.h.
 *
 * CPU time comes from the process's own clock, which counts in nanoseconds and keeps what its ended
 * threads have used (the sum over /proc/PID/task/N/schedstat loses that); what its ended children
 * have used stands in /proc/PID/stat only, in ticks. */

#define _GNU_SOURCE 1

#include "system_account.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS_ASKED 16

/* The text of a file of /proc/PID; empty when it is gone. */
static void read_proc(int pid, const char *name, char *text, size_t bytes)
{
    char path[96];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    FILE *file = fopen(path, "r");
    const size_t got = file != NULL ? fread(text, 1, bytes - 1, file) : 0;
    text[got] = '\0';
    if (file != NULL)
        (void)fclose(file);
}

/* The fields of "stat" after the name, which may contain anything. */
struct stat_fields {
    int parent;
    int threads;
    int64_t ended_children_ticks;
};

static bool read_stat(int pid, struct stat_fields *out)
{
    char text[1024];
    read_proc(pid, "stat", text, sizeof text);
    const char *after = strrchr(text, ')');
    long long user = 0;
    long long system = 0;
    if (after == NULL ||
        sscanf(after + 1,
               " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %lld %lld %*d %*d %d",
               &out->parent, &user, &system, &out->threads) != 4)
        return false;
    out->ended_children_ticks = user + system;
    return true;
}

/* Appends the processes that one thread has started. */
static int add_children_of(int pid, const char *thread, int pids[TREE_MAX], int count)
{
    char text[8192];
    char name[300];
    snprintf(name, sizeof name, "task/%s/children", thread);
    read_proc(pid, name, text, sizeof text);
    const char *rest = text;
    for (;;) {
        char *end;
        const long child = strtol(rest, &end, 10);
        if (end == rest || count == TREE_MAX)
            return count;
        pids[count++] = (int)child;
        rest = end;
    }
}

/* Of a server with hundreds of threads only the first are asked: the main thread is the one that
 * starts processes, and the looking must not disturb what is measured. */
static int add_children(int pid, int pids[TREE_MAX], int count)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *threads = opendir(path);
    if (threads == NULL)
        return count;
    const struct dirent *thread;
    for (int i = 0; i < THREADS_ASKED && (thread = readdir(threads)) != NULL; i++) {
        if (thread->d_name[0] != '.')
            count = add_children_of(pid, thread->d_name, pids, count);
    }
    (void)closedir(threads);
    return count;
}

int tree_list(int pid, int pids[TREE_MAX])
{
    int count = 1;
    pids[0] = pid;
    for (int i = 0; i < count; i++)
        count = add_children(pids[i], pids, count);
    return count;
}

static int64_t own_cpu_ns(int pid)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        return 0;
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

static int64_t resident_bytes(int pid)
{
    char text[2048];
    read_proc(pid, "smaps_rollup", text, sizeof text);
    const char *line = strstr(text, "\nPss:");
    return line == NULL ? 0 : strtoll(line + 5, NULL, 10) * 1024;
}

void tree_usage(int pid, bool memory, struct usage *out)
{
    int pids[TREE_MAX];
    const int count = tree_list(pid, pids);
    const int64_t tick_ns = 1000000000 / sysconf(_SC_CLK_TCK);
    *out = (struct usage){ 0 };
    for (int i = 0; i < count; i++) {
        struct stat_fields fields;
        if (!read_stat(pids[i], &fields))
            continue;
        out->processes++;
        out->threads += fields.threads;
        out->cpu_ns += own_cpu_ns(pids[i]) + fields.ended_children_ticks * tick_ns;
        if (memory)
            out->resident_bytes += resident_bytes(pids[i]);
    }
}
