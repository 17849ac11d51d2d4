/* SPDX-License-Identifier: MIT */
/* Lays out a fresh stack so that switch.S can go on with it: the twenty saved registers, among them
 * the address of wi_context_begin, which finds the entry in x19 and its argument in x20. */
#include "arch/context.h"

#include <stdint.h>
#include <string.h>

#include "base/check.h"

/* Where switch.S keeps them, in words from the saved stack pointer. */
enum {
    FRAME_WORDS = 20,
    X30 = 1,
    X19 = 2,
    X20 = 3
};

void wi_context_begin(void);

void *wi_context_make(void *stack_end, void (*entry)(void *arg), void *arg)
{
    wi_bug_unless(((uintptr_t)stack_end & 15) == 0);
    uint64_t *frame = (uint64_t *)stack_end - FRAME_WORDS;
    memset(frame, 0, FRAME_WORDS * sizeof(*frame));
    frame[X30] = (uint64_t)(uintptr_t)wi_context_begin;
    frame[X19] = (uint64_t)(uintptr_t)entry;
    frame[X20] = (uint64_t)(uintptr_t)arg;
    return frame;
}
