/* SPDX-License-Identifier: MIT */
/* Channels on waiters; sync/wait.h has the protocol that decides every race.
 *
 * Invariants under the lock: senders wait only while the buffer is full and the channel open;
 * receivers wait only while the buffer is empty and the channel open; a wait that gave up may still
 * be on a queue and is skipped.  wi_chan_valid() checks them.
 *
 * A message is copied once where two meet (from the sender's frame to the receiver's), twice
 * through the buffer.  A receiver that frees a place moves the oldest waiting sender's message in,
 * so the order of one sender's messages is kept.
 *
 * Source: Hoare 1978 by way of Newsqueak and Go; the waiter is libdill's clause. */
#include "chan/chan.h"

#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/sized.h"

/* Seeds the choices of select; not by address, so that a simulated run repeats. */
static wi_atomic_u64 channels_made;

int weir_chan_create(weir_chan **out, const struct weir_chan_opts *opts)
{
    wi_bug_unless(out != NULL);
    struct weir_chan_opts wanted;
    const int rc = wi_sized_take(&wanted, sizeof(wanted), opts);
    if (rc != 0)
        return rc;
    if (wanted.elem_bytes > WEIR_CHAN_ELEM_BYTES_MAX)
        return WEIR_EINVAL;
    size_t bytes;
    if (__builtin_mul_overflow(wanted.elem_bytes, wanted.cap_elems, &bytes) ||
        bytes > (size_t)PTRDIFF_MAX - sizeof(struct weir_chan))
        return WEIR_ENOMEM;
    struct weir_chan *ch = wi_alloc(sizeof(*ch) + bytes);
    if (ch == NULL)
        return WEIR_ENOMEM;
    ch->elem_bytes = wanted.elem_bytes;
    ch->cap_elems = wanted.cap_elems;
    wi_lock_init(&ch->lock);
    ch->closed = false;
    ch->first = 0;
    ch->count = 0;
    ch->choice = wi_add_relaxed(&channels_made, 1);
    wi_list_init(&ch->senders);
    wi_list_init(&ch->receivers);
    *out = ch;
    return 0;
}

void weir_chan_destroy(weir_chan *ch)
{
    wi_bug_unless(ch != NULL);
    wi_bug_unless(wi_list_empty(&ch->senders));
    wi_bug_unless(wi_list_empty(&ch->receivers));
    wi_free(ch);
}

static uint8_t *place(struct weir_chan *ch, size_t offset)
{
    size_t index = ch->first + offset;
    if (index >= ch->cap_elems)
        index -= ch->cap_elems;
    return ch->buffer + index * ch->elem_bytes;
}

/* A pointer or a number is copied without a call. */
static inline void copy_message(const struct weir_chan *ch, void *target, const void *source)
{
    if (wi_likely(ch->elem_bytes == sizeof(uint64_t)))
        memcpy(target, source, sizeof(uint64_t));
    else if (ch->elem_bytes > 0)
        memcpy(target, source, ch->elem_bytes);
}

int wi_chan_send_locked(struct weir_chan *ch, const void *msg, struct wi_waiter **served)
{
    if (ch->closed)
        return WEIR_ECLOSED;
    struct wi_waiter *receiver = wi_waitlist_claim_first(&ch->receivers);
    if (receiver != NULL) {
        copy_message(ch, receiver->data, msg);
        *served = receiver;
        return 0;
    }
    if (ch->count == ch->cap_elems)
        return WEIR_EAGAIN;
    copy_message(ch, place(ch, ch->count), msg);
    ch->count++;
    return 0;
}

int wi_chan_recv_locked(struct weir_chan *ch, void *msg, struct wi_waiter **served)
{
    if (ch->count > 0) {
        copy_message(ch, msg, place(ch, 0));
        ch->first = ch->first + 1 == ch->cap_elems ? 0 : ch->first + 1;
        ch->count--;
        struct wi_waiter *sender = wi_waitlist_claim_first(&ch->senders);
        if (sender != NULL) {
            copy_message(ch, place(ch, ch->count), sender->data);
            ch->count++;
            *served = sender;
        }
        return 0;
    }
    struct wi_waiter *sender = wi_waitlist_claim_first(&ch->senders);
    if (sender != NULL) {
        copy_message(ch, msg, sender->data);
        *served = sender;
        return 0;
    }
    if (!ch->closed)
        return WEIR_EAGAIN;
    if (ch->elem_bytes > 0)
        memset(msg, 0, ch->elem_bytes);
    return WEIR_ECLOSED;
}

void wi_chan_withdraw(struct weir_chan *ch, struct wi_waiter *waiter)
{
    wi_lock(&ch->lock);
    wi_list_remove(&waiter->node);
    wi_unlock(&ch->lock);
}

