/* SPDX-License-Identifier: MIT */
/* Tasks that compute or block without a weir call.  Under tasks and threads they do not stop the
 * others, however many they are; under loop, where by design they do, the block is reported with
 * the task's name and where it was spawned.
 *
 * Each hog runs until others have advanced, so a scheduler that lets it stop the others hangs.  How
 * late timers are beside hogs is compared with a thread that sleeps at the same time.
 * ctest: timeout=120 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/run.h"

enum {
    WORKERS = 2,
    CROWD_MAX = 64,
    TICKS = 30
};

struct blocker;

struct stage {
    const struct blocker *blocker;
    int gate[2]; /* a pipe that blocking hogs read from */
    int locked;  /* a file whose lock is held */
    int sleepers;
    int over;
    int hogging;
    int ended;
    int ticks;
    int goal; /* hogs spin until ticks has reached it */
};

/* Threads that spin hold a sanitizer's own locks up for seconds each. */
static int crowd(void)
{
    return built_with_thread_sanitizer() ? 8 : CROWD_MAX;
}

static bool skipped_under_loop(void)
{
    if (model_is_parallel())
        return false;
    printf("SKIP: under loop a task that does not wait stops the others by design\n");
    return true;
}

static int spin(void *arg)
{
    struct stage *stage = arg;
    bump(&stage->hogging);
    while (peek(&stage->ticks) < peek(&stage->goal)) {
    }
    bump(&stage->ended);
    return 0;
}

static int block_in_read(void *arg)
{
    struct stage *stage = arg;
    char byte;
    bump(&stage->hogging);
    CHECK_EQ(read(stage->gate[0], &byte, 1), 1);
    bump(&stage->ended);
    return 0;
}

static int64_t relieved(void)
{
    struct weir_runtime_stats stats = { .size = sizeof(stats) };
    weir_runtime_stats_read(&stats);
    return stats.hogs_relieved;
}

/* Waits that only a worker which is free can end. */
static void advance(struct stage *stage, int steps)
{
    for (int i = 0; i < steps; i++) {
        CHECK_EQ(weir_sleep(weir_in_ns(200000)), 0);
        CHECK_EQ(weir_yield(), 0);
        bump(&stage->ticks);
    }
}

/* Starts a hog on every worker, and sees that it runs there. */
static void hog_every_worker(struct stage *stage, weir_task_fn *hog)
{
    post(&stage->hogging, 0);
    for (int i = 0; i < WORKERS; i++)
        CHECK_EQ(weir_go(hog, stage, .name = "hog"), 0);
    while (peek(&stage->hogging) < WORKERS)
        CHECK_EQ(weir_sleep(weir_in_ns(100000)), 0);
}

static int spin_and_advance(void *arg)
{
    struct stage *stage = arg;
    const int64_t before = relieved();
    post(&stage->goal, TICKS);
    hog_every_worker(stage, spin);
    advance(stage, TICKS);
    if (model_scheduler() == WEIR_SCHEDULER_TASKS)
        CHECK(relieved() > before);
    while (peek(&stage->ended) < WORKERS)
        CHECK_EQ(weir_yield(), 0);
    return 0;
}

static void a_task_that_spins_on_every_worker_does_not_stop_another(void **state)
{
    (void)state;
    if (skipped_under_loop())
        skip();
    struct stage stage = { .ticks = 0 };
    run_body(spin_and_advance, &stage);
    assert_int_equal(stage.ended, WORKERS);
}

/* -- hogs that block in the kernel ------------------------------------------------------------- */

/* A library that knows nothing of weir. */
struct foreign {
    void *library;
    int (*wait_for_bytes)(int fd);
    int (*lock_file)(const char *path);
};

static struct foreign foreign;
static char locked_path[] = "/tmp/weir-hog-XXXXXX";
static pthread_t sleepers[WORKERS];

static bool foreign_open(void)
{
    char path[4096];
    const char *build = getenv("WEIR_BUILD");
    (void)snprintf(path, sizeof(path), "%s/test/behaviour/slow.so", build != NULL ? build : ".");
    foreign.library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (foreign.library == NULL) {
        printf("SKIP: no shared objects here: %s\n", dlerror());
        return false;
    }
    *(void **)&foreign.wait_for_bytes = dlsym(foreign.library, "slow_wait_for_bytes");
    *(void **)&foreign.lock_file = dlsym(foreign.library, "slow_lock_file");
    CHECK(foreign.wait_for_bytes != NULL && foreign.lock_file != NULL);
    return true;
}

