/* SPDX-License-Identifier: MIT */
#ifndef WEIR_SERVE_H
#define WEIR_SERVE_H

/* The HTTP/1.1 server: accept, admit, schedule, run, reply, drain.
 *
 * A handler is a plain function that may wait in weir calls.  An idle connection costs a small
 * record and no task; a task exists from an admitted request's head to its reply. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/err.h"
#include "weir/time.h"

typedef struct weir_server weir_server;
typedef struct weir_request weir_request;
typedef struct weir_reply weir_reply;

/* Answers one request.  Request and reply are valid until it returns.
 *
 * The result, when nothing went out yet: 0 or more gives 204.  A negative code gives a log line and
 * 500; but WEIR_ECANCELED, which is no error and not logged, gives 503, it or WEIR_ETIMEDOUT behind
 * the request's deadline 504, and what weir_request_read() said of a bad body the status for that
 * (400, 408, 413).  A negative code in the middle of a streamed reply cuts the connection.  What
 * the client has caused, by its body or by leaving, is no handler_error, and logged at debug level.
 *
 * Deadline.  A request has one, weir_request_deadline(): the earliest of its route's bound
 * (deadline_ns, request_ns_max) and of what its client says it will wait, both counted from the
 * instant at which the head was complete.  The client says so by
 *     Weir-Timeout-Ms, X-Envoy-Expected-Rq-Timeout-Ms  a whole number of milliseconds
 *     grpc-timeout    at most eight digits and a unit: H, M, S, m (milliseconds), u or n
 * of which the shortest counts.  What is no such number (empty, a plus sign, a fraction, a list) is
 * ignored; zero or less says that the client waits no more; one that is too large for a clock is
 * as good as none.  So a client may bring its deadline forward and never put it off.
 * A request whose deadline has passed before its handler began is answered 504 and not begun.
 * Later the deadline is the handler's ambient one: behind it waits return WEIR_ECANCELED, and
 * weir_cancel_cause() WEIR_ETIMEDOUT, there and in the tasks and blocking calls that it started.
 *
 * Leaving.  A client that resets or closes its connection cancels the handler, and the scopes that
 * it has open, with the cause WEIR_ECONNRESET; a request of it that still waits for its turn is not
 * begun.  A closed connection looks like one whose sending side is finished, so finishing counts as
 * leaving, unless the server's half_close says that its clients do that and wait for answers.  It
 * counts when all that was sent before has been read and answered, but for the last request: so
 * whoever sends requests ahead and finishes behind them loses none of their answers, and of the
 * last one those alone that take a wait.
 * Where ignore_client_abort is set, for a route or for all, leaving does nothing of this: what was
 * admitted begins, and ends when it is done or its deadline passes.  Only what has to do with the
 * client tells then that it has left: weir_request_read() and the sending of the reply. */
typedef int weir_handler(weir_request *request, weir_reply *reply, void *user);

/* Admission.  A server admits as much as the cores can do soon, and refuses the rest at once with
 * 503 and Retry-After, before anything exists for it.  What a route's requests cost it has seen:
 * the time that their tasks, and those in scopes that these opened, have run; waiting costs
 * nothing.  So there is nothing to set, and below capacity nobody is refused.  Who waited for too
 * long though it was admitted is answered 503 when its turn comes: in overload after 100 ms or
 * more, at most after waiting_age_max_ns.  Among clients (by address; by network of 64 bits for
 * IPv6; behind a proxy, and on a Unix socket, there is but one) those that take more than their
 * share are refused first.
 * Where running_max is set, or each request has a thread, the time for which requests hold their
 * places is reckoned with in the same way; and the time for which those of .blocking and .pinned
 * routes hold threads of their pool, against which no other request is held.
 *
 * Limits; 0 means the default in brackets, a negative number no limit, or the most that is safe
 * where the comment says so.
 *
 * Two bounds are not options.  Requests that a client sends ahead are read, but each answer is
 * written before the next request is begun: at most one answer is unwritten on a connection, of
 * which weir holds 16 KiB, the rest lying in the handler.  Heads that have arrived in part take at
 * most 64 MiB in all; beyond that they are answered 503. */
