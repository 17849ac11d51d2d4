/* SPDX-License-Identifier: MIT */
/* The blocking pool by itself, from plain threads and without a runtime: every job runs once or not
 * at all, threads are bounded, idle ones end, and a submission that meets an ending thread is
 * served. */
#include "weir/pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/process.h"
#include "pool/post.h"
#include "support/run.h"

static weir_pool *make(int threads_max, int waiting_max, int64_t idle_ns)
{
    weir_pool *pool;
    const struct weir_pool_opts opts = { .threads_max = threads_max,
                                         .waiting_max = waiting_max,
                                         .idle_ns = idle_ns };
    CHECK_EQ(weir_pool_create(&pool, &opts), 0);
    return pool;
}

static int threads_now(void)
{
    struct wi_process_usage usage;
    CHECK_EQ(wi_process_usage(wi_process_id(), &usage), 0);
    return usage.threads;
}

struct crowd {
    weir_pool *pool;
    int64_t deadline_ns; /* 0: none */
    int calls;
    int ran;
    int done;
    int refused;
    int inside;
    int most_inside;
};

static void work(void *arg)
{
    struct crowd *crowd = arg;
    const int inside = bump(&crowd->inside);
    if (inside > peek(&crowd->most_inside))
        post(&crowd->most_inside, inside);
    bump(&crowd->ran);
    __atomic_sub_fetch(&crowd->inside, 1, __ATOMIC_SEQ_CST);
}

static void *call_many(void *arg)
{
    struct crowd *crowd = arg;
    for (int i = 0; i < crowd->calls; i++) {
        const weir_time deadline =
            crowd->deadline_ns > 0 ? weir_in_ns(i % crowd->deadline_ns) : WEIR_NO_DEADLINE;
        const int rc = weir_blocking(crowd->pool, work, crowd, deadline);
        CHECK(rc == 0 || rc == WEIR_ETIMEDOUT || rc == WEIR_EOVERFLOW);
        bump(rc == 0 ? &crowd->done : &crowd->refused);
    }
    return NULL;
}

enum {
    CALLERS = 4
};

static void crowd_runs(struct crowd *crowd)
{
    pthread_t threads[CALLERS];
    for (int i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_many, crowd), 0);
    for (int i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(crowd->done + crowd->refused, CALLERS * crowd->calls);
    assert_int_equal(crowd->ran, crowd->done); /* refused means never started */
    weir_pool_destroy(crowd->pool);
}

static void every_call_runs_its_function_once_on_a_bounded_crew(void **state)
{
    (void)state;
    struct crowd crowd = { .pool = make(2, 100, 0), .calls = 1000 };
    crowd_runs(&crowd);
    assert_int_equal(crowd.refused, 0);
    assert_in_range(crowd.most_inside, 1, 2);
}

static void deadlines_race_the_start_of_a_job_fairly(void **state)
{
    (void)state;
    struct crowd crowd = { .pool = make(1, 100, 0), .calls = 2000, .deadline_ns = 30000 };
    crowd_runs(&crowd);
    assert_true(crowd.done > 0);
}

static void a_short_line_refuses_and_runs_the_rest(void **state)
{
    (void)state;
    struct crowd crowd = { .pool = make(1, 1, 0), .calls = 1000 };
    crowd_runs(&crowd);
    assert_true(crowd.done > 0);
}

/* Idle threads end after a few microseconds here, so that submissions meet them all the time. */
static void a_job_that_meets_an_ending_thread_is_served(void **state)
{
    (void)state;
    struct crowd crowd = { .pool = make(2, 100, 3000), .calls = 1500 };
    crowd_runs(&crowd);
    assert_int_equal(crowd.refused, 0);
}

static void idle_threads_end_and_destroy_leaves_none(void **state)
{
    (void)state;
    const int before = threads_now();
    struct crowd crowd = { .pool = make(4, 100, WEIR_NS_PER_MS) };
    CHECK_EQ(weir_blocking(crowd.pool, work, &crowd, WEIR_NO_DEADLINE), 0);
    while (threads_now() > before)
        (void)weir_sleep(weir_in_ms(1));
    CHECK_EQ(weir_blocking(crowd.pool, work, &crowd, WEIR_NO_DEADLINE), 0);
    weir_pool_destroy(crowd.pool);
    assert_int_equal(threads_now(), before);
    assert_int_equal(crowd.ran, 2);
}

static void do_nothing(void *arg)
{
    (void)arg;
}

