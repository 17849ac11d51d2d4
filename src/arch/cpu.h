/* SPDX-License-Identifier: MIT */
#ifndef WI_ARCH_CPU_H
#define WI_ARCH_CPU_H

/* What differs between CPUs besides the switch. */

#include <stdint.h>

/* Bytes that false sharing is kept apart by: two lines, since CPUs fetch them in pairs. */
#define WI_CACHE_LINE_BYTES 128

/* Tells the CPU that this is a spin loop. */
void wi_cpu_relax(void);

/* Whether the kernel has switched on shadow stacks for this thread, which stackful tasks do not
 * support. */
int wi_cpu_shadow_stack_on(void);

#endif
