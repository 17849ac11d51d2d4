/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_DRIVE_POOL_H
#define WEIR_TOOL_DRIVE_POOL_H

/* Idle keep-alive connections, by host.  The one that was used last is taken first, so that a pool
 * stays as small as the service allows.
 *
 * Invariant: each of the `max` records is on the free list, or on its host's list and in the order
 * of age.
 * Threads: one owner. */

#include <stdint.h>

#include "base/list.h"
#include "weir/err.h"
#include "weir/net.h"

struct pooled {
    struct wi_list by_host; /* the free list, or the list of its host */
    struct wi_list by_age;
    weir_stream *stream;
};

struct pool {
    struct pooled *all;    /* owned */
    struct wi_list *hosts; /* owned; last used first */
    struct wi_list free;
    struct wi_list aged; /* longest idle first */
};

/* Room for `max` idle connections to `hosts` hosts.  0 or WEIR_ENOMEM. */
WEIR_CHECK int pool_init(struct pool *pool, int64_t max, int hosts);

/* Frees the memory.  The pool is empty. */
void pool_fini(struct pool *pool);

/* An idle connection to that host, or NULL. */
weir_stream *pool_take(struct pool *pool, int host);

/* The one that was idle for longest, of any host, or NULL. */
weir_stream *pool_take_oldest(struct pool *pool);

/* Gives it back.  The caller keeps at most `max` connections in all. */
void pool_give(struct pool *pool, int host, weir_stream *stream);

#endif
