/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CLIENT_H
#define WEIR_CLIENT_H

/* The HTTP/1.1 client: connections that are kept, deadlines that are passed on, and what a caller
 * owes a destination that is overloaded, by default.
 *
 *     weir_response *response;
 *     int rc = weir_client_get(client, &response, "http://127.0.0.1:8081/price", weir_in_ms(200));
 *     if (rc < 0)
 *         return rc;
 *     const char *text;
 *     rc = weir_response_body(response, &text, NULL, 65536, weir_in_ms(200));
 *     if (rc == 0 && weir_response_status(response) == 200)
 *         use(text);
 *     weir_response_close(response);
 *
 * A destination is a host and a port.  For each the client keeps idle connections, how long answers
 * take, and how many calls were refused; from these it decides how long an attempt may take,
 * whether a failed one is repeated (a retry budget), whether a call is turned away before it is
 * sent (a throttle), and how many may be under way at once (a limit that exists only on evidence).
 * All of it is in weir_client_destination_read(), each can be switched off, and doc/guide/client.md
 * says what to expect.
 *
 * In a handler, a call inherits the request's ambient deadline, and the server is told how much is
 * left of it (Weir-Timeout-Ms).  A call made for a request that is itself a retry (X-Attempt) is
 * not repeated: of many layers one retries.
 *
 * It speaks http only; it follows no redirects, keeps no cookies, decodes no compression.  Hosts
 * are what weir_dial() takes: numbers, localhost, and names, which are looked up; for Unix sockets
 * see `address`.  Redirection and other protocols belong to the caller. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/err.h"
#include "weir/time.h"

typedef struct weir_client weir_client;
typedef struct weir_response weir_response;

/* Limits; 0 means the default in brackets, a negative number no limit, or none of it where the
 * comment says so. */
struct weir_client_opts {
    size_t size;              /* sizeof(struct weir_client_opts); 0 counts as that */
    const char *address;      /* of net.h: every call goes there, whatever host its URL names; for
                                 "unix:/run/app.sock".  Copied [the URL's] */
    int64_t destinations_max; /* that are remembered [256]; at most 65,536 */
    int64_t connections_max;  /* to one destination, and so calls under way [256]; at most 65,536 */
    int64_t idle_max;         /* of these, kept while idle [64]; negative: none */
    int64_t idle_ns_max;      /* and for how long [30 s] */
    int64_t waiting_max;      /* calls that wait for their turn [1,024]; negative: none */
    int64_t call_ns_max;      /* of a call, until the answer's head is there [30 s] */
    int64_t connect_ns_max;   /* with the lookup [250 ms to this machine, 1 s to others] */
    int64_t attempts_max;     /* of a call, in all [3]; at most 10, 1: no retries */
    int64_t head_bytes_max;   /* of an answer's head [16 KiB]; at most 65,535 */
    int64_t body_bytes_max;   /* of an answer's body [no limit: bodies stream] */
    bool no_budget;           /* retries cost nothing */
    bool no_throttle;         /* nothing is turned away because much was refused */
    bool no_limit;            /* connections_max alone bounds what is under way */
    bool no_attempt_timeout;  /* an attempt has all the time of the call */
    bool no_own_headers;      /* neither Weir-Timeout-Ms nor X-Attempt is sent */
};

/* -- the client -------------------------------------------------------------------------------
 *
 * Callers: any thread, unless said otherwise; never waits. */

/* Makes a client.
 *
 *   opts  borrowed for the call; NULL: all defaults
 *
 * 0; WEIR_EINVAL (an option is out of its range or of a later version); WEIR_ENOMEM. */
WEIR_API WEIR_CHECK int weir_client_create(weir_client **out, const struct weir_client_opts *opts);

/* Closes its connections and frees it, while the runtime is open.  Aborts if a response is not
 * closed or a call is under way. */
WEIR_API void weir_client_destroy(weir_client *client);

/* Closes the connections that are idle now.  Without it those that have been idle for idle_ns_max
 * are closed by the next call to their destination, or by their server. */
WEIR_API void weir_client_close_idle(weir_client *client);

/* -- a call ----------------------------------------------------------------------------------- */

/* A header field.  Both end with NUL. */
struct weir_header {
    const char *name;
    const char *value;
};

/* Gives a piece of a request's body: > 0 bytes written to data, 0 at its end, or a negative code,
 * which ends the call with that code. */
typedef int weir_client_body_fn(void *user, void *data, size_t bytes);

