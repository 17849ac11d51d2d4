/* SPDX-License-Identifier: MIT */
#ifndef WI_OS_UNWIND_H
#define WI_OS_UNWIND_H

/* Contract: the frames of the calling thread, by the call-frame information that every function
 * has, with or without frame pointers. */

/* Where the frames go on: the return addresses beyond the frame of `function` (NULL: beyond the
 * caller's own), innermost first.  How many, at most `pcs_max`; 0 where the program was linked
 * without the information.
 * Reads the stacks that the information leads to: a stack that was overwritten may end the process.
 * Callers: any thread; not signal handlers. */
int wi_unwind_beyond(void (*function)(void), void **pcs, int pcs_max);

#endif
