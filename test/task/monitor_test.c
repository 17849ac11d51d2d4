/* SPDX-License-Identifier: MIT */
/* The monitor: hogs lose their worker and the others go on, within bounds; a blocked loop is
 * reported.
 *
 * ctest: timeout=120 */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/run.h"

/* -- hogs -------------------------------------------------------------------------------------- */

enum {
    HOG_MS = 300,
    SLICES = 20,
    HANG_MS = 20000
};

struct field {
    bool in_kernel; /* hogs block in nanosleep instead of computing */
    int yields;     /* that a hog makes before it begins */
    int started;
    int ended;
    int slices;
    int ended_when_done; /* hogs that had ended when the light task was through */
    int may_end;         /* the hogs that wait for it */
};

static int hog(void *arg)
{
    struct field *field = arg;
    for (int i = 0; i < field->yields; i++)
        (void)weir_yield();
    bump(&field->started);
    if (field->in_kernel) {
        const struct timespec span = { .tv_nsec = HOG_MS * 1000000L };
        (void)nanosleep(&span, NULL);
    } else {
        burn_ms(HOG_MS);
    }
    bump(&field->ended);
    return 0;
}

static void hog_for_a_millisecond(const struct field *field)
{
    const struct timespec span = { .tv_nsec = 1000000 };
    if (field->in_kernel)
        (void)nanosleep(&span, NULL);
    else
        burn_ms(1);
}

/* Ends when it may, and not of its own: who waits for its end waits in vain, up to a bound. */
static int hog_until_told(void *arg)
{
    struct field *field = arg;
    const weir_time bound = weir_in_ms(HANG_MS);
    bump(&field->started);
    while (peek(&field->may_end) == 0 && weir_now() < bound)
        hog_for_a_millisecond(field);
    bump(&field->ended);
    return 0;
}

static int64_t relieved_now(void)
{
    struct weir_runtime_stats stats = { .size = sizeof(stats) };
    weir_runtime_stats_read(&stats);
    return stats.hogs_relieved;
}

static int light(void *arg)
{
    struct field *field = arg;
    for (int i = 0; i < SLICES; i++) {
        CHECK_EQ(weir_sleep(weir_in_ms(1)), 0);
        bump(&field->slices);
    }
    post(&field->ended_when_done, peek(&field->ended));
    return 0;
}

static int light_until_relieved(void *arg)
{
    struct field *field = arg;
    const weir_time bound = weir_in_ms(HANG_MS);
    CHECK_EQ(light(field), 0);
    while (relieved_now() < 2 && weir_now() < bound)
        CHECK_EQ(weir_sleep(weir_in_ms(1)), 0);
    post(&field->may_end, 1);
    return 0;
}

static int hog_every_worker(void *arg)
{
    struct field *field = arg;
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(weir_go(hog_until_told, field, .name = "hog"), 0);
    CHECK_EQ(weir_go(light_until_relieved, field, .name = "light"), 0);
    return weir_scope_close(scope, WEIR_NO_DEADLINE);
}

static int64_t run_and_count_relief(int workers, weir_task_fn *body, void *arg)
{
    const struct weir_opts opts = { .scheduler = WEIR_SCHEDULER_TASKS, .workers = workers };
    struct weir_runtime_stats stats = { .size = sizeof(stats) };
    int result = 1;
    runtime_open(&opts);
    CHECK_EQ(weir_run(body, arg, &result), 0);
    CHECK_EQ(result, 0);
    weir_runtime_stats_read(&stats);
    runtime_close();
    return stats.hogs_relieved;
}

static void a_hog_on_every_worker_does_not_stop_a_light_task(void **state)
{
    (void)state;
    for (int in_kernel = 0; in_kernel < 2; in_kernel++) {
        struct field field = { .in_kernel = in_kernel != 0 };
        const int64_t relieved = run_and_count_relief(2, hog_every_worker, &field);
        assert_int_equal(field.slices, SLICES);
        assert_int_equal(field.ended, 2);
        assert_true(relieved >= 2);
        assert_int_equal(field.ended_when_done, 0);
    }
}