static void blocking_in_a_forked_child(void)
{
    _exit(weir_blocking(NULL, do_nothing, NULL, WEIR_NO_DEADLINE) == WEIR_EFORKED ? 0 : 1);
}

static void a_forked_child_has_none_of_the_threads(void **state)
{
    (void)state;
    char text[256];
    assert_int_equal(weir_blocking(NULL, do_nothing, NULL, WEIR_NO_DEADLINE), 0);
    assert_int_equal(run_in_child(blocking_in_a_forked_child, text, sizeof(text)), 0);
}

/* -- numbers ----------------------------------------------------------------------------------- */

static struct weir_pool_stats stats_of(weir_pool *pool)
{
    struct weir_pool_stats stats = { .size = sizeof(stats) };
    weir_pool_stats_read(pool, &stats);
    return stats;
}

struct gated {
    weir_pool *pool;
    int gate[2];
    int number; /* of the caller */
    int *order; /* NULL: nobody asks */
    int *place; /* where in `order` the next goes */
};

static void pass_gate(void *arg)
{
    struct gated *gated = arg;
    char byte;
    CHECK_EQ(read(gated->gate[0], &byte, 1), 1);
    if (gated->order != NULL)
        gated->order[bump(gated->place) - 1] = gated->number;
}

static void *call_gated(void *arg)
{
    struct gated *gated = arg;
    CHECK_EQ(weir_blocking(gated->pool, pass_gate, gated, WEIR_NO_DEADLINE), 0);
    return NULL;
}

static void await_stats(weir_pool *pool, int64_t running, int64_t waiting)
{
    struct weir_pool_stats stats;
    while ((stats = stats_of(pool)).running != running || stats.waiting != waiting)
        (void)weir_sleep(weir_in_ms(1));
}

/* One runs, one waits, a third is refused and a fourth gives up. */
static void the_numbers_say_what_runs_and_waits_and_what_became_of_the_rest(void **state)
{
    (void)state;
    struct gated gated = { .pool = make(1, 1, 0) };
    pthread_t threads[2];
    assert_int_equal(pipe(gated.gate), 0);
    assert_int_equal(stats_of(gated.pool).threads, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, call_gated, &gated), 0);
        await_stats(gated.pool, 1, i);
    }
    assert_int_equal(stats_of(gated.pool).threads, 1);
    assert_int_equal(weir_blocking(gated.pool, do_nothing, NULL, WEIR_NO_DEADLINE), WEIR_EOVERFLOW);
    assert_int_equal(stats_of(gated.pool).rejected, 1);
    assert_int_equal(stats_of(gated.pool).done, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(write(gated.gate[1], "x", 1), 1);
        await_stats(gated.pool, i == 0, 0);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(pthread_create(&threads[0], NULL, call_gated, &gated), 0);
    await_stats(gated.pool, 1, 0);
    assert_int_equal(weir_blocking(gated.pool, do_nothing, NULL, weir_in_ms(1)), WEIR_ETIMEDOUT);
    const struct weir_pool_stats stats = stats_of(gated.pool);
    assert_int_equal(stats.done, 2);
    assert_int_equal(stats.withdrawn, 1);
    assert_int_equal(stats.rejected, 1);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(write(gated.gate[1], "x", 1), 1);
    assert_int_equal(pthread_join(threads[0], NULL), 0);
    weir_pool_destroy(gated.pool);
    close(gated.gate[0]);
    close(gated.gate[1]);
}

static void the_runtime_s_own_pool_has_numbers_too(void **state)
{
    (void)state;
    const int64_t before = stats_of(NULL).done;
    assert_int_equal(weir_blocking(NULL, do_nothing, NULL, WEIR_NO_DEADLINE), 0);
    assert_int_equal(stats_of(NULL).done, before + 1);
}

enum {
    LINE = 8
};

static void jobs_begin_in_the_order_of_their_calls(void **state)
{
    (void)state;
    weir_pool *pool = make(1, LINE, 0);
    struct gated gated[LINE];
    pthread_t threads[LINE];
    int gate[2];
    int order[LINE];
    int place = 0;
    assert_int_equal(pipe(gate), 0);
    for (int i = 0; i < LINE; i++) {
        gated[i] = (struct gated){ .pool = pool, .number = i, .order = order, .place = &place };
        memcpy(gated[i].gate, gate, sizeof(gate));
        assert_int_equal(pthread_create(&threads[i], NULL, call_gated, &gated[i]), 0);
        await_stats(pool, 1, i);
    }
    for (int i = 0; i < LINE; i++)
        assert_int_equal(write(gate[1], "x", 1), 1);
    for (int i = 0; i < LINE; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < LINE; i++)
        assert_int_equal(order[i], i);
    weir_pool_destroy(pool);
    close(gate[0]);
    close(gate[1]);
}

