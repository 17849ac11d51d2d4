/* SPDX-License-Identifier: MIT */
/* How late timers are beside tasks that compute and never wait: bench/hogs.py runs it.
 *
 *     hogs HOGS MILLISECONDS
 *
 * On two workers so many tasks compute without a call into weir, while another task sleeps for 5 ms
 * again and again; so does a plain thread of the same process, which is the control: what makes it
 * late is the machine and the kernel, that share the cores among all threads.
 *
 * Prints, in this order: the median, the 99th percentile and the largest of the lateness of the
 * task's timers in milliseconds; the same of the thread's; how many OS threads the runtime had at
 * most; how often a worker was taken from a hog.
 *
 * Threads: each hog reads `stop`, which is atomic; each sleeper owns its struct until joined. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <weir/weir.h>

#define WORKERS 2
#define HOGS_MAX 1000L
#define MILLISECONDS_MAX 60000L
#define PERIOD_MS 5
#define SAMPLES_MAX (MILLISECONDS_MAX / PERIOD_MS + 1)

static atomic_bool stop;

struct sleeper {
    weir_time end;
    long count;
    int64_t threads_most;
    int64_t late_ns[SAMPLES_MAX];
};

static struct sleeper of_task;
static struct sleeper of_thread;

static void need(const char *what, int code)
{
    if (code >= 0)
        return;
    fprintf(stderr, "hogs: %s: %s\n", what, weir_err_text(code));
    exit(1);
}

static int hogs(void *arg)
{
    (void)arg;
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
    }
    return 0;
}

/* The sleep is what differs between the two.  Once at least, however late it begins. */
static void sleeps(struct sleeper *sleeper, int (*sleep_until)(weir_time until))
{
    weir_time now = weir_now();
    do {
        const weir_time until = now + PERIOD_MS * WEIR_NS_PER_MS;
        need("sleep", sleep_until(until));
        now = weir_now();
        sleeper->late_ns[sleeper->count++] = now - until;
        struct weir_runtime_stats stats = { .size = sizeof stats };
        weir_runtime_stats_read(&stats);
        if (stats.threads > sleeper->threads_most)
            sleeper->threads_most = stats.threads;
    } while (now < sleeper->end && sleeper->count < SAMPLES_MAX);
}

static int plain_sleep(weir_time until)
{
    const struct timespec instant = { .tv_sec = until / WEIR_NS_PER_S,
                                      .tv_nsec = until % WEIR_NS_PER_S };
    return -clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &instant, NULL);
}

static int task_sleeps(void *arg)
{
    sleeps(arg, weir_sleep);
    return 0;
}

/* It ends the hogs, for the task may never have its turn before. */
static void *thread_sleeps(void *arg)
{
    sleeps(arg, plain_sleep);
    atomic_store(&stop, true);
    return NULL;
}

/* The sleeper comes first, for what is started after the hogs may have to wait for their end. */
static int measure(void *arg)
{
    const long *count = arg;
    weir_scope *scope;
    need("scope", weir_scope_open(&scope, NULL));
    need("start", weir_go(task_sleeps, &of_task));
    for (long i = 0; i < *count; i++)
        need("start", weir_go(hogs, NULL));
    return weir_scope_close(scope, WEIR_NO_DEADLINE);
}

static int by_size(const void *left, const void *right)
{
    const int64_t a = *(const int64_t *)left;
    const int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static void print_lateness(struct sleeper *sleeper)
{
    const size_t count = (size_t)sleeper->count;
    qsort(sleeper->late_ns, count, sizeof sleeper->late_ns[0], by_size);
    const size_t places[] = { count / 2, count * 99 / 100, count - 1 };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        printf("%.3f ", (double)sleeper->late_ns[places[i]] / (double)WEIR_NS_PER_MS);
}

int main(int argc, char **argv)
{
    long count = argc == 3 ? strtol(argv[1], NULL, 10) : -1;
    const long milliseconds = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    if (count < 0 || count > HOGS_MAX || milliseconds < PERIOD_MS ||
        milliseconds > MILLISECONDS_MAX) {
        fprintf(stderr, "usage: hogs HOGS MILLISECONDS\nHOGS: 0 to %ld; MILLISECONDS: %d to %ld\n",
                HOGS_MAX, PERIOD_MS, MILLISECONDS_MAX);
        return 2;
    }
    need("open", weir_open(&(struct weir_opts){ .workers = WORKERS }));
    of_task.end = of_thread.end = weir_in_ms(milliseconds);
    pthread_t control;
    need("thread", -pthread_create(&control, NULL, thread_sleeps, &of_thread));
    int result;
    need("run", weir_run(measure, &count, &result));
    need("tasks", result);
    need("join", -pthread_join(control, NULL));
    struct weir_runtime_stats stats = { .size = sizeof stats };
    weir_runtime_stats_read(&stats);
    need("close", weir_close(weir_in_ms(10000)));

    print_lateness(&of_task);
    print_lateness(&of_thread);
    const int64_t most = of_thread.threads_most > of_task.threads_most ? of_thread.threads_most
                                                                       : of_task.threads_most;
    printf("%lld %lld\n", (long long)most, (long long)stats.hogs_relieved);
    return 0;
}
