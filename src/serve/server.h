/* SPDX-License-Identifier: MIT */
#ifndef WI_SERVE_SERVER_H
#define WI_SERVE_SERVER_H

/* The server's own state, and what app/ may ask beyond include/weir/serve.h.
 *
 * The pipeline, one file for each stage; a request moves down this list:
 *   accept.c   listeners: takes connections
 *   conn.c     the record of a connection and who owns it at a moment
 *   edge.c     reads and judges heads, answers what needs no handler
 *   admit.c    counts who runs and who waits; charge.c asks the gate, and tells it what was spent
 *   request.c  a request from its head to the handler; deadline.c says until when; body.c reads its
 *              body
 *   run.c      the task that runs handlers; gone.c cancels it when the client leaves
 *   reply.c    what goes out
 *   drain.c    the end; sweep.c the timeouts of everything that has no task
 * What earlier stages need from later ones are the counters below.  Only a connection goes back, to
 * the edge, when its request has been answered (wi_edge_continue(), wi_conn_linger()) or waited in
 * vain (wi_edge_refuse()); wi_accept_resume() goes back too, but only posts to the acceptor.
 *
 * A server's memory is type-stable, because its timer may fire late.
 *
 * Threads: any; each field says. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/list.h"
#include "base/log.h"
#include "http/date.h"
#include "http/request.h"
#include "http/route.h"
#include "loop/loop.h"
#include "loop/wheel.h"
#include "serve/canned.h"
#include "serve/charge.h"
#include "sync/lock.h"
#include "weir/serve.h"
#include "weir/task.h"

enum {
    WI_SERVER_LISTENERS_MAX = 64,
    WI_SERVER_CONNECTIONS_MAX = 1024 * 1024, /* of a process */
    WI_REPLY_FIELDS_MAX = 64,
    WI_EDGE_BYTES = 16 * 1024, /* what the edge reads at once; more where heads may be longer */
};

/* -- counters --------------------------------------------------------------------------------- */

enum wi_counter {
    WI_COUNT_ACCEPTED,
    WI_COUNT_REQUESTS,
    WI_COUNT_REPLIED_2XX, /* the four classes follow each other */
    WI_COUNT_REPLIED_3XX,
    WI_COUNT_REPLIED_4XX,
    WI_COUNT_REPLIED_5XX,
    WI_COUNT_SHED_RUNNING,
    WI_COUNT_SHED_WAITING,
    WI_COUNT_SHED_AGE,
    WI_COUNT_SHED_LATE,
    WI_COUNT_SHED_DRAINING,
    WI_COUNT_SHED_WORK, /* of class interactive; then batch */
    WI_COUNT_SHED_WORK_BATCH,
    WI_COUNT_SHED_SLOTS,
    WI_COUNT_SHED_SLOTS_BATCH,
    WI_COUNT_BAD_REQUESTS,
    WI_COUNT_TIMED_OUT_HEADS,
    WI_COUNT_TIMED_OUT_BODIES,
    WI_COUNT_CLIENT_GONE,
    WI_COUNT_LATE,
    WI_COUNT_HANDLER_ERRORS,
    WI_COUNT_ACCEPT_FAILURES,
    WI_COUNT_BYTES_IN,
    WI_COUNT_BYTES_OUT,
    WI_COUNTERS
};

enum {
    WI_COUNTER_SHARDS = 8,
    WI_COUNTER_ROW = 32 /* a row fills whole cache lines */
};

/* All-zero is the valid start.  May lie in memory that processes share: then it outlives the one
 * that wrote it, and its sums stay true.  The gauges belong to the living process: whoever
 * restarts it sets them to 0. */
