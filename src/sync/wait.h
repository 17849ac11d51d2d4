/* SPDX-License-Identifier: MIT */
#ifndef WI_SYNC_WAIT_H
#define WI_SYNC_WAIT_H

/* The waiter: who waits, for what, where the result goes, how to withdraw it (libdill's clause,
 * Go's sudog).  One wait has one waiter for each thing waited for; all live in the frame of the
 * waiting call.
 *
 * A wait for several things (wi_wait()) is decided by one compare-and-swap on its word:
 *   WAITING   published, nobody has decided
 *   CLAIMED   a peer has won and is working on it (copies a message, writes a result)
 *   DONE + i  the peer is through with waiter i; it touches neither wait nor waiter any more
 *   GIVEN_UP  the owner has won: deadline or cancellation
 *
 * Protocol, for a waitable W (channel, descriptor, join, lock) with a lock of its own.
 *   owner: a: under W's lock finds nothing ready, queues its waiter on W, unlocks.
 *          b: wi_wait() parks until the word is DONE, or its time is up and WAITING -> GIVEN_UP.
 *          c: withdraws every waiter that may still be queued, under its W's lock.
 *   peer:  d: under W's lock takes a waiter off the queue; WAITING -> CLAIMED (wi_waiter_claim()).
 *             If that fails the owner or another peer has won: leave it, take the next.
 *          e: copies, still under the lock; unlocks W: the peer's last touch of W.
 *          f: wi_waiter_done(): writes the result, sets the word to DONE: the peer's last touch
 *             of the waiter; then wakes the parker, which is type-stable.
 * So whoever returns from wi_wait() with DONE may free W and its frame at once.
 *
 * A wait for one thing (wi_wait_single()) needs no compare-and-swap: W's lock decides, because the
 * owner too gives up only under it.
 *   peer:  d: as above, but a plain store says CLAIMED: who finds the waiter on the queue has it.
 *   owner: g: whose time is up takes W's lock; if the word is still WAITING it takes its waiter off
 *             the queue and has given up; if not, a peer has claimed it, and it waits for DONE.
 *
 * Pairing: the store in f (release) meets the load in b (acquire): the owner sees the copy. */

#include <stdbool.h>

#include "base/atomic.h"
#include "base/list.h"
#include "sync/cancel.h"
#include "sync/lock.h"
#include "sync/parker.h"
#include "weir/time.h"

enum {
    WI_WAITING = 0,
    WI_CLAIMED = 1,
    WI_GIVEN_UP = 2,
    WI_DONE = 16
};

/* A kind of thing that is waited for; static.  The protocol does not need it, people do: dumps say
 * what a parked task waits for, and follow the edges from waiter to holder. */
struct wi_waitable {
    const char *what; /* as a dump says it: "receive from channel" */
    /* The parker of who alone can end the wait (a lock's holder, a joined task), or NULL.  Called
     * from a dump that keeps the waiter from running, so that what has to outlive the wait
     * exists; the rest goes on: the answer is a hint.  May be NULL. */
    struct wi_parker *(*holder)(const void *object);
    /* What people know the object by (a descriptor's number, a task's), in the place of its
     * address.  As holder.  May be NULL. */
    int64_t (*number)(const void *object);
    bool outside; /* what ends the wait may come from beyond the process, unseen by its poller */
};

struct wi_wait {
    /* atomic */
    wi_atomic_u32 word;
    /* constant after init */
    bool single; /* has one waiter, claimed and given up under the waitable's lock */
    struct wi_parker *parker;
    const struct wi_waitable *waitable;
    const void *object;
};

struct wi_waiter {
    struct wi_list node;  /* guarded by the waitable's lock */
    struct wi_wait *wait; /* constant after init */
    void *data;           /* constant after init; what it points at: the claimant until DONE */
    uint32_t index;       /* constant after init */
    int result;           /* the claimant until DONE, then the owner */
};

/* A wait by the caller for `object` (a channel, a lock; NULL: none that has an address), which has
 * several waiters: select, or one object with several queues. */
void wi_wait_init(struct wi_wait *wait, const struct wi_waitable *waitable, const void *object);
void wi_waiter_init(struct wi_waiter *waiter, struct wi_wait *wait, uint32_t index, void *data);

/* Peer, under the waitable's lock, the waiter already off the queue. */
bool wi_waiter_claim(struct wi_waiter *waiter);

/* Peer, after a claim and after its last touch of the waitable. */
void wi_waiter_done(struct wi_waiter *waiter, int result);

enum wi_wait_kind {
    WI_WAIT_CANCELABLE,   /* ambient cancellation and deadline end it */
    WI_WAIT_UNCANCELABLE, /* only `deadline` ends it: locks, joins */
};

/* Owner.  The index of the waiter that is done; or WEIR_ETIMEDOUT (the explicit deadline) or
 * WEIR_ECANCELED, with the word GIVEN_UP and the waiters still to be withdrawn. */
int wi_wait(struct wi_wait *wait, weir_time deadline, enum wi_wait_kind kind);

/* Both, for a wait with one waiter, of index 0: to be waited for by wi_wait_single(). */
void wi_wait_init_single(struct wi_wait *wait, struct wi_waiter *waiter,
                         const struct wi_waitable *waitable, const void *object, void *data);

/* Owner, with the waitable's lock held and the one waiter on one of its queues; the lock is
 * released.  0: a peer decided, see waiter->result.  WEIR_ETIMEDOUT or WEIR_ECANCELED as wi_wait():
 * the waiter is off the queue, and nobody will touch it. */
int wi_wait_single(struct wi_waiter *waiter, struct wi_lock *lock, weir_time deadline,
                   enum wi_wait_kind kind);

/* Peer, under the waitable's lock: takes the first waiter that can be claimed off the queue, and
 * drops those that others have won.  NULL if none.  wi_waiter_done() is due after the unlock. */
struct wi_waiter *wi_waitlist_claim_queued(struct wi_list *queue);
static inline struct wi_waiter *wi_waitlist_claim_first(struct wi_list *queue)
{
    return wi_list_empty(queue) ? NULL : wi_waitlist_claim_queued(queue);
}

/* Peer, under the lock: claims every waiter of the queue and moves it to `claimed`, a list of the
 * peer's own. */
void wi_waitlist_claim_all(struct wi_list *queue, struct wi_list *claimed);

/* Peer, after the unlock: completes every waiter on its own list. */
void wi_waitlist_finish(struct wi_list *claimed, int result);

/* The budget of wi_entry_canceled() is spent. */
void wi_entry_yield(struct wi_parker *parker);

/* Whether the caller is canceled already, for calls that may wait: a sticky cancellation also ends
 * those that would not have had to.  Looks at no clock while nothing is canceled.  A caller that
 * has made WI_PARKER_BUDGET of them without waiting lets others run first, so that two tasks that
 * keep each other supplied do not starve the rest; hence to be called before anything is looked at
 * or locked. */
static inline bool wi_entry_canceled(weir_time deadline)
{
    if (deadline == WEIR_DONT_WAIT)
        return false;
    struct wi_parker *parker = wi_current_parker();
    if (wi_unlikely(--parker->budget == 0))
        wi_entry_yield(parker);
    return wi_parker_canceled(parker);
}

#endif
