/* SPDX-License-Identifier: MIT */
#ifndef WI_LOOP_LOOP_H
#define WI_LOOP_LOOP_H

/* One event loop: a poller, watches on descriptors, timers, posts.
 *
 * The runtime has one (all workers share it: whoever is idle or due drives it), the monitor and a
 * primary process have their own.  One turn: fetch events, call each watch, fire timers, run posts.
 *
 * Watches live in type-stable memory (a slab that is never unmapped while the loop is open), since
 * an event that was fetched before a watch was removed may still be told to it: `on_ready` takes
 * spurious calls.  The token of an event is the watch's address with 16 bits of its generation, so
 * nearly all stale events are dropped before that.
 *
 * Threads: wi_loop_watch(), unwatch, post and kick from any thread; turn from one at a time, which
 * the caller sees to. */

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "loop/wheel.h"
#include "os/poll.h"
#include "sync/lock.h"
#include "weir/time.h"

struct wi_watch {
    /* constant while watched */
    int fd;
    void (*on_ready)(struct wi_watch *watch, uint32_t ready); /* WI_POLL_ bits; never waits */
    /* atomic */
    wi_atomic_u32 generation;
};

struct wi_post {
    struct wi_post *next;              /* the loop while queued */
    void (*run)(struct wi_post *post); /* constant while queued; never waits */
    wi_atomic_u32 queued;              /* 1: on the list; posting again does nothing */
};

struct wi_loop {
    struct wi_poll poll;
    struct wi_wheel wheel;
    wi_atomic_ptr posts;    /* stack of wi_post, many pushers, the turn takes all */
    wi_atomic_u32 sleeping; /* 1 while a turn may block in the poller */
    /* owner: the turn */
    struct wi_poll_event events[WI_POLL_BATCH_MAX];
    weir_time looked; /* when the timers were looked at last, after the events */
};

WEIR_CHECK int wi_loop_open(struct wi_loop *loop);
void wi_loop_close(struct wi_loop *loop);

/* Watches watch->fd edge-triggered (interest: WI_POLL_ bits, EXCLUSIVE and LEVEL for listeners).
 * 0 or as wi_poll_add(). */
WEIR_CHECK int wi_loop_watch(struct wi_loop *loop, struct wi_watch *watch, uint32_t interest);

/* Stops watching; before the descriptor is closed. One more late call is possible. */
void wi_loop_unwatch(struct wi_loop *loop, struct wi_watch *watch);

/* Runs post->run in the next turn.  Any thread; never waits.  The post must live until it ran. */
void wi_loop_post(struct wi_loop *loop, struct wi_post *post);

/* One turn: waits for an event, a timer, a post, a kick or the deadline (WEIR_DONT_WAIT: looks
 * once) and handles what there is.  The number handled, which may be 0 before the deadline. */
int wi_loop_turn(struct wi_loop *loop, weir_time deadline);

/* The two halves of a turn, for a caller that has to do something between them: waits (as
 * wi_loop_turn(), posts and timers end the wait) and gives the number of events fetched; handles
 * those, timers and posts, and gives the number handled. */
int wi_loop_wait(struct wi_loop *loop, weir_time deadline);
int wi_loop_handle(struct wi_loop *loop, int event_count);

/* For a loop that a foreign one drives, after each turn: until wi_loop_resume() posts, kicks and
 * timers that come first make the poller's descriptor readable. */
void wi_loop_rest(struct wi_loop *loop);
void wi_loop_resume(struct wi_loop *loop);

/* Starts a timer of the loop's wheel and sees to it that a sleeping turn hears of it. */
void wi_loop_timer_start(struct wi_loop *loop, struct wi_timer *timer, weir_time deadline);

/* Makes a blocked turn return. Any thread. */
void wi_loop_kick(struct wi_loop *loop);

#endif
