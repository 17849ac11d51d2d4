/* SPDX-License-Identifier: MIT */
#ifndef WI_LOAD_VQUEUE_H
#define WI_LOAD_VQUEUE_H

/* A virtual queue of admitted cost that drains at a known rate, in one word: the instant at which
 * all that was admitted will be done (the theoretical arrival time of the generic cell rate
 * algorithm).  What lies between now and it is the backlog, in time to wait.
 *
 * A caller charges cost in ns of a server (a worker, a slot); the word moves by cost over rate.
 * Charging a request does not look at its own cost, only at what lies before it: otherwise cheap
 * routes would get in where dear ones do not.
 *
 * The depth that a rank may find follows, at ticks, from the load that it and those above offer,
 * refused requests included.  With load r above 1, a queue of K requests leaves a server idle for
 * (r - 1) / (r^(K+1) - 1) of the time (M/M/1/K); WI_VQUEUE_IDLE of that is what we grant for the
 * shortest queue: 32 requests at 1.1, 8 at 2, 4 at 5.
 *
 * A request of the depth is one as who waits finds it at work: where few cost much, mostly one of
 * those.  Its cost is the mean weighted by cost, of two kinds: above the mean, and not.
 *
 * Invariant: the word is at most WI_VQUEUE_AHEAD_MAX_NS ahead of the clock after an ask.
 * Threads: asks, gives and offers from any; ticks one at a time, which the caller sees to. */

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/check.h"
#include "weir/time.h"

enum {
    WI_RANKS = 4,
    WI_VQUEUE_RATE_SHIFT = 26, /* any cost fits at one server; within 1 % at a million */
    WI_TALLY_SHIFT = 48,
    WI_APART_BYTES = 64, /* of the caches; by padding, for a gate lies where an allocator put it */
};

#define WI_VQUEUE_AHEAD_MAX_NS (2 * WEIR_NS_PER_S)

/* All but init under the rules of the gate that it is a part of. */
struct wi_vqueue {
    /* constant after init */
    double servers;
    /* atomic */
    char apart[WI_APART_BYTES]; /* what all write is on other lines than what all read */
    wi_atomic_i64 done_at;      /* the word */
    wi_atomic_i64 ns_per_cost;  /* 1 / rate, times 2^WI_VQUEUE_RATE_SHIFT */
    wi_atomic_i64 mean;         /* cost of what is offered */
    wi_atomic_i64 cost_max;     /* one request counts for at most this at once */
    wi_atomic_i64 depth[WI_RANKS];
    char apart_too[WI_APART_BYTES];
    wi_atomic_u64 offered[WI_RANKS]; /* since the last tick: see wi_tally() */
    wi_atomic_u64 dear;              /* of that, what costs more than the mean */
    /* atomic: for readers */
    wi_atomic_i64 load_m[WI_RANKS]; /* offered over capacity, of the rank and above; thousandths */
    /* guarded by the tick's turn */
    double work_rate[WI_RANKS]; /* offered cost per second, in servers */
    double slow_rate[WI_RANKS]; /* the same over longer */
    double count_rate;          /* requests per second */
    double dear_rate;           /* as work_rate and count_rate, of the dear ones */
    double dear_count_rate;
};

/* A count and a sum of times, also negative ones, in one word, so that one addition keeps both: 16
 * bits of count above 48 bits of ns.  What overflows between two ticks of 5 ms (65,536 requests, or
 * 39 h, as 2,300 requests for slots of a minute) spoils an average and nothing else. */
static inline uint64_t wi_tally(int64_t ns)
{
    return (UINT64_C(1) << WI_TALLY_SHIFT) + (uint64_t)ns;
}

/* The low bits, as a signed number. */
static inline int64_t wi_tally_ns(uint64_t tally)
{
    const int above = 64 - WI_TALLY_SHIFT;
    return (int64_t)(tally << above) >> above;
}

static inline double wi_tally_count(uint64_t tally)
{
    return (double)((tally - (uint64_t)wi_tally_ns(tally)) >> WI_TALLY_SHIFT);
}

static inline double wi_tally_s(uint64_t tally)
{
    return (double)wi_tally_ns(tally) * 1e-9;
}

void wi_vqueue_init(struct wi_vqueue *queue, double servers, weir_time now);

/* What `cost_ns` moves the word by; negative for negative. */
static inline int64_t wi_vqueue_ns(const struct wi_vqueue *queue, int64_t cost_ns)
{
    return (cost_ns * wi_load_relaxed(&queue->ns_per_cost)) >> WI_VQUEUE_RATE_SHIFT;
}

static inline int64_t wi_vqueue_bound(const struct wi_vqueue *queue, int64_t cost_ns)
{
    const int64_t max = wi_load_relaxed(&queue->cost_max);
    return cost_ns < max ? cost_ns : max;
}

