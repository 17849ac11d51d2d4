/* SPDX-License-Identifier: MIT */
#ifndef WI_SERVE_CHARGE_H
#define WI_SERVE_CHARGE_H

/* The server's gate (load/gate.h): what requests are charged, and the ticks of the law.
 *
 * Nothing here runs while nobody asks and nothing ends: a tick is made by whoever asks, or ends and
 * was measured, when one is due.
 *
 * Where routes have threads of a pool (.blocking, .pinned) their requests ask for one as well
 * (load/places.h), unless fewer requests may run than the pool has threads.
 *
 * Each server has a gate.  What other servers of the process measure counts as no overhead of this
 * one: that they compete shows in longer slices.  What they believe does.
 *
 * Threads: any; what a tick owns is guarded by its turn (wi_gate_due()). */

#include "load/gate.h"
#include "load/places.h"
#include "load/stall.h"
#include "task/meter.h"
#include "weir/serve.h"

struct weir_request;
struct wi_http_head;
struct wi_route;

enum {
    WI_CHARGE_NAMES = 64,     /* routes that are shown to people, the first */
    WI_CHARGE_NAME_BYTES = 64 /* with the zero */
};

/* What routes cost, for all processes of a service: a process begins with what others have learned.
 * All-zero: nothing is known.  Atomic; whoever writes last is right enough. */
struct wi_charge_costs {
    wi_atomic_i64 work_ns[WI_GATE_ROUTES];
    wi_atomic_i64 held_ns[WI_GATE_ROUTES];
    wi_atomic_u32
        named; /* 1: somebody writes `names`, once and for all; 2, release: they are there */
    char names[WI_CHARGE_NAMES][WI_CHARGE_NAME_BYTES]; /* "GET /path"; "" if that is too long */
};

struct wi_charge {
    struct wi_gate *gate;          /* NULL: admission is off */
    struct wi_places *threads;     /* of the pool; NULL: nothing to reckon with */
    struct wi_charge_costs *costs; /* NULL: nobody shares them */
    /* atomic */
    wi_atomic_i64 thread_patience_ns; /* that of who needs a thread of the pool */
    wi_atomic_i64
        patience_ns;       /* how long one may wait for its start; added to an instant it fits */
    wi_atomic_u64 refused; /* a seed */
    struct wi_stall stall;
    /* guarded by the tick's turn */
    struct wi_meter_rest rest;
    int64_t ticks;
};

/* 0 or WEIR_ENOMEM. */
WEIR_CHECK int wi_charge_open(weir_server *server);
void wi_charge_close(weir_server *server);
/* Before the server serves, all routes known.  0 or WEIR_ENOMEM. */
WEIR_CHECK int wi_charge_start(weir_server *server);

/* The class of a route's requests; WI_GATE_CLASSES: they must always be answered. */
enum wi_gate_class wi_charge_class_of(enum weir_admission admission);
/* That of a request whose head, which lies at `text`, may ask for another one. */
enum wi_gate_class wi_charge_class(const struct wi_route *route, const struct wi_http_head *head,
                                   const char *text);

/* For wi_charge_arrived(): a tick, for who was told that it is due; and where the process stood
 * still lately. */
void wi_charge_tick(struct wi_charge *charge, weir_time now);
weir_time wi_charge_arrived_in_stall(const struct wi_charge *charge, int fd, weir_time now);

/* At the time `now`, for wi_gate_ask.arrived: since when a request that was just read from that
 * socket has been there, as far as it waited because the process stood still; else now.  Ticks. */
static inline weir_time wi_charge_arrived(struct wi_charge *charge, int fd, weir_time now)
{
    if (charge->gate == NULL)
        return now;
    if (wi_unlikely(wi_gate_due(charge->gate, now)))
        wi_charge_tick(charge, now);
    if (wi_likely(!wi_stall_is_recent(&charge->stall, now)))
        return now;
    return wi_charge_arrived_in_stall(charge, fd, now);
}

/* The verdict on a request, and its ticket.  WI_GATE_ADMIT where admission is off, and for what
 * must always be answered.  Where it is off nothing is measured, and *ticket stays as it is: all
 * zero. */
static inline enum wi_gate_verdict wi_charge_ask(struct wi_charge *charge,
                                                 const struct wi_gate_ask *ask,
                                                 struct wi_gate_ticket *ticket)
{
    if (charge->gate == NULL)
        return WI_GATE_ADMIT;
    if (wi_likely(ask->class < WI_GATE_CLASSES))
        return wi_gate_ask(charge->gate, ask, ticket);
    wi_gate_pass(ask->route, ticket);
    return WI_GATE_ADMIT;
}

/* The same on a thread of the pool, which a request of a route with one also needs, when it was let
 * in.  Unless this is WI_GATE_ADMIT it has been dropped. */
enum wi_gate_verdict wi_charge_ask_thread(weir_server *server, const struct wi_gate_ask *ask,
                                          struct wi_gate_ticket *ticket);

/* After how many seconds a refused client should come again: at least retry_after_s, and the more
 * spread the more was offered, so that they do not come together. */
int64_t wi_charge_retry_after_s(weir_server *server);

/* It will not run. */
void wi_charge_drop(weir_server *server, const struct wi_gate_ticket *ticket);

/* Its handler begins, or it is answered; both in the request's task, which is metered.  Of one
 * whose ticket says WI_GATE_BELIEVE, as all do where admission is off, only the end is told. */
void wi_charge_begin(struct weir_request *request, weir_time now);
void wi_charge_end(struct weir_request *request);
static inline void wi_charge_believe(struct wi_charge *charge, const struct wi_gate_ticket *ticket)
{
    if (wi_likely(charge->gate != NULL))
        wi_gate_believed(charge->gate, ticket);
}

#endif
