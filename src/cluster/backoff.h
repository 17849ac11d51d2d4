/* SPDX-License-Identifier: MIT */
#ifndef WI_CLUSTER_BACKOFF_H
#define WI_CLUSTER_BACKOFF_H

/* How long to wait before a worker that died is started again.  Pure.
 *
 * A worker that had served for a second died of an accident: the next one starts at once.  From
 * then on each death waits longer, 100 ms, then 1.5 times as long each time, at most 15 s; a worker
 * that was ready for 30 s forgives everything.
 *
 * Source: the shape is that of pm2's exp_backoff_restart_delay; the first restart without delay is
 * ours, so that one lost worker costs no capacity that a client could notice. */

#include <stdint.h>

struct wi_backoff {
    int64_t delay_ns; /* of the next death; 0: the next is the first */
};

/* The delay before the next start, after a worker that was ready for `ready_ns` (0: never). */
int64_t wi_backoff_next(struct wi_backoff *backoff, int64_t ready_ns);

#endif
