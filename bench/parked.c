/* SPDX-License-Identifier: MIT */
/* What a parked task holds: bench/parked.py runs it, beside bench/peers/parked.go.
 *
 *     parked TASKS [old]
 *
 * Starts so many tasks with the default stack of 64 KiB, each of which waits to receive from a
 * channel; when all have run that far it looks at the memory of the process, then closes the
 * channel and waits until all have ended.  With `old` the kernel's newer features are not used:
 * guards are made by mprotect as far as the kernel allows mappings, and the other stacks have none.
 *
 * Prints, in this order: bytes each (resident memory and page tables, beyond what the process had
 * before), nanoseconds each until all have run, nanoseconds each from then until all have ended,
 * and the guard, as weir_runtime_stats names it.
 *
 * Threads: tasks of two workers; `arrived` is atomic. */

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

#define TASKS_MAX 3000000L
#define WORKERS 2
#define LINE_BYTES 256

struct job {
    weir_chan *never; /* nothing is ever sent */
    long tasks;
    atomic_long arrived;
    double bytes_each;
    double start_ns_each;
    double end_ns_each;
};

static void need(const char *what, int code)
{
    if (code >= 0)
        return;
    fprintf(stderr, "parked: %s: %s\n", what, weir_err_text(code));
    exit(1);
}

/* Resident memory and page tables of this process. */
static double memory_bytes(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    if (status == NULL) {
        perror("parked: /proc/self/status");
        exit(1);
    }
    char line[LINE_BYTES];
    long sum_kib = 0;
    while (fgets(line, sizeof line, status) != NULL) {
        const char *colon = strchr(line, ':');
        if (colon != NULL && (strncmp(line, "VmRSS", 5) == 0 || strncmp(line, "VmPTE", 5) == 0))
            sum_kib += strtol(colon + 1, NULL, 10);
    }
    fclose(status);
    return (double)sum_kib * 1024;
}

static int parks(void *arg)
{
    struct job *job = arg;
    atomic_fetch_add(&job->arrived, 1);
    char message;
    return weir_chan_recv(job->never, &message, WEIR_NO_DEADLINE) == WEIR_ECLOSED ? 0 : WEIR_EINVAL;
}

static int measure(void *arg)
{
    struct job *job = arg;
    need("channel", weir_chan_create(&job->never, &(struct weir_chan_opts){ .elem_bytes = 1 }));
    weir_scope *scope;
    need("scope", weir_scope_open(&scope, NULL));

    const double before = memory_bytes();
    const weir_time begin = weir_now();
    for (long i = 0; i < job->tasks; i++)
        need("start", weir_go(parks, job));
    /* At most one task of each worker has counted itself and does not wait yet. */
    while (atomic_load(&job->arrived) < job->tasks)
        need("yield", weir_yield());
    const weir_time all_run = weir_now();
    job->bytes_each = (memory_bytes() - before) / (double)job->tasks;

    const weir_time closing = weir_now();
    (void)weir_chan_close(job->never);
    need("tasks", weir_scope_close(scope, WEIR_NO_DEADLINE));
    job->start_ns_each = (double)(all_run - begin) / (double)job->tasks;
    job->end_ns_each = (double)(weir_now() - closing) / (double)job->tasks;
    weir_chan_destroy(job->never);
    return 0;
}

int main(int argc, char **argv)
{
    struct job job = { .tasks = argc > 1 ? strtol(argv[1], NULL, 10) : 0 };
    const bool old = argc == 3 && strcmp(argv[2], "old") == 0;
    if (job.tasks < 1 || job.tasks > TASKS_MAX || argc != (old ? 3 : 2)) {
        fprintf(stderr, "usage: parked TASKS [old]\nTASKS: 1 to %ld\n", TASKS_MAX);
        return 2;
    }
    need("open", weir_open(&(struct weir_opts){ .workers = WORKERS, .old_kernel = old }));
    need("run", weir_run(measure, &job, NULL));
    struct weir_runtime_stats stats = { .size = sizeof stats };
    weir_runtime_stats_read(&stats);
    need("close", weir_close(weir_in_ms(10000)));
    printf("%.0f %.0f %.0f %s\n", job.bytes_each, job.start_ns_each, job.end_ns_each,
           stats.stack_guard);
    return 0;
}