enum {
    MANY = 64
};

static int hog_massively(void *arg)
{
    struct field *field = arg;
    weir_scope *scope;
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    CHECK_EQ(weir_go(light, field, .name = "light"), 0);
    while (peek(&field->slices) == 0)
        CHECK_EQ(weir_sleep(weir_in_ms(1)), 0); /* it has started */
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(weir_go(hog, field, .name = "hog"), 0);
    return weir_scope_close(scope, WEIR_NO_DEADLINE);
}

/* At most twice as many hogs as workers are relieved and one more is found out; the rest is held
 * back until some end, while the task that has started goes on. */
static void sixty_four_hogs_are_bounded_and_all_end(void **state)
{
    (void)state;
    struct field field = { .in_kernel = true };
    const int64_t relieved = run_and_count_relief(2, hog_massively, &field);
    assert_int_equal(field.ended, MANY);
    assert_int_equal(field.slices, SLICES);
    assert_true(field.ended_when_done < MANY);
    assert_true(relieved > 0);
}

static int count_threads(void *arg)
{
    struct field *field = arg;
    weir_scope *scope;
    struct weir_runtime_stats stats = { .size = sizeof(stats) };
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(weir_go(hog, field), 0);
    int64_t most = 0;
    while (peek(&field->ended) < MANY) {
        weir_runtime_stats_read(&stats);
        most = stats.threads > most ? stats.threads : most;
        CHECK_EQ(weir_sleep(weir_in_ms(5)), 0);
    }
    /* Two workers, five hogs, the monitor, and what is just being exchanged. */
    CHECK(most <= 2 + 6 + 1 + 2);
    return weir_scope_close(scope, WEIR_NO_DEADLINE);
}

static void hogs_that_have_not_started_cost_no_threads(void **state)
{
    (void)state;
    struct field field = { .in_kernel = true };
    (void)run_and_count_relief(2, count_threads, &field);
}

