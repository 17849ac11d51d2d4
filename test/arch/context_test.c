/* SPDX-License-Identifier: MIT */
/* The context switch keeps what the ABI says a call keeps, and begins on an aligned stack. */
#include "arch/context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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
    pair.own_fiber.stack_low = low;
    pair.own_fiber.stack_bytes = (size_t)((char *)high - (char *)low);
    pair.other_fiber.stack_low = pair.stack;
    pair.other_fiber.stack_bytes = STACK_BYTES;
    wi_tsan_make(&pair.other_fiber);
    pair.other = wi_context_make((char *)pair.stack + STACK_BYTES - offset, entry, arg);
}

static void end(void)
{
    wi_tsan_drop(&pair.other_fiber);
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

/* Loads the callee-saved registers with a pattern, switches, and gives how many came back wrong.
 * rbp is left to the compiler, which may use it as the frame pointer; a chain of frames that still
 * works after each switch shows that it is kept. */
__attribute__((noinline)) static int switch_with_pattern(void **save, void **target,
                                                         uint64_t pattern)
{
    uint64_t after[5];
    uint64_t *place = after;
    /* Below the red zone, which the compiler may use: it does not see the call. */
    __asm__ volatile(
        "subq $128, %%rsp\n"
        "pushq %%rbx; pushq %%r12; pushq %%r13; pushq %%r14; pushq %%r15\n"
        "subq $8, %%rsp\n"
        "pushq %[after]; pushq %[pattern]\n"
        "movq %[pattern], %%rbx\n leaq 1(%%rbx), %%r12\n leaq 2(%%rbx), %%r13\n"
        "leaq 3(%%rbx), %%r14\n leaq 4(%%rbx), %%r15\n"
        "movq %[save], %%rdi\n movq (%[target]), %%rsi\n"
        "callq wi_context_switch\n"
        "popq %%rax\n popq %%rdx\n"
        "subq %%rax, %%rbx\n movq %%rbx, 0(%%rdx)\n"
        "subq %%rax, %%r12\n movq %%r12, 8(%%rdx)\n"
        "subq %%rax, %%r13\n movq %%r13, 16(%%rdx)\n"
        "subq %%rax, %%r14\n movq %%r14, 24(%%rdx)\n"
        "subq %%rax, %%r15\n movq %%r15, 32(%%rdx)\n"
        "addq $8, %%rsp\n"
        "popq %%r15; popq %%r14; popq %%r13; popq %%r12; popq %%rbx\n"
        "addq $128, %%rsp\n"
        : [save] "+D"(save), [target] "+S"(target), [pattern] "+d"(pattern), [after] "+c"(place)
        :
        : "rax", "r8", "r9", "r10", "r11", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",
          "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
          "xmm15");
    int wrong = 0;
    for (uint64_t i = 0; i < 5; i++)
        wrong += after[i] != i;
    return wrong;
}

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
        cmocka_unit_test(an_unaligned_stack_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
