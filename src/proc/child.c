/* SPDX-License-Identifier: MIT */
/* Forking, and waiting for the end of what was forked.  See child.h.
 *
 * The end of a child is noticed through a pipe and not through SIGCHLD, because a library has no
 * right to a signal of its host.  A grandchild that was forked by other means may hold the pipe
 * open after the child's end; a look at the child every WATCH_NS bounds what that costs. */
#include "proc/child.h"

#include <stdio.h>

#include "base/check.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/poll.h"
#include "os/signal.h"
#include "os/thread.h"
#include "sync/cancel.h"
#include "weir/net.h"  /* weir_fd_wait(): how a task waits for a descriptor */
#include "weir/task.h" /* weir_task_id(): whether a task calls */

enum {
    NO_FD = -1
};
#define WATCH_NS (250 * WEIR_NS_PER_MS)

/* The write end that this process holds while it lives, for its parent to see.  Constant after the
 * fork that made this process. */
static int held_fd = NO_FD;

static void become_child(int parent_id, const int pipe_fds[2])
{
    wi_signal_reset();
    wi_process_die_with_parent(parent_id);
    /* What the parent holds for the grandparent is not ours to hold. */
    if (held_fd != NO_FD)
        wi_file_close(held_fd);
    held_fd = pipe_fds[1];
    if (pipe_fds[0] != NO_FD)
        wi_file_close(pipe_fds[0]);
}

int wi_child_fork(struct wi_child *out, bool watched)
{
    if (!wi_os_thread_alone())
        return WEIR_ENOTSUP;
    int pipe_fds[2] = { NO_FD, NO_FD };
    if (watched) {
        const int rc = wi_pipe_open(pipe_fds, true);
        if (rc != 0)
            return rc;
    }

    (void)fflush(NULL);
    const int parent_id = wi_process_id();
    const int child_id = wi_process_fork();
    if (child_id == 0) {
        become_child(parent_id, pipe_fds);
        return 0;
    }
    if (watched)
        wi_file_close(pipe_fds[1]);
    if (child_id < 0) {
        if (watched)
            wi_file_close(pipe_fds[0]);
        return child_id;
    }
    *out = (struct wi_child){ .process_id = child_id, .end_fd = pipe_fds[0] };
    return child_id;
}

void wi_child_forget(struct wi_child *child)
{
    if (child->end_fd != NO_FD)
        wi_file_close(child->end_fd);
    *child = (struct wi_child){ .process_id = 0, .end_fd = NO_FD };
}

bool wi_child_ended(struct wi_child *child, struct wi_process_end *out)
{
    const int process_id = child->process_id;
    const int rc = wi_process_reap_one(process_id, false, out);
    if (rc == 0)
        return false;
    if (rc < 0) /* a host that ignores SIGCHLD, or that waits for everything itself */
        *out = (struct wi_process_end){ .process_id = process_id };
    wi_child_forget(child);
    return true;
}

/* Waits for the pipe's end, a little while at most.  True: it came. */
static bool watch(const struct wi_child *child, weir_time deadline)
{
    const weir_time soon = weir_in_ns(WATCH_NS);
    const weir_time until = deadline < soon ? deadline : soon;
    if (weir_task_id() == 0)
        return wi_poll_one(child->end_fd, WI_POLL_READ, until) > 0;

    struct wi_parker *self = wi_current_parker();
    struct wi_region shield;
    wi_region_begin(&shield, self, WI_REGION_SHIELD, until);
    const int rc = weir_fd_wait(child->end_fd, WEIR_FD_READ, until);
    wi_region_end(&shield); /* of the task's own record, wherever it runs now */
    return rc > 0;
}

bool wi_child_join(struct wi_child *child, struct wi_process_end *out, weir_time deadline)
{
    wi_bug_unless_cmp(child->end_fd, !=, NO_FD);
    for (;;) {
        if (wi_child_ended(child, out))
            return true;
        if (deadline <= wi_clock_now())
            return false;
        if (watch(child, deadline)) {
            /* The descriptors of a process go shortly before it can be reaped. */
            const int rc = wi_process_reap_one(child->process_id, true, out);
            if (rc < 0)
                *out = (struct wi_process_end){ .process_id = child->process_id };
            wi_child_forget(child);
            return true;
        }
    }
}

int wi_child_status(const struct wi_process_end *end)
{
    return end->signaled ? -end->code : end->code;
}
