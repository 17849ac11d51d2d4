/* SPDX-License-Identifier: MIT */
#ifndef WI_ARCH_CONTEXT_H
#define WI_ARCH_CONTEXT_H

/* The context switch.  A context that does not run is one pointer: the stack pointer under which
 * its callee-saved registers lie.  Floating-point control words are shared by all contexts of a
 * thread; signal masks too. */

#include <stddef.h>

/* Saves the running context in *save and goes on with `target`.  Returns when somebody switches
 * to *save again, maybe on another thread. */
void wi_context_switch(void **save, void *target);

/* A context that, once switched to, calls entry(arg) on the stack that ends (exclusively) at
 * `stack_end`, 16-byte aligned.  entry never returns. */
void *wi_context_make(void *stack_end, void (*entry)(void *arg), void *arg);

/* Calls fn(context, arg), where `context` describes the caller of wi_context_hold() as if it did
 * not run.  Valid, for wi_context_visit() from another thread too, until fn returns. */
void wi_context_hold(void (*fn)(void *context, void *arg), void *arg);

/* Calls fn(arg) such that the frames of a context that does not run lie, to an unwinder, above that
 * of wi_context_visit().  Nothing of the context is changed or run. */
void wi_context_visit(void *context, void (*fn)(void *arg), void *arg);

#endif
