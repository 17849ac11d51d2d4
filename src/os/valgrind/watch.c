/* SPDX-License-Identifier: MIT */
/* Requests to valgrind, which are no-ops anywhere else.  Its headers are macros under a BSD licence
 * and bring nothing to link with. */
#include "os/watch.h"

#include <valgrind/memcheck.h>
#include <valgrind/valgrind.h>

/* valgrind's own numbers may begin with 0. */
uint32_t wi_watch_stack(void *low, size_t bytes)
{
    if (RUNNING_ON_VALGRIND == 0)
        return 0;
    return (uint32_t)VALGRIND_STACK_REGISTER(low, (char *)low + bytes) + 1;
}

void wi_watch_stack_fresh(void *low, size_t bytes)
{
    VALGRIND_MAKE_MEM_UNDEFINED(low, bytes);
}

void wi_watch_stack_forget(uint32_t handle)
{
    VALGRIND_STACK_DEREGISTER(handle - 1);
}