const struct wi_waitable wi_chan_send_waitable = { .what = "send to channel" };
const struct wi_waitable wi_chan_recv_waitable = { .what = "receive from channel" };

/* Waits on one queue of the channel, whose lock the caller holds; it is released here. */
static int wait_locked(struct weir_chan *ch, struct wi_list *queue, void *data, weir_time deadline)
{
    struct wi_wait wait;
    struct wi_waiter self;
    wi_wait_init_single(&wait, &self,
                        queue == &ch->senders ? &wi_chan_send_waitable : &wi_chan_recv_waitable, ch,
                        data);
    wi_list_push_back(queue, &self.node);

    /* self lives in this frame.  A peer that claims it is through with the channel before it says
     * so, and then touches the parker only: so returning, and even destroying ch, is safe. */
    const int rc = wi_wait_single(&self, &ch->lock, deadline, WI_WAIT_CANCELABLE);
    return rc < 0 ? rc : self.result;
}

int weir_chan_send(weir_chan *ch, const void *msg, weir_time deadline)
{
    wi_bug_unless(ch != NULL);
    wi_bug_unless(msg != NULL || ch->elem_bytes == 0);
    if (wi_entry_canceled(deadline))
        return WEIR_ECANCELED;

    struct wi_waiter *served = NULL;
    wi_lock(&ch->lock);
    int rc = wi_chan_send_locked(ch, msg, &served);
    if (rc == WEIR_EAGAIN && deadline != WEIR_DONT_WAIT)
        return wait_locked(ch, &ch->senders, (void *)(uintptr_t)msg, deadline);
    wi_unlock(&ch->lock);
    if (served != NULL)
        wi_waiter_done(served, 0);
    return rc == WEIR_EAGAIN ? WEIR_ETIMEDOUT : rc;
}

int weir_chan_recv(weir_chan *ch, void *msg, weir_time deadline)
{
    wi_bug_unless(ch != NULL);
    wi_bug_unless(msg != NULL || ch->elem_bytes == 0);
    if (wi_entry_canceled(deadline))
        return WEIR_ECANCELED;

    struct wi_waiter *served = NULL;
    wi_lock(&ch->lock);
    int rc = wi_chan_recv_locked(ch, msg, &served);
    if (rc == WEIR_EAGAIN && deadline != WEIR_DONT_WAIT)
        return wait_locked(ch, &ch->receivers, msg, deadline);
    wi_unlock(&ch->lock);
    if (served != NULL)
        wi_waiter_done(served, 0);
    return rc == WEIR_EAGAIN ? WEIR_ETIMEDOUT : rc;
}

int weir_chan_close(weir_chan *ch)
{
    wi_bug_unless(ch != NULL);
    struct wi_list claimed;
    wi_list_init(&claimed);
    wi_lock(&ch->lock);
    if (ch->closed) {
        wi_unlock(&ch->lock);
        return WEIR_ECLOSED;
    }
    ch->closed = true;
    wi_waitlist_claim_all(&ch->receivers, &claimed);
    for (struct wi_list *node = claimed.next; node != &claimed && ch->elem_bytes > 0;
         node = node->next)
        memset(wi_container_of(node, struct wi_waiter, node)->data, 0, ch->elem_bytes);
    wi_waitlist_claim_all(&ch->senders, &claimed);
    wi_unlock(&ch->lock);
    wi_waitlist_finish(&claimed, WEIR_ECLOSED);
    return 0;
}

size_t weir_chan_len(weir_chan *ch)
{
    wi_bug_unless(ch != NULL);
    wi_lock(&ch->lock);
    size_t count = ch->count;
    wi_unlock(&ch->lock);
    return count;
}

/* Whether some waiter of the queue has not been decided yet. */
static bool somebody_waits(const struct wi_list *queue)
{
    for (const struct wi_list *node = queue->next; node != queue; node = node->next) {
        const struct wi_waiter *waiter = wi_container_of(node, struct wi_waiter, node);
        if (wi_load_acquire(&waiter->wait->word) == WI_WAITING)
            return true;
    }
    return false;
}

bool wi_chan_valid(struct weir_chan *ch)
{
    wi_lock(&ch->lock);
    bool senders = somebody_waits(&ch->senders);
    bool receivers = somebody_waits(&ch->receivers);
    bool valid = ch->count <= ch->cap_elems;
    valid = valid && (!senders || (ch->count == ch->cap_elems && !ch->closed));
    valid = valid && (!receivers || (ch->count == 0 && !ch->closed));
    wi_unlock(&ch->lock);
    return valid;
}
