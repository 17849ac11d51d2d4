/* SPDX-License-Identifier: MIT */
#ifndef WI_OS_POLL_H
#define WI_OS_POLL_H

/* Contract: readiness of many descriptors.  Edge-triggered: an event is told once per change, so
 * callers read or write until WEIR_EAGAIN before they wait again.  A short count will do too, but
 * for a reader only as long as HANGUP has not been told: then the end is there already, behind the
 * bytes, and no further edge will tell of it.
 *
 * Threads: add, change, remove and kick from any thread; wait from one thread at a time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/time.h"

enum {
    WI_POLL_READ = 1u,       /* readable, or at the end */
    WI_POLL_WRITE = 2u,      /* writable */
    WI_POLL_HANGUP = 4u,     /* the peer closed its sending side, or the connection is gone */
    WI_POLL_ERROR = 8u,      /* an error is pending on the descriptor */
    WI_POLL_EXCLUSIVE = 16u, /* add only: wakes one of several pollers; level-triggered */
    WI_POLL_LEVEL = 32u,     /* add only: level-triggered */
};

struct wi_poll_event {
    uint64_t token;
    uint32_t ready; /* WI_POLL_READ | WRITE | HANGUP | ERROR */
};

struct wi_poll {
    int fd;      /* itself pollable: readable when wi_poll_wait() has something to tell */
    int kick_fd; /* written by wi_poll_kick() */
};

WEIR_CHECK int wi_poll_open(struct wi_poll *out);
void wi_poll_close(struct wi_poll *poll);

/* Watches fd.  WI_POLL_HANGUP and ERROR are always told.  `token` comes back with every event;
 * UINT64_MAX is reserved.  0, WEIR_ENOMEM, WEIR_ENOSPC (the user's limit), WEIR_EPERM (a regular
 * file), WEIR_EEXIST. */
WEIR_CHECK int wi_poll_add(struct wi_poll *poll, int fd, uint32_t interest, uint64_t token);

/* Stops watching; an event already fetched may still be told. 0 or WEIR_ENOENT. */
int wi_poll_remove(struct wi_poll *poll, int fd);

/* Whether no descriptor is watched: 1, 0, or WEIR_ENOTSUP where that cannot be told. */
int wi_poll_is_empty(const struct wi_poll *poll);

/* Waits for events until the deadline (never early; WEIR_DONT_WAIT looks once) or a kick.
 * The number of events, at most `max` (<= WI_POLL_BATCH_MAX); 0 for a kick or the deadline. */
int wi_poll_wait(struct wi_poll *poll, struct wi_poll_event *events, int max, weir_time deadline);

/* Makes the current or next wi_poll_wait() return.  Kicks collapse.  Callers: any thread, also
 * signal handlers. */
void wi_poll_kick(struct wi_poll *poll);

/* Waits for one descriptor without a poller: blocks the calling thread.
 * The readiness bits, or WEIR_ETIMEDOUT, WEIR_EBADF. */
int wi_poll_one(int fd, uint32_t interest, weir_time deadline);

#define WI_POLL_BATCH_MAX 256

#endif