/* -- the end ----------------------------------------------------------------------------------- */

static void destroy_under_way(void)
{
    struct gated gated = { .pool = make(1, 4, 0) };
    pthread_t threads[2];
    CHECK_EQ(pipe(gated.gate), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, call_gated, &gated), 0);
        await_stats(gated.pool, 1, i);
    }
    weir_pool_destroy(gated.pool);
}

static void to_destroy_it_under_way_aborts_with_the_numbers(void **state)
{
    (void)state;
    if (built_with_thread_sanitizer()) {
        printf("SKIP: under ThreadSanitizer a child of several threads can start none\n");
        skip();
    }
    char text[512];
    assert_int_equal(run_in_child(destroy_under_way, text, sizeof(text)), 128 + SIGABRT);
    assert_non_null(strstr(text, "weir_pool_destroy"));
    assert_non_null(strstr(text, "in line 1, running 1"));
}

static weir_pool *of_the_parent;

static void destroy_in_a_forked_child(void)
{
    const struct weir_pool_stats stats = stats_of(of_the_parent);
    if (stats.threads != 0 || stats.done != 0)
        _exit(1);
    weir_pool_destroy(of_the_parent);
    _exit(0);
}

static void a_forked_child_may_destroy_its_copy(void **state)
{
    (void)state;
    char text[256];
    of_the_parent = make(2, 4, 0);
    assert_int_equal(weir_blocking(of_the_parent, do_nothing, NULL, WEIR_NO_DEADLINE), 0);
    assert_int_equal(run_in_child(destroy_in_a_forked_child, text, sizeof(text)), 0);
    assert_int_equal(stats_of(of_the_parent).done, 1);
    weir_pool_destroy(of_the_parent);
}

struct posted {
    int ran;
    int gate[2]; /* a pipe that the jobs read from */
};

static void run_posted(void *arg)
{
    struct posted *posted = arg;
    char byte;
    CHECK_EQ(read(posted->gate[0], &byte, 1), 1);
    bump(&posted->ran);
}

static void what_is_posted_runs_once_though_nobody_waits(void **state)
{
    (void)state;
    weir_pool *pool = make(2, 3, 0);
    struct posted posted = { .ran = 0 };
    CHECK_EQ(pipe(posted.gate), 0);
    /* Two at most run, and three wait. */
    int accepted = 0;
    while (wi_pool_post(pool, run_posted, &posted) == 0)
        accepted++;
    CHECK(accepted >= 3 && accepted <= 5);
    CHECK_EQ(peek(&posted.ran), 0);
    for (int i = 0; i < accepted; i++)
        CHECK_EQ(write(posted.gate[1], "x", 1), 1);
    struct weir_pool_stats stats = { .size = sizeof(stats) };
    do
        weir_pool_stats_read(pool, &stats);
    while (stats.done < accepted);
    CHECK_EQ(peek(&posted.ran), accepted);
    CHECK_EQ(stats.rejected, 1);
    CHECK_EQ(stats.waiting + stats.running, 0);
    weir_pool_destroy(pool);
    CHECK_EQ(close(posted.gate[0]), 0);
    CHECK_EQ(close(posted.gate[1]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_runs_its_function_once_on_a_bounded_crew),
        cmocka_unit_test(deadlines_race_the_start_of_a_job_fairly),
        cmocka_unit_test(a_short_line_refuses_and_runs_the_rest),
        cmocka_unit_test(a_job_that_meets_an_ending_thread_is_served),
        cmocka_unit_test(idle_threads_end_and_destroy_leaves_none),
        cmocka_unit_test(a_forked_child_has_none_of_the_threads),
        cmocka_unit_test(the_numbers_say_what_runs_and_waits_and_what_became_of_the_rest),
        cmocka_unit_test(the_runtime_s_own_pool_has_numbers_too),
        cmocka_unit_test(jobs_begin_in_the_order_of_their_calls),
        cmocka_unit_test(to_destroy_it_under_way_aborts_with_the_numbers),
        cmocka_unit_test(a_forked_child_may_destroy_its_copy),
        cmocka_unit_test(what_is_posted_runs_once_though_nobody_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
