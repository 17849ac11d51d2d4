/* SPDX-License-Identifier: MIT */
#ifndef WI_CLUSTER_MEMBER_H
#define WI_CLUSTER_MEMBER_H

/* A supervised worker's side of the primary: it says what it is doing and is told by SIGTERM when
 * to drain.  Repeated signals and the terminal's SIGINT are the primary's business.
 *
 * Threads: wi_member_ready() and wi_member_draining() from any thread; never wait. */

#include "cluster/slots.h"

struct wi_member {
    /* constant after init */
    int index;
    int tell_fd; /* the primary reads the other end */
    struct wi_slot *slot;
    void *payload;
};

/* Serves from now on. */
void wi_member_ready(struct wi_member *self);

/* Takes nothing new from now on. */
void wi_member_draining(struct wi_member *self);

/* Leaves a line (cut at WI_SLOT_REASON_BYTES) that says why the start fails; before the end. */
void wi_member_explain(struct wi_member *self, const char *reason);

#endif
