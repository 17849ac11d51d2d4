/* SPDX-License-Identifier: MIT */
/* The life of tasks and of the runtime as users rely on them, under every model: start, join,
 * handles, limits that refuse and recover, misuse that is named, an idle process that sleeps.
 * ctest: timeout=120 */
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/run.h"

static weir_chan *make_chan(void)
{
    weir_chan *ch;
    CHECK_EQ(weir_chan_create(&ch, &(struct weir_chan_opts){ .elem_bytes = 0 }), 0);
    return ch;
}

static int give(void *arg)
{
    return *(const int *)arg;
}

static int wait_for_word(void *arg)
{
    await(arg, 1);
    return 4;
}

/* Ends when the channel closes. */
static int wait_for_close(void *arg)
{
    CHECK_EQ(weir_chan_recv(arg, NULL, WEIR_NO_DEADLINE), WEIR_ECLOSED);
    return 0;
}

/* -- start and join ---------------------------------------------------------------------------- */

RUN(join_gives_what_the_task_returned)
{
    const int results[] = { 0, 1, 77, -5, WEIR_EBROKEN, INT32_MAX };
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        weir_task *task;
        int result = -1;
        CHECK_EQ(weir_task_start(&task, give, (void *)(uintptr_t)&results[i]), 0);
        CHECK_EQ(weir_task_join(task, &result, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(result, results[i]);
    }
    return 0;
}

RUN(join_waits_no_longer_than_its_deadline)
{
    weir_task *task;
    int word = 0;
    int result = -1;
    CHECK_EQ(weir_task_start(&task, wait_for_word, &word), 0);
    CHECK_EQ(weir_task_join(task, &result, WEIR_DONT_WAIT), WEIR_ETIMEDOUT);
    const weir_time until = weir_in_ms(5);
    CHECK_EQ(weir_task_join(task, &result, until), WEIR_ETIMEDOUT);
    CHECK(weir_now() >= until);
    CHECK_EQ(result, -1);
    post(&word, 1);
    CHECK_EQ(weir_task_join(task, &result, weir_in_ms(60000)), 0);
    CHECK_EQ(result, 4);
    return 0;
}

static int bump_word(void *arg)
{
    bump(arg);
    return 6;
}

RUN(a_handle_stands_for_a_task_that_has_ended)
{
    weir_task *joined;
    weir_task *released;
    int word = 0;
    int result = 0;
    struct weir_runtime_stats stats = { .size = sizeof(stats) };
    CHECK_EQ(weir_task_start(&joined, bump_word, &word), 0);
    CHECK_EQ(weir_task_start(&released, bump_word, &word), 0);
    await(&word, 2);
    /* Many more come and go; the record of neither is given to them. */
    for (int i = 0; i < 500; i++)
        CHECK_EQ(weir_go(bump_word, &word), 0);
    await(&word, 502);
    CHECK_EQ(weir_task_join(joined, &result, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(result, 6);
    weir_task_cancel(released, WEIR_ECANCELED);
    weir_task_release(released);
    do {
        weir_runtime_stats_read(&stats);
        CHECK_EQ(weir_yield(), 0);
    } while (stats.tasks_live > 1);
    CHECK(stats.tasks_started >= 503);
    return 0;
}

RUN(a_released_task_goes_on)
{
    weir_task *task;
    weir_chan *ch = make_chan();
    CHECK_EQ(weir_task_start(&task, wait_for_close, ch), 0);
    weir_task_release(task);
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    CHECK_EQ(weir_task_start(&task, wait_for_close, ch), 0);
    weir_task_release(task);
    CHECK_EQ(weir_chan_close(ch), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    struct weir_runtime_stats stats = { .size = sizeof(stats) };
    do {
        weir_runtime_stats_read(&stats);
        CHECK_EQ(weir_yield(), 0);
    } while (stats.tasks_live > 1);
    weir_chan_destroy(ch);
    return 0;
}

struct self {
    weir_task *handle;
    int known;
};

static int join_oneself(void *arg)
{
    struct self *self = arg;
    await(&self->known, 1);
    CHECK_EQ(weir_task_join(self->handle, NULL, WEIR_NO_DEADLINE), WEIR_EDEADLK);
    CHECK_EQ(weir_task_join(self->handle, NULL, WEIR_DONT_WAIT), WEIR_EDEADLK);
    return 0;
}

RUN(a_task_that_joins_itself_is_told_so)
{
    struct self self = { .known = 0 };
    CHECK_EQ(weir_task_start(&self.handle, join_oneself, &self), 0);
    post(&self.known, 1);
    CHECK_EQ(weir_task_join(self.handle, NULL, WEIR_NO_DEADLINE), 0);
    return 0;
}

/* -- name and number --------------------------------------------------------------------------- */

struct label {
    const char *name;
    uint64_t id;
};

static int read_label(void *arg)
{
    struct label *label = arg;
    CHECK(strcmp(weir_task_name(), label->name) == 0);
    label->id = weir_task_id();
    CHECK_EQ(weir_yield(), 0);
    CHECK_EQ(weir_task_id(), label->id);
    CHECK(strcmp(weir_task_name(), label->name) == 0);
    return 0;
}

RUN(tasks_have_names_and_numbers_of_their_own)
{
    struct label labels[] = { { .name = "reader" }, { .name = "" }, { .name = "reader" } };
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, read_label, &labels[0], .name = "reader"), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_task_start(&task, read_label, &labels[1]), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_task_start(&task, read_label, &labels[2], .name = "reader"), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    CHECK(weir_task_id() > 0);
    for (int i = 0; i < 3; i++) {
        CHECK(labels[i].id > 0);
        CHECK(labels[i].id != weir_task_id());
        CHECK(labels[i].id != labels[(i + 1) % 3].id);
    }
    return 0;
}

static void outside_tasks_there_is_neither(void **state)
{
    (void)state;
    runtime_open(NULL);
    assert_int_equal(weir_task_id(), 0);
    assert_string_equal(weir_task_name(), "");
    assert_int_equal(weir_scheduler_kind(), model_scheduler());
    runtime_close();
    assert_int_equal(weir_task_id(), 0);
}

/* -- from threads ------------------------------------------------------------------------------ */

enum {
    SPAWNERS = 4,
    SPAWNS = 200
};

static void *spawn_and_join(void *arg)
{
    int *done = arg;
    const int seven = 7;
    for (int i = 0; i < SPAWNS; i++) {
        weir_task *task;
        int result = 0;
        CHECK_EQ(weir_task_start(&task, give, (void *)(uintptr_t)&seven), 0);
        CHECK_EQ(weir_task_join(task, &result, WEIR_NO_DEADLINE), 0);
        CHECK_EQ(result, 7);
    }
    bump(done);
    return NULL;
}

RUN(any_thread_starts_and_joins_tasks)
{
    pthread_t threads[SPAWNERS];
    int done = 0;
    for (int i = 0; i < SPAWNERS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, spawn_and_join, &done), 0);
    await(&done, SPAWNERS);
    for (int i = 0; i < SPAWNERS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    return 0;
}

/* -- many -------------------------------------------------------------------------------------- */

struct crowd {
    weir_chan *ch;
    int parked;
};

static int count_and_wait(void *arg)
{
    struct crowd *crowd = arg;
    bump(&crowd->parked);
    CHECK_EQ(weir_chan_recv(crowd->ch, NULL, WEIR_NO_DEADLINE), WEIR_ECLOSED);
    return 0;
}

RUN(ten_thousand_tasks_park_and_wake)
{
    int count = 10000;
    if (model_scheduler() == WEIR_SCHEDULER_THREADS)
        count = built_with_thread_sanitizer() ? 200 : 1000;
    else if (built_with_thread_sanitizer())
        count = 2000;
    struct crowd crowd = { .ch = make_chan() };
    for (int round = 0; round < 2; round++) {
        weir_scope *scope;
        post(&crowd.parked, 0);
        CHECK_EQ(weir_scope_open(&scope, NULL), 0);
        for (int i = 0; i < count; i++)
            CHECK_EQ(weir_go(count_and_wait, &crowd), 0);
        await(&crowd.parked, count);
        struct weir_runtime_stats stats = { .size = sizeof(stats) };
        weir_runtime_stats_read(&stats);
        CHECK(stats.tasks_live >= count);
        CHECK_EQ(weir_chan_close(crowd.ch), 0);
        CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
        weir_chan_destroy(crowd.ch);
        crowd.ch = make_chan();
    }
    weir_chan_destroy(crowd.ch);
    return 0;
}

/* -- limits ------------------------------------------------------------------------------------ */

/* Fills up until the limit refuses, empties, and fills again.  How many there were beside the
 * caller. */
static int fill_up(const struct weir_task_opts *opts)
{
    weir_chan *ch = make_chan();
    weir_scope *scope;
    int count = 0;
    int rc;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    while ((rc = weir_go_with(wait_for_close, ch, opts)) == 0)
        count++;
    CHECK_EQ(rc, WEIR_EOVERFLOW);
    CHECK_EQ(weir_go_with(wait_for_close, ch, opts), WEIR_EOVERFLOW);
    CHECK_EQ(weir_chan_close(ch), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    weir_chan_destroy(ch);
    return count;
}

enum {
    TASKS_MAX = 400,
    CACHED_MAX = 200, /* free records that workers may hold back, so that the limit comes early */
    THREADS_MAX = 8
};

static int reach_the_limit_of_tasks(void *arg)
{
    (void)arg;
    for (int round = 0; round < 3; round++) {
        const int count = fill_up(NULL);
        CHECK(count < TASKS_MAX);
        CHECK(count >= TASKS_MAX - CACHED_MAX);
    }
    return 0;
}

static void tasks_max_refuses_and_recovers(void **state)
{
    (void)state;
    struct weir_opts opts = model_opts();
    opts.tasks_max = TASKS_MAX;
    run_body_with(&opts, reach_the_limit_of_tasks, NULL);
}

static int reach_the_limit_of_threads(void *arg)
{
    (void)arg;
    const bool threads = model_scheduler() == WEIR_SCHEDULER_THREADS;
    const struct weir_task_opts opts = { .pinned = true };
    for (int round = 0; round < 50; round++)
        CHECK_EQ(fill_up(&opts), threads ? THREADS_MAX - 1 : THREADS_MAX);
    return 0;
}

static void threads_max_refuses_and_recovers(void **state)
{
    (void)state;
    if (model_scheduler() == WEIR_SCHEDULER_LOOP) {
        printf("SKIP: under loop a task never needs a thread of its own but with .blocking, which "
               "waits in line\n");
        skip();
    }
    struct weir_opts opts = model_opts();
    opts.threads_max = THREADS_MAX;
    run_body_with(&opts, reach_the_limit_of_threads, NULL);
}

/* Though its thread may be on its way to the next task still. */
static int start_after_join(void *arg)
{
    (void)arg;
    const int zero = 0;
    for (int i = 0; i < 500; i++) {
        weir_task *task;
        CHECK_EQ(weir_task_start(&task, give, (void *)(uintptr_t)&zero, .pinned = true), 0);
        CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    }
    return 0;
}

static void a_joined_task_leaves_its_thread_to_the_next(void **state)
{
    (void)state;
    struct weir_opts opts = model_opts();
    opts.threads_max = opts.scheduler == WEIR_SCHEDULER_THREADS ? 2 : 1;
    run_body_with(&opts, start_after_join, NULL);
}

/* -- open and close ---------------------------------------------------------------------------- */

static void open_says_what_is_wrong(void **state)
{
    (void)state;
    struct {
        struct weir_opts opts;
        int unknown;
    } newer = { .opts = model_opts(), .unknown = 1 };
    newer.opts.size = sizeof(newer);
    assert_int_equal(weir_open(&newer.opts), WEIR_EINVAL);
    struct weir_opts opts = model_opts();
    opts.workers = -1;
    assert_int_equal(weir_open(&opts), WEIR_EINVAL);
    opts = model_opts();
    opts.tasks_max = -1;
    assert_int_equal(weir_open(&opts), WEIR_EINVAL);
    opts = model_opts();
    opts.threads_max = -1;
    assert_int_equal(weir_open(&opts), WEIR_EINVAL);
    opts = model_opts();
    opts.scheduler = (enum weir_scheduler)77;
    assert_int_equal(weir_open(&opts), WEIR_EINVAL);
    assert_false(weir_is_open());

    runtime_open(NULL);
    assert_true(weir_is_open());
    opts = model_opts();
    assert_int_equal(weir_open(&opts), WEIR_EALREADY);
    runtime_close();
}

static void before_it_is_open_every_call_says_so(void **state)
{
    (void)state;
    weir_task *task;
    weir_scope *scope;
    weir_listener *listener;
    weir_server *server;
    int result;
    const int zero = 0;
    void *arg = (void *)(uintptr_t)&zero;
    struct weir_runtime_stats stats = { .size = sizeof(stats) };
    assert_int_equal(weir_go(give, arg), WEIR_ENOTOPEN);
    assert_int_equal(weir_task_start(&task, give, arg), WEIR_ENOTOPEN);
    assert_int_equal(weir_run(give, arg, &result), WEIR_ENOTOPEN);
    assert_int_equal(weir_scope_open(&scope, NULL), WEIR_ENOTOPEN);
    assert_int_equal(weir_listen(&listener, "127.0.0.1:0", 0), WEIR_ENOTOPEN);
    assert_int_equal(weir_server_create(&server, NULL), WEIR_ENOTOPEN);
    assert_int_equal(weir_fd_wait(0, WEIR_FD_READ, WEIR_DONT_WAIT), WEIR_ENOTOPEN);
    assert_int_equal(weir_close(WEIR_DONT_WAIT), WEIR_ENOTOPEN);
    assert_int_equal(weir_turn(WEIR_DONT_WAIT), WEIR_ENOTOPEN);
    assert_int_equal(weir_pollfd(), WEIR_ENOTOPEN);
    weir_runtime_stats_read(&stats);
    assert_int_equal(stats.threads, 0);
}

static void use_the_parents_runtime(void)
{
    const int zero = 0;
    void *arg = (void *)(uintptr_t)&zero;
    weir_task *task;
    CHECK(!weir_is_open());
    CHECK_EQ(weir_open(NULL), WEIR_EFORKED);
    CHECK_EQ(weir_close(WEIR_DONT_WAIT), WEIR_EFORKED);
    CHECK_EQ(weir_go(give, arg), WEIR_EFORKED);
    CHECK_EQ(weir_task_start(&task, give, arg), WEIR_EFORKED);
    CHECK_EQ(weir_run(give, arg, NULL), WEIR_EFORKED);
    CHECK_EQ(weir_fd_wait(0, WEIR_FD_READ, WEIR_DONT_WAIT), WEIR_EFORKED);
}

static void a_forked_child_is_refused(void **state)
{
    (void)state;
    char text[1024];
    runtime_open(NULL);
    const int status = run_in_child(use_the_parents_runtime, text, sizeof(text));
    if (status != 0)
        fprintf(stderr, "%s", text);
    assert_int_equal(status, 0);
    runtime_close();
}

/* Does not mind being canceled. */
static int be_stubborn(void *arg)
{
    while (peek(arg) == 0)
        (void)weir_yield();
    return 0;
}

static void close_reports_a_stuck_task_and_may_be_repeated(void **state)
{
    (void)state;
    static int word;
    post(&word, 0);
    runtime_open(NULL);
    assert_int_equal(weir_go(be_stubborn, &word), 0);
    assert_int_equal(weir_close(weir_in_ms(20)), WEIR_ETIMEDOUT);
    assert_true(weir_is_open());
    assert_int_equal(weir_close(weir_in_ms(1)), WEIR_ETIMEDOUT);
    /* Nothing new begins meanwhile. */
    assert_int_equal(weir_go(be_stubborn, &word), WEIR_ECANCELED);
    post(&word, 1);
    assert_int_equal(weir_close(WEIR_NO_DEADLINE), 0);
    assert_false(weir_is_open());
}

static int expect_the_close(void *arg)
{
    bump(arg);
    CHECK_EQ(weir_sleep(WEIR_NO_DEADLINE), WEIR_ECANCELED);
    CHECK_EQ(weir_cancel_cause(), WEIR_ECANCELED);
    bump(arg);
    return 0;
}

static int await_five(void *arg)
{
    await(arg, 5);
    return 0;
}

static void close_cancels_what_runs_and_open_begins_anew(void **state)
{
    (void)state;
    static int word;
    for (int round = 0; round < 50; round++) {
        post(&word, 0);
        runtime_open(NULL);
        for (int i = 0; i < 5; i++)
            assert_int_equal(weir_go(expect_the_close, &word), 0);
        int result = 1;
        assert_int_equal(weir_run(await_five, &word, &result), 0);
        runtime_close();
        assert_true(peek(&word) == 10);
    }
}

/* -- misuse ------------------------------------------------------------------------------------ */

static weir_task_fn *misuse; /* what the child does */

static void commit_misuse(void)
{
    int result;
    const struct weir_opts opts = model_opts();
    if (weir_open(&opts) == 0)
        IGNORE(weir_run(misuse, NULL, &result));
}

static void expect_misuse(weir_task_fn *body, const char *call)
{
    char text[4096];
    misuse = body;
    const int status = run_in_child(commit_misuse, text, sizeof(text));
    if (status != 128 + SIGABRT || strstr(text, call) == NULL)
        fprintf(stderr, "status %d, standard error:\n%s", status, text);
    assert_int_equal(status, 128 + SIGABRT);
    assert_non_null(strstr(text, "weir: "));
    assert_non_null(strstr(text, call));
}

static int unlock_what_is_not_held(void *arg)
{
    (void)arg;
    weir_mutex *mutex;
    CHECK_EQ(weir_mutex_create(&mutex), 0);
    weir_mutex_unlock(mutex);
    return 0;
}

static int close_scopes_in_the_wrong_order(void *arg)
{
    (void)arg;
    weir_scope *outer;
    weir_scope *inner;
    CHECK_EQ(weir_scope_open(&outer, NULL), 0);
    CHECK_EQ(weir_scope_open(&inner, NULL), 0);
    return weir_scope_close(outer, WEIR_NO_DEADLINE);
}

static int end_with_an_open_scope(void *arg)
{
    (void)arg;
    weir_scope *scope;
    return weir_scope_open(&scope, NULL);
}

static int run_from_a_task(void *arg)
{
    int result;
    return weir_run(give, arg, &result);
}

static int destroy_a_held_mutex(void *arg)
{
    (void)arg;
    weir_mutex *mutex;
    CHECK_EQ(weir_mutex_create(&mutex), 0);
    CHECK_EQ(weir_mutex_lock(mutex, WEIR_NO_DEADLINE), 0);
    weir_mutex_destroy(mutex);
    return 0;
}

static int sleep_on(void *arg)
{
    (void)arg;
    return weir_sleep(WEIR_NO_DEADLINE);
}

static int cancel_with_a_good_code(void *arg)
{
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, sleep_on, arg), 0);
    weir_task_cancel(task, 3);
    return 0;
}

static int start_nothing(void *arg)
{
    (void)arg;
    return weir_go(NULL, NULL);
}

static int turn_from_a_task(void *arg)
{
    (void)arg;
    return weir_turn(WEIR_DONT_WAIT);
}

static void misuse_aborts_and_says_what(void **state)
{
    (void)state;
    expect_misuse(unlock_what_is_not_held, "weir_mutex_unlock");
    expect_misuse(close_scopes_in_the_wrong_order, "weir_scope_close");
    expect_misuse(end_with_an_open_scope, "weir_scope_open");
    expect_misuse(run_from_a_task, "weir_run");
    expect_misuse(destroy_a_held_mutex, "weir_mutex_destroy");
    expect_misuse(cancel_with_a_good_code, "expected cause < 0, have 3 and 0");
    expect_misuse(start_nothing, "fn != NULL");
    if (model_scheduler() == WEIR_SCHEDULER_LOOP)
        expect_misuse(turn_from_a_task, "weir_turn");
}

/* -- stack overflow ---------------------------------------------------------------------------- */

static int go_deep(int depth)
{
    volatile char room[512];
    room[0] = (char)depth;
    room[511] = (char)(depth + 1);
    const int below = depth < 100000 ? go_deep(depth + 1) : 0;
    return below + room[0] + room[511];
}

static int overflow(void *arg)
{
    (void)arg;
    return go_deep(0) & 1;
}

static int start_the_overflow(void *arg)
{
    (void)arg;
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, overflow, NULL, .name = "digger"), 0);
    CHECK_EQ(weir_task_join(task, NULL, WEIR_NO_DEADLINE), 0);
    return 0;
}