struct weir_server_opts {
    size_t size;                /* sizeof(struct weir_server_opts); 0 counts as that */
    int64_t running_max;        /* requests that run at once [loop, tasks 10,000; threads 256] */
    int64_t waiting_max;        /* requests that wait to run [1,024]; negative: none may */
    int64_t waiting_age_max_ns; /* how long one may wait before 503 [1 s] */
    int64_t connections_max;    /* open connections [descriptors less 64 or a half] */
    int64_t requests_per_connection_max; /* then Connection: close [no limit] */
    int64_t head_bytes_max;              /* request line and fields [16 KiB]; at most 65,535 */
    int64_t fields_max;                  /* header fields [100]; at most 100 */
    int64_t body_bytes_max;              /* of a request; beyond: 413 [no limit: bodies stream] */
    int64_t head_ns_max;      /* from the first byte of a head to its end; then 408 [5 s] */
    int64_t body_rate_min;    /* bytes/s of an upload after 5 s of grace; below: 408 [1,024] */
    int64_t send_rate_min;    /* bytes/s that a reader must take after 5 s [1,024] */
    int64_t idle_ns_max;      /* of a keep-alive connection [60 s] */
    int64_t request_ns_max;   /* from the head's end to a handler's ambient deadline [30 s] */
    int64_t retry_after_s;    /* of a 503 [1] */
    int backlog;              /* of listeners [4,096]; negative: WEIR_EINVAL */
    bool admission_off;       /* refuse by these bounds alone, see above */
    bool half_close;          /* a client that finishes its sending side has not left [it has] */
    bool ignore_client_abort; /* handlers go on when their client has left [they are canceled] */
};

/* How much a route's requests matter when there are more than can be served: batch is refused
 * first, and takes nothing from interactive.  A client may lower the class of its own request, by
 * "Priority: u=5" or above (RFC 9218), or by X-Attempt above 0, which says that it asks again; what
 * would raise it is heeded on a route with trust_priority alone: there u=2 and below makes a batch
 * request interactive.
 * WEIR_ADMIT_ALWAYS is never refused for its work, and should take next to none: health checks. */
enum weir_admission {
    WEIR_ADMIT_INTERACTIVE,
    WEIR_ADMIT_BATCH,
    WEIR_ADMIT_ALWAYS
};

struct weir_route_opts {
    size_t size;                   /* sizeof(struct weir_route_opts); 0 counts as that */
    bool blocking;                 /* the handler runs on an OS thread of a bounded pool */
    bool pinned;                   /* stays on one OS thread */
    size_t stack_bytes;            /* of a task that is no thread [the runtime's: 64 KiB] */
    int64_t deadline_ns;           /* the same for this route [request_ns_max] */
    int64_t body_bytes_max;        /* [the server's] */
    enum weir_admission admission; /* [interactive] */
    bool trust_priority;           /* clients may raise their class as well */
    bool ignore_client_abort;      /* goes on when the client has left [the server's] */
};

/* -- the server -------------------------------------------------------------------------------
 *
 * Callers: task, thread: who owns the server, unless said otherwise; never waits. */

/* Makes a server of the open runtime.
 *
 *   opts  borrowed for the call; NULL: all defaults
 *
 *   0               made; weir_server_destroy() frees it
 *   WEIR_EINVAL     the backlog is negative, or an option is of a later version
 *   WEIR_EOVERFLOW  the process has 1,024 servers
 *   WEIR_ENOMEM, WEIR_ENOTOPEN, WEIR_EFORKED */
WEIR_API WEIR_CHECK int weir_server_create(weir_server **out, const struct weir_server_opts *opts);

/* Adds a route, before weir_server_start().
 *
 *   method   "GET", "POST", ...; NULL: any.  HEAD is answered by GET's handler
 *   pattern  "/users/:id/files"; a last segment "*rest" takes everything.  A literal wins over a
 *            parameter.  Copied
 *   user     handed to the handler; stays the caller's
 *   opts     borrowed for the call; NULL: all defaults
 *
 *   0               added
 *   WEIR_EINVAL     not a pattern, not a method or not a class
 *   WEIR_EEXIST     method and pattern have a handler
 *   WEIR_EOVERFLOW  there are 4,096 routes
 *   WEIR_EALREADY   the server has started
 *   WEIR_ENOMEM */
WEIR_API WEIR_CHECK int weir_server_route(weir_server *server, const char *method,
                                          const char *pattern, weir_handler *handler, void *user,
                                          const struct weir_route_opts *opts);

/* Adds a route for GET, before weir_server_start(), whose answer never changes: 200 and `text`.
 * The server gives it by itself, before admission and without a task: also while it refuses other
 * requests, and, where the runtime has a monitor (weir_opts.watch_handlers), while a handler keeps
 * the only thread of a `loop`.  So it tells that the process lives; for health checks.
 *
 *   pattern  as of weir_server_route(); copied
 *   type     of the content; NULL: text/plain; charset=utf-8.  Copied
 *   text     at most 512 bytes; copied
 *
 *   0              added
 *   WEIR_EMSGSIZE  text and type are too long
 *   the codes of weir_server_route(); WEIR_EINVAL also for a type with control characters */