struct wi_server_counters {
    /* atomic; threads are spread over the rows */
    _Alignas(64) wi_atomic_i64 rows[WI_COUNTER_SHARDS][WI_COUNTER_ROW];
    /* atomic: gauges */
    _Alignas(64) wi_atomic_i64 running;
    _Alignas(64) wi_atomic_i64 waiting;
    _Alignas(64) wi_atomic_i64 connections;
    /* atomic: gauges, written at ticks (charge.h) */
    _Alignas(64) wi_atomic_i64 ticked_at;
    wi_atomic_i64 load_milli, brake_milli, backlog_ns, depth_ns, depth_batch_ns, cost_ns;
    wi_atomic_i64 capacity_milli, slots_load_milli, slots_backlog_ns;
};

_Static_assert((int)WI_COUNTERS <= (int)WI_COUNTER_ROW, "every counter has a place");

/* Adds up the rows. */
void wi_server_counters_read(struct wi_server_counters *counters, struct weir_server_stats *out);

/* -- the server ------------------------------------------------------------------------------- */

/* What weir_server_opts does not tell; all-zero is a server on its own. */
struct wi_server_extra {
    bool shared_listener;                /* other processes accept on the same listeners */
    struct wi_server_counters *counters; /* NULL: the server's own; must outlive it */
    struct wi_charge_costs *costs;       /* NULL: nobody shares them; must outlive it */
};

WEIR_CHECK int wi_server_create(weir_server **out, const struct weir_server_opts *opts,
                                const struct wi_server_extra *extra);

/* How much of the drain has been done; only grows. */
enum wi_server_phase {
    WI_SERVER_NEW,
    WI_SERVER_SERVING,
    WI_SERVER_DRAINING, /* answers say Connection: close */
    WI_SERVER_CLOSING,  /* nothing new is begun */
};

/* An answer that never changes; see fixed.c.  Constant. */
struct wi_fixed {
    struct wi_canned canned;
    const char *type; /* both behind the struct */
    const char *text;
};

/* Constant after start. */
struct wi_route {
    struct wi_list node;
    const char *method;  /* as the router takes it */
    const char *pattern; /* interned: reports name tasks by it, also when the server is gone */
    weir_handler *handler;
    void *user;
    struct wi_fixed *answer;     /* in the place of a handler, or NULL */
    struct weir_route_opts opts; /* filled: no zeros where they stand for a default */
    enum wi_gate_class class;
    uint32_t spawn_flags;
    uint32_t index; /* in the order they were added */
};

/* Adds a copy of the route, without options filled, under the pattern.  `answer` is taken if it
 * succeeds.  Results as weir_server_route(). */
WEIR_CHECK int wi_server_add_route(weir_server *server, const char *pattern,
                                   const struct wi_route *wanted);
/* Whether a request of that method and path has a route now. */
bool wi_server_has_route(struct weir_server *server, const char *method, const char *path);

/* The Date field's text, formatted once a second; see stamp.c. */
struct wi_stamp {
    wi_atomic_u32 sequence;
    wi_atomic_i64 next; /* good before this instant */
    wi_atomic_u64 words[(WI_HTTP_DATE_BYTES + 7) / 8];
};

struct wi_acceptor;

struct weir_server {
    /* constant after create */
    struct weir_server_opts opts; /* filled: INT64_MAX for "no limit" of counts, -1 of times */
    struct wi_server_extra extra;
    struct wi_http_limits limits;
    struct wi_server_counters *counters;
    weir_scope *scope;
    int64_t slots;     /* requests that may run at once, if that is a bound to reckon with; or 0 */
    bool one_thread;   /* of a `loop`: the monitor may stand in for it, see admit.c */
    size_t edge_bytes; /* how much of the scratch buffer the edge uses */
    struct wi_canned overloaded;

    /* constant after start */
    struct wi_http_router router; /* its arrays are the server's */
    struct wi_list routes;        /* wi_route.node, in the order they were added */
    uint32_t route_count;

    /* guarded by listeners_lock */
    struct wi_lock listeners_lock;
    struct wi_acceptor *listeners[WI_SERVER_LISTENERS_MAX];
    int listener_count;

