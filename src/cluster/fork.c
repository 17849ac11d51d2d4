/* SPDX-License-Identifier: MIT */
/* weir_cluster_fork() and its companions: workers of a plain program, as the article's example
 * has them.  The supervised form, which weir_main() uses, is primary.c.
 *
 * Invariant: members[i] has a process or is free; a new worker takes the lowest free number, so
 * the successor of a dead worker keeps its number.
 * Threads: the process has one when it forks; the table is that thread's. */
#include "cluster/fork.h"

#include <stdbool.h>

#include "base/check.h"
#include "cluster/slots.h"
#include "os/clock.h"
#include "os/poll.h"
#include "os/process.h"
#include "proc/child.h"
#include "weir/cluster.h"
#include "weir/runtime.h"

enum {
    PRIMARY_INDEX = -1,
    MEMBERS_MAX = WI_SLOTS_MAX
};
#define LOOK_NS (250 * WEIR_NS_PER_MS) /* as child.c: a grandchild may hold the pipe open */

struct member {
    bool alive;
    struct wi_child child;
};

/* Of this process; a worker starts with an empty table. */
static int own_index = PRIMARY_INDEX;
static struct member members[MEMBERS_MAX];

void wi_cluster_become_worker(int index)
{
    own_index = index;
}

bool weir_is_primary(void)
{
    return own_index == PRIMARY_INDEX;
}

int weir_worker_index(void)
{
    return own_index;
}

static int free_index(void)
{
    for (int i = 0; i < MEMBERS_MAX; i++) {
        if (!members[i].alive)
            return i;
    }
    return WEIR_EAGAIN;
}

/* The worker's siblings are not its children, and their pipes none of its business. */
static void forget_siblings(void)
{
    for (int i = 0; i < MEMBERS_MAX; i++) {
        if (members[i].alive)
            wi_child_forget(&members[i].child);
        members[i].alive = false;
    }
}

int weir_cluster_fork(void)
{
    if (!weir_is_primary())
        return WEIR_EPERM;
    if (weir_is_open())
        return WEIR_EALREADY;
    const int index = free_index();
    if (index < 0)
        return index;
    const int id = wi_child_fork(&members[index].child, true);
    if (id == 0) {
        wi_cluster_become_worker(index);
        forget_siblings();
        return 0;
    }
    if (id > 0)
        members[index].alive = true;
    return id;
}

/* The process id of a worker that has ended, 0 if none has, WEIR_ENOENT without workers. */
static int take_ended(int *status)
{
    int alive = 0;
    for (int i = 0; i < MEMBERS_MAX; i++) {
        struct member *member = &members[i];
        struct wi_process_end end;
        if (!member->alive)
            continue;
        const int id = member->child.process_id;
        if (wi_child_ended(&member->child, &end)) {
            member->alive = false;
            if (status != NULL)
                *status = wi_child_status(&end);
            return id;
        }
        alive++;
    }
    return alive > 0 ? 0 : WEIR_ENOENT;
}

/* Blocks until some worker's pipe is at its end, or for a little while. */
static int watch_all(weir_time deadline)
{
    struct wi_poll poll;
    int rc = wi_poll_open(&poll);
    if (rc != 0)
        return rc;
    for (int i = 0; i < MEMBERS_MAX && rc == 0; i++) {
        if (members[i].alive)
            rc = wi_poll_add(&poll, members[i].child.end_fd, WI_POLL_READ | WI_POLL_LEVEL,
                             (uint64_t)i);
    }
    if (rc == 0) {
        const weir_time soon = weir_in_ns(LOOK_NS);
        struct wi_poll_event events[1];
        (void)wi_poll_wait(&poll, events, 1, deadline < soon ? deadline : soon);
    }
    wi_poll_close(&poll);
    return rc;
}

int weir_cluster_wait(int *status, weir_time deadline)
{
    for (;;) {
        const int id = take_ended(status);
        if (id != 0)
            return id;
        if (deadline <= wi_clock_now())
            return WEIR_ETIMEDOUT;
        const int rc = watch_all(deadline);
        if (rc != 0)
            return rc;
    }
}
