/* SPDX-License-Identifier: MIT */
/* An idle process sleeps, under every model: with tasks that wait for channels, timers far away,
 * threads that wait, an open listener and threads of a pool that have nothing to do, it wakes less
 * often than ten times a second.
 *
 * A plain thread counts how often the kernel put the others to sleep, by their voluntary switches.
 * Something that polls does so in every window of a second; what a machine does beside us does not,
 * so the quietest of several windows is what counts.
 * ctest: timeout=120 */
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/run.h"

enum {
    WAKES_MAX = 10,          /* in a second */
    SANITIZERS_OWN_MAX = 12, /* ThreadSanitizer keeps a thread that looks around */
    WINDOW_MS = 1000,
    SETTLE_MS = 150, /* the monitor looks around for a while before it sleeps deeply */
    WINDOWS_MAX = 30,
    RECEIVERS = 20,
    SLEEPERS = 20
};

static int wakes_max(void)
{
    return built_with_thread_sanitizer() ? WAKES_MAX + SANITIZERS_OWN_MAX : WAKES_MAX;
}

/* How often all threads but the calling one have gone to sleep so far. */
static int64_t sleeps_so_far(void)
{
    int64_t sum = 0;
    DIR *folder = opendir("/proc/self/task");
    CHECK(folder != NULL);
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        char path[320];
        char line[128];
        if (entry->d_name[0] == '.' || atoi(entry->d_name) == gettid())
            continue;
        (void)snprintf(path, sizeof(path), "/proc/self/task/%s/status", entry->d_name);
        FILE *file = fopen(path, "r");
        if (file == NULL)
            continue; /* it has ended */
        long long count = 0;
        while (fgets(line, sizeof(line), file) != NULL) {
            if (sscanf(line, "voluntary_ctxt_switches: %lld", &count) == 1)
                sum += count;
        }
        CHECK_EQ(fclose(file), 0);
    }
    CHECK_EQ(closedir(folder), 0);
    return sum;
}

struct quiet {
    int began;     /* tasks and threads that are about to wait */
    int wanted;    /* how many there will be */
    int64_t wakes; /* of the quietest window */
    weir_chan *over;
    weir_chan *never;
    weir_listener *listener;
    int gate[2]; /* a pipe: hogs read from it, foreign descriptors wait for it */
};

static void *count_wakes(void *arg)
{
    struct quiet *quiet = arg;
    await(&quiet->began, quiet->wanted);
    (void)poll(NULL, 0, SETTLE_MS);
    for (int i = 0; i < WINDOWS_MAX; i++) {
        const int64_t before = sleeps_so_far();
        (void)poll(NULL, 0, WINDOW_MS);
        const int64_t wakes = sleeps_so_far() - before;
        if (i == 0 || wakes < quiet->wakes)
            quiet->wakes = wakes;
        if (quiet->wakes < wakes_max())
            break;
    }
    CHECK_EQ(weir_chan_close(quiet->over), 0);
    return NULL;
}

static void *receive_on_a_thread(void *arg)
{
    struct quiet *quiet = arg;
    int item;
    bump(&quiet->began);
    CHECK_EQ(weir_chan_recv(quiet->never, &item, WEIR_NO_DEADLINE), WEIR_ECLOSED);
    return NULL;
}

static int receive(void *arg)
{
    (void)receive_on_a_thread(arg);
    return 0;
}

static int sleep_long(void *arg)
{
    struct quiet *quiet = arg;
    bump(&quiet->began);
    CHECK_EQ(weir_sleep(weir_in_ms(3600000)), WEIR_ECANCELED);
    return 0;
}

