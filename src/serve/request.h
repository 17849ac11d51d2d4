/* SPDX-License-Identifier: MIT */
#ifndef WI_SERVE_REQUEST_H
#define WI_SERVE_REQUEST_H

/* A request and its reply.  Both live in one block, which also holds the parsed head, the bytes
 * that came with it where they fit, and the beginning of the request's arena.
 *
 * Threads: the owner of the connection: first the edge, then perhaps the line of admission, then
 * the task that runs the handler. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/list.h"
#include "http/body.h"
#include "http/request.h"
#include "http/route.h"
#include "http/write.h"
#include "serve/blocks.h"
#include "serve/conn.h"
#include "serve/pace.h"
#include "serve/server.h"

enum wi_reply_state {
    WI_REPLY_NEW,
    WI_REPLY_STREAM, /* begun by weir_reply_begin() */
    WI_REPLY_ENDED,  /* everything that was promised is out, or the connection failed */
};

struct weir_reply {
    struct weir_request *request;
    /* [0] is kept for Content-Type, [1 .. field_count - 1] are the handler's; NULL: none yet */
    struct wi_http_out_field *fields;
    uint32_t field_count;
    uint32_t field_bytes; /* of names and values */
    int status;           /* 0 before the head is made */
    int error;            /* the first code of the connection; every later write repeats it */
    uint8_t state;        /* enum wi_reply_state */
    uint8_t kind;         /* enum wi_http_body_kind of a streamed reply */
    bool bodiless;        /* HEAD, 204, 304: body bytes are counted and dropped */
    bool close;           /* the head says Connection: close */
    bool in_run;          /* a chunk has been begun in `gather` */
    bool begun;           /* a part of a streamed reply has been handed to the system */
    int64_t left;         /* of an announced length */
    char *gather;         /* a block of WI_BLOCK_16K, or NULL */
    uint32_t gather_len;
    uint32_t run_at; /* where the chunk's size goes in `gather` */
    uint32_t streak; /* writes since the last yield */
    int64_t bytes_out;
    weir_time answered; /* when its head was made, by the coarse clock */
};

struct weir_request {
    struct wi_conn *conn;
    struct weir_server *server;
    const struct wi_route *route;
    struct wi_list waiting_node; /* guarded by admit_lock while it waits */
    weir_time began;             /* when its head was complete */
    weir_time ready;             /* when it might have run: it had a place */
    weir_time deadline;          /* see deadline.h */
    struct wi_gate_ticket ticket;
    wi_atomic_u32 expired;              /* 1: the sweep has answered it; see run.c */
    const struct wi_http_request *head; /* a copy, cut behind the fields in use */
    char *text;                         /* where the head's slices count from */
    const char **params;                /* values in the order of the pattern; in the arena */
    const char *path;                   /* decoded, or NULL until asked */
    uint32_t param_count;
    bool keep_alive; /* both sides allow another request */

    /* the body */
    struct wi_http_body body;
    const char *in; /* bytes that came and are not decoded yet */
    size_t in_len;
    char *refill; /* a block of WI_BLOCK_16K for coded bodies, or NULL */
    bool expects; /* the client waits for 100 Continue */
    bool body_done;
    int body_error; /* what made the rest of the body unreadable, or 0: a code or verdict */
    bool left;      /* the client was counted as gone */
    int64_t bytes_in;
    struct wi_pace body_pace;

    char *input; /* a block of input_class that holds head and what followed, or NULL: inline */
    uint8_t input_class;
    struct weir_reply reply;
    struct wi_arena arena;
    struct wi_http_match match;
};

/* What is known of a request before anything exists for it. */
struct wi_arrival {
    const struct wi_http_request *head;
    const struct wi_http_match *match;
    weir_time at; /* when its head was complete */
    weir_time deadline;
    struct wi_gate_ticket ticket;
};

/* Makes a request of a parsed head at the start of `data`; the bytes are copied.  NULL when there
 * is no memory. */
struct weir_request *wi_request_create(struct wi_conn *conn, const struct wi_arrival *arrival,
                                       const char *data, size_t bytes);

/* Frees it; the connection stays. */
void wi_request_destroy(struct weir_request *request);

/* Prepares texts for the handler: before it runs, in its task. */
void wi_request_prepare(struct weir_request *request);

/* Counts, once for each request, that its client has left. */
void wi_request_count_left(struct weir_request *request);

