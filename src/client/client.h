/* SPDX-License-Identifier: MIT */
#ifndef WI_CLIENT_CLIENT_H
#define WI_CLIENT_CLIENT_H

/* The client's own state.  The files, in the order in which a call passes them:
 *   client.c       options, the table of destinations, the numbers
 *   destination.c  what is known of one destination: connections, laws, counters
 *   send.c         a call: its attempts, and what becomes of each
 *   exchange.c     one attempt on a connection: the request out, the head of the answer in
 *   response.c     the answer's fields and body, and the end
 *
 * Locks, in their order: the client's (the table), a destination's.  Neither is held over a wait.
 *
 * Threads: any; each field says. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/rng.h"
#include "http/body.h"
#include "http/response.h"
#include "load/budget.h"
#include "load/limit.h"
#include "load/patience.h"
#include "load/retry.h"
#include "load/throttle.h"
#include "sync/lock.h"
#include "weir/client.h"
#include "weir/limit.h"
#include "weir/net.h"

enum {
    WI_CLIENT_BUCKETS = 64,
    WI_CLIENT_FIELDS_MAX = 64,
    WI_CLIENT_ADDRESS_BYTES = 256 + 8, /* a host, brackets, a port */
    WI_CLIENT_REQUEST_HEAD_BYTES = 16 * 1024,
    WI_CLIENT_BODY_BYTES = 4096, /* at least so much of a coded body is read at once */
};

enum wi_client_count {
    WI_CLIENT_CALLS,
    WI_CLIENT_ATTEMPTS,
    WI_CLIENT_RETRIES,
    WI_CLIENT_ANSWERS,
    WI_CLIENT_OVERLOAD,
    WI_CLIENT_TIMEOUTS,
    WI_CLIENT_BROKEN,
    WI_CLIENT_BAD_ANSWERS,
    WI_CLIENT_SHED_THROTTLE,
    WI_CLIENT_SHED_LIMIT,
    WI_CLIENT_REFUSED_DEADLINE,
    WI_CLIENT_DENIED_BUDGET,
    WI_CLIENT_CONNECTS,
    WI_CLIENT_CONNECT_FAILURES,
    WI_CLIENT_REUSED,
    WI_CLIENT_STALE,
    WI_CLIENT_COUNTS,
};

/* A connection that is kept, or used by one call. */
struct wi_link {
    struct wi_list node; /* guarded by the destination's lock while it is idle */
    weir_stream *stream; /* constant */
    weir_time since;     /* idle; as node */
};

struct wi_destination {
    /* constant after init */
    weir_client *client;
    const char *authority; /* of the URL: the key, and the Host field */
    const char *address;   /* that is dialed */
    weir_limit *limit;
    int64_t connect_ns_max;
    /* guarded by the client's lock */
    struct wi_list node;
    int64_t references;
    weir_time used;
    /* guarded by lock */
    struct wi_lock lock;
    struct wi_list idle; /* wi_link.node, the latest first */
    int64_t idle_count;
    struct wi_budget budget;
    struct wi_throttle throttle;
    struct wi_patience patience;
    struct wi_latency connects;
    int64_t way_ns; /* what the way to the server and back takes: p50 of connects, 1 ms at least */
    struct wi_rng rng;
    int64_t counts[WI_CLIENT_COUNTS];
};

struct weir_client {
    /* constant after init */
    struct weir_client_opts opts; /* the defaults are filled in */
    struct wi_http_limits limits;
    /* guarded by lock */
    struct wi_lock lock;
    struct wi_list buckets[WI_CLIENT_BUCKETS];
    int64_t destinations;
    int64_t retired[WI_CLIENT_COUNTS]; /* of destinations that were forgotten */
};

/* What stays the same over the attempts of a call. */
struct wi_call {
    const char *method;
    const char *target;
    size_t target_len;
    char *own_target; /* target, where it is no piece of the URL */
    const struct weir_client_request *request;
    weir_time end;  /* deadline and call_ns_max */
    weir_time told; /* deadline and ambient deadline: what the server is told */
    int inherited;  /* the attempt number of the request that it is made for */
    int attempt;    /* the present one, from 1 */
    bool idempotent;
    bool repeatable;
    bool to_head;
    bool read_begun; /* request->read was called: its bytes are gone */
    bool given_up;   /* it gave an error, or too few */
};