WEIR_API WEIR_CHECK int weir_server_answer(weir_server *server, const char *pattern,
                                           const char *type, const char *text);

/* Listens on an address (net.h), before or after the start; repeatable.
 * 0; a code of weir_listen(); WEIR_EOVERFLOW: it has 64 listeners; WEIR_ECLOSED: it drains. */
WEIR_API WEIR_CHECK int weir_server_listen(weir_server *server, const char *address);

/* Listens on a descriptor that is bound and listening already.  0: it is the server's, which closes
 * it.  WEIR_EBADF and its like (it is no socket), WEIR_EOVERFLOW, WEIR_ECLOSED (the server drains),
 * WEIR_ENOMEM, WEIR_ENOSPC: it stays the caller's. */
WEIR_API WEIR_CHECK int weir_server_adopt(weir_server *server, int listening_fd);

/* The address of listener `index` (from 0) as text; port 0 has become a real one.
 * 0, WEIR_ENOENT: there are fewer; WEIR_EMSGSIZE: `bytes` are too few. */
WEIR_API WEIR_CHECK int weir_server_address(weir_server *server, int index, char *text,
                                            size_t bytes);

/* Begins to accept.  0; WEIR_EALREADY; WEIR_ENOMEM or WEIR_ENOSPC: the poller takes no more; then
 * nothing accepts, and the server can only be destroyed. */
WEIR_API WEIR_CHECK int weir_server_start(weir_server *server);

/* Stops accepting (after taking what had connected), answers what is in flight with Connection:
 * close, lets idle connections go, and waits for the last until the deadline; then cancels
 * handlers and closes.
 *
 *   0               all ended by themselves, or it had never started
 *   WEIR_ETIMEDOUT  some were cut; those that heed no cancellation still run
 *   WEIR_EALREADY   it drains, or has
 *
 * Callers: task (parks), thread (blocks): not a handler of it. */
WEIR_API WEIR_CHECK int weir_server_drain(weir_server *server, weir_time deadline);

/* Frees a server that was drained or never started; aborts on one that serves.  Waits, without a
 * bound, for handlers that the drain could not end: they still have its memory in their hands.
 * Callers: task (parks), thread (blocks): the owner, not a handler of it. */
WEIR_API void weir_server_destroy(weir_server *server);

/* Counters since the start, and how much there is now (connections, running, waiting); relaxed. */
struct weir_server_stats {
    size_t size; /* in: sizeof(struct weir_server_stats); 0 counts as that */
    int64_t accepted, connections, idle_connections;
    int64_t requests, running, waiting;
    int64_t replied_2xx, replied_3xx, replied_4xx, replied_5xx;
    int64_t shed_running, shed_waiting, shed_age, shed_draining;
    int64_t bad_requests, timed_out_heads, timed_out_bodies, client_gone, handler_errors;
    int64_t accept_failures, bytes_in, bytes_out;
    int64_t shed_late; /* answered 504: the deadline passed before the handler began; or 503: it
                          would have */
    /* by admission, of class interactive and batch: for want of workers, of places to run */
    int64_t shed_work, shed_work_batch, shed_slots, shed_slots_batch;
    int64_t late; /* begun in time, answered after the deadline */
    /* admission, as of some milliseconds ago; 0 after a second in which nobody asked */
    int64_t load_milli;  /* work offered over what the cores can do, in thousandths */
    int64_t brake_milli; /* what measured delay makes of that capacity, in thousandths */
    int64_t backlog_ns;  /* how long a request that is admitted waits for its turn */
    int64_t depth_ns, depth_batch_ns; /* with how much of that one is still admitted */
    int64_t cost_ns;                  /* of a core, of a request that is offered, on average */
    int64_t capacity_milli;           /* cores that requests get, in thousandths */
    int64_t slots_load_milli; /* time of places, or of threads of the pool, that is asked for over
                                 that which there is, in thousandths; the tighter; 0: no bound */
    int64_t slots_backlog_ns; /* how long who is admitted waits for one */
};
/* Reads them.  Callers: any thread; never waits. */
WEIR_API void weir_server_stats_read(weir_server *server, struct weir_server_stats *out);

/* -- the request ------------------------------------------------------------------------------
 *
 * Texts belong to the request.  Callers: task: the handler's, or one that it joins before it
 * returns, one at a time, unless said otherwise; never waits. */

