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

/* What a buffer of fixed size takes. */
static int buffer_bytes(const struct weir_chan_opts *opts, size_t *bytes)
{
    if (opts->elem_bytes > WEIR_CHAN_ELEM_BYTES_MAX)
        return WEIR_EINVAL;
    if (opts->grow_bytes_max > 0) {
        const bool fits = opts->elem_bytes > 0 && opts->grow_bytes_max >= opts->elem_bytes;
        return fits && opts->cap_elems == 0 ? 0 : WEIR_EINVAL;
    }
    if (__builtin_mul_overflow(opts->elem_bytes, opts->cap_elems, bytes) ||
        *bytes > (size_t)PTRDIFF_MAX - sizeof(struct weir_chan))
        return WEIR_ENOMEM;
    return 0;
}

int weir_chan_create(weir_chan **out, const struct weir_chan_opts *opts)
{
    wi_bug_unless(out != NULL);
    struct weir_chan_opts wanted;
    int rc = wi_sized_take(&wanted, sizeof(wanted), opts);
    if (rc != 0)
        return rc;
    size_t bytes = 0;
    rc = buffer_bytes(&wanted, &bytes);
    if (rc != 0)
        return rc;
    struct weir_chan *ch = wi_alloc(sizeof(*ch) + bytes);
    if (ch == NULL)
        return WEIR_ENOMEM;
    ch->elem_bytes = wanted.elem_bytes;
    ch->cap_elems = wanted.cap_elems;
    ch->growing = NULL;
    if (wanted.grow_bytes_max > 0) {
        ch->cap_elems = wanted.grow_bytes_max / wanted.elem_bytes;
        rc = wi_growing_create(ch);
        if (rc != 0) {
            wi_free(ch);
            return rc;
        }
    }
    wi_lock_init(&ch->lock);
    ch->closed = false;
    ch->first = 0;
    ch->count = 0;
    /* Seeds the choices of select; by no address or count, so that a simulated run repeats. */
    ch->choice = (uint64_t)weir_now();
    wi_list_init(&ch->senders);
    wi_list_init(&ch->receivers);
    *out = ch;
    return 0;
}

void weir_chan_destroy(weir_chan *ch)
{
    wi_bug_unless(ch != NULL);
    wi_lock(&ch->lock);
    wi_bug_unless(wi_list_empty(&ch->senders));
    wi_bug_unless(wi_list_empty(&ch->receivers));
    wi_unlock(&ch->lock);
    if (ch->growing != NULL)
        wi_growing_destroy(ch);
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
    if (wi_unlikely(ch->growing != NULL)) {
        uint8_t *last = wi_growing_push_locked(ch);
        if (last != NULL)
            copy_message(ch, last, msg);
        return last != NULL ? 0 : WEIR_EAGAIN;
    }
    copy_message(ch, place(ch, ch->count), msg);
    ch->count++;
    return 0;
}

/* As below, from a buffer that grows. */
static int recv_growing_locked(struct weir_chan *ch, void *msg, struct wi_waiter **served)
{
    copy_message(ch, msg, wi_growing_front_locked(ch));
    wi_growing_pop_locked(ch);
    /* Without room a sender waits on, for the receiver that empties a piece. */
    if (!wi_growing_has_room_locked(ch))
        return 0;
    struct wi_waiter *sender = wi_waitlist_claim_first(&ch->senders);
    if (sender == NULL)
        return 0;
    uint8_t *last = wi_growing_push_locked(ch);
    wi_bug_unless(last != NULL);
    copy_message(ch, last, sender->data);
    *served = sender;
    return 0;
}

int wi_chan_recv_locked(struct weir_chan *ch, void *msg, struct wi_waiter **served)
{
    if (ch->count > 0 && wi_unlikely(ch->growing != NULL))
        return recv_growing_locked(ch, msg, served);
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
    if (rc == WEIR_EAGAIN && wi_unlikely(ch->growing != NULL))
        rc = wi_growing_send_locked(ch, msg, &served);
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
    if (wi_unlikely(ch->growing != NULL))
        wi_growing_unlock(ch);
    else
        wi_unlock(&ch->lock);
    if (served != NULL)
        wi_waiter_done(served, 0);
    return rc == WEIR_EAGAIN ? WEIR_ETIMEDOUT : rc;
}

int weir_chan_send_sized(weir_chan *ch, const void *msg, size_t msg_bytes, weir_time deadline)
{
    wi_bug_unless(ch != NULL);
    wi_bug_unless_cmp(msg_bytes, ==, ch->elem_bytes);
    return weir_chan_send(ch, msg, deadline);
}

int weir_chan_recv_sized(weir_chan *ch, void *msg, size_t msg_bytes, weir_time deadline)
{
    wi_bug_unless(ch != NULL);
    wi_bug_unless_cmp(msg_bytes, ==, ch->elem_bytes);
    return weir_chan_recv(ch, msg, deadline);
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

size_t weir_chan_cap(weir_chan *ch)
{
    wi_bug_unless(ch != NULL);
    return ch->cap_elems;
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
    const bool full = ch->count == ch->cap_elems || (ch->growing != NULL && ch->count > 0);
    valid = valid && (!senders || (full && !ch->closed));
    valid = valid && (!receivers || (ch->count == 0 && !ch->closed));
    wi_unlock(&ch->lock);
    return valid;
}
