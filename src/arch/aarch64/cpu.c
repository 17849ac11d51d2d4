/* SPDX-License-Identifier: MIT */
/* AArch64: spin hint, and whether guarded control stacks are on. */
#include "arch/cpu.h"

/* Not yield, which nearly every core executes as a no-op, so that a spin loop would hammer the line
 * it waits for.  isb drains the pipeline, which takes about as long as x86's pause. */
void wi_cpu_relax(void)
{
    __asm__ volatile("isb" ::: "memory");
}

/* chkfeat clears the bits of x16 whose features are on, and is a no-op on CPUs that do not know it
 * (Arm ARM, CHKFEAT; bit 0 is the guarded control stack). */
int wi_cpu_shadow_stack_on(void)
{
    register uint64_t features __asm__("x16") = 1;
    __asm__ volatile("hint #40" : "+r"(features));
    return features == 0;
}
