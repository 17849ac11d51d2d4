/* SPDX-License-Identifier: MIT */
/* Seeds differ. */
#include "os/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void a_hundred_seeds_are_a_hundred_numbers(void **state)
{
    (void)state;
    uint64_t seeds[100];
    for (int i = 0; i < 100; i++) {
        seeds[i] = wi_random_seed();
        for (int j = 0; j < i; j++)
            assert_true(seeds[i] != seeds[j]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_hundred_seeds_are_a_hundred_numbers) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
