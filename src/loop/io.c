/* SPDX-License-Identifier: MIT */
/* Waiting on a descriptor; see io.h.  Under the record's lock, an event either finds a waiter or
 * stays as a bit, and a waiter either finds a bit or is queued: nothing falls between. */
#include "loop/io.h"

#include <stddef.h>

#include "base/check.h"

void wi_io_init(struct wi_io *io, int fd, void (*on_ready)(struct wi_watch *, uint32_t))
{
    /* The lock is not made anew (zeroed memory is a free one): a late event of the record's former
     * life may hold it now. */
    wi_lock(&io->lock);
    io->watch.fd = fd;
    if (io->watch.on_ready != on_ready) /* a late event reads it without the lock */
        io->watch.on_ready = on_ready;
    io->ready = 0;
    io->closed = false;
    wi_list_init(&io->readers);
    wi_list_init(&io->writers);
    wi_unlock(&io->lock);
}

static uint32_t with_what_broke(uint32_t ready)
{
    if ((ready & (WI_POLL_ERROR | WI_POLL_HANGUP)) != 0)
        ready |= WI_POLL_READ;
    if ((ready & WI_POLL_ERROR) != 0)
        ready |= WI_POLL_WRITE;
    return ready;
}

void wi_io_on_ready(struct wi_watch *watch, uint32_t told)
{
    struct wi_io *io = wi_container_of(watch, struct wi_io, watch);
    uint32_t ready = with_what_broke(told);
    struct wi_list claimed;
    wi_list_init(&claimed);
    wi_lock(&io->lock);
    io->ready |= ready;
    if ((ready & WI_POLL_READ) != 0)
        wi_waitlist_claim_all(&io->readers, &claimed);
    if ((ready & WI_POLL_WRITE) != 0)
        wi_waitlist_claim_all(&io->writers, &claimed);
    wi_unlock(&io->lock);
    wi_waitlist_finish(&claimed, (int)ready);
}

/* What is ready of `interest` now, consumed; 0 if nothing is. */
static uint32_t take_ready_locked(struct wi_io *io, uint32_t interest)
{
    uint32_t ready = io->ready & interest;
    io->ready &= ~ready;
    return ready;
}

/* Records of descriptors are type-stable. */
static int64_t number_of_fd(const void *object)
{
    struct wi_io *io = (struct wi_io *)(uintptr_t)object;
    wi_lock(&io->lock);
    const int fd = io->watch.fd;
    wi_unlock(&io->lock);
    return fd;
}

static const struct wi_waitable io_waitable = { .what = "descriptor", .number = number_of_fd };

int wi_io_wait(struct wi_io *io, uint32_t interest, weir_time deadline)
{
    struct wi_wait wait;
    struct wi_waiter reader;
    struct wi_waiter writer;
    wi_bug_unless((interest & (WI_POLL_READ | WI_POLL_WRITE)) != 0);
    wi_wait_init(&wait, &io_waitable, io);
    wi_waiter_init(&reader, &wait, 0, NULL);
    wi_waiter_init(&writer, &wait, 1, NULL);

    wi_lock(&io->lock);
    if (io->closed) {
        wi_unlock(&io->lock);
        return WEIR_ECLOSED;
    }
    uint32_t ready = take_ready_locked(io, interest);
    if (ready != 0) {
        wi_unlock(&io->lock);
        return (int)ready;
    }
    if ((interest & WI_POLL_READ) != 0)
        wi_list_push_back(&io->readers, &reader.node);
    if ((interest & WI_POLL_WRITE) != 0)
        wi_list_push_back(&io->writers, &writer.node);
    wi_unlock(&io->lock);

    int rc = wi_wait(&wait, deadline, WI_WAIT_CANCELABLE);
    wi_lock(&io->lock);
    wi_list_remove(&reader.node);
    wi_list_remove(&writer.node);
    int result = rc;
    if (rc >= 0)
        result = rc == 0 ? reader.result : writer.result;
    /* What came until now is seen by the system call that the caller makes next. */
    if (result > 0)
        (void)take_ready_locked(io, interest);
    wi_unlock(&io->lock);
    return result;
}

void wi_io_mark_closed(struct wi_io *io)
{
    struct wi_list claimed;
    wi_list_init(&claimed);
    wi_lock(&io->lock);
    io->closed = true;
    wi_waitlist_claim_all(&io->readers, &claimed);
    wi_waitlist_claim_all(&io->writers, &claimed);
    wi_unlock(&io->lock);
    wi_waitlist_finish(&claimed, WEIR_ECLOSED);
}
