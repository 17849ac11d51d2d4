/* SPDX-License-Identifier: MIT */
#ifndef WI_OS_PROCESS_H
#define WI_OS_PROCESS_H

/* Contract: processes. */

#include <stdbool.h>
#include <stdint.h>

#include "weir/err.h"

/* fork(2).  0 in the child, the child's id in the parent, or a code. */
WEIR_CHECK int wi_process_fork(void);

/* Calls fn in every forked child, before fork() returns there.  Once for each process. */
void wi_process_on_fork(void (*fn)(void));

int wi_process_id(void);
int wi_process_parent_id(void);

/* Ends the calling process at once: no exit handlers, no flushing. */
_Noreturn void wi_process_exit(int status);

/* The kernel kills the calling process when the thread that forked it ends.  If the parent is
 * already another than `parent_id`, ends the process at once. */
void wi_process_die_with_parent(int parent_id);

struct wi_process_end {
    int process_id;
    bool signaled; /* else it exited */
    int code;      /* exit status, or the signal */
    bool dumped;   /* left a core */
};

/* Reaps one child that has ended. 1 and *out, 0 if none has, WEIR_ENOENT if there is no child. */
WEIR_CHECK int wi_process_reap(struct wi_process_end *out);

/* As wi_process_reap() for one child: looks, or with `wait` blocks until it ended. */
WEIR_CHECK int wi_process_reap_one(int process_id, bool wait, struct wi_process_end *out);

/* Sends a signal of os/signal.h. 0 or a code; a process that is gone gives WEIR_ENOENT. */
int wi_process_signal(int process_id, int signal);

/* What a process uses. */
struct wi_process_usage {
    int64_t cpu_ns;
    int64_t resident_bytes;
    int32_t threads;
};
WEIR_CHECK int wi_process_usage(int process_id, struct wi_process_usage *out);

/* A variable of the environment, or NULL. */
const char *wi_process_env(const char *name);

#endif