    /* atomic */
    wi_atomic_u32 phase;         /* enum wi_server_phase */
    wi_atomic_u32 accept_paused; /* 1: some acceptor waits for room */
    wi_atomic_i64 head_bytes;    /* blocks that hold parts of heads */
    wi_atomic_u32 sweeping;      /* whether the sweep's timer or a sweep runs, see sweep.c */
    wi_atomic_u32 cut;           /* enum wi_cut */
    wi_atomic_u32 cut_posted;    /* 1: `cut_post` is on its way */
    struct wi_stamp stamp;

    /* guarded by admit_lock; see admit.c */
    _Alignas(64) struct wi_lock admit_lock;
    struct wi_list waiting; /* weir_request.waiting_node, oldest first */

    struct wi_charge charge;                /* see charge.h */
    struct wi_timer sweep;                  /* owner: as `sweeping` says */
    struct wi_post cut_post;                /* owner: whoever sets `cut_posted` */
    struct wi_server_counters own_counters; /* unless the caller supplied some */
    struct wi_log_limit accept_log;
};

static inline enum wi_server_phase wi_server_phase(struct weir_server *server)
{
    return (enum wi_server_phase)wi_load_acquire(&server->phase);
}

/* The calling thread's row of counters. */
wi_atomic_i64 *wi_server_row(struct weir_server *server);

static inline void wi_count(struct weir_server *server, enum wi_counter counter, int64_t by)
{
    (void)wi_add_relaxed(&wi_server_row(server)[counter], by);
}

/* Counts an answer by its status. */
void wi_count_reply(wi_atomic_i64 *row, int status);

/* -- accept.c --------------------------------------------------------------------------------- */

/* Makes an acceptor of a listening descriptor.  0, then it is taken; or a code, then it is not. */
WEIR_CHECK int wi_acceptor_create(struct wi_acceptor **out, struct weir_server *server, int fd);
/* Begins to accept.  0 or a code. */
WEIR_CHECK int wi_acceptor_start(struct wi_acceptor *acceptor);
int wi_acceptor_fd(struct wi_acceptor *acceptor);
/* Asks the acceptor to stop; wi_acceptor_stopped() turns true on the loop's own turn. */
void wi_acceptor_stop(struct wi_acceptor *acceptor);
bool wi_acceptor_stopped(struct wi_acceptor *acceptor);
/* Of a stopped one, by the drain: takes what waits; whether there was any. */
bool wi_acceptor_take_rest(struct wi_acceptor *acceptor);
/* Frees a stopped or never started one; its descriptor, which is the caller's again. */
int wi_acceptor_release(struct wi_acceptor *acceptor);
/* The same, and closes the descriptor. */
void wi_acceptor_destroy(struct wi_acceptor *acceptor);

/* Room has come: paused acceptors look again.  Any thread, never waits. */
void wi_accept_resume(struct weir_server *server);

/* -- sweep.c ---------------------------------------------------------------------------------- */

void wi_sweep_init(struct weir_server *server);
/* Something exists that may time out: sees to it that the sweep runs. */
void wi_sweep_need(struct weir_server *server);
/* For the drain: from now on closes connections that idle; or all that no request owns, and sends
 * away who waits.  Happens in a turn of the loop; call again for those that come to idle later. */
enum wi_cut {
    WI_CUT_NONE,
    WI_CUT_IDLE,
    WI_CUT_ALL
};
void wi_sweep_cut(struct weir_server *server, enum wi_cut cut);
/* Whether no sweep runs or will run: the server may go. */
bool wi_sweep_over(struct weir_server *server);

/* -- stamp.c ---------------------------------------------------------------------------------- */

/* Copies the Date text as of `now` (monotonic). */
void wi_stamp_read(struct wi_stamp *stamp, weir_time now, char text[WI_HTTP_DATE_BYTES]);

#endif
