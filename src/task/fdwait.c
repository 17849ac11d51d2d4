/* SPDX-License-Identifier: MIT */
/* weir_fd_wait(), and descriptors in a select: waiting on descriptors that are not ours.
 *
 * A plain thread asks poll(2) itself.  A task adds the descriptor to the runtime's poller for the
 * time of the call.  A poller takes a descriptor once, so tasks that wait on the same one share a
 * record, found by its number in a small table; the last one removes it.
 *
 * The watch is edge-triggered, and an event may have been told and consumed before a second task
 * joins: who joins therefore asks the descriptor first.
 *
 * Threads: the table and each record's users are guarded by table_lock.  Adding and removing run
 * under it too, because a removal must not overtake the next addition of the same number. */
#include "base/check.h"
#include "loop/io.h"
#include "loop/stable.h"
#include "os/poll.h"
#include "task/runtime.h"
#include "task/selectables.h"
#include "weir/net.h"
#include "weir/task.h"

enum {
    WAITS_MAX = 1024 * 1024,
    BUCKETS = 256
};

struct foreign {
    struct wi_io io;
    /* guarded by table_lock */
    struct wi_list node;
    uint32_t users;
};

_Static_assert(WEIR_FD_READ == (int)WI_POLL_READ && WEIR_FD_WRITE == (int)WI_POLL_WRITE,
               "the public bits are the poller's");

static struct wi_stable records = WI_STABLE_INIT(struct foreign, WAITS_MAX);
static struct wi_lock table_lock;
static struct wi_list table[BUCKETS]; /* guarded by table_lock; all-zero heads are empty */

static struct wi_list *bucket_of(int fd)
{
    struct wi_list *bucket = &table[(unsigned)fd % BUCKETS];
    if (bucket->next == NULL)
        wi_list_init(bucket);
    return bucket;
}

static struct foreign *find_locked(struct wi_list *bucket, int fd)
{
    for (struct wi_list *node = bucket->next; node != bucket; node = node->next) {
        struct foreign *found = wi_container_of(node, struct foreign, node);
        if (found->io.watch.fd == fd)
            return found;
    }
    return NULL;
}

static int add_locked(struct wi_list *bucket, int fd, struct foreign **out)
{
    void *record = NULL;
    int rc = wi_stable_take(&records, &record);
    if (rc != 0)
        return rc;
    struct foreign *fresh = record;
    wi_io_init(&fresh->io, fd, wi_io_on_ready);
    struct wi_loop *loop = wi_runtime_loop();
    rc = loop != NULL ? wi_loop_watch(loop, &fresh->io.watch, WI_POLL_READ | WI_POLL_WRITE)
                      : WEIR_ENOTOPEN;
    if (rc != 0) {
        wi_stable_give(&records, fresh);
        return rc;
    }
    fresh->users = 0;
    wi_list_push_back(bucket, &fresh->node);
    *out = fresh;
    return 0;
}

/* *joined says that others wait on it too, so that an event may have been told already. */
static int join(int fd, struct foreign **out, bool *joined)
{
    int rc = 0;
    wi_lock(&table_lock);
    struct wi_list *bucket = bucket_of(fd);
    *out = find_locked(bucket, fd);
    *joined = *out != NULL;
    if (!*joined)
        rc = add_locked(bucket, fd, out);
    if (rc == 0)
        (*out)->users++;
    wi_unlock(&table_lock);
    return rc;
}

static void part(struct foreign *foreign)
{
    wi_lock(&table_lock);
    if (--foreign->users == 0) {
        wi_list_remove(&foreign->node);
        struct wi_loop *loop = wi_runtime_loop();
        if (loop != NULL) /* else its poller is gone, while a thread was in a select */
            wi_loop_unwatch(loop, &foreign->io.watch);
        wi_stable_give(&records, foreign);
    }
    wi_unlock(&table_lock);
}

void wi_fd_waits_close(void)
{
    wi_lock(&table_lock);
    wi_unlock(&table_lock);
}

/* The end of the stream and errors count as both kinds of readiness. */
static int public_bits(int ready, int interest)
{
    if (ready < 0)
        return ready;
    const int bits = ready & interest;
    return bits != 0 ? bits : interest;
}