/* Tasks that had started before they became hogs are relieved however many, up to threads_max. */
static void hogs_that_have_started_are_bounded_by_threads_max(void **state)
{
    (void)state;
    struct field field = { .in_kernel = true, .yields = 3 };
    const struct weir_opts opts = { .workers = 2, .threads_max = 8 };
    struct weir_runtime_stats stats = { .size = sizeof(stats) };
    runtime_open(&opts);
    weir_scope *scope;
    assert_int_equal(weir_scope_open(&scope, NULL), 0);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(weir_go(hog, &field), 0);
    int64_t most = 0;
    while (peek(&field.ended) < MANY) {
        weir_runtime_stats_read(&stats);
        most = stats.threads > most ? stats.threads : most;
        (void)weir_sleep(weir_in_ms(5));
    }
    assert_int_equal(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    runtime_close();
    assert_true(most <= 2 + 8 + 1);
}

/* -- a blocked loop ---------------------------------------------------------------------------- */

struct lines {
    int count;
    char blocked[256]; /* written before count */
};

static void keep_line(void *user, const char *line)
{
    struct lines *lines = user;
    if (strstr(line, "blocked") == NULL)
        return;
    (void)snprintf(lines->blocked, sizeof(lines->blocked), "%s", line);
    bump(&lines->count);
}

static int block_until_reported(void *arg)
{
    const struct lines *lines = arg;
    while (peek(&lines->count) == 0)
        (void)poll(NULL, 0, 5);
    return 0;
}

static int start_blocker(void *arg)
{
    weir_task *task;
    CHECK_EQ(weir_task_start(&task, block_until_reported, arg, .name = "stubborn"), 0);
    return weir_task_join(task, NULL, WEIR_NO_DEADLINE);
}

static void a_blocked_loop_is_reported_with_task_and_site(void **state)
{
    (void)state;
    struct lines lines = { .count = 0 };
    const struct weir_opts opts = { .scheduler = WEIR_SCHEDULER_LOOP,
                                    .watch_handlers = true,
                                    .log = keep_line,
                                    .log_user = &lines };
    run_body_with(&opts, start_blocker, &lines);
    assert_non_null(strstr(lines.blocked, "stubborn"));
    assert_non_null(strstr(lines.blocked, "monitor_test.c:"));
    assert_non_null(strstr(lines.blocked, " ms"));
}

/* -- what the monitor does in the place of a blocked loop -------------------------------------- */

struct kept {
    weir_timer *timer;
    pthread_t opener;
    pthread_t outsider;
    int fired; /* counts; the function runs where user code may */
    int fired_elsewhere;
    int by_outsider; /* the timer runs, and the outsider has nothing more to do */
    int read_end, write_end;
    int woken;
};

static void note_thread(void *arg)
{
    struct kept *kept = arg;
    if (!pthread_equal(pthread_self(), kept->opener))
        bump(&kept->fired_elsewhere);
    bump(&kept->fired);
}

static void *start_timer(void *arg)
{
    struct kept *kept = arg;
    CHECK_EQ(weir_timer_start(kept->timer, weir_now(), 0), 0);
    CHECK_EQ(write(kept->write_end, "x", 1), 1);
    bump(&kept->by_outsider);
    return NULL;
}

static int wait_for_byte(void *arg)
{
    struct kept *kept = arg;
    CHECK(weir_fd_wait(kept->read_end, WEIR_FD_READ, WEIR_NO_DEADLINE) > 0);
    bump(&kept->woken);
    return 0;
}

/* Keeps the thread for some ticks of the monitor after both have come about. */
static int keep_thread(void *arg)
{
    struct kept *kept = arg;
    CHECK_EQ(pthread_create(&kept->outsider, NULL, start_timer, kept), 0);
    while (peek(&kept->by_outsider) == 0)
        (void)poll(NULL, 0, 1);
    (void)poll(NULL, 0, 100);
    CHECK_EQ(peek(&kept->fired), 0);
    CHECK_EQ(peek(&kept->woken), 0);
    CHECK_EQ(pthread_join(kept->outsider, NULL), 0);
    return 0;
}

static int keep_and_see(void *arg)
{
    struct kept *kept = arg;
    weir_scope *scope;
    const struct weir_timer_opts opts = { .fn = note_thread, .arg = kept };
    kept->opener = pthread_self();
    CHECK_EQ(weir_timer_create(&kept->timer, &opts), 0);
    CHECK_EQ(weir_scope_open(&scope, NULL), 0);
    CHECK_EQ(weir_go(wait_for_byte, kept), 0);
    CHECK_EQ(weir_yield(), 0); /* it waits */
    CHECK_EQ(weir_go(keep_thread, kept), 0);
    CHECK_EQ(weir_scope_close(scope, WEIR_NO_DEADLINE), 0);
    while (peek(&kept->fired) == 0)
        CHECK_EQ(weir_sleep(weir_in_ms(1)), 0);
    weir_timer_destroy(kept->timer);
    return 0;
}

static void no_code_of_the_user_runs_on_the_monitor(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct kept kept = { .read_end = ends[0], .write_end = ends[1] };
    const struct weir_opts opts = { .scheduler = WEIR_SCHEDULER_LOOP, .watch_handlers = true };
    run_body_with(&opts, keep_and_see, &kept);
    assert_int_equal(kept.fired, 1);
    assert_int_equal(kept.fired_elsewhere, 0);
    assert_int_equal(kept.woken, 1);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hog_on_every_worker_does_not_stop_a_light_task),
        cmocka_unit_test(sixty_four_hogs_are_bounded_and_all_end),
        cmocka_unit_test(hogs_that_have_not_started_cost_no_threads),
        cmocka_unit_test(hogs_that_have_started_are_bounded_by_threads_max),
        cmocka_unit_test(a_blocked_loop_is_reported_with_task_and_site),
        cmocka_unit_test(no_code_of_the_user_runs_on_the_monitor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
