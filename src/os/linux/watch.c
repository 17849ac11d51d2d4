/* SPDX-License-Identifier: MIT */
/* Built where valgrind's header is not installed: nobody watches. */
#include "os/watch.h"

uint32_t wi_watch_stack(void *low, size_t bytes)
{
    (void)low;
    (void)bytes;
    return 0;
}

void wi_watch_stack_fresh(void *low, size_t bytes)
{
    (void)low;
    (void)bytes;
}

void wi_watch_stack_forget(uint32_t handle)
{
    (void)handle;
}