static int block_in_a_foreign_poll(void *arg)
{
    struct stage *stage = arg;
    char byte;
    bump(&stage->hogging);
    CHECK_EQ(foreign.wait_for_bytes(stage->gate[0]), 0);
    CHECK_EQ(read(stage->gate[0], &byte, 1), 1);
    bump(&stage->ended);
    return 0;
}

static int block_in_a_foreign_lock(void *arg)
{
    struct stage *stage = arg;
    bump(&stage->hogging);
    CHECK_EQ(foreign.lock_file(locked_path), 0);
    bump(&stage->ended);
    return 0;
}

static void be_interrupted(int number)
{
    (void)number;
}

/* sleep(3) ends early when a signal comes, which the runtime's threads block. */
static int block_in_sleep(void *arg)
{
    struct stage *stage = arg;
    sigset_t wanted;
    sigset_t before;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGUSR1);
    CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &wanted, &before), 0);
    sleepers[bump(&stage->sleepers) - 1] = pthread_self();
    bump(&stage->hogging);
    while (peek(&stage->over) == 0)
        (void)sleep(1000);
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
    bump(&stage->ended);
    return 0;
}

static void let_go_by_bytes(struct stage *stage)
{
    for (int i = 0; i < WORKERS; i++)
        CHECK_EQ(write(stage->gate[1], "x", 1), 1);
}

static void let_go_by_lock(struct stage *stage)
{
    CHECK_EQ(flock(stage->locked, LOCK_UN), 0);
}

/* Again and again: a signal may come just before the sleep. */
static void let_go_by_signal(struct stage *stage)
{
    post(&stage->over, 1);
    for (int i = 0; i < WORKERS; i++)
        CHECK_EQ(pthread_kill(sleepers[i], SIGUSR1), 0);
}

struct blocker {
    weir_task_fn *hog;
    void (*let_go)(struct stage *stage);
    bool again; /* what lets go may have to be repeated */
};

static const struct blocker blockers[] = {
    { .hog = block_in_read, .let_go = let_go_by_bytes },
    { .hog = block_in_sleep, .let_go = let_go_by_signal, .again = true },
    { .hog = block_in_a_foreign_poll, .let_go = let_go_by_bytes },
    { .hog = block_in_a_foreign_lock, .let_go = let_go_by_lock },
};

/* Everything that a worker has to see to: timers, channels, descriptors, spawning and joining. */
struct echo {
    weir_chan *there;
    weir_chan *back;
    int fds[2];
};

