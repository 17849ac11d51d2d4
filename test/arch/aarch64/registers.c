/* SPDX-License-Identifier: MIT */
/* AAPCS64: x19 to x28 and d8 to d15; the rounding mode of fpcr.  x29 is left to the compiler, whose
 * chain of frames still works after each switch if it is kept. */
#include "arch/registers.h"

enum {
    GENERAL = 10, /* x19 to x28 */
    FLOATING = 8, /* d8 to d15 */
    ROUNDING_SHIFT = 22
};

/* Loads the pattern plus 0, 1, ..., switches, and stores what came back.  A function of its own in
 * assembly, because C cannot give up that many registers around a call. */
void switch_and_store(void **save, void **target, uint64_t pattern, uint64_t *after);

__asm__(".text\n"
        ".globl switch_and_store\n"
        ".type switch_and_store, %function\n"
        "switch_and_store:\n"
        "stp x29, x30, [sp, #-176]!\n"
        "stp x19, x20, [sp, #16]\n stp x21, x22, [sp, #32]\n stp x23, x24, [sp, #48]\n"
        "stp x25, x26, [sp, #64]\n stp x27, x28, [sp, #80]\n"
        "stp d8, d9, [sp, #96]\n stp d10, d11, [sp, #112]\n"
        "stp d12, d13, [sp, #128]\n stp d14, d15, [sp, #144]\n"
        "str x3, [sp, #160]\n"
        "add x19, x2, #0\n add x20, x2, #1\n add x21, x2, #2\n add x22, x2, #3\n"
        "add x23, x2, #4\n add x24, x2, #5\n add x25, x2, #6\n add x26, x2, #7\n"
        "add x27, x2, #8\n add x28, x2, #9\n"
        "add x9, x2, #10\n fmov d8, x9\n add x9, x2, #11\n fmov d9, x9\n"
        "add x9, x2, #12\n fmov d10, x9\n add x9, x2, #13\n fmov d11, x9\n"
        "add x9, x2, #14\n fmov d12, x9\n add x9, x2, #15\n fmov d13, x9\n"
        "add x9, x2, #16\n fmov d14, x9\n add x9, x2, #17\n fmov d15, x9\n"
        "ldr x1, [x1]\n"
        "bl wi_context_switch\n"
        "ldr x3, [sp, #160]\n"
        "stp x19, x20, [x3]\n stp x21, x22, [x3, #16]\n stp x23, x24, [x3, #32]\n"
        "stp x25, x26, [x3, #48]\n stp x27, x28, [x3, #64]\n"
        "stp d8, d9, [x3, #80]\n stp d10, d11, [x3, #96]\n"
        "stp d12, d13, [x3, #112]\n stp d14, d15, [x3, #128]\n"
        "ldp x19, x20, [sp, #16]\n ldp x21, x22, [sp, #32]\n ldp x23, x24, [sp, #48]\n"
        "ldp x25, x26, [sp, #64]\n ldp x27, x28, [sp, #80]\n"
        "ldp d8, d9, [sp, #96]\n ldp d10, d11, [sp, #112]\n"
        "ldp d12, d13, [sp, #128]\n ldp d14, d15, [sp, #144]\n"
        "ldp x29, x30, [sp], #176\n"
        "ret\n"
        ".size switch_and_store, . - switch_and_store\n");

int switch_with_pattern(void **save, void **target, uint64_t pattern)
{
    uint64_t after[GENERAL + FLOATING];
    switch_and_store(save, target, pattern, after);
    int wrong = 0;
    for (uint64_t i = 0; i < GENERAL + FLOATING; i++)
        wrong += after[i] != pattern + i;
    return wrong;
}

uint64_t rounding_mode(void)
{
    uint64_t word;
    __asm__ volatile("mrs %0, fpcr" : "=r"(word));
    return word >> ROUNDING_SHIFT & 3;
}

void set_rounding_mode(uint64_t rounding)
{
    uint64_t word;
    __asm__ volatile("mrs %0, fpcr" : "=r"(word));
    word = (word & ~((uint64_t)3 << ROUNDING_SHIFT)) | rounding << ROUNDING_SHIFT;
    __asm__ volatile("msr fpcr, %0" ::"r"(word) : "memory");
}
