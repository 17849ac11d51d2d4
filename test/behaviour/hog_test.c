/* SPDX-License-Identifier: MIT */
/* Tasks that compute or block without a weir call.  Under tasks and threads they do not stop the
 * others, however many they are; under loop, where by design they do, the block is reported with
 * the task's name and where it was spawned.
 *
 * Each hog runs until another task has advanced, so a scheduler that lets it stop the others hangs.
 * ctest: timeout=120 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/run.h"

enum {
    WORKERS = 2,
    CROWD_MAX = 64,
    TICKS = 30
};

struct stage {
    int gate[2]; /* a pipe that blocking hogs read from */
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

static int block_and_advance(void *arg)
{
    struct stage *stage = arg;
    const int64_t before = relieved();
    hog_every_worker(stage, block_in_read);
    advance(stage, TICKS);
    CHECK_EQ(peek(&stage->ended), 0);
    if (model_scheduler() == WEIR_SCHEDULER_TASKS)
        CHECK(relieved() > before);
    for (int i = 0; i < WORKERS; i++)
        CHECK_EQ(write(stage->gate[1], "x", 1), 1);
    while (peek(&stage->ended) < WORKERS)
        CHECK_EQ(weir_yield(), 0);
    return 0;
}

static void a_task_that_blocks_on_every_worker_does_not_stop_another(void **state)
{
    (void)state;
    if (skipped_under_loop())
        skip();
    struct stage stage = { .ticks = 0 };
    assert_int_equal(pipe(stage.gate), 0);
    run_body(block_and_advance, &stage);
    close(stage.gate[0]);
    close(stage.gate[1]);
}

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
        cmocka_unit_test(sixty_four_hogs_do_not_stop_a_task_that_has_started),
        cmocka_unit_test(sixty_four_hogs_all_end),
        cmocka_unit_test(after_hogs_everything_works_as_before),
        cmocka_unit_test(under_loop_the_block_is_reported_with_name_and_place),
    };
    return cmocka_run_group_tests_name("hog", tests, NULL, NULL);
}