struct weir_response {
    struct wi_destination *destination; /* a reference */
    struct wi_link *link;               /* NULL: none (any more) */
    weir_time began;                    /* this attempt */
    int64_t took_ns;                    /* until the head; -1: no head came */
    enum weir_limit_end end_of_attempt; /* what the limit will be told */
    int attempts;
    bool permit; /* of the limit: to be released */
    bool reused; /* the connection had served before */
    bool sent;   /* the whole request went out */
    bool heard;  /* a byte of the answer came */
    bool put;    /* a byte of the request went out */
    bool done;   /* the body was read to its end */
    int error;   /* what made the rest of the body unreadable, or 0 */
    struct wi_http_body body;
    struct wi_http_response head; /* its slices count from `data` */
    char *whole;                  /* of weir_response_body() */
    size_t whole_len, whole_cap;
    char *held; /* what was taken of the body while a retry waited; [held_at, held_len) is unread */
    size_t held_at, held_len;
    /* The request's head goes out from `data`; then the answer's head lies there, and coded bytes
     * of its body behind: [at, end) are to be decoded. */
    size_t at, end, cap;
    char data[];
};

/* -- client.c --------------------------------------------------------------------------------- */

/* The destination of that host and port, remembered from now on, with a reference.
 * 0, WEIR_EOVERFLOW, WEIR_ENOMEM. */
WEIR_CHECK int wi_destination_take(weir_client *client, struct wi_destination **out,
                                   const char *authority, bool is_local);
void wi_destination_give(struct wi_destination *destination);

/* -- destination.c ---------------------------------------------------------------------------- */

WEIR_CHECK int wi_destination_create(struct wi_destination **out, weir_client *client,
                                     const char *authority, bool is_local);
/* Without references and off the table; idle connections are closed. */
void wi_destination_destroy(struct wi_destination *destination);

void wi_destination_count(struct wi_destination *destination, enum wi_client_count what);

/* A connection for an attempt.
 *   fresh   not one that is kept
 *   reused  out: it was kept
 * 0, or as weir_dial(). */
WEIR_CHECK int wi_destination_connect(struct wi_destination *destination, bool fresh,
                                      struct wi_link **out, bool *reused, weir_time deadline);
/* Keeps it for later calls, or closes it if there are enough. */
void wi_destination_keep(struct wi_destination *destination, struct wi_link *link);
void wi_link_close(struct wi_link *link);
/* Closes those that are idle. */
void wi_destination_close_idle(struct wi_destination *destination);

/* What the laws say of an attempt that wants to begin.  0, WEIR_ESHED (the throttle), or
 * WEIR_ETIMEDOUT (there is too little time).
 *   timeout_ns  out: what it may take; INT64_MAX: no more than the call
 *   left_ns     out: what the server shall be told that it has; negative: nothing is known */
WEIR_CHECK int wi_destination_admit(struct wi_destination *destination, const struct wi_call *call,
                                    int64_t *timeout_ns, int64_t *left_ns);

/* How an attempt ended, for the laws. */
enum wi_attempt_end {
    WI_ATTEMPT_GOOD,    /* an answer, no sign of overload */
    WI_ATTEMPT_REFUSED, /* 503 */
    WI_ATTEMPT_RAN_OUT, /* of the time that an attempt is given */
    WI_ATTEMPT_LATE,    /* the call's time was up, of which it had enough */
    WI_ATTEMPT_BROKEN,  /* no connection, or its end */
    WI_ATTEMPT_UNKNOWN, /* it shows nothing */
};
void wi_destination_learn(struct wi_destination *destination, const struct wi_call *call,
                          enum wi_attempt_end end, int64_t took_ns);

/* Whether what an attempt of so long waited for in vain is a sign of overload: an answer would have
 * come by then. */
bool wi_destination_waited_enough(struct wi_destination *destination, int64_t took_ns);

/* How long to wait before a retry, for which the budget has paid; -1: no retry. */
int64_t wi_destination_retry(struct wi_destination *destination, const struct wi_call *call,
                             enum wi_retry_failure failure, int64_t retry_after_ns);

/* -- exchange.c ------------------------------------------------------------------------------- */

/* One attempt, on a kept connection and, if that was stale, on a fresh one.
 *   timeout_ns  INT64_MAX: no more than the call
 *   left_ns     at the call, for Weir-Timeout-Ms; negative: do not tell
 *   unreached   out: no connection was made
 * 0: response->head is there.  Or a code of weir_client_send(), and there is no connection. */
WEIR_CHECK int wi_exchange(weir_response *response, struct wi_call *call, int64_t timeout_ns,
                           int64_t left_ns, bool *unreached);

/* -- response.c ------------------------------------------------------------------------------- */

/* The end of an attempt: keeps or closes the connection, and tells the limit. */
void wi_response_settle(weir_response *response);

/* Takes the body into memory, as far as it comes by then and is within a bound, and settles: so the
 * answer outlives its connection and its permit.  What is lost of it ends reading with a code.
 * 0 or WEIR_ECANCELED. */
WEIR_CHECK int wi_response_hold(weir_response *response, weir_time until);

/* Makes room for the next attempt's answer: nothing is left of that before. */
void wi_response_forget(weir_response *response);

/* How long the destination wants to be left alone; -1: it does not say. */
int64_t wi_response_retry_after_ns(const weir_response *response);

#endif
