/* SPDX-License-Identifier: MIT */
#ifndef WI_LOAD_GATE_H
#define WI_LOAD_GATE_H

/* The admission law: which requests a process takes in, so that it does as much under ten times its
 * load as under one.  Pure: times and measurements in, verdicts out.
 *
 * A gate keeps a virtual queue of admitted work (vqueue.h): each request is charged what its route
 * has been seen to take of a worker (cost.h) and corrected by what it took in the end, or by what
 * its route takes by then where threads share the processors; the queue drains as fast as the
 * workers work.  Whoever finds it longer than the depth for its rank is turned away, before it
 * costs anything.  The depth follows from the measured load alone: long below capacity, where
 * nobody should be refused, a few requests above it, where a longer queue gives nothing but
 * waiting.  Where the requests that run at once are bounded (slots), a second queue of slot time is
 * kept in the same way, and the tighter one decides.
 *
 * How a request goes through it:
 *   wi_gate_ask()      before a task or a body exists; fills the ticket, which travels with it
 *   wi_gate_started()  its handler begins; or wi_gate_dropped(): it never will
 *   wi_gate_ended()    it is answered; or wi_gate_believed(): it is, and was not measured
 * And every WI_GATE_TICK_NS one caller of wi_gate_due() is told to call wi_gate_tick().
 *
 * Work is the time of a request's slices on workers, its children's included: wall time where
 * workers are threads of their own (a slice that the kernel interrupts is capacity lost all the
 * same), CPU time where each request has a thread.  Time spent waiting is no work.
 *
 * Measuring costs more than the rest of the law, so one request in WI_GATE_SAMPLE is measured and
 * stands for all where little depends on it: without overload, of routes whose cost is known and
 * small, and as long as there is no line.  The others are believed to take the mean.  A sample's
 * correction counts WI_GATE_SAMPLE times, so the queue follows the work in the mean all the same;
 * as soon as that shows as a line everybody is measured.
 *
 * Rank: class first, then whether the client takes more than its share (fair.h; asked for in
 * overload only).  Each rank's depth follows from the load of itself and the ranks above.
 *
 * A route that takes more than its share of the work, in overload, leaves room for others: it is
 * let in where two like it fit (fair.h, with routes in the place of clients).
 *
 * Bounds: WI_GATE_ROUTES routes are told apart, the rest share the last.  A cost counts for at most
 * WI_COST_MAX_NS, whatever is reported.  Memory is the struct.
 *
 * Threads: any, for every call but init.  What many write are atomics; what a tick owns is guarded
 * by the tick's turn: wi_gate_due() takes it (next_tick becomes NEVER), wi_gate_tick() gives it
 * back (a release, which the next due acquires).  Orders are relaxed elsewhere: every word stands
 * for itself, and a reader that sees one of them late decides on a figure of a moment ago.
 * Clocks: `now` need not be monotone between threads, nor right: a step of any size spoils the
 * verdicts of at most WI_VQUEUE_AHEAD_MAX_NS.
 *
 * Source: adaptive virtual queue, Kunniyur and Srikant 2001; generic cell rate algorithm, ITU-T
 * I.371; the depth is own.  doc/design/0012-admission-law.md has the reasons and the figures. */

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "load/brake.h"
#include "load/cost.h"
#include "load/fair.h"
#include "load/stall.h"
#include "load/vqueue.h"
#include "weir/time.h"

enum {
    WI_GATE_ROUTES = 1024,
    WI_GATE_SAMPLE = 16,
    WI_GATE_ENDS_KNOWN = 2048, /* of a route, where processors are shared: then its mean is known */
};

#define WI_GATE_TICK_NS (5 * WEIR_NS_PER_MS)

/* From the least to the most wanted.  What must always be answered never asks. */
enum wi_gate_class {
    WI_GATE_BATCH,
    WI_GATE_INTERACTIVE,
    WI_GATE_CLASSES
};

enum wi_gate_verdict {
    WI_GATE_ADMIT,
    WI_GATE_SHED_WORK,  /* more work is admitted than the workers can do soon */
    WI_GATE_SHED_SLOTS, /* the same of the slots */
    WI_GATE_SHED_LATE,  /* would certainly miss its deadline */
};

/* Parts of the law, to be left out where a test asks what they are worth. */
enum {
    WI_GATE_WITHOUT_CORRECTION = 1 << 0, /* the charge stays what it was estimated to be */
    WI_GATE_WITHOUT_BRAKE = 1 << 1,      /* measured delays change nothing */
    WI_GATE_WITHOUT_DOUBT = 1 << 2,      /* a known cost is believed, however large it is */
};