/* Counts what is asked for, whatever the verdict will be. */
static inline void wi_vqueue_offer(struct wi_vqueue *queue, int rank, int64_t cost_ns)
{
    (void)wi_add_relaxed(&queue->offered[rank], wi_tally(cost_ns));
}

/* The same beside it, for what costs more than the mean. */
static inline void wi_vqueue_offer_dear(struct wi_vqueue *queue, int64_t cost_ns)
{
    if (cost_ns > wi_load_relaxed(&queue->mean))
        (void)wi_add_relaxed(&queue->dear, wi_tally(cost_ns));
}

/* Time that a request would wait; not negative. */
int64_t wi_vqueue_backlog(const struct wi_vqueue *queue, weir_time now);

/* Brings a word that is too far ahead back; see the invariant. */
void wi_vqueue_rein(struct wi_vqueue *queue, int64_t done_at, weir_time now);

/* wi_vqueue_take() since `now`, where nothing is in the way: else, or if another caller came first,
 * -1. */
static inline int64_t wi_vqueue_take_at_once(struct wi_vqueue *queue, int rank, int64_t cost_ns,
                                             weir_time now)
{
    int64_t done_at = wi_load_relaxed(&queue->done_at);
    const int64_t wait = done_at > now ? done_at - now : 0;
    if (wi_unlikely(wait > wi_load_relaxed(&queue->depth[rank])) ||
        wi_unlikely(
            !wi_cas_acq_rel(&queue->done_at, &done_at, now + wait + wi_vqueue_ns(queue, cost_ns))))
        return -1;
    return wait;
}

/* Takes in `cost_ns` if the backlog is at most `most`, both as times to wait. */
static inline int64_t wi_vqueue_take_within(struct wi_vqueue *queue, int64_t most, int64_t charge,
                                            weir_time now, weir_time since)
{
    const int64_t latest = now + most;
    int64_t done_at = wi_load_relaxed(&queue->done_at);
    for (;;) {
        const int64_t start = done_at > since ? done_at : since;
        if (start > latest) {
            if (wi_unlikely(start > now + WI_VQUEUE_AHEAD_MAX_NS))
                wi_vqueue_rein(queue, done_at, now);
            return -1;
        }
        if (wi_likely(wi_cas_acq_rel(&queue->done_at, &done_at, start + charge)))
            return start > now ? start - now : 0;
    }
}

/* Takes in `cost_ns` if the backlog is within the rank's depth: the time that it will wait, else
 * -1.  Time since `since` (at most now) in which the queue stood empty is not lost: so a pause of
 * ours is not taken for a surge. */
static inline int64_t wi_vqueue_take(struct wi_vqueue *queue, int rank, int64_t cost_ns,
                                     weir_time now, weir_time since)
{
    const int64_t depth = wi_load_relaxed(&queue->depth[rank]);
    return wi_vqueue_take_within(queue, depth, wi_vqueue_ns(queue, cost_ns), now, since);
}

/* The same for who has to leave room: two like it must fit, or nothing may wait. */
static inline int64_t wi_vqueue_take_sparing(struct wi_vqueue *queue, int rank, int64_t cost_ns,
                                             weir_time now, weir_time since)
{
    const int64_t charge = wi_vqueue_ns(queue, cost_ns);
    const int64_t left = wi_load_relaxed(&queue->depth[rank]) - 2 * charge;
    return wi_vqueue_take_within(queue, left > 0 ? left : 0, charge, now, since);
}

/* Takes in whatever the backlog is. */
static inline void wi_vqueue_charge(struct wi_vqueue *queue, int64_t cost_ns, weir_time since)
{
    const int64_t charge = wi_vqueue_ns(queue, cost_ns);
    int64_t done_at = wi_load_relaxed(&queue->done_at);
    while (!wi_cas_acq_rel(&queue->done_at, &done_at, (done_at > since ? done_at : since) + charge))
        ;
}

/* Adds to what was taken, or gives back. */
static inline void wi_vqueue_correct(struct wi_vqueue *queue, int64_t cost_ns)
{
    if (cost_ns != 0)
        (void)wi_add_relaxed(&queue->done_at, wi_vqueue_ns(queue, cost_ns));
}

/* Over the `dt_s` since the last tick: measures the load of `capacity` servers, sets the depths,
 * and has the queue drain at `rate` servers. */
void wi_vqueue_tick(struct wi_vqueue *queue, double dt_s, double capacity, double rate);

/* Mean cost of what is offered, in s; 0 if nothing was. */
double wi_vqueue_cost_s(const struct wi_vqueue *queue);

#endif
