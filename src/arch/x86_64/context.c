/* SPDX-License-Identifier: MIT */
/* Lays out a fresh stack so that switch.S can go on with it: the six saved registers and the
 * address of wi_context_begin, which finds the entry in rbx and its argument in r12. */
#include "arch/context.h"

#include <stdint.h>
#include <string.h>

#include "base/check.h"

void wi_context_begin(void);

void *wi_context_make(void *stack_end, void (*entry)(void *arg), void *arg)
{
    wi_bug_unless(((uintptr_t)stack_end & 15) == 0);
    /* At wi_context_begin the stack pointer must be a multiple of 16, so that its call leaves
     * entry with the alignment that the ABI promises; the seven words it pops and two of padding
     * keep it so. */
    uint64_t *frame = (uint64_t *)stack_end - 9;
    memset(frame, 0, 9 * sizeof(*frame));
    frame[3] = (uint64_t)(uintptr_t)arg;   /* r12 */
    frame[4] = (uint64_t)(uintptr_t)entry; /* rbx */
    frame[6] = (uint64_t)(uintptr_t)wi_context_begin;
    return frame;
}
