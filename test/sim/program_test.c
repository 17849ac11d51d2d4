/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 heavy=900
 *
 * Random programs (support/program.h) on the simulated system, each in a world of its own: one
 * thread, so the model is exact, and a seed repeats its run to the last step.  $WEIR_HEAVY asks for
 * a hundred thousand.  The programs run in a child; where one fails, the seed is tried again with
 * fewer steps, and the smallest number that still fails is told:
 *
 *     WEIR_TEST_SEED=N WEIR_TEST_STEPS=M build/release/test/sim/program_test */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/world.h"
#include "support/program.h"

enum {
    PROGRAMS = 3000,
    PROGRAMS_HEAVY = 100000,
    STEPS_MOST = 12
};

static uint64_t *seed_now; /* shared with the child: of the program that runs */

static int run_program(void *arg)
{
    program_run(arg);
    return 0;
}

static void run_one(uint64_t seed, int steps_max)
{
    const struct wi_sim_opts world = world_calm(seed);
    struct program_opts opts = { .seed = seed, .exact = true, .steps_max = steps_max };
    (void)world_run(&world, run_program, &opts);
}

/* Runs `count` programs from `seed` in a child; whether all passed. */
static bool pass_in_child(uint64_t seed, int count, int steps_max, bool quiet)
{
    fflush(NULL);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (quiet)
            IGNORE(freopen("/dev/null", "w", stderr) == NULL);
        for (int i = 0; i < count; i++) {
            *seed_now = seed + (uint64_t)i;
            run_one(*seed_now, steps_max);
        }
        _exit(0);
    }
    int status = 0;
    CHECK_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void tell_shortest(uint64_t seed)
{
    int steps = STEPS_MOST;
    while (steps > 1 && !pass_in_child(seed, 1, steps - 1, true))
        steps--;
    fail_msg("WEIR_TEST_SEED=%llu WEIR_TEST_STEPS=%d", (unsigned long long)seed, steps);
}

static int steps_wanted(void)
{
    const char *text = getenv("WEIR_TEST_STEPS");
    return text != NULL ? atoi(text) : 0;
}

static void programs_keep_to_the_model(void **state)
{
    (void)state;
    const uint64_t seed = test_seed();
    if (getenv("WEIR_TEST_SEED") != NULL) {
        run_one(seed, steps_wanted());
        return;
    }
    const int count = getenv("WEIR_HEAVY") != NULL ? PROGRAMS_HEAVY : PROGRAMS;
    seed_now =
        mmap(NULL, sizeof(*seed_now), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(seed_now != MAP_FAILED);
    const int64_t begin = world_real_ns();
    if (!pass_in_child(seed, count, 0, false))
        tell_shortest(*seed_now);
    printf("%d programs, %lld a second\n", count,
           (long long)(count * WEIR_NS_PER_S / (world_real_ns() - begin)));
}

static void a_seed_repeats_its_run(void **state)
{
    (void)state;
    const uint64_t seed = test_seed();
    for (uint64_t i = 0; i < 20; i++) {
        const struct wi_sim_opts world = world_calm(seed + i);
        struct program_opts opts = { .seed = seed + i, .exact = true };
        const uint64_t first = world_run(&world, run_program, &opts);
        const uint64_t second = world_run(&world, run_program, &opts);
        CHECK_EQ(first, second);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_keep_to_the_model),
        cmocka_unit_test(a_seed_repeats_its_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
