/* SPDX-License-Identifier: MIT */
/* Waits on several channels and does one operation (Newsqueak's and Go's three passes).
 *
 * Pass 1, with the locks of all channels held (in the order of their addresses, each once): tries
 * the cases in a random order, so that every ready one is as likely as another; the choice is about
 * one instant of all of them.
 * Pass 2, locks still held: queues a waiter on every channel; unlocks; waits.
 * Pass 3: takes the losing waiters off, each under its channel's lock.
 * All waiters share one wait, so exactly one case wins; a send and a receive of one call never
 * meet, because neither is queued while the other is tried. */
#include "weir/select.h"

#include <stddef.h>

#include "base/check.h"
#include "base/rng.h"
#include "chan/chan.h"

struct selection {
    struct weir_select_case *cases;
    int count;
    struct weir_chan *locks[WEIR_SELECT_CASES_MAX]; /* by address, each once */
    int lock_count;
};

static void collect_locks(struct selection *selection)
{
    selection->lock_count = 0;
    for (int i = 0; i < selection->count; i++) {
        struct weir_chan *ch = selection->cases[i].ch;
        if (ch == NULL)
            continue;
        int at = selection->lock_count;
        while (at > 0 && (uintptr_t)selection->locks[at - 1] > (uintptr_t)ch)
            at--;
        if (at > 0 && selection->locks[at - 1] == ch)
            continue;
        for (int move = selection->lock_count; move > at; move--)
            selection->locks[move] = selection->locks[move - 1];
        selection->locks[at] = ch;
        selection->lock_count++;
    }
}

static void lock_all(const struct selection *selection)
{
    for (int i = 0; i < selection->lock_count; i++)
        wi_lock(&selection->locks[i]->lock);
}

static void unlock_all(const struct selection *selection)
{
    for (int i = selection->lock_count - 1; i >= 0; i--)
        wi_unlock(&selection->locks[i]->lock);
}

static int try_locked(struct weir_select_case *one, struct wi_waiter **served)
{
    if (one->ch == NULL)
        return WEIR_EAGAIN;
    if (one->op == WEIR_SELECT_SEND)
        return wi_chan_send_locked(one->ch, one->msg, served);
    return wi_chan_recv_locked(one->ch, one->msg, served);
}

/* Fills `order` with the indices in a random order (Fisher and Yates, from the inside out).  A
 * random start alone would prefer a ready case that follows one that is not. */
static void shuffle(uint64_t *choice, uint8_t *order, int count)
{
    for (int i = 0; i < count; i++) {
        const uint64_t drawn = wi_rng_split(choice) >> 32;
        const int at = (int)(drawn * (uint64_t)(i + 1) >> 32);
        order[i] = order[at];
        order[at] = (uint8_t)i;
    }
}

/* Pass 1.  The index of the case that was done, or WEIR_EAGAIN. */
static int try_all_locked(struct selection *selection, struct wi_waiter **served)
{
    if (selection->lock_count == 0)
        return WEIR_EAGAIN;
    uint8_t order[WEIR_SELECT_CASES_MAX] = { 0 };
    /* The first channel's lock guards the sequence that the choice is drawn from. */
    shuffle(&selection->locks[0]->choice, order, selection->count);
    for (int i = 0; i < selection->count; i++) {
        const int index = order[i];
        const int rc = try_locked(&selection->cases[index], served);
        if (rc == WEIR_EAGAIN)
            continue;
        selection->cases[index].result = rc;
        return index;
    }
    return WEIR_EAGAIN;
}

static const struct wi_waitable select_waitable = { .what = "select" };

/* Passes 2 and 3; the locks are held and released here. */
static int wait_for_one(struct selection *selection, weir_time deadline)
{
    struct wi_wait wait;
    struct wi_waiter waiters[WEIR_SELECT_CASES_MAX];
    wi_wait_init(&wait, &select_waitable, NULL);
    for (int i = 0; i < selection->count; i++) {
        struct weir_select_case *one = &selection->cases[i];
        wi_waiter_init(&waiters[i], &wait, (uint32_t)i, one->msg);
        if (one->ch == NULL)
            continue;
        bool sends = one->op == WEIR_SELECT_SEND;
        wi_list_push_back(sends ? &one->ch->senders : &one->ch->receivers, &waiters[i].node);
    }
    unlock_all(selection);

    int rc = wi_wait(&wait, deadline, WI_WAIT_CANCELABLE);
    for (int i = 0; i < selection->count; i++) {
        if (selection->cases[i].ch != NULL && i != rc)
            wi_chan_withdraw(selection->cases[i].ch, &waiters[i]);
    }
    if (rc >= 0)
        selection->cases[rc].result = waiters[rc].result;
    return rc;
}

int weir_select(struct weir_select_case *cases, int count, weir_time deadline)
{
    wi_bug_unless(cases != NULL || count == 0);
    wi_bug_unless_cmp(count, >=, 0);
    wi_bug_unless_cmp(count, <=, WEIR_SELECT_CASES_MAX);
    if (wi_entry_canceled(deadline))
        return WEIR_ECANCELED;

    struct selection selection = { .cases = cases, .count = count };
    collect_locks(&selection);
    struct wi_waiter *served = NULL;
    lock_all(&selection);
    int rc = count > 0 ? try_all_locked(&selection, &served) : WEIR_EAGAIN;
    if (rc == WEIR_EAGAIN && deadline != WEIR_DONT_WAIT)
        return wait_for_one(&selection, deadline);
    unlock_all(&selection);
    if (served != NULL)
        wi_waiter_done(served, 0);
    return rc == WEIR_EAGAIN ? WEIR_ETIMEDOUT : rc;
}
