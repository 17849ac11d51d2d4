/* SPDX-License-Identifier: MIT */
/* How late the timers of a task are while others hog every worker in one of several ways, beside
 * those of a thread that sleeps in the kernel at the same time and competes for the same cores.
 * (hogs.c is the row for those that only compute.)
 *
 *     blockers KIND HOGS WORKERS SECONDS
 *
 * KIND is what each hog does from the measurement's beginning to its end:
 *   none    nothing: there are no hogs
 *   spin    computes without a weir call
 *   slices  computes for 25 ms, then lets others run, over and over
 *   sleep   the same, asleep in the kernel instead (nanosleep)
 *   read    blocks in one read(2) on an empty pipe
 *
 * One line for the task and one for the thread: how many timers fired, and by how many milliseconds
 * they were late (p50, p99, most); then how many workers were relieved and how many threads there
 * were at most.  Timers are set 1 to 5 ms ahead.
 *
 * Threads: one task and one plain thread measure, each into an array of its own. */

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/weir.h>

#define SAMPLES_MAX 200000
#define SLICE_NS (25 * WEIR_NS_PER_MS)
#define SETTLE_NS (200 * WEIR_NS_PER_MS)

static int gate[2]; /* the pipe that `read` blocks on */
static int over;    /* atomic: the measurement is through */
static weir_time begin;
static weir_time end;

struct series {
    int64_t late_ns[SAMPLES_MAX];
    int count;
};

static struct series of_task;
static struct series of_thread;
static int64_t most_threads;

static void need(const char *what, int code)
{
    if (code >= 0)
        return;
    fprintf(stderr, "blockers: %s: %s\n", what, weir_err_text(code));
    exit(1);
}

static int is_over(void)
{
    return __atomic_load_n(&over, __ATOMIC_RELAXED);
}

static void note(struct series *series, weir_time due)
{
    const weir_time now = weir_now();
    if (due >= begin && series->count < SAMPLES_MAX)
        series->late_ns[series->count++] = now - due;
}

/* 1 to 5 ms ahead, in no step with any tick. */
static weir_time next_due(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return weir_in_ns(WEIR_NS_PER_MS + (int64_t)(*state >> 10));
}

/* -- hogs -------------------------------------------------------------------------------------- */

static int spin(void *arg)
{
    (void)arg;
    while (!is_over()) {
    }
    return 0;
}

static int slices(void *arg)
{
    (void)arg;
    while (!is_over()) {
        const weir_time until = weir_in_ns(SLICE_NS);
        while (weir_now() < until) {
        }
        need("yield", weir_yield());
    }
    return 0;
}

static int sleeps(void *arg)
{
    (void)arg;
    while (!is_over()) {
        const struct timespec span = { .tv_nsec = SLICE_NS };
        (void)nanosleep(&span, NULL);
        need("yield", weir_yield());
    }
    return 0;
}

static int reads(void *arg)
{
    char byte;
    (void)arg;
    return read(gate[0], &byte, 1) == 1 ? 0 : -1;
}

/* -- who measures ------------------------------------------------------------------------------ */

static int measure_in_task(void *arg)
{
    (void)arg;
    uint32_t state = 1;
    while (weir_now() < end) {
        const weir_time due = next_due(&state);
        need("sleep", weir_sleep(due));
        note(&of_task, due);
        struct weir_runtime_stats stats = { .size = sizeof(stats) };
        weir_runtime_stats_read(&stats);
        if (stats.threads > most_threads)
            most_threads = stats.threads;
    }
    return 0;
}

static void *measure_in_thread(void *arg)
{
    (void)arg;
    uint32_t state = 2;
    while (weir_now() < end) {
        const weir_time due = next_due(&state);
        const struct timespec until = { .tv_sec = due / WEIR_NS_PER_S,
                                        .tv_nsec = due % WEIR_NS_PER_S };
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        note(&of_thread, due);
    }
    return NULL;
}

static int ascending(const void *a, const void *b)
{
    const int64_t left = *(const int64_t *)a;
    const int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void show(const char *name, struct series *series)
{
    if (series->count == 0) {
        printf("%-7s none fired\n", name);
        return;
    }
    qsort(series->late_ns, (size_t)series->count, sizeof(int64_t), ascending);
    const int last = series->count - 1;
    const double ms = (double)WEIR_NS_PER_MS;
    printf("%-7s %6d timers  late ms: p50 %.3f  p99 %.3f  most %.3f\n", name, series->count,
           (double)series->late_ns[last / 2] / ms, (double)series->late_ns[last * 99 / 100] / ms,
           (double)series->late_ns[last] / ms);
}

struct plan {
    weir_task_fn *hog;
    int hogs;
};

/* The measuring task has started before the hogs come. */
static int run(void *arg)
{
    const struct plan *plan = arg;
    weir_scope *scope;
    need("scope", weir_scope_open(&scope, NULL));
    need("task", weir_go(measure_in_task, NULL, .name = "timers"));
    need("sleep", weir_sleep(weir_in_ms(10)));
    for (int i = 0; i < plan->hogs; i++)
        need("hog", weir_go(plan->hog, NULL, .name = "hog"));
    need("sleep", weir_sleep(end));
    __atomic_store_n(&over, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < plan->hogs; i++) {
        if (write(gate[1], "x", 1) != 1)
            need("write", WEIR_EBROKEN);
    }
    return weir_scope_close(scope, WEIR_NO_DEADLINE);
}

static weir_task_fn *hog_of(const char *kind)
{
    if (strcmp(kind, "spin") == 0)
        return spin;
    if (strcmp(kind, "slices") == 0)
        return slices;
    if (strcmp(kind, "sleep") == 0)
        return sleeps;
    return strcmp(kind, "read") == 0 ? reads : NULL;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: blockers none|spin|slices|sleep|read HOGS WORKERS SECONDS\n");
        return 2;
    }
    struct plan plan = { .hog = hog_of(argv[1]), .hogs = atoi(argv[2]) };
    const double seconds = atof(argv[4]);
    if (plan.hog == NULL)
        plan.hogs = 0;
    if (plan.hogs < 0 || seconds <= 0 || pipe(gate) != 0)
        return 2;
    need("open", weir_open(&(struct weir_opts){ .workers = atoi(argv[3]) }));
    begin = weir_in_ns(SETTLE_NS);
    end = begin + (weir_time)(seconds * (double)WEIR_NS_PER_S);
    pthread_t thread;
    if (pthread_create(&thread, NULL, measure_in_thread, NULL) != 0)
        return 1;
    int result = 0;
    need("run", weir_run(run, &plan, &result));
    need("run", result);
    struct weir_runtime_stats stats = { .size = sizeof(stats) };
    weir_runtime_stats_read(&stats);
    (void)pthread_join(thread, NULL);
    show("task", &of_task);
    show("thread", &of_thread);
    printf("relieved %lld  threads at most %lld\n", (long long)stats.hogs_relieved,
           (long long)most_threads);
    need("close", weir_close(WEIR_NO_DEADLINE));
    return 0;
}