static void overflow_in_a_child(void)
{
    int result;
    struct weir_opts opts = model_opts();
    opts.report_faults = true;
    if (weir_open(&opts) == 0)
        IGNORE(weir_run(start_the_overflow, NULL, &result));
}

static void a_stack_overflow_is_reported_by_name_and_size(void **state)
{
    (void)state;
    if (built_with_thread_sanitizer()) {
        printf("SKIP: the sanitizer takes minutes to end a process that overflowed its stack\n");
        skip();
    }
    char text[8192];
    const int status = run_in_child(overflow_in_a_child, text, sizeof(text));
    const char *report = strstr(text, "weir: stack overflow in task \"digger\"");
    if (report == NULL)
        fprintf(stderr, "status %d, standard error:\n%s", status, text);
    assert_non_null(report);
    const char *size = strstr(report, "its stack has ");
    assert_non_null(size);
    const long bytes = strtol(size + strlen("its stack has "), NULL, 10);
    assert_true(bytes >= 32768 && bytes <= 2097152);
    assert_non_null(strstr(report, "task_test.c:"));
    /* The sanitizer ends the process in its own way. */
    if (!built_with_address_sanitizer())
        assert_int_equal(status, 128 + SIGSEGV);
}

/* -- at rest ----------------------------------------------------------------------------------- */

