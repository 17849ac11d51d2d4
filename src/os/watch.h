/* SPDX-License-Identifier: MIT */
#ifndef WI_OS_WATCH_H
#define WI_OS_WATCH_H

/* What a program that watches our memory (valgrind) must be told of stacks: it takes a jump of the
 * stack pointer for a large frame and everything beyond it for dead, unless it knows that another
 * stack lies there.
 *
 * Callers: any thread; never waits. */

#include <stddef.h>
#include <stdint.h>

/* Tells of a stack.  Its handle, or 0 when nobody watches. */
uint32_t wi_watch_stack(void *low, size_t bytes);

/* The stack begins anew: whatever lay on it is gone, and all of it may be written. */
void wi_watch_stack_fresh(void *low, size_t bytes);

/* The stack is about to be unmapped. */
void wi_watch_stack_forget(uint32_t handle);

#endif
