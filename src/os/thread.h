/* SPDX-License-Identifier: MIT */
#ifndef WI_OS_THREAD_H
#define WI_OS_THREAD_H

/* Contract: OS threads.  Threads made here block every signal but synchronous faults and have an
 * alternate signal stack (so that a stack overflow can be reported). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/err.h"

struct wi_os_thread {
    uint64_t opaque[2];
};

/* Runs fn(arg) in a new thread.  `name` is cut at 15 bytes.  `stack_bytes` 0: 256 KiB.
 * 0, WEIR_EAGAIN (the system's limit) or WEIR_ENOMEM. */
WEIR_CHECK int wi_os_thread_start(struct wi_os_thread *out, void (*fn)(void *), void *arg,
                                  size_t stack_bytes, const char *name);

/* Waits until the thread's function has returned.  Once for each thread; also from a thread that
 * learnt of it before wi_os_thread_start() returned. */
void wi_os_thread_join(struct wi_os_thread *thread);

/* The kernel's id of the calling thread. */
int wi_os_thread_id(void);

/* Gives the CPU to another thread that is ready. */
void wi_os_thread_yield(void);

/* How far the calling thread steps back for others of its kind: its nice value, -20 to 19, which
 * threads and processes that it starts inherit. */
int wi_os_thread_nice(void);

/* Sets that; beyond 19 counts as 19.  A value below what it is takes a privilege, and without that
 * changes nothing; nor does any value for a thread whose policy is not the usual one. */
void wi_os_thread_be_nice(int nice);

/* Whether the calling thread is the only one of its process; false if that cannot be told. */
bool wi_os_thread_alone(void);

/* The threads of the process, without those that a sanitizer keeps for itself; negative if that
 * cannot be told.  Reads a file. */
int wi_os_thread_count(void);

/* Calls fn(arg) when the calling thread ends; several calls run in reverse order.  For threads of
 * any origin.  Callers: any thread. */
void wi_os_thread_at_exit(void (*fn)(void *), void *arg);

/* The bounds of the calling thread's own stack. */
WEIR_CHECK int wi_os_thread_stack(void **low, void **high);

/* Gives the calling thread (one that was not made here) an alternate signal stack, once. */
void wi_os_thread_altstack(void);

#endif
