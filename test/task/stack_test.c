/* SPDX-License-Identifier: MIT */
/* The stack pool: classes, guards that fault, colours, canaries, trimming; also on old kernels. */
#include "task/stack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "os/process.h"
#include "os/vm.h"
#include "support/run.h"

static struct wi_stack *take(size_t bytes)
{
    struct wi_stack *stack;
    CHECK_EQ(wi_stack_take(NULL, bytes, &stack), 0);
    return stack;
}

static int open_pool(void **state)
{
    (void)state;
    wi_stack_pool_open(0);
    return 0;
}

static int close_pool(void **state)
{
    (void)state;
    wi_stack_pool_close();
    wi_os_force_old_kernel(false);
    return 0;
}

static void a_stack_has_the_bytes_that_were_asked_for(void **state)
{
    (void)state;
    const size_t wanted[] = { 0, 1, 16384, 16385, 65536, 65537, 1 << 20, (size_t)1 << 26 };
    const size_t expected[] = {
        65536, 16384, 16384, 32768, 65536, 131072, 1 << 20, (size_t)1 << 26
    };
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        struct wi_stack *stack = take(wanted[i]);
        assert_int_equal(wi_stack_bytes(stack), expected[i]);
        /* Both ends are there. */
        stack->low[sizeof(uint64_t)] = 1;
        stack->low[expected[i] - 1] = 1;
        wi_stack_give(NULL, stack);
    }
}

static void stacks_do_not_overlap(void **state)
{
    (void)state;
    enum {
        COUNT = 100
    };
    struct wi_stack *stacks[COUNT];
    for (int i = 0; i < COUNT; i++) {
        stacks[i] = take(16384);
        memset(stacks[i]->low + 8, i, 16384 - 8);
    }
    for (int i = 0; i < COUNT; i++) {
        for (size_t at = 8; at < 16384; at += 511)
            assert_int_equal(stacks[i]->low[at], i);
        wi_stack_give(NULL, stacks[i]);
    }
}

static void given_stacks_are_taken_again(void **state)
{
    (void)state;
    struct wi_stack *first = take(0);
    const int64_t mapped = wi_stack_count_mapped();
    const int64_t in_use = wi_stack_count_in_use();
    wi_stack_give(NULL, first);
    assert_int_equal(wi_stack_count_in_use(), in_use - 1);
    for (int i = 0; i < 1000; i++) {
        struct wi_stack *again = take(0);
        assert_ptr_equal(again, first);
        wi_stack_give(NULL, again);
    }
    assert_int_equal(wi_stack_count_mapped(), mapped);
}

static void a_cache_keeps_default_stacks_up_to_its_bound(void **state)
{
    (void)state;
    enum {
        COUNT = WI_STACK_CACHE_MAX + 10
    };
    struct wi_stack_cache cache = { .first = NULL };
    struct wi_stack *stacks[COUNT];
    for (int i = 0; i < COUNT; i++)
        stacks[i] = take(0);
    for (int i = 0; i < COUNT; i++)
        wi_stack_give(&cache, stacks[i]);
    assert_int_equal(cache.count, WI_STACK_CACHE_MAX);
    struct wi_stack *big = take(1 << 20);
    const int64_t in_use = wi_stack_count_in_use();
    wi_stack_give(&cache, big); /* not of the default class: to the pool */
    assert_int_equal(wi_stack_count_in_use(), in_use - 1);
    struct wi_stack *again;
    assert_int_equal(wi_stack_take(&cache, 0, &again), 0);
    assert_int_equal(cache.count, WI_STACK_CACHE_MAX - 1);
    assert_int_equal(wi_stack_take(&cache, 1 << 20, &again), 0);
    assert_ptr_equal(again, big);
    assert_int_equal(cache.count, WI_STACK_CACHE_MAX - 1);
}

/* Tasks in a row begin at different cache sets, aligned, within 2 KiB of the end. */
static void starts_are_coloured_by_task_number(void **state)
{
    (void)state;
    struct wi_stack *stack = take(16384);
    const uint8_t *high = stack->low + wi_stack_bytes(stack);
    bool seen[32] = { false };
    for (uint64_t number = 1; number <= 32; number++) {
        const uint8_t *start = wi_stack_start(stack, number);
        assert_int_equal((uintptr_t)start % 16, 0);
        assert_in_range(high - start, 0, 2047);
        const size_t colour = (size_t)(high - start) / 64;
        assert_false(seen[colour]);
        seen[colour] = true;
    }
    wi_stack_give(NULL, stack);
}

/* -- guards ------------------------------------------------------------------------------------ */

static void touch_below(size_t bytes)
{
    struct wi_stack *stack = take(bytes);
    volatile uint8_t *below = stack->low - 1;
    *below = 1;
}

static void touch_below_small(void)
{
    wi_stack_pool_open(0);
    touch_below(16384);
}

static void touch_below_default(void)
{
    wi_stack_pool_open(0);
    touch_below(0);
}

static void touch_guards_far_end(void)
{
    wi_stack_pool_open(0);
    struct wi_stack *stack = take(0);
    volatile uint8_t *far = stack->low - WI_STACK_GUARD_BYTES;
    if (wi_stack_guards(stack, (const void *)far))
        *far = 1;
}

static void touch_below_on_an_old_kernel(void)
{
    wi_os_force_old_kernel(true);
    wi_stack_pool_open(0);
    if (strcmp(wi_stack_guard_name(), "mprotect") == 0)
        touch_below(0);
}

