/* SPDX-License-Identifier: MIT */
/* Random programs of everything that waits, checked against a model: see support/program.h.  Under
 * `loop` the model is exact; where actors run at once, and some are plain OS threads, what they saw
 * must fit together.  A failure prints its seed; WEIR_TEST_SEED=N runs that program alone. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/program.h"
#include "support/run.h"

enum {
    PROGRAMS = 300
};

static char seed_text[64]; /* written before each program, read by the handler */

static void tell_seed(int signal_number)
{
    const ssize_t put = write(STDERR_FILENO, seed_text, strlen(seed_text));
    (void)put;
    (void)signal(signal_number, SIG_DFL);
}

static void run_one(uint64_t seed, bool outsiders)
{
    (void)snprintf(seed_text, sizeof(seed_text), "the program of WEIR_TEST_SEED=%llu\n",
                   (unsigned long long)seed);
    (void)signal(SIGABRT, tell_seed);
    const struct program_opts opts = {
        .seed = seed,
        .exact = !outsiders && !model_is_parallel(),
        .outsiders = outsiders,
    };
    program_run(&opts);
}

static void run_many(bool outsiders)
{
    const uint64_t seed = test_seed();
    if (getenv("WEIR_TEST_SEED") != NULL) {
        run_one(seed, outsiders);
        return;
    }
    const int more = getenv("WEIR_HEAVY") != NULL ? 20 : 1;
    const int count = more * (built_with_thread_sanitizer() ? PROGRAMS / 10 : PROGRAMS);
    for (int i = 0; i < count; i++)
        run_one(seed + (uint64_t)i, outsiders);
}

RUN(programs_of_tasks_keep_to_the_model)
{
    run_many(false);
    return 0;
}

RUN(programs_of_tasks_and_threads_keep_to_the_model)
{
    run_many(true);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_of_tasks_keep_to_the_model),
        cmocka_unit_test(programs_of_tasks_and_threads_keep_to_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
