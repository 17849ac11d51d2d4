/* SPDX-License-Identifier: MIT */
/* The context switch keeps what the ABI says a call keeps, and begins on an aligned stack. */
#include "arch/context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

#include <cmocka.h>

#include "arch/registers.h"
#include "os/thread.h"
#include "support/run.h"
#include "task/sanitize.h"

enum {
    STACK_BYTES = 256 * 1024
};

/* One other context, and what the sanitizers must know of the two. */
static struct {
    void *own;
    void *other;
    void *stack;
    struct wi_fiber own_fiber;
    struct wi_fiber other_fiber;
    WI_TSAN_MEMBER
    int visits;
    uintptr_t address;
    void *arg;
    bool ended;
} pair;

static void *map_stack(void)
{
    void *stack = NULL;
    assert_int_equal(posix_memalign(&stack, 64, STACK_BYTES), 0);
    return stack;
}

static void enter(void)
{
    wi_fiber_leave(&pair.own_fiber, &pair.other_fiber);
    wi_context_switch(&pair.own, pair.other);
    wi_fiber_arrive(&pair.own_fiber);
}

static void come_back(void)
{
    wi_fiber_leave(pair.ended ? NULL : &pair.other_fiber, &pair.own_fiber);
    wi_context_switch(&pair.other, pair.own);
    wi_fiber_arrive(&pair.other_fiber);
}

static void begin(void (*entry)(void *), void *arg, size_t offset)
{
    memset(&pair, 0, sizeof(pair));
    pair.stack = map_stack();
    wi_tsan_adopt(&pair.own_fiber);
    void *low = NULL;
    void *high = NULL;
    assert_int_equal(wi_os_thread_stack(&low, &high), 0);
    wi_fiber_on(&pair.own_fiber, low, (size_t)((char *)high - (char *)low));
    wi_fiber_on(&pair.other_fiber, pair.stack, STACK_BYTES);
    wi_tsan_begin(&pair.other_fiber, &pair);
    pair.other = wi_context_make((char *)pair.stack + STACK_BYTES - offset, entry, arg);
}

static void end(void)
{
    wi_tsan_forget(&pair);
    wi_asan_clear(pair.stack, STACK_BYTES);
    free(pair.stack);
}

/* -- entry ------------------------------------------------------------------------------------- */

static void note_and_leave(void *arg)
{
    wi_fiber_arrive(&pair.other_fiber);
    _Alignas(16) volatile char local[16];
    pair.address = (uintptr_t)local;
    pair.arg = arg;
    pair.ended = true;
    come_back();
    abort();
}

static void a_context_begins_with_its_argument_on_an_aligned_stack(void **state)
{
    (void)state;
    for (size_t offset = 0; offset <= 1984; offset += 64) {
        begin(note_and_leave, &pair, offset);
        enter();
        assert_ptr_equal(pair.arg, &pair);
        assert_int_equal(pair.address & 15, 0);
        assert_in_range(pair.address, (uintptr_t)pair.stack,
                        (uintptr_t)pair.stack + STACK_BYTES - offset);
        end();
    }
}

/* What printf does with doubles needs the alignment that the ABI promises. */
static void format_a_double(void *arg)
{
    wi_fiber_arrive(&pair.other_fiber);
    double value = 0.1;
    (void)snprintf(arg, 32, "%.3f %Lg", value + 0.2, (long double)value);
    pair.ended = true;
    come_back();
    abort();
}

static void floating_point_works_on_a_fresh_stack(void **state)
{
    (void)state;
    char text[32] = "";
    begin(format_a_double, text, 0);
    enter();
    assert_string_equal(text, "0.300 0.1");
    end();
}

/* -- registers --------------------------------------------------------------------------------- */

static int wrong_registers;

static void switch_back_with_other_patterns(void *arg)
{
    (void)arg;
    wi_fiber_arrive(&pair.other_fiber);
    for (uint64_t i = 0;; i++) {
        pair.visits++;
        wi_fiber_leave(&pair.other_fiber, &pair.own_fiber);
        wrong_registers += switch_with_pattern(&pair.other, &pair.own, 0xaaaa000000000000u + i);
        wi_fiber_arrive(&pair.other_fiber);
    }
}