/* -- body.c ----------------------------------------------------------------------------------- */

/* After the handler: reads away what is left of the body if that is little and comes soon.
 * True: the connection is at the next head, whose first bytes are request->in. */
bool wi_body_settle(struct weir_request *request);

/* Whether the handler left so much that the connection has to end with this reply. */
bool wi_body_ends_connection(const struct weir_request *request);

/* Whether the body cannot be read on, and a handler was told that by this code. */
bool wi_body_failed_with(const struct weir_request *request, int code);

/* -- reply.c ---------------------------------------------------------------------------------- */

/* What a client is told with 504. */
#define WI_REPLY_LATE "the deadline has passed\n"

void wi_reply_init(struct weir_reply *reply, struct weir_request *request);

/* After the handler: completes the reply, or makes one out of the handler's code. True: it went
 * out whole. */
bool wi_reply_finish(struct weir_reply *reply, int handler_code);

/* Gives its buffers back. */
void wi_reply_fini(struct weir_reply *reply);

/* Sends bytes as they are, waiting for room.  0 or a code. */
WEIR_CHECK int wi_reply_send(struct weir_reply *reply, const struct wi_slice *slices, int count);

/* -- admit.c ---------------------------------------------------------------------------------- */

enum wi_verdict {
    WI_ADMIT_RUN,  /* counted as running: call wi_admit_end() once */
    WI_ADMIT_WAIT, /* make the request and call wi_admit_wait() */
    WI_ADMIT_SHED
};

/* Asks the gate as well, which wants `ask` filled but for `room`; *ticket is set unless it is
 * SHED. */
enum wi_verdict wi_admit(struct weir_server *server, const struct wi_route *route,
                         struct wi_gate_ask *ask, struct wi_gate_ticket *ticket);
/* Queues the request and starts it when its turn comes.  False: the line is full. */
WEIR_CHECK bool wi_admit_wait(struct weir_request *request);
/* One that ran has ended: starts who waits longest. */
void wi_admit_end(struct weir_server *server);

/* The request's task, whose parker is `self`, at its first instruction, about `now`, which may lie
 * WI_NOW_COARSE_NS ahead: true if it came too late to be worth running; then it was answered 503 or
 * 504 and is gone.  False: it runs, and its client's leaving cancels the task until
 * wi_gone_unwatch(). */
bool wi_admit_turn_away(struct weir_request *request, weir_time now, struct wi_parker *self);
/* The same, but who waits longest takes over the place of the one that ended, and its task, if that
 * is of the kind which its route wants: then it is returned, admitted. */
struct weir_request *wi_admit_pass_on(struct weir_server *server, const struct wi_route *route);
/* How long, and until when, it may wait for its handler. */
static inline int64_t wi_admit_patience_ns(const struct weir_request *request)
{
    const struct wi_charge *charge = &request->server->charge;
    return wi_load_relaxed(request->route->spawn_flags == 0 ? &charge->patience_ns
                                                            : &charge->thread_patience_ns);
}
static inline weir_time wi_admit_patience(const struct weir_request *request)
{
    const weir_time until = request->began + wi_admit_patience_ns(request);
    return until < request->deadline ? until : request->deadline;
}
/* One whose task has not begun, for the sweep: answers it if it waits in vain, and leaves its
 * memory to the task.  Whether it did. */
WEIR_CHECK bool wi_admit_expire_queued(struct weir_request *request, weir_time now);
/* For the sweep: answers those that wait in vain, or everybody, and starts who may run. */
void wi_admit_expire(struct weir_server *server, weir_time now, bool all);
/* Whether no request could run now, for listeners that are shared. */
bool wi_admit_full(struct weir_server *server);

/* -- run.c ------------------------------------------------------------------------------------ */

/* Starts the task of an admitted request.  0, or why it cannot run; the request stays then. */
WEIR_CHECK int wi_run_start(struct weir_request *request);

/* For the sweep, of a connection that somebody owns: if that is a request whose task has not begun
 * and that has waited for too long, answers it. */
void wi_run_expire(struct wi_conn *conn, weir_time now);

/* Whether the calling task, which serves that route, may go on with the request: they ask for the
 * same kind of task, and it is metered if that must be measured. */
bool wi_run_goes_on(const struct wi_route *task_route, const struct weir_request *next);

#endif
