/* SPDX-License-Identifier: MIT */
/* The blocking pool where the system gives it no thread: whoever calls is told so, and nobody waits
 * for a thread that another hoped for.
 *
 * There is no memory for stacks, since the process has all the address space that it may have.  A
 * program of its own: stacks of threads that have ended would be used again. */
#include "weir/pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "support/run.h"

enum {
    CALLERS = 4,
    CALLS = 500,
    POOLS = 2
};

struct world {
    weir_pool *pools[POOLS];
    pthread_barrier_t together;
    int ran; /* atomic */
};

static void run_in_pool(void *arg)
{
    bump(arg);
}

static void meet(struct world *world)
{
    const int met = pthread_barrier_wait(&world->together);
    CHECK(met == 0 || met == PTHREAD_BARRIER_SERIAL_THREAD);
}

static void *call_in_vain(void *arg)
{
    struct world *world = arg;
    CHECK_EQ(weir_sleep(weir_in_ns(1)), 0); /* what a thread needs to wait is there from then on */
    meet(world);
    for (int i = 0; i < POOLS * CALLS; i++) {
        meet(world);
        CHECK_EQ(weir_blocking(world->pools[i / CALLS], run_in_pool, &world->ran, WEIR_NO_DEADLINE),
                 WEIR_EAGAIN);
    }
    return NULL;
}

static void set_address_space(rlim_t bytes, struct rlimit *before)
{
    CHECK_EQ(getrlimit(RLIMIT_AS, before), 0);
    const struct rlimit wanted = { .rlim_cur = bytes, .rlim_max = before->rlim_max };
    CHECK_EQ(setrlimit(RLIMIT_AS, &wanted), 0);
}

/* An emulator does not bound what it needs itself. */
static bool can_be_bounded(void)
{
    struct rlimit before;
    set_address_space(1, &before);
    void *more = malloc(64 << 20);
    CHECK_EQ(setrlimit(RLIMIT_AS, &before), 0);
    free(more);
    return more == NULL;
}

static void who_call_at_once_are_all_refused(void **state)
{
    (void)state;
    if (built_with_thread_sanitizer() || built_with_address_sanitizer() || !can_be_bounded()) {
        printf("SKIP: the address space cannot be bounded here\n");
        skip();
    }
    const struct weir_pool_opts opts[POOLS] = { { .threads_max = 1 }, { .threads_max = 16 } };
    struct world world = { .ran = 0 };
    pthread_t threads[CALLERS];
    struct rlimit before;
    CHECK_EQ(pthread_barrier_init(&world.together, NULL, CALLERS + 1), 0);
    for (int i = 0; i < POOLS; i++)
        CHECK_EQ(weir_pool_create(&world.pools[i], &opts[i]), 0);
    for (int i = 0; i < CALLERS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, call_in_vain, &world), 0);
    meet(&world);
    set_address_space(1, &before);
    for (int i = 0; i < POOLS * CALLS; i++)
        meet(&world);
    for (int i = 0; i < CALLERS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(setrlimit(RLIMIT_AS, &before), 0);
    for (int i = 0; i < POOLS; i++) {
        struct weir_pool_stats stats = { .size = sizeof(stats) };
        weir_pool_stats_read(world.pools[i], &stats);
        CHECK_EQ(stats.rejected, CALLERS * CALLS);
        CHECK_EQ(stats.threads + stats.waiting + stats.running, 0);
        CHECK_EQ(world.ran, i);
        CHECK_EQ(weir_blocking(world.pools[i], run_in_pool, &world.ran, WEIR_NO_DEADLINE), 0);
        weir_pool_destroy(world.pools[i]);
    }
    CHECK_EQ(world.ran, POOLS);
    CHECK_EQ(pthread_barrier_destroy(&world.together), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_call_at_once_are_all_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
