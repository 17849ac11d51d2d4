/* SPDX-License-Identifier: MIT */
#ifndef WI_POOL_POST_H
#define WI_POOL_POST_H

/* Jobs of a pool that nobody waits for. */

#include "weir/err.h"
#include "weir/pool.h"

/* Has fn(arg) run on a thread of the pool.  It sees no task-locals and no deadline.
 *
 * 0: it will run; WEIR_EOVERFLOW, WEIR_EAGAIN, WEIR_EFORKED as weir_blocking(), WEIR_ENOMEM: it
 * never will.  Callers: any thread; never waits. */
WEIR_CHECK int wi_pool_post(weir_pool *pool, void (*fn)(void *arg), void *arg);

#endif