/* Voluntary switches of every thread of the process but the caller. */
static long switches_of_others(void)
{
    long sum = 0;
    DIR *folder = opendir("/proc/self/task");
    CHECK(folder != NULL);
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        const long tid = strtol(entry->d_name, NULL, 10);
        if (tid == 0 || tid == (long)gettid())
            continue;
        char path[64];
        char line[256];
        (void)snprintf(path, sizeof(path), "/proc/self/task/%ld/status", tid);
        FILE *status = fopen(path, "r");
        while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
            if (strncmp(line, "voluntary_ctxt_switches:", 24) == 0)
                sum += strtol(line + 24, NULL, 10);
        }
        if (status != NULL)
            CHECK_EQ(fclose(status), 0);
    }
    CHECK_EQ(closedir(folder), 0);
    return sum;
}

struct rest {
    int pipe[2];
    int resting;
    long least; /* wake-ups in the quietest two seconds */
};

/* The time here is what is measured over, not what is waited for. */
static void *watch_the_rest(void *arg)
{
    struct rest *rest = arg;
    await(&rest->resting, 1);
    for (int i = 0; i < 4 && rest->least >= 20; i++) {
        const long before = switches_of_others();
        (void)poll(NULL, 0, 2000);
        const long woken = switches_of_others() - before;
        rest->least = woken < rest->least ? woken : rest->least;
    }
    CHECK_EQ(write(rest->pipe[1], "x", 1), 1);
    return NULL;
}