static int accept_one(void *arg)
{
    struct quiet *quiet = arg;
    weir_stream *stream;
    bump(&quiet->began);
    CHECK_EQ(weir_accept(quiet->listener, &stream, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    return 0;
}

static int wait_for_descriptor(void *arg)
{
    struct quiet *quiet = arg;
    bump(&quiet->began);
    CHECK_EQ(weir_fd_wait(quiet->gate[0], WEIR_FD_READ, weir_in_ms(3600000)), WEIR_ECANCELED);
    return 0;
}

static void do_nothing(void *arg)
{
    (void)arg;
}

static void make_channels(struct quiet *quiet)
{
    const struct weir_chan_opts opts = { .elem_bytes = sizeof(int) };
    CHECK_EQ(weir_chan_create(&quiet->over, &opts), 0);
    CHECK_EQ(weir_chan_create(&quiet->never, &opts), 0);
    CHECK_EQ(pipe(quiet->gate), 0);
}

static void wait_for_the_count(struct quiet *quiet)
{
    int item;
    CHECK_EQ(weir_chan_recv(quiet->over, &item, WEIR_NO_DEADLINE), WEIR_ECLOSED);
}

static void drop_channels(struct quiet *quiet)
{
    weir_chan_destroy(quiet->over);
    weir_chan_destroy(quiet->never);
    close(quiet->gate[0]);
    close(quiet->gate[1]);
}

static int be_idle(void *arg)
{
    struct quiet *quiet = arg;
    pthread_t counter;
    pthread_t thread;
    weir_pool *pool;
    weir_scope *scope;
    make_channels(quiet);
    quiet->wanted = RECEIVERS + SLEEPERS + 4;
    CHECK_EQ(weir_listen(&quiet->listener, "127.0.0.1:0", 0), 0);
    CHECK_EQ(weir_pool_create(&pool, NULL), 0);
    CHECK_EQ(weir_blocking(pool, do_nothing, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < RECEIVERS; i++)
        CHECK_EQ(weir_go(receive, quiet), 0);
    for (int i = 0; i < SLEEPERS; i++)
        CHECK_EQ(weir_go(sleep_long, quiet, .pinned = i == 0, .blocking = i == 1), 0);
    CHECK_EQ(weir_go(accept_one, quiet), 0);
    CHECK_EQ(weir_go(wait_for_descriptor, quiet), 0);
    CHECK_EQ(weir_go(wait_for_descriptor, quiet), 0);
    CHECK_EQ(pthread_create(&thread, NULL, receive_on_a_thread, quiet), 0);
    CHECK_EQ(pthread_create(&counter, NULL, count_wakes, quiet), 0);
    wait_for_the_count(quiet);
    CHECK_EQ(pthread_join(counter, NULL), 0);
    CHECK_EQ(weir_chan_close(quiet->never), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    weir_scope_cancel(scope, WEIR_ECANCELED);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), WEIR_ECANCELED);
    weir_listener_close(quiet->listener);
    weir_pool_destroy(pool);
    drop_channels(quiet);
    return 0;
}

static void check_quiet(const struct quiet *quiet)
{
    printf("%lld wake-ups in the quietest second\n", (long long)quiet->wakes);
    assert_true(quiet->wakes < wakes_max());
}

static void keep_no_line(void *user, const char *line)
{
    (void)user;
    (void)line;
}

/* As weir_main() opens it: watched, and with a log. */
static void an_idle_process_wakes_less_than_ten_times_a_second(void **state)
{
    (void)state;
    struct quiet quiet = { .began = 0 };
    struct weir_opts opts = model_opts();
    opts.watch_handlers = true;
    opts.log = keep_no_line;
    run_body_with(&opts, be_idle, &quiet);
    check_quiet(&quiet);
}

/* -- hogs that sleep --------------------------------------------------------------------------- */

enum {
    HOGS = 16
};

static int block_in_read(void *arg)
{
    struct quiet *quiet = arg;
    char byte;
    if (peek(&quiet->began) < quiet->wanted)
        bump(&quiet->began);
    CHECK_EQ(read(quiet->gate[0], &byte, 1), 1);
    return 0;
}

/* More than may run beside the workers: the rest stand back, and nobody keeps looking at them. */
static int block_massively(void *arg)
{
    struct quiet *quiet = arg;
    pthread_t counter;
    weir_scope *scope;
    make_channels(quiet);
    quiet->wanted = 5; /* twice the workers, and the one that proves them too many */
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < HOGS; i++)
        CHECK_EQ(weir_go(block_in_read, quiet, .name = "hog"), 0);
    CHECK_EQ(pthread_create(&counter, NULL, count_wakes, quiet), 0);
    wait_for_the_count(quiet);
    CHECK_EQ(pthread_join(counter, NULL), 0);
    for (int i = 0; i < HOGS; i++)
        CHECK_EQ(write(quiet->gate[1], "x", 1), 1);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    drop_channels(quiet);
    return 0;
}

static void tasks_that_stand_back_for_hogs_are_not_polled(void **state)
{
    (void)state;
    if (model_scheduler() != WEIR_SCHEDULER_TASKS) {
        printf("SKIP: only under tasks do tasks stand back for hogs\n");
        skip();
    }
    struct quiet quiet = { .began = 0 };
    run_body_with(NULL, block_massively, &quiet);
    check_quiet(&quiet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_process_wakes_less_than_ten_times_a_second),
        cmocka_unit_test(tasks_that_stand_back_for_hogs_are_not_polled),
    };
    return cmocka_run_group_tests_name("idle", tests, NULL, NULL);
}
