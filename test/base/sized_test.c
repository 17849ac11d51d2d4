/* SPDX-License-Identifier: MIT */
/* Options and numbers between a program and a library of different versions: what one side does not
 * know is zero to the other, and nothing is written behind a caller's shorter struct. */
#include "base/sized.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct old {
    size_t size;
    int64_t first;
};

struct present {
    size_t size;
    int64_t first;
    int64_t second;
};

struct future {
    size_t size;
    int64_t first;
    int64_t second;
    int64_t third;
};

static void nothing_given_is_all_zero(void **state)
{
    (void)state;
    const struct present zero = { 0 };
    struct present own;
    memset(&own, 0xa5, sizeof(own));
    assert_int_equal(wi_sized_take(&own, sizeof(own), NULL), 0);
    assert_memory_equal(&own, &zero, sizeof(own));
}

static void a_size_of_zero_counts_as_the_present_one(void **state)
{
    (void)state;
    const struct present given = { .first = 1, .second = 2 };
    struct present own;
    assert_int_equal(wi_sized_take(&own, sizeof(own), &given), 0);
    assert_int_equal(own.first, 1);
    assert_int_equal(own.second, 2);
}

static void what_an_older_caller_lacks_is_zero(void **state)
{
    (void)state;
    struct {
        struct old given;
        int64_t behind;
    } caller = { { .size = sizeof(struct old), .first = 1 }, -1 };
    struct present own;
    assert_int_equal(wi_sized_take(&own, sizeof(own), &caller.given), 0);
    assert_int_equal(own.first, 1);
    assert_int_equal(own.second, 0);
}

static void a_newer_caller_is_refused_only_if_it_asks_for_more(void **state)
{
    (void)state;
    struct future given = { .size = sizeof(given), .first = 1, .second = 2 };
    struct present own;
    assert_int_equal(wi_sized_take(&own, sizeof(own), &given), 0);
    assert_int_equal(own.second, 2);
    given.third = 3;
    assert_int_equal(wi_sized_take(&own, sizeof(own), &given), WEIR_EINVAL);
    given.size = SIZE_MAX; /* was never set: what lies behind is not even looked at */
    assert_int_equal(wi_sized_take(&own, sizeof(own), &given), WEIR_EINVAL);
}

static void nothing_is_written_behind_a_shorter_struct(void **state)
{
    (void)state;
    const struct present own = { .size = sizeof(own), .first = 1, .second = 2 };
    struct {
        struct old out;
        int64_t behind;
    } caller = { { .size = sizeof(struct old) }, -1 };
    wi_sized_give(&caller.out, &own, sizeof(own));
    assert_int_equal(caller.out.size, sizeof(struct old));
    assert_int_equal(caller.out.first, 1);
    assert_int_equal(caller.behind, -1);
}

static void a_longer_struct_is_told_how_much_is_known(void **state)
{
    (void)state;
    const struct present own = { .size = sizeof(own), .first = 1, .second = 2 };
    struct future out = { .size = sizeof(out), .third = -1 };
    wi_sized_give(&out, &own, sizeof(own));
    assert_int_equal(out.size, sizeof(own));
    assert_int_equal(out.second, 2);
    assert_int_equal(out.third, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_given_is_all_zero),
        cmocka_unit_test(a_size_of_zero_counts_as_the_present_one),
        cmocka_unit_test(what_an_older_caller_lacks_is_zero),
        cmocka_unit_test(a_newer_caller_is_refused_only_if_it_asks_for_more),
        cmocka_unit_test(nothing_is_written_behind_a_shorter_struct),
        cmocka_unit_test(a_longer_struct_is_told_how_much_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
