/* SPDX-License-Identifier: MIT */
#ifndef WI_SYNC_SELECT_H
#define WI_SYNC_SELECT_H

/* What select has to know of a kind of thing to wait for it beside others.
 *
 * An object that can be selected has a lock, and queues of waiters that the lock guards.  Select
 * holds the locks of all its objects at once (in the order of their addresses), looks which cases
 * are ready, takes one of them, or else queues a waiter for each and waits; see chan/select.c.  So
 * under its lock an object calls nobody, and no other lock is taken before it.
 *
 * A kind whose object has to be found or made first (a descriptor's record) does so in begin(),
 * before any lock is held, and lets go of it in end().
 *
 * Threads: the functions marked `_locked` run under the object's lock. */

#include "sync/lock.h"
#include "sync/wait.h"
#include "weir/select.h"

/* A case while its select runs; in the frame of the call. */
struct wi_selected {
    struct wi_waiter waiter; /* data: the case's msg */
    struct weir_select_case *one;
    void *object; /* NULL: absent, never ready */
    const struct wi_selectable *kind;
};

struct wi_selectable {
    /* Sets selected->object from the case, NULL if it is absent.  True: the case is ready as it is,
     * with one->result, and has no object. */
    bool (*begin)(struct wi_selected *selected, bool may_wait);
    struct wi_lock *(*lock)(void *object);
    /* Whether take_locked() would do the case; may be wrong where waiters are stale.  If it is not
     * ready, a peer will find the waiter that is queued until the unlock: who has paths without the
     * lock closes them here. */
    bool (*ready_locked)(const struct wi_selected *selected);
    /* Does the case and sets one->result: 0.  WEIR_EAGAIN: not ready after all, and as above.  A
     * peer that was served is left in *served, as in chan/chan.h. */
    int (*take_locked)(struct wi_selected *selected, struct wi_waiter **served);
    /* The queue that the case's waiter belongs on; may set waiter.data. */
    struct wi_list *(*queue_locked)(struct wi_selected *selected);
    /* Without locks, for the case that was done by take_locked() or by a peer, whose waiter.result
     * is one->result by now.  May be NULL. */
    void (*done)(struct wi_selected *selected);
    /* Without locks, for every case that begin() was called for, last of all.  May be NULL. */
    void (*end)(struct wi_selected *selected);
};

enum {
    WI_SELECT_OPS = WEIR_SELECT_ACQUIRE + 1
};

/* The kinds that live on floors above chan/, by their op; the others are NULL.  task/ sets them as
 * it opens a runtime; static. */
void wi_selectables_set(const struct wi_selectable *const *kinds);

/* NULL before that.  Aborts for what is no op. */
const struct wi_selectable *wi_selectable_of(enum weir_select_op op);

#endif
