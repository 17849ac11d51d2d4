/* SPDX-License-Identifier: MIT */
#ifndef WI_SERVE_CONN_H
#define WI_SERVE_CONN_H

/* The record of a connection.  It is all that an idle connection costs: no task, no stack, no
 * buffer.  The protocol of its ownership is in conn.c. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop/io.h"
#include "net/transport.h"
#include "serve/blocks.h"
#include "serve/server.h"
#include "sync/lock.h"

/* Bits of the state word. */
enum {
    WI_CONN_BUSY = 1u,   /* somebody owns the record; free records stay so */
    WI_CONN_READY = 2u,  /* readiness was told while it was busy */
    WI_CONN_HANGUP = 4u, /* the peer's end was told; stays */
    WI_CONN_SERVED = 8u, /* a request's handler runs, see gone.c */
    WI_CONN_AHEAD = 16u, /* the next request has come with it */
};

enum wi_conn_phase {
    WI_CONN_IDLE,   /* nothing of the next head has arrived */
    WI_CONN_HEAD,   /* a part of a head lies in `head` */
    WI_CONN_LINGER, /* the answer said close and our side is finished: the rest is discarded */
};

struct wi_parker;

struct wi_conn {
    struct wi_io io;      /* io.watch.fd is the socket */
    struct wi_post again; /* continues with other connections in between; queued: the loop's */

    /* atomic */
    wi_atomic_u32 state;
    wi_atomic_i64 deadline; /* of the phase; the sweep looks without owning */
    wi_atomic_ptr server;   /* whose it is; NULL while free */
    wi_atomic_ptr queued;   /* the request that owns it and whose task has not begun; see run.c */

    struct wi_lock ending; /* held while the peer's end is told; not made anew, as io's */
    struct wi_parker
        *handler; /* see gone.c: the task writes it, then events read it under ending */

    /* owner: who has set WI_CONN_BUSY */
    char *head;         /* a block of head_class, or NULL */
    uint32_t head_len;  /* bytes in it */
    uint32_t scanned;   /* of these, known to hold no complete head */
    uint32_t requests;  /* begun on this connection */
    uint32_t discarded; /* bytes in phase LINGER */
    uint32_t client;    /* who it is, as a hash of the peer's address; 0: unknown */
    uint8_t phase;      /* enum wi_conn_phase */
    uint8_t head_class; /* enum wi_block_class */
    bool drained;       /* the last read took all that there was, see wi_conn_read() */
    uint8_t peer_bytes; /* of the peer's address in the system's form; 0: not kept */
    uint8_t peer[28];   /* enough for IPv4 and IPv6 */
};

/* With the slab's trailer a record fills four cache lines. */
_Static_assert(sizeof(struct wi_conn) <= 248, "an idle connection stays small");

static inline struct weir_server *wi_conn_server(struct wi_conn *conn)
{
    return wi_load_relaxed(&conn->server);
}

/* Takes over an accepted socket, closes it on failure. 0, WEIR_EOVERFLOW, WEIR_ENOMEM, ... */
WEIR_CHECK int wi_conn_open(struct weir_server *server, int fd, const struct wi_addr *peer);

/* Every call below is the owner's. */

/* Reads once; as wi_transport_read().  Keeps `drained` true only if the socket is known to be
 * empty: it said so, or gave less than asked and no end of the stream has been told. */
WEIR_CHECK int64_t wi_conn_read(struct wi_conn *conn, void *data, size_t bytes);

/* Gives the record up.  False: readiness came meanwhile, the caller still owns it and must read
 * again.  After true the record must not be touched. */
WEIR_CHECK bool wi_conn_release(struct wi_conn *conn);

/* Closes and frees; with `abortive` the peer sees a reset. */
void wi_conn_close(struct wi_conn *conn, bool abortive);

/* Begins the end after a last answer: closes the sending side and discards what still comes for a
 * short time, since a close with unread bytes would reset the connection and the answer with it.
 * Takes the record. */
void wi_conn_linger(struct wi_conn *conn);

/* Keeps bytes of a head that has not arrived whole; false if there is no memory for them. */
WEIR_CHECK bool wi_conn_keep_head(struct wi_conn *conn, const char *data, size_t bytes);
void wi_conn_drop_head(struct wi_conn *conn);

/* Lets the loop continue with the connection in its next turn.  Takes the record. */
void wi_conn_later(struct wi_conn *conn);

/* For the sweep. */
uint32_t wi_conn_made(void);
struct wi_conn *wi_conn_at(uint32_t index);
/* Owns an idle record of that server; false if somebody else does. */
WEIR_CHECK bool wi_conn_try_own(struct wi_conn *conn, struct weir_server *server);

#endif