struct wi_gate_opts {
    int workers;   /* slices that run at once: tasks: workers; loop: 1; threads: usable cores */
    int64_t slots; /* requests that run at once, where that is bounded; 0: it is not */
    bool shared;   /* requests share the processors, as threads do, instead of taking turns */
    uint32_t without;
};

struct wi_gate_ask {
    weir_time now;
    weir_time arrived;  /* when its bytes came, as far as known; later than now counts as now */
    weir_time deadline; /* WEIR_NO_DEADLINE: none */
    uint32_t route;     /* a small index; those from WI_GATE_ROUTES - 1 on share one */
    uint32_t client;    /* a hash of who asks; 0: unknown, never held against anybody */
    enum wi_gate_class class;
    bool idle; /* nobody runs or waits: work is charged, and refuses nobody */
    bool room; /* a slot is or soon will be free: slot time is charged, and refuses nobody */
};

static inline uint32_t wi_gate_route_index(uint32_t route)
{
    return route < WI_GATE_ROUTES ? route : WI_GATE_ROUTES - 1;
}

/* From when on a queue's time counts for the request: a pause of ours is nobody's surge. */
static inline weir_time wi_gate_since(const struct wi_gate_ask *ask)
{
    const int64_t age = ask->now - ask->arrived;
    if (wi_likely((uint64_t)age <= (uint64_t)WI_STALL_MAX_NS))
        return ask->arrived;
    return age < 0 ? ask->now : ask->now - WI_STALL_MAX_NS;
}

/* Whether a request's work is to be measured. */
enum wi_gate_measure {
    WI_GATE_BELIEVE, /* no */
    WI_GATE_MEASURE_SAMPLE,
    WI_GATE_MEASURE,
};

/* What a request was charged.  The asker's from ADMIT to ended, believed or dropped, one thread at
 * a time.  Who measures several requests alike may give those that are not MEASURE the `measure` of
 * the first. */
struct wi_gate_ticket {
    int64_t work_ns;
    int64_t held_ns;
    int64_t wait_ns; /* foretold */
    uint32_t route;
    enum wi_gate_measure measure;
    int64_t place_ns; /* of places.h, which reckons with it; else 0, which the asker sets */
};

struct wi_gate_route {
    struct wi_cost work;
    struct wi_cost held; /* learned where slots are bounded */
    /* where processors are shared */
    wi_atomic_i64 lately; /* mean work of the last few */
    wi_atomic_i64 ends;   /* up to WI_GATE_ENDS_KNOWN */
    char apart[WI_APART_BYTES - 2 * sizeof(struct wi_cost) - 2 * sizeof(wi_atomic_i64)];
};

struct wi_gate {
    /* constant after init */
    int64_t slots;
    int workers;
    bool shared;
    uint32_t without;
    bool plain_end;   /* charges are corrected, no slots */
    int64_t cheap_ns; /* a known cost up to this may be believed */
    /* atomic */
    wi_atomic_i64 next_tick;    /* NEVER while somebody ticks */
    wi_atomic_u32 crowded;      /* whether more is offered than can be done: then clients matter */
    wi_atomic_u32 plain_ask;    /* neither crowded nor braked nor bounded by slots */
    wi_atomic_i64 unknown;      /* what a route without history is taken to cost */
    char apart[WI_APART_BYTES]; /* what all write, as in vqueue.h */
    wi_atomic_u64 starts;       /* since the last tick: waits less those foretold, see wi_tally() */
    wi_atomic_i64 believed;     /* since the last tick: ns of work that was not measured */
    struct wi_vqueue work;
    struct wi_vqueue held;
    struct wi_fair fair;   /* of clients */
    struct wi_fair shares; /* of routes */
    struct wi_gate_route routes[WI_GATE_ROUTES];
    /* atomic: for readers */
    wi_atomic_i64 capacity_m; /* workers that requests get, in thousandths */
    wi_atomic_i64 brake_m;    /* what measured delay makes of it, in thousandths */
    wi_atomic_i64 excess;     /* delay of starts beyond what was foretold, lately */
    /* guarded by the tick's turn */
    weir_time last_tick;
    double overhead; /* workers' worth of time that no request got */
    struct wi_brake brake;
};

