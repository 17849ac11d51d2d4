/* SPDX-License-Identifier: MIT */
/* x86-64: spin hint, and whether shadow stacks are on. */
#include "arch/cpu.h"

void wi_cpu_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}

/* rdsspq leaves its operand alone where shadow stacks are off or unknown: the encoding is a no-op
 * there (Intel SDM volume 2, RDSSP). */
int wi_cpu_shadow_stack_on(void)
{
    uint64_t pointer = 0;
    __asm__ volatile("rdsspq %0" : "+r"(pointer));
    return pointer != 0;
}