static void an_access_below_a_stack_faults(void **state)
{
    (void)state;
    char text[512];
    struct wi_stack *stack = take(0);
    const bool guarded = stack->guarded;
    wi_stack_give(NULL, stack);
    if (!guarded || built_with_address_sanitizer()) {
        printf("SKIP: no guards here\n");
        skip();
    }
    assert_int_equal(run_in_child(touch_below_small, text, sizeof(text)), 128 + 11);
    assert_int_equal(run_in_child(touch_below_default, text, sizeof(text)), 128 + 11);
    assert_int_equal(run_in_child(touch_guards_far_end, text, sizeof(text)), 128 + 11);
    assert_int_equal(run_in_child(touch_below_on_an_old_kernel, text, sizeof(text)), 128 + 11);
}

static void the_guard_is_known_by_address(void **state)
{
    (void)state;
    struct wi_stack *stack = take(0);
    assert_true(wi_stack_guards(stack, stack->low - 1));
    assert_true(wi_stack_guards(stack, stack->low - WI_STACK_GUARD_BYTES));
    assert_false(wi_stack_guards(stack, stack->low - WI_STACK_GUARD_BYTES - 1));
    assert_false(wi_stack_guards(stack, stack->low));
    wi_stack_give(NULL, stack);
}

static void an_old_kernel_gets_mprotect_or_canaries(void **state)
{
    (void)state;
    wi_stack_pool_close();
    wi_os_force_old_kernel(true);
    wi_stack_pool_open(0);
    assert_string_not_equal(wi_stack_guard_name(), "install");
    struct wi_stack *stack = take(0);
    assert_true(stack->guarded || wi_stack_intact(stack));
    wi_stack_give(NULL, stack);
}

/* More stacks than mprotect may guard (a quarter of vm.max_map_count): the rest have canaries. */
static void beyond_the_bound_of_mappings_canaries_take_over(void **state)
{
    (void)state;
    wi_stack_pool_close();
    wi_os_force_old_kernel(true);
    wi_stack_pool_open(16384);
    if (strcmp(wi_stack_guard_name(), "mprotect") != 0) {
        printf("SKIP: no mprotect guards here\n");
        skip();
    }
    struct wi_stack *taken = NULL;
    struct wi_stack *unguarded = NULL;
    const size_t most = wi_vm_map_count_max() / 4 + 300;
    for (size_t i = 0; i < most && unguarded == NULL; i++) {
        struct wi_stack *stack = take(16384);
        stack->next = taken;
        taken = stack;
        if (!stack->guarded)
            unguarded = stack;
    }
    assert_non_null(unguarded);
    assert_true(wi_stack_intact(unguarded));
    unguarded->low[3] ^= 1;
    assert_false(wi_stack_intact(unguarded));
    unguarded->low[3] ^= 1;
    assert_true(wi_stack_intact(unguarded));
    while (taken != NULL) {
        struct wi_stack *next = taken->next;
        wi_stack_give(NULL, taken);
        taken = next;
    }
    /* Trimming zeroes pages; the canaries are written anew. */
    wi_stack_pool_trim();
    for (size_t i = 0; i < most; i++)
        assert_true(wi_stack_intact(take(16384)));
}

/* -- trimming ---------------------------------------------------------------------------------- */

static void trimming_gives_pages_beyond_the_warm_share_back(void **state)
{
    (void)state;
    enum {
        COUNT = 600
    };
    struct wi_stack *stacks[COUNT];
    struct wi_process_usage before;
    struct wi_process_usage full;
    struct wi_process_usage after;
    assert_int_equal(wi_process_usage(wi_process_id(), &before), 0);
    for (int i = 0; i < COUNT; i++) {
        stacks[i] = take(0);
        memset(stacks[i]->low + 8, 1, 65536 - 8);
    }
    assert_int_equal(wi_process_usage(wi_process_id(), &full), 0);
    assert_true(full.resident_bytes - before.resident_bytes > (int64_t)COUNT * 60000);
    for (int i = 0; i < COUNT; i++)
        wi_stack_give(NULL, stacks[i]);
    wi_stack_pool_trim();
    assert_int_equal(wi_process_usage(wi_process_id(), &after), 0);
    assert_true(full.resident_bytes - after.resident_bytes > (int64_t)(COUNT - 256 - 10) * 60000);
    assert_int_equal(wi_stack_count_in_use(), 0);
    wi_stack_pool_trim();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_stack_has_the_bytes_that_were_asked_for, open_pool,
                                        close_pool),
        cmocka_unit_test_setup_teardown(stacks_do_not_overlap, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(given_stacks_are_taken_again, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(a_cache_keeps_default_stacks_up_to_its_bound, open_pool,
                                        close_pool),
        cmocka_unit_test_setup_teardown(starts_are_coloured_by_task_number, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(an_access_below_a_stack_faults, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(the_guard_is_known_by_address, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(an_old_kernel_gets_mprotect_or_canaries, open_pool,
                                        close_pool),
        cmocka_unit_test_setup_teardown(beyond_the_bound_of_mappings_canaries_take_over, open_pool,
                                        close_pool),
        cmocka_unit_test_setup_teardown(trimming_gives_pages_beyond_the_warm_share_back, open_pool,
                                        close_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