/* All-zero: no further header fields, no body, and the method says what may be repeated. */
struct weir_client_request {
    size_t size;                       /* sizeof(struct weir_client_request); 0 counts as that */
    const struct weir_header *headers; /* borrowed for the call */
    size_t header_count;               /* at most 64 */
    const void *body;                  /* borrowed for the call */
    size_t body_bytes;
    /* Or, instead of body: who gives it piece by piece, and how many bytes in all; -1: it is sent
     * in chunks.  Such a call is not repeated. */
    weir_client_body_fn *read;
    void *user;
    int64_t read_bytes;
    bool idempotent; /* to do it twice does no harm, though the method does not say so */
    bool once;       /* it is not repeated after any failure */
};

/* Sends a request and waits for the head of its answer.
 *
 *   out       the answer: the caller's until weir_response_close()
 *   method    "GET", "POST", ...; GET, HEAD, OPTIONS, TRACE, PUT and DELETE are idempotent
 *   url       "http://127.0.0.1:8081/path?query"; not a fragment
 *   request   borrowed for the call; NULL: all defaults
 *   deadline  until when the head has to be there; with the ambient one it is what the server is
 *             told that it has
 *
 *   0                an answer, of any status; 502, 503 and 504 after what retries were allowed.
 *                    The body of one that a retry was to replace, but the retry was turned away, is
 *                    kept up to 64 KiB: reading beyond gives WEIR_EMSGSIZE, and WEIR_ECONNRESET
 *                    where it had not come in time
 *   WEIR_ESHED       turned away here: the destination refuses most calls, or the wait for a turn
 *                    would take too long; not sent
 *   WEIR_ETIMEDOUT   the deadline, call_ns_max, or the last attempt's time; or too little time was
 *                    left to be worth it, and it was not sent
 *   WEIR_ECANCELED   the calling task was canceled, or its ambient deadline passed
 *   WEIR_ECONNREFUSED, WEIR_EHOSTUNREACH, ...  as weir_dial(): no connection; not sent
 *   WEIR_ENOHOST     no host of that name; not sent, and not tried again
 *   WEIR_ELOOKUP     the host's name could not be looked up, or not in time; not sent
 *   WEIR_ECONNRESET, WEIR_EPIPE  the connection ended before the answer's head
 *   WEIR_EPROTO      the answer is no HTTP, or a switch of protocols that nobody asked for
 *   WEIR_EMSGSIZE    its head is beyond head_bytes_max or has more than 100 fields; or, by its
 *                    length, its body is beyond body_bytes_max
 *   WEIR_ENOTSUP     an https URL: there is no TLS yet
 *   WEIR_EINVAL      no URL, or no host that weir_dial() takes, or "unix" without an `address`;
 *                    bad bytes in method or header fields, or one that the client writes itself
 *                    (Host, Content-Length, Transfer-Encoding, Connection); body and read at once;
 *                    a count without what is counted; options of a later version
 *   WEIR_ERANGE      `read` ended before read_bytes
 *   WEIR_EOVERFLOW   destinations_max are in use; 64 other names wait to be looked up; more than 64
 *                    header fields, or 16 KiB of them
 *   WEIR_ENOMEM, WEIR_ENOTOPEN, WEIR_EFORKED, WEIR_EMFILE, ...
 * A retry that is turned away changes nothing: the call ends with what the attempt before it gave.
 * "Not sent" is said of the last attempt: where attempts_max and the method allow several, one
 * before it may have been.
 *
 * Callers: task (parks), thread (blocks); `request->read` is called by the same. */
WEIR_API WEIR_CHECK int weir_client_send(weir_client *client, weir_response **out,
                                         const char *method, const char *url,
                                         const struct weir_client_request *request,
                                         weir_time deadline);

/* As weir_client_send() with "GET" and no more.  Callers: task (parks), thread (blocks). */
WEIR_API WEIR_CHECK int weir_client_get(weir_client *client, weir_response **out, const char *url,
                                        weir_time deadline);

/* -- the answer -------------------------------------------------------------------------------
 *
 * Texts belong to the response.  Callers: task, thread: one at a time; never waits, unless said
 * otherwise. */

/* 200 to 999. */
WEIR_API int weir_response_status(const weir_response *response);
/* A header field, case-insensitive; NULL if absent; the first if repeated. */
WEIR_API const char *weir_response_header(const weir_response *response, const char *name);
/* Field `index` (from 0) in the order of their coming.  0, or WEIR_ENOENT: there are fewer. */
WEIR_API WEIR_CHECK int weir_response_header_at(const weir_response *response, size_t index,
                                                struct weir_header *out);