/* `workers` is at least 1.  Not while anybody uses the gate. */
void wi_gate_init(struct wi_gate *gate, const struct wi_gate_opts *opts, weir_time now);

/* The verdict on one request; fills `ticket` if that is WI_GATE_ADMIT, and then exactly one of
 * ended, believed and dropped must follow. */
enum wi_gate_verdict wi_gate_ask(struct wi_gate *gate, const struct wi_gate_ask *ask,
                                 struct wi_gate_ticket *ticket);

/* The ticket of a request that is let in without being asked for: charged when it has ended. */
void wi_gate_pass(uint32_t route, struct wi_gate_ticket *ticket);

/* The handler begins, after the request was ready to run for `waited_ns`; of one that is
 * measured. */
void wi_gate_started(struct wi_gate *gate, const struct wi_gate_ticket *ticket, int64_t waited_ns);

/* For wi_gate_is_late(), where the deadline is near. */
bool wi_gate_is_late_near(const struct wi_gate_ticket *ticket, weir_time now, weir_time arrived,
                          weir_time deadline);

/* Whether a request whose turn it is would certainly end after its deadline: then it is better
 * dropped.  WEIR_NO_DEADLINE is never late. */
static inline bool wi_gate_is_late(const struct wi_gate_ticket *ticket, weir_time now,
                                   weir_time arrived, weir_time deadline)
{
    if (wi_likely(deadline > now && deadline - now >= ticket->work_ns))
        return false;
    return wi_gate_is_late_near(ticket, now, arrived, deadline);
}

/* The request is answered: `work_ns` of workers in all, `held_ns` from begin to end. */
void wi_gate_ended(struct wi_gate *gate, const struct wi_gate_ticket *ticket, int64_t work_ns,
                   int64_t held_ns);

/* The same of one that was not measured. */
static inline void wi_gate_believed(struct wi_gate *gate, const struct wi_gate_ticket *ticket)
{
    (void)wi_add_relaxed(&gate->believed, ticket->work_ns);
}

/* The request was admitted and will never run: gives back its charge, teaches nothing. */
void wi_gate_dropped(struct wi_gate *gate, const struct wi_gate_ticket *ticket);

/* For wi_gate_due(), unless the next tick is to come within the usual time. */
bool wi_gate_due_now(struct wi_gate *gate, weir_time now);

/* True for one caller each WI_GATE_TICK_NS, who must then call wi_gate_tick(). */
static inline bool wi_gate_due(struct wi_gate *gate, weir_time now)
{
    const uint64_t until = (uint64_t)(wi_load_relaxed(&gate->next_tick) - now);
    return wi_unlikely(until - 1 >= (uint64_t)WI_GATE_TICK_NS) && wi_gate_due_now(gate, now);
}

/* `overhead_ns` is what the process took of the processors since the last tick in no slice that was
 * measured: the edge, rejections, polling, and requests that were believed. */
void wi_gate_tick(struct wi_gate *gate, weir_time now, int64_t overhead_ns);

/* -- what else follows from the state --------------------------------------------------------- */

/* How long an admitted request may wait for its start before it is better refused. */
int64_t wi_gate_patience(const struct wi_gate *gate);

/* After how long a refused client should come again; `random` spreads them. */
int64_t wi_gate_retry_after(const struct wi_gate *gate, uint64_t random);

/* What a process may hand to the next one: what a route takes, 0 if it is not known.  Slots are
 * known where they are bounded.  learn() is for a gate that nobody asks yet. */
int64_t wi_gate_route_cost(const struct wi_gate *gate, uint32_t route);
int64_t wi_gate_route_held(const struct wi_gate *gate, uint32_t route);
void wi_gate_route_learn(struct wi_gate *gate, uint32_t route, int64_t work_ns, int64_t held_ns);

/* For people: a moment's figures, each of them true, together about. */
struct wi_gate_view {
    double load[WI_RANKS]; /* offered work over capacity, of the rank and those above; 1 is full */
    int64_t depth_ns[WI_RANKS];
    int64_t backlog_ns; /* of the work queue */
    int64_t slots_backlog_ns;
    double slots_load;
    double capacity;   /* workers that requests get */
    double brake;      /* what measured delays make of it; 1: nothing */
    int64_t excess_ns; /* delay of starts beyond what was foretold, lately */
};

void wi_gate_read(const struct wi_gate *gate, weir_time now, struct wi_gate_view *out);

#endif
