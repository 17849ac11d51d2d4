/* SPDX-License-Identifier: MIT */
#ifndef WI_OS_LIMITS_H
#define WI_OS_LIMITS_H

/* Contract: what this process may use, as affinity, rlimits and cgroups say. */

#include <stdint.h>

/* Cores that may run us: affinity, cut by the CPU quota of every visible cgroup ancestor (v1 and
 * v2), rounded down, at least 1. */
int wi_limits_cores(void);

/* The pure half of wi_limits_cores(): `root` is where cgroup file systems are mounted
 * ("/sys/fs/cgroup"), `membership` the text of /proc/self/cgroup. Quota in thousandths of a core,
 * or -1 without a limit. */
int64_t wi_limits_cgroup_millicores(const char *root, const char *membership);

/* The tightest memory limit of the cgroup and its ancestors, bytes; -1 without one. */
int64_t wi_limits_memory_bytes(void);

/* The pure half of wi_limits_memory_bytes(), as above. */
int64_t wi_limits_cgroup_memory(const char *root, const char *membership);

/* Most descriptors (soft limit). */
int64_t wi_limits_descriptors(void);

/* Raises the soft limit of descriptors to the hard one, where that is allowed; the soft limit that
 * holds then.  Only weir_main does this. */
int64_t wi_limits_descriptors_raise(void);

#endif
