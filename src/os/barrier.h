/* SPDX-License-Identifier: MIT */
#ifndef WI_OS_BARRIER_H
#define WI_OS_BARRIER_H

/* Contract: a memory barrier on every thread of the process, on demand (membarrier(2) with
 * PRIVATE_EXPEDITED, Linux 4.14).  sync/handshake.h says what for.
 *
 * Threads: any. */

#include <stdbool.h>

/* Asks the kernel once.  False: it cannot, or is not allowed to. */
bool wi_barrier_register(void);

/* Every other thread of the process that runs passes a full barrier before this returns: some
 * microseconds.  Nothing where wi_barrier_register() did not say true. */
void wi_barrier_all_threads(void);

#endif
