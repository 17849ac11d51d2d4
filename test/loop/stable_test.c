/* SPDX-License-Identifier: MIT */
/* Type-stable pools: a record that comes back is the same memory with the same bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/stable.h"

struct record {
    uint64_t words[8];
};

static void records_are_zero_at_first_and_keep_their_bytes(void **state)
{
    (void)state;
    static struct wi_stable pool = WI_STABLE_INIT(struct record, 2);
    void *first = NULL, *second = NULL, *third = NULL;
    assert_int_equal(wi_stable_made(&pool), 0);
    assert_int_equal(wi_stable_take(&pool, &first), 0);
    assert_int_equal(((struct record *)first)->words[7], 0);
    assert_int_equal(wi_stable_take(&pool, &second), 0);
    assert_int_equal(wi_stable_take(&pool, &third), WEIR_EOVERFLOW);
    ((struct record *)first)->words[7] = 42;
    wi_stable_give(&pool, first);
    assert_int_equal(((struct record *)first)->words[7], 42);
    assert_int_equal(wi_stable_take(&pool, &third), 0);
    assert_ptr_equal(third, first);
    assert_int_equal(((struct record *)third)->words[7], 42);
    assert_int_equal(wi_stable_made(&pool), 2);
    assert_ptr_equal(wi_stable_at(&pool, 0), first);
    assert_ptr_equal(wi_stable_at(&pool, 1), second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_zero_at_first_and_keep_their_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
