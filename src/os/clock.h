/* SPDX-License-Identifier: MIT */
#ifndef WI_OS_CLOCK_H
#define WI_OS_CLOCK_H

/* Contract: clocks.  os/linux reads the kernel's, os/sim keeps a virtual one. */

#include "weir/time.h"

/* Monotonic, ns, above 0. */
weir_time wi_clock_now(void);

/* The same clock as of the kernel's last tick: up to some milliseconds behind wi_clock_now(), never
 * ahead of it, and several times cheaper. */
weir_time wi_clock_coarse(void);

/* Unix time, ns; may step. */
int64_t wi_clock_wall(void);

/* CPU time of the calling thread, ns. */
int64_t wi_clock_thread_cpu(void);

/* CPU time of the calling process, ns. */
int64_t wi_clock_process_cpu(void);

#endif