/* Content-Length; -1 if the end alone tells; 0 without a body. */
WEIR_API int64_t weir_response_body_bytes(const weir_response *response);
/* How often it was sent: 1 without retries. */
WEIR_API int weir_response_attempts(const weir_response *response);

/* Reads a piece of the body, waiting for at least one byte.
 *
 *   > 0 bytes; 0 at its end; WEIR_ETIMEDOUT, WEIR_ECANCELED: nothing was read, call again;
 *   WEIR_ECONNRESET the connection ended before the body, WEIR_EPROTO bad chunks, WEIR_EMSGSIZE
 *   beyond body_bytes_max: later calls say the same
 *
 * Callers: task (parks), thread (blocks). */
WEIR_API WEIR_CHECK int weir_response_read(weir_response *response, void *data, size_t bytes,
                                           weir_time deadline);

/* Reads the rest of the body into memory of the response, and puts a NUL behind it.
 *
 *   data       the bytes, until weir_response_close()
 *   bytes      how many; may be NULL
 *   bytes_max  no more than so many are taken
 *
 * 0; WEIR_EMSGSIZE: there are more, and what was read is lost; WEIR_ENOMEM, likewise; or as
 * weir_response_read().  After WEIR_ETIMEDOUT or WEIR_ECANCELED it may be called again, and goes
 * on. Once it has given 0 it gives the same again. Callers: task (parks), thread (blocks). */
WEIR_API WEIR_CHECK int weir_response_body(weir_response *response, const char **data,
                                           size_t *bytes, size_t bytes_max, weir_time deadline);

/* Frees it.  Its connection is kept for other calls if the body was read, or what is left of it is
 * little and has come; else it is closed.  NULL is fine.
 * Callers: task, thread; never waits. */
WEIR_API void weir_response_close(weir_response *response);

/* -- numbers ---------------------------------------------------------------------------------- */

/* Counters since the start, of all destinations.  `size` as everywhere. */
struct weir_client_stats {
    size_t size;              /* in: sizeof(struct weir_client_stats); 0 counts as that */
    int64_t calls;            /* weir_client_send(), with an URL that could be called */
    int64_t attempts;         /* requests that were begun to be sent */
    int64_t retries;          /* of these, repetitions */
    int64_t answers;          /* heads of answers */
    int64_t overload;         /* attempts that ended with a sign of overload */
    int64_t timeouts;         /* attempts that ran out of time */
    int64_t broken;           /* attempts whose connection ended too early */
    int64_t bad_answers;      /* that were no HTTP or beyond a bound */
    int64_t shed_throttle;    /* calls or retries turned away by the throttle */
    int64_t shed_limit;       /* ... by the limit, or its line */
    int64_t refused_deadline; /* ... because too little time was left */
    int64_t denied_budget;    /* retries that the budget had no token for */
    int64_t connects;         /* connections made */
    int64_t connect_failures; /* and not made */
    int64_t reused;           /* attempts on a kept connection */
    int64_t stale;            /* kept connections that were found closed */
    int64_t destinations;     /* remembered now */
    int64_t idle;             /* connections kept now */
    int64_t running, waiting; /* calls now */
};

/* Reads them.  Callers: any thread; never waits. */
WEIR_API void weir_client_stats_read(weir_client *client, struct weir_client_stats *out);

/* What the client knows of one destination, now.  `size` as everywhere. */
struct weir_client_destination {
    size_t size;               /* in: sizeof(struct weir_client_destination); 0 counts as that */
    int64_t allowed;           /* calls that may be under way */
    int64_t running;           /* that are */
    int64_t waiting;           /* calls in line */
    int64_t idle;              /* connections kept */
    int64_t budget_tokens;     /* whole ones */
    int64_t throttle_permille; /* of calls that are turned away */
    int64_t attempt_ns;        /* what an attempt that begins now may take */
    int64_t p10_ns, p50_ns, p99_ns; /* until an answer's head, over 30 to 60 s; 0: not known */
    int64_t connect_ns;             /* p50 of connecting; 0: not known */
};

/* Reads it.
 *   authority  "127.0.0.1:8081": host and port as the URL has them, the port also where it is 80
 * 0; WEIR_ENOENT: none such is remembered.
 * Callers: any thread; never waits. */
WEIR_API WEIR_CHECK int weir_client_destination_read(weir_client *client, const char *authority,
                                                     struct weir_client_destination *out);

#endif