static int echo(void *arg)
{
    struct echo *pair = arg;
    for (int i = 0; i < TICKS; i++) {
        int item = 0;
        char byte = 0;
        CHECK_EQ(weir_chan_recv(pair->there, &item, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(write(pair->fds[1], "y", 1), 1);
        CHECK_EQ(weir_sleep(weir_in_ns(100000)), 0);
        CHECK(weir_fd_wait(pair->fds[0], WEIR_FD_READ, WEIR_NO_DEADLINE) > 0);
        CHECK_EQ(read(pair->fds[0], &byte, 1), 1);
        CHECK_EQ(weir_chan_send(pair->back, &item, WEIR_NO_DEADLINE), 0);
    }
    return 0;
}

static void advance_by_everything(void)
{
    struct echo pair;
    weir_task *task;
    const struct weir_chan_opts opts = { .elem_bytes = sizeof(int) };
    CHECK_EQ(weir_chan_create(&pair.there, &opts), 0);
    CHECK_EQ(weir_chan_create(&pair.back, &opts), 0);
    CHECK_EQ(pipe2(pair.fds, O_NONBLOCK), 0);
    CHECK_EQ(weir_task_start(&task, echo, &pair), 0);
    for (int i = 0; i < TICKS; i++) {
        int item = i;
        CHECK_EQ(weir_chan_send(pair.there, &item, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(weir_chan_recv(pair.back, &item, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(item, i);
    }
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    weir_chan_destroy(pair.there);
    weir_chan_destroy(pair.back);
    close(pair.fds[0]);
    close(pair.fds[1]);
}

static int block_and_advance(void *arg)
{
    struct stage *stage = arg;
    const int64_t before = relieved();
    hog_every_worker(stage, stage->blocker->hog);
    advance(stage, TICKS);
    advance_by_everything();
    CHECK_EQ(peek(&stage->ended), 0);
    if (model_scheduler() == WEIR_SCHEDULER_TASKS)
        CHECK(relieved() > before);
    stage->blocker->let_go(stage);
    while (peek(&stage->ended) < WORKERS) {
        CHECK_EQ(weir_sleep(weir_in_ms(1)), 0);
        if (stage->blocker->again)
            stage->blocker->let_go(stage);
    }
    return 0;
}

/* read(2), sleep(3), and two calls of a library that nobody told about weir. */
static void a_task_that_blocks_on_every_worker_does_not_stop_another(void **state)
{
    (void)state;
    if (skipped_under_loop() || !foreign_open())
        skip();
    const struct sigaction interrupted = { .sa_handler = be_interrupted };
    assert_int_equal(sigaction(SIGUSR1, &interrupted, NULL), 0);
    for (size_t i = 0; i < sizeof(blockers) / sizeof(blockers[0]); i++) {
        struct stage stage = { .blocker = &blockers[i] };
        assert_int_equal(pipe(stage.gate), 0);
        strcpy(locked_path, "/tmp/weir-hog-XXXXXX");
        stage.locked = mkstemp(locked_path);
        assert_true(stage.locked >= 0);
        assert_int_equal(flock(stage.locked, LOCK_EX), 0);
        run_body(block_and_advance, &stage);
        assert_int_equal(stage.ended, WORKERS);
        assert_int_equal(unlink(locked_path), 0);
        close(stage.locked);
        close(stage.gate[0]);
        close(stage.gate[1]);
    }
    assert_int_equal(dlclose(foreign.library), 0);
}

/* -- how late timers are ----------------------------------------------------------------------- */

enum {
    SLICING_HOGS = 4,
    TIMERS = 100,
    ROUNDS_MAX = 20,
    SLICE_MS = 25
};

static const int64_t LATER_THAN_A_THREAD_NS = 20 * WEIR_NS_PER_MS;

struct race {
    int over;
    int64_t task_late_ns[TIMERS];
    int64_t thread_late_ns[TIMERS];
};

/* Hogs its worker anew whenever it gets one, and leaves the cores to the others. */
static int hog_in_slices(void *arg)
{
    struct race *race = arg;
    while (peek(&race->over) == 0) {
        const struct timespec span = { .tv_nsec = SLICE_MS * 1000000L };
        (void)nanosleep(&span, NULL);
        CHECK_EQ(weir_yield(), 0);
    }
    return 0;
}

static int64_t timer_span_ns(int i)
{
    return (1000 + 4000 * (i % 7) / 7) * WEIR_NS_PER_US;
}

static void *time_the_thread(void *arg)
{
    struct race *race = arg;
    for (int i = 0; i < TIMERS; i++) {
        const weir_time due = weir_in_ns(timer_span_ns(i));
        const struct timespec until = { .tv_sec = due / WEIR_NS_PER_S,
                                        .tv_nsec = due % WEIR_NS_PER_S };
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        race->thread_late_ns[i] = weir_now() - due;
    }
    return NULL;
}

static int time_the_task(void *arg)
{
    struct race *race = arg;
    pthread_t thread;
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < SLICING_HOGS; i++)
        CHECK_EQ(weir_go(hog_in_slices, race, .name = "hog"), 0);
    CHECK_EQ(pthread_create(&thread, NULL, time_the_thread, race), 0);
    for (int i = 0; i < TIMERS; i++) {
        const weir_time due = weir_in_ns(timer_span_ns(i));
        CHECK_EQ(weir_sleep(due), 0);
        race->task_late_ns[i] = weir_now() - due;
    }
    post(&race->over, 1);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    return weir_scope_close(scope, WEIR_NO_DEADLINE);
}

static int ascending(const void *a, const void *b)
{
    const int64_t left = *(const int64_t *)a;
    const int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static int64_t p99(int64_t late_ns[TIMERS])
{
    qsort(late_ns, TIMERS, sizeof(late_ns[0]), ascending);
    return late_ns[TIMERS * 99 / 100 - 1];
}

/* A busy machine may keep a worker's thread from running in one round and another; a scheduler
 * under which timers wait for the hogs is late in every one. */
static void beside_four_hogs_timers_are_hardly_later_than_those_of_a_thread(void **state)
{
    (void)state;
    if (skipped_under_loop())
        skip();
    for (int round = 1;; round++) {
        struct race race = { .over = 0 };
        run_body(time_the_task, &race);
        const int64_t task = p99(race.task_late_ns);
        const int64_t thread = p99(race.thread_late_ns);
        if (task <= thread + LATER_THAN_A_THREAD_NS)
            return;
        printf("round %d: p99 of the task's timers %lld us late, of the thread's %lld us\n", round,
               (long long)(task / WEIR_NS_PER_US), (long long)(thread / WEIR_NS_PER_US));
        assert_true(round < ROUNDS_MAX);
    }
}

/* -- crowds ------------------------------------------------------------------------------------ */

/* More hogs than are relieved: tasks that have started go on, and every hog has its turn. */
static int outlast_a_crowd(void *arg)
{
    struct stage *stage = arg;
    weir_scope *scope;
    post(&stage->goal, TICKS);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < crowd(); i++)
        CHECK_EQ(weir_go(spin, stage, .name = "hog"), 0);
    advance(stage, TICKS);
    return weir_scope_close(scope, WEIR_NO_DEADLINE);
}

static void sixty_four_hogs_do_not_stop_a_task_that_has_started(void **state)
{
    (void)state;
    if (skipped_under_loop())
        skip();
    struct stage stage = { .ticks = 0 };
    run_body(outlast_a_crowd, &stage);
    assert_int_equal(stage.ended, crowd());
}

static int burn(void *arg)
{
    struct stage *stage = arg;
    burn_ms(15);
    bump(&stage->ended);
    return 0;
}

static int burn_in_a_crowd(void *arg)
{
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < crowd(); i++)
        CHECK_EQ(weir_go(burn, arg, .name = "hog"), 0);
    return weir_scope_close(scope, WEIR_NO_DEADLINE);
}

/* Under every model: also under loop they end, one after the other. */
static void sixty_four_hogs_all_end(void **state)
{
    (void)state;
    struct stage stage = { .ticks = 0 };
    run_body(burn_in_a_crowd, &stage);
    assert_int_equal(stage.ended, crowd());
}

/* After hogs the runtime is as before: workers, threads of the pool, closing. */
static int be_quick(void *arg)
{
    bump(arg);
    return 0;
}

static int work_after_hogs(void *arg)
{
    struct stage *stage = arg;
    CHECK_EQ(burn_in_a_crowd(stage), 0);
    weir_scope *scope;
    post(&stage->ticks, 0);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(weir_go(be_quick, &stage->ticks), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(stage->ticks, 1000);
    return 0;
}

static void after_hogs_everything_works_as_before(void **state)
{
    (void)state;
    struct stage stage = { .ticks = 0 };
    run_body(work_after_hogs, &stage);
}

/* -- the report under loop --------------------------------------------------------------------- */

struct report {
    int lines; /* atomic: how many spoke of a blocked loop */
    char text[1024];
};

static void keep_line(void *user, const char *line)
{
    struct report *report = user;
    if (strstr(line, "blocked") == NULL || peek(&report->lines) > 0)
        return;
    (void)snprintf(report->text, sizeof(report->text), "%s", line);
    bump(&report->lines);
}

static int spin_until_reported(void *arg)
{
    struct report *report = arg;
    while (peek(&report->lines) == 0) {
    }
    return 0;
}

static int spawn_the_blocker(void *arg)
{
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, spin_until_reported, arg, .name = "greedy"), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    return 0;
}

static void under_loop_the_block_is_reported_with_name_and_place(void **state)
{
    (void)state;
    if (model_is_parallel()) {
        printf("SKIP: only under loop does one task block the others\n");
        skip();
    }
    struct report report = { .lines = 0 };
    struct weir_opts opts = model_opts();
    opts.watch_handlers = true;
    opts.log = keep_line;
    opts.log_user = &report;
    run_body_with(&opts, spawn_the_blocker, &report);
    if (strstr(report.text, "\"greedy\"") == NULL)
        fprintf(stderr, "the line: %s\n", report.text);
    assert_non_null(strstr(report.text, "\"greedy\""));
    assert_non_null(strstr(report.text, "hog_test.c:"));
    assert_non_null(strstr(report.text, " ms"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_that_spins_on_every_worker_does_not_stop_another),
        cmocka_unit_test(a_task_that_blocks_on_every_worker_does_not_stop_another),
        cmocka_unit_test(beside_four_hogs_timers_are_hardly_later_than_those_of_a_thread),
        cmocka_unit_test(sixty_four_hogs_do_not_stop_a_task_that_has_started),
        cmocka_unit_test(sixty_four_hogs_all_end),
        cmocka_unit_test(after_hogs_everything_works_as_before),
        cmocka_unit_test(under_loop_the_block_is_reported_with_name_and_place),
    };
    return cmocka_run_group_tests_name("hog", tests, NULL, NULL);
}
