/* SPDX-License-Identifier: MIT */
/* Connections: the record, who owns it, how it ends.
 *
 * At any moment a connection has at most one owner: a callback of the loop that works at the edge,
 * the line of admission, a request's task, or the sweep.  One word says so.
 *
 *   BUSY    somebody owns the record.  A free record stays BUSY, so late events find it owned.
 *   READY   readiness was told since the owner last cleared it
 *   HANGUP  the peer's end was told; never cleared while the connection lives
 *   SERVED, AHEAD  a request's handler runs: gone.c, which also takes step a where an end is told
 *
 * Protocol.
 *   event:   a: or-in READY (and HANGUP), acquire-release.
 *            b: the word was not BUSY: BUSY by compare-and-swap, READY off; the winner drives the
 *               connection (edge.c).  Who loses leaves it to the winner, who sees READY in d.
 *            c: the word was BUSY: wi_io_on_ready(), for an owner that waits for body or room.
 *   owner:   d: to give up: BUSY -> 0 by compare-and-swap, which fails if READY is set; then READY
 *               off, and read again.  (wi_conn_release)
 *   sweep:   e: 0 -> BUSY by compare-and-swap; looks; gives up by d or closes.
 * Pairing: d releases what the owner wrote to b and e, which acquire it; a releases the event to
 * b and d.
 * No wake is lost: an event before d's swap sets READY, which makes d fail; one after it sees a
 * word that is not BUSY and takes b.  An owner that waits on wi_io tried the system call before,
 * and the bits that c keeps end a wait that begins after c.
 * No read is lost: the watch is edge-triggered, so an owner may give up only when the socket is
 * empty.  A short read says that as long as no end of the stream has been told; the end itself
 * raises an event of its own.
 *
 * Stale events (loop.h) reach a record that was closed, and perhaps opened anew: they set READY or
 * wake a wait for nothing, both of which are harmless.
 *
 * Threads: any. */
#include "serve/conn.h"

#include <string.h>

#include "base/check.h"
#include "loop/stable.h"
#include "serve/edge.h"
#include "serve/gone.h"
#include "serve/pace.h"
#include "task/runtime.h"

#define LINGER_NS (2 * WEIR_NS_PER_S)

enum {
    HEAD_BYTES_SUM_MAX = 64 * 1024 * 1024 /* blocks with parts of heads, of a server */
};

static struct wi_stable connections = WI_STABLE_INIT(struct wi_conn, WI_SERVER_CONNECTIONS_MAX);

uint32_t wi_conn_made(void)
{
    return wi_stable_made(&connections);
}

struct wi_conn *wi_conn_at(uint32_t index)
{
    return wi_stable_at(&connections, index);
}

/* Step b for an event, e for the sweep. */
static bool try_own(struct wi_conn *conn)
{
    uint32_t word = wi_load_relaxed(&conn->state);
    while ((word & WI_CONN_BUSY) == 0) {
        const uint32_t owned = (word | WI_CONN_BUSY) & ~(uint32_t)WI_CONN_READY;
        if (wi_cas_acq_rel(&conn->state, &word, owned))
            return true;
    }
    return false;
}

static void on_ready(struct wi_watch *watch, uint32_t ready)
{
    struct wi_io *io = wi_container_of(watch, struct wi_io, watch);
    struct wi_conn *conn = wi_container_of(io, struct wi_conn, io);
    uint32_t bits = 0;
    if ((ready & (WI_POLL_READ | WI_POLL_HANGUP | WI_POLL_ERROR)) != 0)
        bits |= WI_CONN_READY;
    const bool ended = (ready & (WI_POLL_HANGUP | WI_POLL_ERROR)) != 0;
    uint32_t before = 0;
    if (wi_unlikely(ended))
        before = wi_gone_told(conn, ready, bits | WI_CONN_HANGUP); /* a, c */
    else if (bits != 0)
        before = wi_or_acq_rel(&conn->state, bits); /* a */
    else
        before = wi_load_acquire(&conn->state);
    if ((before & WI_CONN_BUSY) == 0) {
        if (bits != 0 && try_own(conn)) /* b */
            wi_edge_drive(conn);
    } else if (!ended) {
        wi_io_on_ready(watch, ready); /* c */
    }
}

static void on_again(struct wi_post *post)
{
    wi_edge_drive(wi_container_of(post, struct wi_conn, again));
}

void wi_conn_later(struct wi_conn *conn)
{
    wi_loop_post(wi_runtime_loop(), &conn->again);
}

static void keep_peer(struct wi_conn *conn, const struct wi_addr *peer)
{
    conn->peer_bytes = 0;
    if (peer->bytes > sizeof(conn->peer))
        return;
    memcpy(conn->peer, peer->data, peer->bytes);
    conn->peer_bytes = (uint8_t)peer->bytes;
}

