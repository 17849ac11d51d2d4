/* SPDX-License-Identifier: MIT */
/* The blocking pool by itself, from plain threads and without a runtime: every job runs once or not
 * at all, threads are bounded, idle ones end, and a submission that meets an ending thread is
 * served. */
#include "weir/pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/process.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_runs_its_function_once_on_a_bounded_crew),
        cmocka_unit_test(deadlines_race_the_start_of_a_job_fairly),
        cmocka_unit_test(a_short_line_refuses_and_runs_the_rest),
        cmocka_unit_test(a_job_that_meets_an_ending_thread_is_served),
        cmocka_unit_test(idle_threads_end_and_destroy_leaves_none),
        cmocka_unit_test(a_forked_child_has_none_of_the_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
