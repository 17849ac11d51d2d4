/* SPDX-License-Identifier: MIT */
#ifndef WI_LOOP_IO_H
#define WI_LOOP_IO_H

/* A descriptor that tasks wait on: a watch plus readiness bits plus waiters.
 *
 * Use: try the system call; on WEIR_EAGAIN wi_io_wait(); try again.  An event that comes between
 * the two stays in `ready`, so the wait returns at once: no wake is lost.
 * Lives in type-stable memory, as every watch. */

#include "base/list.h"
#include "loop/loop.h"
#include "sync/lock.h"
#include "sync/wait.h"

struct wi_io {
    struct wi_watch watch;
    struct wi_lock lock;
    /* guarded by lock */
    uint32_t ready; /* WI_POLL_ bits told since they were last consumed */
    bool closed;
    struct wi_list readers; /* wi_waiter.node */
    struct wi_list writers;
};

/* Prepares a fresh (zeroed) or recycled record; on_ready is wi_io_on_ready() or a function that
 * calls it. */
void wi_io_init(struct wi_io *io, int fd, void (*on_ready)(struct wi_watch *, uint32_t));

/* The watch's callback: keeps the bits and wakes who waits for them. */
void wi_io_on_ready(struct wi_watch *watch, uint32_t ready);

/* Waits until one of `interest` (WI_POLL_READ, WI_POLL_WRITE) is ready; HANGUP counts as READ (the
 * end can be read), ERROR as both.  The bits (> 0), which are consumed, or WEIR_ETIMEDOUT,
 * WEIR_ECANCELED, WEIR_ECLOSED. */
int wi_io_wait(struct wi_io *io, uint32_t interest, weir_time deadline);

/* Wakes everybody with WEIR_ECLOSED; later waits return it at once. */
void wi_io_mark_closed(struct wi_io *io);

#endif
