/* SPDX-License-Identifier: MIT */
#ifndef WI_SYNC_WAIT_H
#define WI_SYNC_WAIT_H

/* The waiter: who waits, for what, where the result goes, how to withdraw it (libdill's clause,
 * Go's sudog).  One wait has one waiter for each thing waited for; all live in the frame of the
 * waiting call.
 *
 * The wait's word decides every race by one compare-and-swap:
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
 *          f: wi_waiter_done(): writes the result, swaps the word to DONE: the peer's last touch
 *             of the waiter; then wakes the parker, which is type-stable.
 * So whoever returns from wi_wait() with DONE may free W and its frame at once.
 * Pairing: the swap in f (release) meets the load in b (acquire): the owner sees the copy. */

#include <stdbool.h>

#include "base/atomic.h"
#include "base/list.h"
#include "sync/parker.h"
#include "weir/time.h"

enum {
    WI_WAITING = 0,
    WI_CLAIMED = 1,
    WI_GIVEN_UP = 2,
    WI_DONE = 16
};

struct wi_wait {
    /* atomic */
    wi_atomic_u32 word;
    /* constant after init */
    struct wi_parker *parker;
};

struct wi_waiter {
    struct wi_list node;  /* guarded by the waitable's lock */
    struct wi_wait *wait; /* constant after init */
    void *data;           /* constant after init; what it points at: the claimant until DONE */
    uint32_t index;       /* constant after init */
    int result;           /* the claimant until DONE, then the owner */
};

void wi_wait_init(struct wi_wait *wait);
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

/* Peer, under the waitable's lock: takes the first waiter that can be claimed off the queue, and
 * drops those that others have won.  NULL if none.  wi_waiter_done() is due after the unlock. */
struct wi_waiter *wi_waitlist_claim_first(struct wi_list *queue);

/* Peer, under the lock: claims every waiter of the queue and moves it to `claimed`, a list of the
 * peer's own. */
void wi_waitlist_claim_all(struct wi_list *queue, struct wi_list *claimed);

/* Peer, after the unlock: completes every waiter on its own list. */
void wi_waitlist_finish(struct wi_list *claimed, int result);

/* Whether the caller is canceled already, for calls that may wait: a sticky cancellation also ends
 * those that would not have had to.  Looks at no clock.  A caller that has made WI_PARKER_BUDGET of
 * them without waiting lets others run first, so that two tasks that keep each other supplied do
 * not starve the rest; hence to be called before anything is looked at or locked. */
bool wi_entry_canceled(weir_time deadline);

#endif