int wi_conn_open(struct weir_server *server, int fd, const struct wi_addr *peer)
{
    void *record = NULL;
    int rc = wi_stable_take(&connections, &record);
    if (rc != 0)
        goto undo_socket;

    struct wi_conn *conn = record;
    /* Owned until it is watched.  A fresh record is all zero, an old one saw late events. */
    wi_store_relaxed(&conn->state, WI_CONN_BUSY);
    wi_io_init(&conn->io, fd, on_ready);
    conn->again.run = on_again;
    conn->head = NULL;
    conn->head_len = 0;
    conn->scanned = 0;
    conn->requests = 0;
    conn->discarded = 0;
    conn->phase = WI_CONN_IDLE;
    conn->drained = true;
    keep_peer(conn, peer);
    conn->client = wi_transport_client(peer);
    wi_store_relaxed(&conn->server, server);
    wi_store_relaxed(&conn->deadline, wi_after(weir_now(), server->opts.idle_ns_max));
    (void)wi_add_seq_cst(&server->counters->connections, 1); /* sweep.c: a */
    rc = wi_loop_watch(wi_runtime_loop(), &conn->io.watch, WI_POLL_READ | WI_POLL_WRITE);
    if (rc != 0)
        goto undo_record;
    wi_sweep_need(server);
    /* The drain takes connections in a thread of its own, and only the loop may drive them. */
    if (!wi_conn_release(conn))
        wi_conn_later(conn);
    return 0;

undo_record:
    (void)wi_sub_relaxed(&server->counters->connections, 1);
    wi_store_relaxed(&conn->server, NULL);
    wi_stable_give(&connections, conn);
undo_socket:
    wi_transport_close(fd);
    return rc;
}

bool wi_conn_try_own(struct wi_conn *conn, struct weir_server *server)
{
    if (wi_load_relaxed(&conn->server) != server || !try_own(conn))
        return false;
    if (wi_conn_server(conn) == server)
        return true;
    /* It became another server's meanwhile. */
    if (!wi_conn_release(conn))
        wi_edge_drive(conn);
    return false;
}

int64_t wi_conn_read(struct wi_conn *conn, void *data, size_t bytes)
{
    const int64_t got = wi_transport_read(conn->io.watch.fd, data, bytes);
    if (got == WEIR_EAGAIN)
        conn->drained = true;
    else
        conn->drained =
            got > 0 && (size_t)got < bytes && (wi_load_relaxed(&conn->state) & WI_CONN_HANGUP) == 0;
    return got;
}

bool wi_conn_release(struct wi_conn *conn)
{
    uint32_t word = wi_load_relaxed(&conn->state);
    for (;;) {
        if ((word & WI_CONN_READY) != 0) {
            (void)wi_and_acq_rel(&conn->state, ~(uint32_t)WI_CONN_READY);
            conn->drained = false;
            return false;
        }
        if (wi_cas_acq_rel(&conn->state, &word, word & ~(uint32_t)WI_CONN_BUSY)) /* d */
            return true;
    }
}

void wi_conn_close(struct wi_conn *conn, bool abortive)
{
    struct weir_server *server = wi_conn_server(conn);
    const int fd = conn->io.watch.fd;
    wi_loop_unwatch(wi_runtime_loop(), &conn->io.watch);
    if (abortive)
        wi_transport_abort(fd);
    else
        wi_transport_close(fd);
    wi_conn_drop_head(conn);
    wi_store_relaxed(&conn->server, NULL);
    wi_store_relaxed(&conn->deadline, WEIR_NO_DEADLINE);
    /* Only what concerns this connection; the word stays BUSY. */
    (void)wi_and_acq_rel(&conn->state, WI_CONN_BUSY);
    wi_stable_give(&connections, conn);
    (void)wi_sub_seq_cst(&server->counters->connections, 1); /* pairs with accept.c: b */
    if (wi_unlikely(wi_load_seq_cst(&server->accept_paused) != 0))
        wi_accept_resume(server);
}

void wi_conn_linger(struct wi_conn *conn)
{
    wi_conn_drop_head(conn);
    if (wi_transport_finish(conn->io.watch.fd) != 0) {
        wi_conn_close(conn, false);
        return;
    }
    conn->phase = WI_CONN_LINGER;
    conn->discarded = 0;
    wi_store_relaxed(&conn->deadline, wi_after(weir_now(), LINGER_NS));
    wi_edge_drive(conn);
}

static bool take_head_block(struct wi_conn *conn, enum wi_block_class class)
{
    struct weir_server *server = wi_conn_server(conn);
    const int64_t bytes = (int64_t)wi_block_bytes(class);
    if (wi_add_relaxed(&server->head_bytes, bytes) > HEAD_BYTES_SUM_MAX - bytes)
        goto undo_sum;
    conn->head = wi_block_take(class);
    if (conn->head == NULL)
        goto undo_sum;
    conn->head_class = (uint8_t) class;
    return true;

undo_sum:
    (void)wi_sub_relaxed(&server->head_bytes, bytes);
    return false;
}

bool wi_conn_keep_head(struct wi_conn *conn, const char *data, size_t bytes)
{
    const enum wi_block_class class = wi_block_class_for(bytes);
    if (conn->head != NULL && conn->head_class < class)
        wi_conn_drop_head(conn);
    if (conn->head == NULL && !take_head_block(conn, class))
        return false;
    memcpy(conn->head, data, bytes);
    conn->head_len = (uint32_t)bytes;
    return true;
}

void wi_conn_drop_head(struct wi_conn *conn)
{
    conn->head_len = 0;
    if (conn->head == NULL)
        return;
    const enum wi_block_class class = (enum wi_block_class)conn->head_class;
    (void)wi_sub_relaxed(&wi_conn_server(conn)->head_bytes, (int64_t)wi_block_bytes(class));
    wi_block_give(class, conn->head);
    conn->head = NULL;
}
