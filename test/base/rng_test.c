/* SPDX-License-Identifier: MIT */
/* The random sequence: known values, bounds, and that it is spread evenly. */
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The first values that the authors' splitmix64 gives for the state 1234567. */
static void splitmix_gives_the_published_values(void **state)
{
    (void)state;
    uint64_t seed = 1234567;
    assert_true(wi_rng_split(&seed) == UINT64_C(6457827717110365317));
    assert_true(wi_rng_split(&seed) == UINT64_C(3203168211198807973));
    assert_true(wi_rng_split(&seed) == UINT64_C(9817491932198370423));
}

/* By hand from the definition, for the state 1, 2, 3, 4. */
static void xoshiro_follows_its_definition(void **state)
{
    (void)state;
    struct wi_rng rng = { { 1, 2, 3, 4 } };
    assert_true(wi_rng_next(&rng) == 11520);
    assert_true(wi_rng_next(&rng) == 0);
    assert_true(wi_rng_next(&rng) == 1509978240);
}

static void the_same_seed_gives_the_same_sequence(void **state)
{
    (void)state;
    struct wi_rng a;
    struct wi_rng b;
    struct wi_rng c;
    wi_rng_init(&a, 0);
    wi_rng_init(&b, 0);
    wi_rng_init(&c, 1);
    int equal = 0;
    for (int i = 0; i < 1000; i++) {
        const uint64_t next = wi_rng_next(&a);
        assert_true(next == wi_rng_next(&b));
        equal += next == wi_rng_next(&c);
    }
    assert_int_equal(equal, 0);
}

static void bounded_numbers_stay_below_and_are_even(void **state)
{
    (void)state;
    enum {
        SIDES = 6,
        THROWS = 60000
    };
    struct wi_rng rng;
    wi_rng_init(&rng, 7);
    int seen[SIDES] = { 0 };
    for (int i = 0; i < THROWS; i++) {
        const uint32_t side = wi_rng_below(&rng, SIDES);
        assert_true(side < SIDES);
        seen[side]++;
        const double unit = wi_rng_unit(&rng);
        assert_true(unit >= 0.0);
        assert_true(unit < 1.0);
    }
    for (int i = 0; i < SIDES; i++)
        assert_in_range(seen[i], THROWS / SIDES - 500, THROWS / SIDES + 500); /* 5 sigma */
    assert_int_equal(wi_rng_below(&rng, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splitmix_gives_the_published_values),
        cmocka_unit_test(xoshiro_follows_its_definition),
        cmocka_unit_test(the_same_seed_gives_the_same_sequence),
        cmocka_unit_test(bounded_numbers_stay_below_and_are_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
