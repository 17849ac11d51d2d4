/* SPDX-License-Identifier: MIT */
/* Spawn storms from tasks and plain threads at once, with stealing, nested scopes that are canceled
 * while they grow, and joins; every task that was accepted runs exactly once and ends before its
 * scope closes.
 *
 * ctest: timeout=300 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/run.h"

enum {
    THREADS = 3,
    ROUNDS_MAX = 200,
    LIVE_MAX = 2000
};

static const int64_t TIME_NS = 3 * WEIR_NS_PER_S;

struct storm {
    uint64_t seed; /* atomic */
    int accepted;
    int ran;
    int refused;
    int budget; /* atomic: how many more tasks may be started */
    bool fails; /* some tasks return errors, which cancels their siblings */
};

static bool take_budget(struct storm *storm)
{
    return __atomic_fetch_sub(&storm->budget, 1, __ATOMIC_RELAXED) > 0;
}

static uint64_t own_seed(struct storm *storm)
{
    uint64_t seed = __atomic_add_fetch(&storm->seed, 0x9e3779b9, __ATOMIC_RELAXED);
    return draw(&seed);
}

static int grow(void *arg);

static void spawn_some(struct storm *storm, uint64_t *seed, int count)
{
    for (int i = 0; i < count && take_budget(storm); i++) {
        /* Counted before, since the child may be faster than its parent. */
        bump(&storm->accepted);
        const int rc = weir_go(grow, storm, .blocking = draw_below(seed, 40) == 0);
        if (rc == 0)
            continue;
        __atomic_sub_fetch(&storm->accepted, 1, __ATOMIC_SEQ_CST);
        CHECK(rc == WEIR_ECANCELED || rc == WEIR_EOVERFLOW || rc == WEIR_EAGAIN);
        bump(&storm->refused);
    }
}

static int grow(void *arg)
{
    struct storm *storm = arg;
    uint64_t seed = own_seed(storm);
    bump(&storm->ran);
    if (draw_below(&seed, 4) == 0) {
        weir_scope *scope;
        CHECK_EQ(weir_scope_open(&scope, NULL), 0);
        const int before = draw_below(&seed, 4);
        spawn_some(storm, &seed, before);
        if (draw_below(&seed, 3) == 0)
            weir_scope_cancel(scope, WEIR_EPERM);
        spawn_some(storm, &seed, 2);
        const weir_time deadline =
            draw_below(&seed, 2) == 0 ? WEIR_NO_DEADLINE : weir_in_ns(draw_below(&seed, 200000));
        IGNORE(weir_scope_close(scope, deadline));
    } else {
        spawn_some(storm, &seed, draw_below(&seed, 4));
    }
    switch (draw_below(&seed, 4)) {
    case 0:
        (void)weir_yield();
        break;
    case 1:
        (void)weir_sleep(weir_in_ns(draw_below(&seed, 100000)));
        break;
    default:
        break;
    }
    return storm->fails && draw_below(&seed, 50) == 0 ? WEIR_EIO : 0;
}

static int body(void *arg)
{
    struct storm *storm = arg;
    uint64_t seed = own_seed(storm);
    for (int i = 0; i < 10; i++) {
        weir_task *task;
        spawn_some(storm, &seed, 20);
        bump(&storm->accepted);
        CHECK_EQ(weir_task_start(&task, grow, storm), 0);
        int result = 1;
        CHECK_EQ(weir_task_join(task, &result, WEIR_NO_DEADLINE), 0);
        CHECK(result == 0 || result == WEIR_EIO);
    }
    return 0;
}

static void *storm_on_thread(void *arg)
{
    struct storm *storm = arg;
    uint64_t seed = own_seed(storm);
    for (int i = 0; i < 30; i++) {
        weir_scope *scope;
        CHECK_EQ(weir_scope_open(&scope, NULL), 0);
        spawn_some(storm, &seed, 5);
        IGNORE(weir_scope_close(scope, WEIR_NO_DEADLINE));
        spawn_some(storm, &seed, 2);
    }
    return NULL;
}

/* Under `loop` the opener turns while it waits for the body, and the threads wait for tasks: so the
 * body is joined last of all by the one that turns. */
static int wait_for_threads(void *arg)
{
    int *ended = arg;
    await(ended, THREADS);
    return 0;
}

struct thread_run {
    struct storm *storm;
    int *ended;
};

static void *run_thread(void *arg)
{
    struct thread_run *run = arg;
    (void)storm_on_thread(run->storm);
    bump(run->ended);
    return NULL;
}

static void one_storm(enum weir_scheduler scheduler, int workers, struct storm *storm)
{
    const struct weir_opts opts = { .scheduler = scheduler, .workers = workers };
    pthread_t threads[THREADS];
    int ended = 0;
    struct thread_run run = { .storm = storm, .ended = &ended };
    runtime_open(&opts);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, run_thread, &run), 0);
    int result = 1;
    CHECK_EQ(weir_run(body, storm, &result), 0);
    CHECK_EQ(result, 0);
    CHECK_EQ(weir_run(wait_for_threads, &ended, &result), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    runtime_close(); /* the root scope's tasks end here */
    CHECK_EQ(storm->ran, storm->accepted);
}

static void storms(enum weir_scheduler scheduler)
{
    const weir_time until = weir_now() + TIME_NS;
    uint64_t seed = test_seed() + scheduler;
    int rounds = 0;
    int64_t ran = 0;
    while (rounds < ROUNDS_MAX && weir_now() < until) {
        struct storm storm = { .seed = draw(&seed), .budget = LIVE_MAX, .fails = rounds % 2 == 1 };
        one_storm(scheduler, 1 + rounds % 4, &storm);
        ran += storm.ran;
        rounds++;
    }
    printf("%d storms, %lld tasks\n", rounds, (long long)ran);
    CHECK(ran > rounds * 100);
}

static void under_loop(void **state)
{
    (void)state;
    storms(WEIR_SCHEDULER_LOOP);
}

static void under_tasks(void **state)
{
    (void)state;
    storms(WEIR_SCHEDULER_TASKS);
}

static void under_threads(void **state)
{
    (void)state;
    storms(WEIR_SCHEDULER_THREADS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(under_loop),
        cmocka_unit_test(under_tasks),
        cmocka_unit_test(under_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