/* "GET", "POST", ... as it came. */
WEIR_API const char *weir_request_method(const weir_request *request);
/* The path, percent-decoded. */
WEIR_API const char *weir_request_path(const weir_request *request);
/* What follows '?', raw; "" without one. */
WEIR_API const char *weir_request_query(const weir_request *request);
/* The whole target as it came. */
WEIR_API const char *weir_request_target(const weir_request *request);
/* A parameter of the route pattern by its name, decoded; NULL if the pattern has none such. */
WEIR_API const char *weir_request_param(const weir_request *request, const char *name);
/* A parameter of the query by its name, decoded into the arena; NULL if absent. */
WEIR_API const char *weir_request_query_param(weir_request *request, const char *name);
/* As a number: `fallback` if absent; WEIR_EINVAL in *error (may be NULL) if it is not one. */
WEIR_API int64_t weir_request_query_int(weir_request *request, const char *name, int64_t fallback,
                                        int *error);
/* A header field, case-insensitive; NULL if absent; the first if repeated. */
WEIR_API const char *weir_request_header(const weir_request *request, const char *name);
/* Until when it has to be answered, see weir_handler; WEIR_NO_DEADLINE: nothing bounds it. */
WEIR_API weir_time weir_request_deadline(const weir_request *request);
/* Content-Length, or -1 if chunked, 0 without a body. */
WEIR_API int64_t weir_request_body_bytes(const weir_request *request);
/* Reads a piece of the body.  > 0 bytes, 0 at its end, WEIR_EMSGSIZE beyond body_bytes_max,
 * WEIR_EPROTO bad chunking, WEIR_EEOF or WEIR_ECONNRESET the client left, WEIR_ETIMEDOUT the
 * deadline or a client below body_rate_min, WEIR_ECANCELED, WEIR_ENOMEM.
 * The first read sends 100 Continue where the client waits for it.
 * Callers: task (parks): the handler's; blocks the thread of a .blocking route. */
WEIR_API WEIR_CHECK int weir_request_read(weir_request *request, void *data, size_t bytes,
                                          weir_time deadline);
/* Memory that lives as long as the request; NULL beyond 1 MiB a request. */
WEIR_API void *weir_request_alloc(weir_request *request, size_t bytes);
/* Peer's address as text; "unix" for Unix sockets. */
WEIR_API const char *weir_request_peer(weir_request *request);

/* -- the reply --------------------------------------------------------------------------------
 *
 * Callers: task (may park): the handler's, or one that it joins before it returns, one at a time;
 * waits only while the client reads slower, and blocks the thread of a .blocking route. */

/* Adds a header field before the reply begins.  0, WEIR_EINVAL (bad bytes, or a field that the
 * server writes itself: Content-Length, Transfer-Encoding, Connection, Date), WEIR_EOVERFLOW,
 * WEIR_EALREADY (begun). */
WEIR_API WEIR_CHECK int weir_reply_header(weir_reply *reply, const char *name, const char *value);

/* The whole reply at once, as text/plain; charset=utf-8, printf style.  0; WEIR_EALREADY (begun);
 * WEIR_EINVAL (a status below 200 or above 999, a bad format), WEIR_EOVERFLOW (longer than 1 MiB),
 * WEIR_ENOMEM: nothing went out; or the connection's code, as weir_reply_write(). */
WEIR_API int weir_reply_text(weir_reply *reply, int status, const char *format, ...)
    WEIR_PRINTF(3, 4);

/* The whole reply at once.  `type` NULL: application/octet-stream.  `data` is borrowed for the
 * call.  Results as weir_reply_text(). */
WEIR_API int weir_reply_data(weir_reply *reply, int status, const char *type, const void *data,
                             size_t bytes);

/* Begins a streamed reply: `bytes` is the exact length, or -1 for chunked.  Then weir_reply_write
 * until done; the handler's return ends it.  Fewer bytes than announced close the connection.
 * 0; WEIR_EALREADY (begun), WEIR_EINVAL (status, type or length), WEIR_EOVERFLOW (more header
 * fields than 16 KiB), WEIR_ENOMEM: nothing was begun. */
WEIR_API WEIR_CHECK int weir_reply_begin(weir_reply *reply, int status, const char *type,
                                         int64_t bytes);
/* Sends body bytes; small pieces may be gathered until weir_reply_flush().  Parks while the client
 * reads slower.  0, WEIR_EPIPE/WEIR_ECONNRESET (client gone), WEIR_ETIMEDOUT (too slow),
 * WEIR_ECANCELED: the connection is of no more use, every later call says the same.  WEIR_ERANGE
 * (more than announced), WEIR_EINVAL (not begun): nothing was sent. */
WEIR_API WEIR_CHECK int weir_reply_write(weir_reply *reply, const void *data, size_t bytes);
/* Sends what is gathered.  Results as weir_reply_write(). */
WEIR_API WEIR_CHECK int weir_reply_flush(weir_reply *reply);

#endif