int weir_fd_wait(int fd, int interest, weir_time deadline)
{
    if (interest == 0 || (interest & ~(WEIR_FD_READ | WEIR_FD_WRITE)) != 0)
        return WEIR_EINVAL;
    int rc = wi_runtime_check();
    if (rc != 0)
        return rc;
    if (fd < 0)
        return WEIR_EBADF;
    if (weir_task_id() == 0)
        return public_bits(wi_poll_one(fd, (uint32_t)interest, deadline), interest);

    struct foreign *foreign = NULL;
    bool joined = false;
    rc = join(fd, &foreign, &joined);
    if (rc != 0)
        return rc;
    if (joined || deadline == WEIR_DONT_WAIT)
        rc = wi_poll_one(fd, (uint32_t)interest, WEIR_DONT_WAIT);
    if (deadline != WEIR_DONT_WAIT && (!joined || rc == WEIR_ETIMEDOUT)) {
        /* A shared record may keep the bit of an event whose bytes were read long ago. */
        do {
            rc = wi_io_wait(&foreign->io, (uint32_t)interest, deadline);
        } while (joined && rc > 0 &&
                 wi_poll_one(fd, (uint32_t)interest, WEIR_DONT_WAIT) == WEIR_ETIMEDOUT);
    }
    part(foreign);
    return public_bits(rc, interest);
}

/* -- in a select ------------------------------------------------------------------------------ */

static uint32_t interest_of(const struct weir_select_case *one)
{
    return one->op == WEIR_SELECT_READABLE ? WI_POLL_READ : WI_POLL_WRITE;
}

/* Ready now, or broken: the case has its result.  False: not ready. */
static bool found_ready(struct weir_select_case *one)
{
    const int rc = wi_poll_one(one->fd, interest_of(one), WEIR_DONT_WAIT);
    if (rc == WEIR_ETIMEDOUT)
        return false;
    one->result = public_bits(rc, (int)interest_of(one));
    return true;
}

static bool fd_begin(struct wi_selected *selected, bool may_wait)
{
    struct weir_select_case *one = selected->one;
    if (one->fd < 0)
        return false;
    int rc = wi_runtime_check();
    if (rc == 0 && found_ready(one))
        return true;
    struct foreign *foreign = NULL;
    bool joined = false;
    if (rc == 0 && may_wait)
        rc = join(one->fd, &foreign, &joined);
    if (rc != 0) {
        one->result = rc;
        return true;
    }
    /* Who made the record is told by the poller what is ready at the time. */
    if (joined && found_ready(one)) {
        part(foreign);
        return true;
    }
    selected->object = foreign;
    return false;
}

static struct wi_lock *fd_lock(void *object)
{
    return &((struct foreign *)object)->io.lock;
}

static bool fd_ready(const struct wi_selected *selected)
{
    const struct foreign *foreign = selected->object;
    return (foreign->io.ready & interest_of(selected->one)) != 0;
}

/* The bit may be of an event whose bytes somebody has read meanwhile: asked once more, which is
 * worth a system call under the locks because it is rare.  A bit that holds stays, for others that
 * have asked before it came. */
static int fd_take(struct wi_selected *selected, struct wi_waiter **served)
{
    (void)served;
    struct foreign *foreign = selected->object;
    if (found_ready(selected->one))
        return 0;
    foreign->io.ready &= ~interest_of(selected->one);
    return WEIR_EAGAIN;
}

static struct wi_list *fd_queue(struct wi_selected *selected)
{
    struct foreign *foreign = selected->object;
    return selected->one->op == WEIR_SELECT_READABLE ? &foreign->io.readers : &foreign->io.writers;
}

static void fd_done(struct wi_selected *selected)
{
    selected->one->result = public_bits(selected->one->result, (int)interest_of(selected->one));
}

static void fd_end(struct wi_selected *selected)
{
    if (selected->object != NULL)
        part(selected->object);
}

const struct wi_selectable wi_fd_selectable = {
    .begin = fd_begin,
    .lock = fd_lock,
    .ready_locked = fd_ready,
    .take_locked = fd_take,
    .queue_locked = fd_queue,
    .done = fd_done,
    .end = fd_end,
};