static void callee_saved_registers_survive(void **state)
{
    (void)state;
    begin(switch_back_with_other_patterns, NULL, 0);
    wrong_registers = 0;
    for (uint64_t i = 0; i < 10000; i++) {
        wi_fiber_leave(&pair.own_fiber, &pair.other_fiber);
        wrong_registers += switch_with_pattern(&pair.own, &pair.other, 0x5555000000000000u + i);
        wi_fiber_arrive(&pair.own_fiber);
    }
    assert_int_equal(wrong_registers, 0);
    assert_int_equal(pair.visits, 10000);
    end();
}

/* -- the control word, depth and the end of the stack ------------------------------------------ */

enum {
    TO_NEAREST = 0,
    UPWARD = 2,
    TOWARDS_ZERO = 3
};

static uint64_t rounding_seen;

static void see_and_change_the_rounding(void *arg)
{
    (void)arg;
    wi_fiber_arrive(&pair.other_fiber);
    rounding_seen = rounding_mode();
    set_rounding_mode(TOWARDS_ZERO);
    pair.ended = true;
    come_back();
    abort();
}

/* A switch leaves the control word alone, in both directions: contexts of a thread share it. */
static void the_floating_point_control_word_is_shared(void **state)
{
    (void)state;
    assert_int_equal(rounding_mode(), TO_NEAREST);
    begin(see_and_change_the_rounding, NULL, 0);
    set_rounding_mode(UPWARD);
    enter();
    const uint64_t after = rounding_mode();
    set_rounding_mode(TO_NEAREST);
    end();
    assert_int_equal(rounding_seen, UPWARD);
    assert_int_equal(after, TOWARDS_ZERO);
}

/* Every frame holds what the next ones must not touch; a switch in between at each depth. */
__attribute__((noinline)) static uint64_t descend(uint64_t depth) // NOLINT(misc-no-recursion)
{
    volatile uint64_t kept = depth * 0x9e3779b97f4a7c15u;
    if (depth == 0)
        return 0;
    if (depth % 16 == 0)
        come_back();
    const uint64_t below = descend(depth - 1);
    return below + (kept == depth * 0x9e3779b97f4a7c15u);
}

static uint64_t frames_intact;

static void recurse(void *arg)
{
    wi_fiber_arrive(&pair.other_fiber);
    frames_intact = descend(*(const uint64_t *)arg);
    pair.ended = true;
    come_back();
    abort();
}

static void deep_recursion_survives_switches(void **state)
{
    (void)state;
    uint64_t depth = 512;
    begin(recurse, &depth, 0);
    frames_intact = 0;
    while (!pair.ended)
        enter();
    assert_int_equal(frames_intact, depth);
    end();
}

enum {
    FRAMES_MAX = 64
};

static int frames;

static _Unwind_Reason_Code count_frame(struct _Unwind_Context *context, void *arg)
{
    (void)context;
    (void)arg;
    return ++frames < FRAMES_MAX ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static void walk_up(void *arg)
{
    wi_fiber_arrive(&pair.other_fiber);
    *(_Unwind_Reason_Code *)arg = _Unwind_Backtrace(count_frame, NULL);
    pair.ended = true;
    come_back();
    abort();
}

/* By the same tables that debuggers and profilers read. */
static void a_backtrace_ends_where_the_context_began(void **state)
{
    (void)state;
    _Unwind_Reason_Code code = _URC_NO_REASON;
    frames = 0;
    begin(walk_up, &code, 0);
    enter();
    end();
    assert_int_equal(code, _URC_END_OF_STACK);
    assert_in_range(frames, 1, 4);
}

static void an_unaligned_stack(void)
{
    (void)wi_context_make((char *)0x10008, note_and_leave, NULL);
}

static void an_unaligned_stack_aborts(void **state)
{
    (void)state;
    char text[512];
    assert_int_equal(run_in_child(an_unaligned_stack, text, sizeof(text)), 128 + 6);
    assert_non_null(strstr(text, "stack_end"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_context_begins_with_its_argument_on_an_aligned_stack),
        cmocka_unit_test(floating_point_works_on_a_fresh_stack),
        cmocka_unit_test(callee_saved_registers_survive),
        cmocka_unit_test(the_floating_point_control_word_is_shared),
        cmocka_unit_test(deep_recursion_survives_switches),
        cmocka_unit_test(a_backtrace_ends_where_the_context_began),
        cmocka_unit_test(an_unaligned_stack_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
