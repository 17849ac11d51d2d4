/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_SYSTEM_ACCOUNT_H
#define WEIR_TOOL_SYSTEM_ACCOUNT_H

/* What a process and all that descend from it use, from /proc.
 *
 * Threads: any. */

#include <stdbool.h>
#include <stdint.h>

#define TREE_MAX 1024

struct usage {
    int64_t cpu_ns;         /* since their start; children that ended included */
    int64_t resident_bytes; /* what several share is divided among them; 0 unless asked for */
    int processes;
    int threads;
};

/* The process first, then its descendants, at most TREE_MAX.  Returns how many. */
int tree_list(int pid, int pids[TREE_MAX]);

/* Adds up the tree.  Memory costs a walk through every mapping, so it is asked for apart. */
void tree_usage(int pid, bool memory, struct usage *out);

#endif
