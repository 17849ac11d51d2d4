/* SPDX-License-Identifier: MIT */
/* Waits; the protocol is in wait.h. */
#include "sync/wait.h"

#include <stddef.h>

#include "base/check.h"

void wi_wait_init(struct wi_wait *wait)
{
    wi_store_relaxed(&wait->word, WI_WAITING);
    wait->parker = wi_current_parker();
}

void wi_waiter_init(struct wi_waiter *waiter, struct wi_wait *wait, uint32_t index, void *data)
{
    wi_list_init(&waiter->node);
    waiter->wait = wait;
    waiter->data = data;
    waiter->index = index;
    waiter->result = 0;
}

bool wi_waiter_claim(struct wi_waiter *waiter)
{
    uint32_t waiting = WI_WAITING;
    return wi_cas_acq_rel(&waiter->wait->word, &waiting, WI_CLAIMED); /* d */
}

void wi_waiter_done(struct wi_waiter *waiter, int result)
{
    struct wi_wait *wait = waiter->wait;
    struct wi_parker *parker = wait->parker;
    waiter->result = result;
    uint32_t before = wi_swap_acq_rel(&wait->word, WI_DONE + waiter->index); /* f */
    wi_bug_unless_cmp(before, ==, WI_CLAIMED);
    wi_wake(parker);
}

/* Why the owner shall stop waiting now: 0 if it shall not. */
static int reason_to_give_up(struct wi_parker *parker, weir_time deadline, enum wi_wait_kind kind)
{
    if (kind == WI_WAIT_CANCELABLE && wi_parker_cancel_cause(parker) != 0)
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
    weir_time ambient = wi_shielded(parker) ? parker->shield_until : parker->deadline;
    return ambient < deadline ? ambient : deadline;
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
            wi_park(parker, WEIR_NO_DEADLINE);
            continue;
        }
        int reason = reason_to_give_up(parker, deadline, kind);
        if (reason == 0) {
            wi_park(parker, next_look(parker, deadline, kind));
            continue;
        }
        uint32_t waiting = WI_WAITING;
        if (wi_cas_acq_rel(&wait->word, &waiting, WI_GIVEN_UP)) /* b */
            return reason;
    }
}

struct wi_waiter *wi_waitlist_claim_first(struct wi_list *queue)
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

bool wi_entry_canceled(weir_time deadline)
{
    if (deadline == WEIR_DONT_WAIT)
        return false;
    struct wi_parker *parker = wi_current_parker();
    if (wi_unlikely(--parker->budget == 0)) {
        parker->budget = WI_PARKER_BUDGET;
        if (parker->ops->yield != NULL)
            parker->ops->yield(parker);
    }
    return wi_load_relaxed(&parker->cancel) != 0 && !wi_shielded(parker);
}
