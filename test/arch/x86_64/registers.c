/* SPDX-License-Identifier: MIT */
/* System V x86-64: rbx and r12 to r15; the rounding mode of mxcsr. */
#include "arch/registers.h"

/* rbp is left to the compiler, which may use it as the frame pointer; a chain of frames that still
 * works after each switch shows that it is kept. */
int switch_with_pattern(void **save, void **target, uint64_t pattern)
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

enum {
    ROUNDING_SHIFT = 13
};

uint64_t rounding_mode(void)
{
    return __builtin_ia32_stmxcsr() >> ROUNDING_SHIFT & 3;
}

void set_rounding_mode(uint64_t rounding)
{
    const uint32_t others = __builtin_ia32_stmxcsr() & ~(3u << ROUNDING_SHIFT);
    __builtin_ia32_ldmxcsr(others | (uint32_t)rounding << ROUNDING_SHIFT);
}
