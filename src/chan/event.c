/* SPDX-License-Identifier: MIT */
/* Events that stay set.
 *
 * Word: SET, or WAITERS: somebody is on the queue, or was and gave up.  Never both.
 *   a: wait: SET: return.  Else under the lock sets WAITERS and queues itself.
 *   b: set, without WAITERS: one compare-and-swap, the setter's last touch.
 *   c: set, with WAITERS: under the lock, if somebody is queued: the word becomes SET, all are
 *      woken after the unlock.  Until then they are inside their calls, so the event exists.  If
 *      nobody is queued: clears WAITERS and does b, for who sees SET may free the event at once.
 * Pairing: the release of b and c meets the acquire of a. */
#include "weir/event.h"

#include <stddef.h>

#include "base/alloc.h"
#include "base/check.h"
#include "chan/selectables.h"
#include "sync/lock.h"
#include "sync/wait.h"

enum {
    SET = 1,
    WAITERS = 2
};

struct weir_event {
    wi_atomic_u32 word; /* WAITERS is set and cleared under lock */
    struct wi_lock lock;
    struct wi_list waiters; /* guarded by lock */
};

static const struct wi_waitable event_waitable = { .what = "wait for event" };

int weir_event_create(weir_event **out)
{
    wi_bug_unless(out != NULL);
    struct weir_event *event = wi_alloc(sizeof(*event));
    if (event == NULL)
        return WEIR_ENOMEM;
    wi_store_relaxed(&event->word, 0);
    wi_lock_init(&event->lock);
    wi_list_init(&event->waiters);
    *out = event;
    return 0;
}

void weir_event_destroy(weir_event *event)
{
    wi_bug_unless(event != NULL);
    const size_t waiting = wi_list_count(&event->waiters);
    if (waiting > 0)
        wi_bug_misuse("weir_event_destroy", "so many wait for it", (int64_t)waiting);
    wi_free(event);
}

/* c; false: nobody is queued. */
static bool set_and_wake(struct weir_event *event)
{
    struct wi_list claimed;
    wi_list_init(&claimed);
    wi_lock(&event->lock);
    wi_waitlist_claim_all(&event->waiters, &claimed);
    const bool somebody = !wi_list_empty(&claimed);
    if (somebody)
        wi_store_release(&event->word, SET);
    else
        (void)wi_and_acq_rel(&event->word, ~(uint32_t)WAITERS);
    wi_unlock(&event->lock);
    wi_waitlist_finish(&claimed, 0);
    return somebody;
}

void weir_event_set(weir_event *event)
{
    wi_bug_unless(event != NULL);
    uint32_t word = wi_load_relaxed(&event->word);
    for (;;) {
        if ((word & WAITERS) == 0) {
            if (wi_cas_acq_rel(&event->word, &word, SET)) /* b */
                return;
        } else if (set_and_wake(event)) {
            return;
        } else {
            word = wi_load_relaxed(&event->word);
        }
    }
}

void weir_event_clear(weir_event *event)
{
    wi_bug_unless(event != NULL);
    (void)wi_and_acq_rel(&event->word, ~(uint32_t)SET);
}

bool weir_event_is_set(const weir_event *event)
{
    wi_bug_unless(event != NULL);
    return (wi_load_acquire(&event->word) & SET) != 0;
}

/* a, under the lock: whether it is set; if not, WAITERS says that somebody comes to the queue. */
static bool set_or_announced_locked(struct weir_event *event)
{
    uint32_t word = wi_load_acquire(&event->word);
    while ((word & SET) == 0) {
        if (wi_cas_acq_rel(&event->word, &word, WAITERS))
            return false;
    }
    return true;
}

int weir_event_wait(weir_event *event, weir_time deadline)
{
    wi_bug_unless(event != NULL);
    if (wi_entry_canceled(deadline))
        return WEIR_ECANCELED;
    if (weir_event_is_set(event)) /* a */
        return 0;
    if (deadline == WEIR_DONT_WAIT)
        return WEIR_ETIMEDOUT;

    struct wi_wait wait;
    struct wi_waiter self;
    wi_wait_init_single(&wait, &self, &event_waitable, event, NULL);
    wi_lock(&event->lock);
    if (!set_or_announced_locked(event)) {
        wi_list_push_back(&event->waiters, &self.node);
        return wi_wait_single(&self, &event->lock, deadline, WI_WAIT_CANCELABLE);
    }
    wi_unlock(&event->lock);
    return 0;
}

/* -- in a select ------------------------------------------------------------------------------ */

static bool select_begin(struct wi_selected *selected, bool may_wait)
{
    (void)may_wait;
    selected->object = selected->one->event;
    return false;
}

static struct wi_lock *select_lock(void *object)
{
    return &((struct weir_event *)object)->lock;
}

static bool select_ready(const struct wi_selected *selected)
{
    return set_or_announced_locked(selected->object);
}

static int select_take(struct wi_selected *selected, struct wi_waiter **served)
{
    (void)served;
    selected->one->result = 0;
    return set_or_announced_locked(selected->object) ? 0 : WEIR_EAGAIN;
}

static struct wi_list *select_queue(struct wi_selected *selected)
{
    return &((struct weir_event *)selected->object)->waiters;
}

const struct wi_selectable wi_event_selectable = {
    .begin = select_begin,
    .lock = select_lock,
    .ready_locked = select_ready,
    .take_locked = select_take,
    .queue_locked = select_queue,
};
