/* SPDX-License-Identifier: MIT */
/* One turn of an event loop; see loop.h.
 *
 * Sleeping handshake.  A turn that may block: a: sleeping = 1 (seq_cst); b: looks at the posts and
 * the wheel once more; then polls.  A poster or timer setter: c: publishes (seq_cst); d: reads
 * sleeping (seq_cst) and kicks if it is 1.  Of a-b and c-d at least one sees the other.
 *
 * Posting what is queued already.  A poster: e: writes what the run shall find; f: swaps `queued`
 * to 1, and leaves it at that if it was 1.  The turn: g: swaps it to 0; h: runs.  Both are swaps of
 * one word, so either g comes after f and reads what f wrote, and h sees e; or f comes after g,
 * finds 0 and queues anew.  (With a plain store as g, h could read before f and f still find 1.) */
#include "loop/loop.h"

#include <stddef.h>

#include "base/check.h"
#include "os/clock.h"

enum {
    TOKEN_ADDRESS_BITS = 48,
    TIMERS_PER_TURN_MAX = 1024, /* so that timers that set timers cannot starve descriptors */
};

int wi_loop_open(struct wi_loop *loop)
{
    int rc = wi_poll_open(&loop->poll);
    if (rc != 0)
        return rc;
    wi_wheel_init(&loop->wheel, wi_clock_now());
    wi_store_relaxed(&loop->posts, NULL);
    wi_store_relaxed(&loop->sleeping, 0);
    return 0;
}

void wi_loop_close(struct wi_loop *loop)
{
    wi_poll_close(&loop->poll);
}

static uint64_t token_of(struct wi_watch *watch, uint32_t generation)
{
    uint64_t address = (uint64_t)(uintptr_t)watch;
    wi_bug_unless(address >> TOKEN_ADDRESS_BITS == 0);
    return address | (uint64_t)(generation & 0xffff) << TOKEN_ADDRESS_BITS;
}

int wi_loop_watch(struct wi_loop *loop, struct wi_watch *watch, uint32_t interest)
{
    uint32_t generation = wi_load_relaxed(&watch->generation);
    return wi_poll_add(&loop->poll, watch->fd, interest, token_of(watch, generation));
}

void wi_loop_unwatch(struct wi_loop *loop, struct wi_watch *watch)
{
    (void)wi_add_acq_rel(&watch->generation, 1);
    (void)wi_poll_remove(&loop->poll, watch->fd);
}

static void dispatch(const struct wi_poll_event *event)
{
    uintptr_t address = (uintptr_t)(event->token & (((uint64_t)1 << TOKEN_ADDRESS_BITS) - 1));
    struct wi_watch *watch = (struct wi_watch *)address;
    uint32_t generation = wi_load_acquire(&watch->generation);
    if ((generation & 0xffff) != event->token >> TOKEN_ADDRESS_BITS)
        return; /* stale: the watch was removed after the event was fetched */
    watch->on_ready(watch, event->ready);
}

void wi_loop_post(struct wi_loop *loop, struct wi_post *post)
{
    if (wi_swap_acq_rel(&post->queued, 1) != 0) /* f */
        return;
    void *head = wi_load_relaxed(&loop->posts);
    do {
        post->next = head;
    } while (!wi_cas_seq_cst(&loop->posts, &head, (void *)post)); /* c */
    if (wi_load_seq_cst(&loop->sleeping) != 0)                    /* d */
        wi_poll_kick(&loop->poll);
}

static int run_posts(struct wi_loop *loop)
{
    struct wi_post *taken = wi_swap_acq_rel(&loop->posts, NULL);
    struct wi_post *in_order = NULL;
    while (taken != NULL) {
        struct wi_post *next = taken->next;
        taken->next = in_order;
        in_order = taken;
        taken = next;
    }
    int count = 0;
    while (in_order != NULL) {
        struct wi_post *post = in_order;
        in_order = post->next;
        void (*run)(struct wi_post *) = post->run;
        /* From here on it may be posted again, also by run itself. */
        (void)wi_swap_acq_rel(&post->queued, 0); /* g */
        run(post);
        count++;
    }
    return count;
}

int wi_loop_wait(struct wi_loop *loop, weir_time deadline)
{
    weir_time until = deadline;
    if (deadline != WEIR_DONT_WAIT) {
        wi_store_seq_cst(&loop->sleeping, 1); /* a */
        weir_time timer = wi_wheel_next(&loop->wheel);
        until = timer < deadline ? timer : deadline;
        if (wi_load_seq_cst(&loop->posts) != NULL) /* b */
            until = WEIR_DONT_WAIT;
    }
    int count = wi_poll_wait(&loop->poll, loop->events, WI_POLL_BATCH_MAX, until);
    if (deadline != WEIR_DONT_WAIT)
        wi_store_seq_cst(&loop->sleeping, 0);
    return count;
}

void wi_loop_rest(struct wi_loop *loop)
{
    wi_store_seq_cst(&loop->sleeping, 1);      /* a */
    if (wi_load_seq_cst(&loop->posts) != NULL) /* b */
        wi_poll_kick(&loop->poll);
}

void wi_loop_resume(struct wi_loop *loop)
{
    wi_store_relaxed(&loop->sleeping, 0);
}

int wi_loop_handle(struct wi_loop *loop, int event_count)
{
    int handled = event_count;
    for (int i = 0; i < event_count; i++)
        dispatch(&loop->events[i]);
    loop->looked = wi_clock_now();
    handled += wi_wheel_advance(&loop->wheel, loop->looked, TIMERS_PER_TURN_MAX);
    return handled + run_posts(loop);
}

int wi_loop_turn(struct wi_loop *loop, weir_time deadline)
{
    return wi_loop_handle(loop, wi_loop_wait(loop, deadline));
}

void wi_loop_timer_start(struct wi_loop *loop, struct wi_timer *timer, weir_time deadline)
{
    bool first = wi_timer_start(timer, &loop->wheel, deadline); /* c */
    if (first && wi_load_seq_cst(&loop->sleeping) != 0)         /* d */
        wi_poll_kick(&loop->poll);
}

void wi_loop_kick(struct wi_loop *loop)
{
    wi_poll_kick(&loop->poll);
}
