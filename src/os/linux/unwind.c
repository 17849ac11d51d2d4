/* SPDX-License-Identifier: MIT */
/* Frames by the unwinder that comes with the compiler (libgcc, or LLVM's): the Itanium C++ ABI,
 * level I. */
#define _GNU_SOURCE 1
#include "os/unwind.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unwind.h>

struct walk {
    uintptr_t start_after; /* the function whose frame was not passed yet; 0: it was */
    void **pcs;
    int count;
    int max;
};

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *context, void *arg)
{
    struct walk *walk = arg;
    const uintptr_t pc = _Unwind_GetIP(context);
    if (pc == 0)
        return _URC_END_OF_STACK;
    if (walk->start_after != 0) {
        if (_Unwind_GetRegionStart(context) == walk->start_after)
            walk->start_after = 0;
        return _URC_NO_REASON;
    }
    if (walk->count == walk->max)
        return _URC_END_OF_STACK;
    walk->pcs[walk->count++] = (void *)pc;
    return _URC_NO_REASON;
}

__attribute__((noinline)) int wi_unwind_beyond(void (*function)(void), void **pcs, int pcs_max)
{
    struct walk walk = { .pcs = pcs, .max = pcs_max };
    void (*const self)(void) = (void (*)(void))(uintptr_t)wi_unwind_beyond;
    walk.start_after = (uintptr_t)(function != NULL ? function : self);
    (void)_Unwind_Backtrace(on_frame, &walk);
    return walk.count;
}