static int be_idle(void *arg)
{
    struct rest *rest = arg;
    post(&rest->resting, 1);
    CHECK_EQ(weir_fd_wait(rest->pipe[0], WEIR_FD_READ, WEIR_NO_DEADLINE), WEIR_FD_READ);
    return 0;
}

static void an_idle_process_wakes_less_than_ten_times_a_second(void **state)
{
    (void)state;
    if (built_with_thread_sanitizer()) {
        printf("SKIP: the sanitizer's own thread wakes all the time\n");
        skip();
    }
    struct rest rest = { .least = 1000000 };
    pthread_t watcher;
    struct weir_opts opts = model_opts();
    opts.watch_handlers = true;
    assert_int_equal(pipe(rest.pipe), 0);
    assert_int_equal(pthread_create(&watcher, NULL, watch_the_rest, &rest), 0);
    run_body_with(&opts, be_idle, &rest);
    assert_int_equal(pthread_join(watcher, NULL), 0);
    close(rest.pipe[0]);
    close(rest.pipe[1]);
    printf("%s: %ld wake-ups in two seconds\n", model_name(), rest.least);
    assert_true(rest.least < 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(join_gives_what_the_task_returned),
        cmocka_unit_test(join_waits_no_longer_than_its_deadline),
        cmocka_unit_test(a_handle_stands_for_a_task_that_has_ended),
        cmocka_unit_test(a_released_task_goes_on),
        cmocka_unit_test(a_task_that_joins_itself_is_told_so),
        cmocka_unit_test(tasks_have_names_and_numbers_of_their_own),
        cmocka_unit_test(outside_tasks_there_is_neither),
        cmocka_unit_test(any_thread_starts_and_joins_tasks),
        cmocka_unit_test(ten_thousand_tasks_park_and_wake),
        cmocka_unit_test(tasks_max_refuses_and_recovers),
        cmocka_unit_test(threads_max_refuses_and_recovers),
        cmocka_unit_test(a_joined_task_leaves_its_thread_to_the_next),
        cmocka_unit_test(open_says_what_is_wrong),
        cmocka_unit_test(before_it_is_open_every_call_says_so),
        cmocka_unit_test(a_forked_child_is_refused),
        cmocka_unit_test(close_reports_a_stuck_task_and_may_be_repeated),
        cmocka_unit_test(close_cancels_what_runs_and_open_begins_anew),
        cmocka_unit_test(misuse_aborts_and_says_what),
        cmocka_unit_test(a_stack_overflow_is_reported_by_name_and_size),
        cmocka_unit_test(an_idle_process_wakes_less_than_ten_times_a_second),
    };
    return cmocka_run_group_tests_name("task", tests, NULL, NULL);
}
