/* SPDX-License-Identifier: MIT */
/* Waits; the protocol is in wait.h. */
#include "sync/wait.h"

#include <stddef.h>

#include "base/check.h"

static void init(struct wi_wait *wait, bool single, const struct wi_waitable *waitable,
                 const void *object)
{
    wi_store_relaxed(&wait->word, WI_WAITING);
    wait->single = single;
    wait->parker = wi_current_parker();
    wait->waitable = waitable;
    wait->object = object;
}

void wi_wait_init(struct wi_wait *wait, const struct wi_waitable *waitable, const void *object)
{
    init(wait, false, waitable, object);
}

void wi_waiter_init(struct wi_waiter *waiter, struct wi_wait *wait, uint32_t index, void *data)
{
    wi_list_init(&waiter->node);
    waiter->wait = wait;
    waiter->data = data;
    waiter->index = index;
    waiter->result = 0;
}

void wi_wait_init_single(struct wi_wait *wait, struct wi_waiter *waiter,
                         const struct wi_waitable *waitable, const void *object, void *data)
{
    init(wait, true, waitable, object);
    wi_waiter_init(waiter, wait, 0, data);
}

bool wi_waiter_claim(struct wi_waiter *waiter)
{
    if (waiter->wait->single) {
        wi_store_relaxed(&waiter->wait->word, WI_CLAIMED); /* d */
        return true;
    }
    uint32_t waiting = WI_WAITING;
    return wi_cas_acq_rel(&waiter->wait->word, &waiting, WI_CLAIMED); /* d */
}

void wi_waiter_done(struct wi_waiter *waiter, int result)
{
    struct wi_wait *wait = waiter->wait;
    struct wi_parker *parker = wait->parker;
    const uint32_t before = wi_load_relaxed(&wait->word);
    wi_bug_unless_cmp(before, ==, WI_CLAIMED);
    waiter->result = result;
    wi_store_release(&wait->word, WI_DONE + waiter->index); /* f */
    wi_wake(parker);
}

/* Why the owner shall stop waiting now: 0 if it shall not. */
static int reason_to_give_up(struct wi_parker *parker, weir_time deadline, enum wi_wait_kind kind)
{
    if (kind == WI_WAIT_CANCELABLE && wi_parker_cause(parker) != 0)
        return WEIR_ECANCELED;
    if (deadline == WEIR_NO_DEADLINE)
        return 0;
    if (deadline == WEIR_DONT_WAIT || weir_now() >= deadline)
        return WEIR_ETIMEDOUT;
    return 0;
}

/* When the owner has to look again though nobody wakes it. */
static weir_time next_look(const struct wi_parker *parker, weir_time deadline,
                           enum wi_wait_kind kind)
{
    if (kind == WI_WAIT_UNCANCELABLE)
        return deadline;
    const weir_time ambient = wi_parker_look_again(parker);
    return ambient < deadline ? ambient : deadline;
}

/* Parks once, saying what for. */
static void park(const struct wi_wait *wait, weir_time until)
{
    struct wi_parker *parker = wait->parker;
    wi_store_relaxed(&parker->object, (void *)(uintptr_t)wait->object);
    wi_store_relaxed(&parker->waitable, (void *)(uintptr_t)wait->waitable);
    wi_park(parker, until);
}

int wi_wait_single(struct wi_waiter *waiter, struct wi_lock *lock, weir_time deadline,
                   enum wi_wait_kind kind)
{
    struct wi_wait *wait = waiter->wait;
    wi_unlock(lock);
    for (;;) {
        const uint32_t word = wi_load_acquire(&wait->word);
        if (word >= WI_DONE)
            return 0;
        if (word == WI_CLAIMED) {
            park(wait, WEIR_NO_DEADLINE);
            continue;
        }
        const int reason = reason_to_give_up(wait->parker, deadline, kind);
        if (reason == 0) {
            park(wait, next_look(wait->parker, deadline, kind));
            continue;
        }
        wi_lock(lock); /* g */
        const bool undecided = wi_load_relaxed(&wait->word) == WI_WAITING;
        if (undecided)
            wi_list_remove(&waiter->node);
        wi_unlock(lock);
        if (undecided)
            return reason;
    }
}

int wi_wait(struct wi_wait *wait, weir_time deadline, enum wi_wait_kind kind)
{
    struct wi_parker *parker = wait->parker;

    for (;;) {
        uint32_t word = wi_load_acquire(&wait->word);
        if (word >= WI_DONE)
            return (int)(word - WI_DONE);
        if (word == WI_CLAIMED) {
            /* A peer is at work: it will be done within its critical section, then wakes. */
            park(wait, WEIR_NO_DEADLINE);
            continue;
        }
        int reason = reason_to_give_up(parker, deadline, kind);
        if (reason == 0) {
            park(wait, next_look(parker, deadline, kind));
            continue;
        }
        uint32_t waiting = WI_WAITING;
        if (wi_cas_acq_rel(&wait->word, &waiting, WI_GIVEN_UP)) /* b */
            return reason;
    }
}

struct wi_waiter *wi_waitlist_claim_queued(struct wi_list *queue)
{
    struct wi_list *node;
    while ((node = wi_list_pop_front(queue)) != NULL) {
        struct wi_waiter *waiter = wi_container_of(node, struct wi_waiter, node);
        if (wi_waiter_claim(waiter))
            return waiter;
    }
    return NULL;
}

void wi_waitlist_claim_all(struct wi_list *queue, struct wi_list *claimed)
{
    struct wi_waiter *waiter;
    while ((waiter = wi_waitlist_claim_first(queue)) != NULL)
        wi_list_push_back(claimed, &waiter->node);
}

void wi_waitlist_finish(struct wi_list *claimed, int result)
{
    /* The node is unlinked before its waiter is done: after that the frame may be gone. */
    struct wi_list *node;
    while ((node = wi_list_pop_front(claimed)) != NULL)
        wi_waiter_done(wi_container_of(node, struct wi_waiter, node), result);
}

void wi_entry_yield(struct wi_parker *parker)
{
    parker->budget = WI_PARKER_BUDGET;
    if (parker->ops->yield != NULL)
        parker->ops->yield(parker);
}
