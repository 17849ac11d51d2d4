/* SPDX-License-Identifier: MIT */
/* What a worker tells its primary, through its slot and one pipe.  See member.h.
 *
 * The slot holds the facts, the pipe only says that some fact is new: a byte that does not fit
 * into a full pipe is not missed, since the primary has not read the earlier ones yet. */
#include "cluster/member.h"

#include <stdio.h>

#include "os/clock.h"
#include "os/file.h"

static void tell(const struct wi_member *self)
{
    const char byte = 0;
    const int64_t rc = wi_file_write(self->tell_fd, &byte, 1);
    (void)rc;
}

void wi_member_ready(struct wi_member *self)
{
    wi_store_relaxed(&self->slot->ready_at, wi_clock_now());
    wi_store_release(&self->slot->state, WI_MEMBER_READY); /* pairs with primary.c: scan() */
    tell(self);
}

void wi_member_draining(struct wi_member *self)
{
    wi_store_release(&self->slot->state, WI_MEMBER_DRAINING); /* pairs with primary.c: scan() */
    tell(self);
}

void wi_member_explain(struct wi_member *self, const char *reason)
{
    (void)snprintf(self->slot->reason, sizeof(self->slot->reason), "%s", reason);
}
