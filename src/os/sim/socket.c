/* SPDX-License-Identifier: MIT */
/* Stream sockets of the simulated system; addresses as text are os/linux/addr.c.
 *
 * Each stream holds the bytes that travel towards it in one ring.  `stored` counts all of them,
 * `arrived` those that the latency has let through; an event makes bytes arrive, so they stay in
 * order whatever the jitter.  The end of the stream counts once everything before it has arrived.
 *
 * As Linux TCP: closing with unread bytes resets the peer, else the peer reads the end; writing to
 * a closed peer works once and then breaks; a reset lets what has arrived be read, gives
 * WEIR_ECONNRESET once, then the end for readers and WEIR_EPIPE for writers; a writer that filled
 * the buffer is told again when a third of it is free.
 * A short read or write by chance is what a slow network does: the rest arrives (or becomes free)
 * as a new edge, so a caller that stops at a short count is still told. */
#define _GNU_SOURCE 1
#include "os/socket.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "os/poll.h"
#include "os/sim/world.h"

enum {
    BACKLOG_MAX = 4096,
    PORT_FIRST = 40000,
    PORT_LAST = 65535
};

#define RETRY_NS WEIR_NS_PER_S /* a lost connection attempt is repeated after this, then twice it */
#define RETRIES_MAX 6

struct listener {
    struct wi_sim_object object;
    struct wi_list all; /* in `listeners` */
    struct wi_addr local;
    bool quiesced;
    int backlog;
    int count;
    uint64_t queue[BACKLOG_MAX]; /* keys of streams that wait to be accepted, oldest first */
};

struct stream {
    struct wi_sim_object object;
    uint64_t peer; /* key; 0: none yet */
    struct wi_addr local;
    struct wi_addr remote;
    char *ring;
    size_t start;
    size_t stored;
    size_t arrived;
    weir_time last_arrival;
    weir_time last_data; /* when bytes last arrived */
    int error;           /* pending, a code */
    bool connected;      /* or failed: no longer on its way */
    bool ended;          /* the peer's end has arrived */
    bool finished;       /* this side sends no more */
    bool broken;         /* reset, or failed to connect */
    bool wants_space;    /* a write was cut short */
};

static const char listener_kind[] = "listener";
static const char stream_kind[] = "stream";

static struct wi_list listeners = { &listeners, &listeners };
static uint16_t next_port = PORT_FIRST;

/* Addresses */

static sa_family_t family_of(const struct wi_addr *addr)
{
    sa_family_t family;
    memcpy(&family, addr->data, sizeof(family));
    return family;
}

/* Both families keep the port at the same place. */
static uint16_t port_of(const struct wi_addr *addr)
{
    struct sockaddr_in address;
    memcpy(&address, addr->data, sizeof(address));
    return ntohs(address.sin_port);
}

static void set_port(struct wi_addr *addr, uint16_t port)
{
    struct sockaddr_in address;
    memcpy(&address, addr->data, sizeof(address));
    address.sin_port = htons(port);
    memcpy(addr->data, &address, sizeof(address));
}

static bool is_any(const struct wi_addr *addr)
{
    if (family_of(addr) == AF_INET) {
        struct sockaddr_in address;
        memcpy(&address, addr->data, sizeof(address));
        return address.sin_addr.s_addr == htonl(INADDR_ANY);
    }
    struct sockaddr_in6 address;
    memcpy(&address, addr->data, sizeof(address));
    return IN6_IS_ADDR_UNSPECIFIED(&address.sin6_addr);
}

static bool same_or_any(const struct wi_addr *bound, const struct wi_addr *addr)
{
    const bool bound_unix = wi_addr_is_unix(bound);
    if (bound_unix || wi_addr_is_unix(addr))
        return bound->bytes == addr->bytes && memcmp(bound->data, addr->data, addr->bytes) == 0;
    if (port_of(bound) != port_of(addr))
        return false;
    if (is_any(bound) || is_any(addr))
        return true;
    return bound->bytes == addr->bytes && memcmp(bound->data, addr->data, addr->bytes) == 0;
}

static struct listener *find_listener(const struct wi_addr *addr)
{
    for (struct wi_list *at = listeners.next; at != &listeners; at = at->next) {
        struct listener *listener = wi_container_of(at, struct listener, all);
        if (same_or_any(&listener->local, addr))
            return listener;
    }
    return NULL;
}

static uint16_t free_port(struct wi_addr *addr)
{
    for (int tries = 0; tries <= PORT_LAST - PORT_FIRST; tries++) {
        const uint16_t port = next_port;
        next_port = next_port == PORT_LAST ? PORT_FIRST : (uint16_t)(next_port + 1);
        set_port(addr, port);
        if (find_listener(addr) == NULL)
            return port;
    }
    return 0;
}

/* Streams */

static struct stream *stream_of(struct wi_sim_object *object)
{
    if (object == NULL || object->kind != stream_kind)
        return NULL;
    return wi_container_of(object, struct stream, object);
}

static struct stream *stream_at(int fd)
{
    wi_sim_enter();
    wi_sim_settle();
    return stream_of(wi_sim_object_at(fd));
}

static struct stream *stream_by_key(uint64_t key)
{
    return key == 0 ? NULL : stream_of(wi_sim_object_by_key(key));
}

static size_t space_towards(const struct stream *stream)
{
    return wi_sim_options()->buffer_bytes - stream->stored;
}

static bool at_end(const struct stream *stream)
{
    return stream->ended && stream->stored == stream->arrived;
}

static bool has_third_free(const struct stream *stream)
{
    return space_towards(stream) >= (wi_sim_options()->buffer_bytes + 2) / 3;
}

/* More than "a byte fits", or a writer would be woken for every byte that is read. */
static bool is_writable(const struct stream *stream)
{
    const struct stream *peer = stream_by_key(stream->peer);
    return stream->finished || peer == NULL || has_third_free(peer);
}

static uint32_t stream_readiness(struct wi_sim_object *object)
{
    struct stream *stream = stream_of(object);
    if (!stream->connected)
        return 0;
    uint32_t ready = 0;
    if (stream->arrived > 0 || at_end(stream))
        ready |= WI_POLL_READ;
    if (at_end(stream))
        ready |= WI_POLL_HANGUP;
    if (stream->error != 0)
        ready |= WI_POLL_ERROR;
    if (stream->broken)
        return ready | WI_POLL_READ | WI_POLL_WRITE | WI_POLL_HANGUP;
    if (is_writable(stream))
        return ready | WI_POLL_WRITE;
    stream->wants_space = true; /* who has looked in vain is told later, as by the kernel */
    return ready;
}

static void stream_destroy(struct wi_sim_object *object)
{
    struct stream *stream = stream_of(object);
    free(stream->ring);
    free(stream);
}

static struct stream *stream_open(void)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL)
        return NULL;
    stream->ring = malloc(wi_sim_options()->buffer_bytes);
    stream->object.readiness = stream_readiness;
    stream->object.destroy = stream_destroy;
    stream->object.kind = stream_kind;
    if (stream->ring == NULL || wi_sim_object_open(&stream->object) < 0) {
        free(stream->ring);
        free(stream);
        return NULL;
    }
    return stream;
}

/* What arrives */

static void bytes_arrive(uint64_t target, uint64_t bytes)
{
    struct stream *stream = stream_by_key(target);
    if (stream == NULL)
        return;
    stream->arrived += (size_t)bytes;
    stream->last_data = wi_sim_now();
    wi_bug_unless_cmp(stream->arrived, <=, stream->stored);
    wi_sim_object_changed(&stream->object, WI_POLL_READ);
}

static void end_arrives(uint64_t target, uint64_t unused)
{
    (void)unused;
    struct stream *stream = stream_by_key(target);
    if (stream == NULL || stream->broken)
        return;
    stream->ended = true;
    wi_sim_object_changed(&stream->object, WI_POLL_READ | WI_POLL_HANGUP);
}

/* `error` is a code as its own negative number. */
static void reset_arrives(uint64_t target, uint64_t error)
{
    struct stream *stream = stream_by_key(target);
    if (stream == NULL || stream->broken)
        return;
    stream->broken = true;
    stream->connected = true;
    stream->error = -(int)error;
    wi_sim_object_changed(&stream->object,
                          WI_POLL_READ | WI_POLL_WRITE | WI_POLL_HANGUP | WI_POLL_ERROR);
}

static void space_arrives(uint64_t target, uint64_t unused)
{
    (void)unused;
    struct stream *stream = stream_by_key(target);
    if (stream == NULL)
        return;
    stream->wants_space = false;
    wi_sim_object_changed(&stream->object, WI_POLL_WRITE);
}

/* Plans what `target` sees after the latency, behind all that was sent to it before. */
static void send_to(struct stream *target, void (*happen)(uint64_t, uint64_t), uint64_t detail)
{
    target->last_arrival = wi_sim_arrival(target->last_arrival);
    wi_sim_plan(target->last_arrival > wi_sim_now() ? target->last_arrival : wi_sim_now(), happen,
                target->object.key, detail);
    wi_sim_settle();
}

static void send_reset(struct stream *target)
{
    send_to(target, reset_arrives, (uint64_t)-WEIR_ECONNRESET);
}

/* Closes one end and lets the other know. */
static void close_stream(struct stream *stream, bool reset)
{
    struct stream *peer = stream_by_key(stream->peer);
    const bool unread = stream->stored > 0;
    const bool finished = stream->finished;
    wi_sim_object_close(&stream->object);
    stream_destroy(&stream->object);
    if (peer == NULL)
        return;
    if (reset || unread)
        send_reset(peer);
    else if (!finished)
        send_to(peer, end_arrives, 0);
}

/* Listeners */

static uint32_t listener_readiness(struct wi_sim_object *object)
{
    return wi_container_of(object, struct listener, object)->count > 0 ? WI_POLL_READ : 0;
}

static void listener_destroy(struct wi_sim_object *object)
{
    struct listener *listener = wi_container_of(object, struct listener, object);
    wi_list_remove(&listener->all);
    free(listener);
}

static struct listener *listener_at(int fd)
{
    wi_sim_enter();
    wi_sim_settle();
    struct wi_sim_object *object = wi_sim_object_at(fd);
    if (object == NULL || object->kind != listener_kind)
        return NULL;
    return wi_container_of(object, struct listener, object);
}

static int listen_at(const struct wi_addr *addr, int backlog)
{
    struct wi_addr local = *addr;
    if (!wi_addr_is_unix(addr) && port_of(addr) == 0) {
        if (free_port(&local) == 0)
            return WEIR_EADDRINUSE;
    } else if (find_listener(addr) != NULL) {
        return WEIR_EADDRINUSE;
    }
    struct listener *listener = calloc(1, sizeof(*listener));
    if (listener == NULL)
        return WEIR_ENOMEM;
    listener->object.readiness = listener_readiness;
    listener->object.destroy = listener_destroy;
    listener->object.kind = listener_kind;
    listener->local = local;
    listener->backlog = backlog < BACKLOG_MAX ? backlog : BACKLOG_MAX;
    const int fd = wi_sim_object_open(&listener->object);
    if (fd < 0) {
        free(listener);
        return fd;
    }
    wi_list_push_back(&listeners, &listener->all);
    return fd;
}

int wi_socket_listen(const struct wi_addr *addr, int backlog)
{
    wi_sim_enter();
    wi_bug_unless_cmp(backlog, >, 0);
    int rc = wi_sim_fault(WI_SIM_LISTEN);
    if (rc == 0)
        rc = listen_at(addr, backlog);
    return (int)wi_sim_note(WI_SIM_LISTEN, rc, rc);
}

static void close_listener(struct listener *listener)
{
    for (int i = 0; i < listener->count; i++) {
        struct stream *waiting = stream_by_key(listener->queue[i]);
        if (waiting != NULL)
            close_stream(waiting, true);
    }
    wi_sim_object_close(&listener->object);
    listener_destroy(&listener->object);
}

static uint64_t pop_waiting(struct listener *listener)
{
    const uint64_t key = listener->queue[0];
    listener->count--;
    memmove(&listener->queue[0], &listener->queue[1],
            (size_t)listener->count * sizeof(listener->queue[0]));
    return key;
}

static int accept_one(int fd, struct wi_addr *peer)
{
    struct listener *listener = listener_at(fd);
    if (listener == NULL)
        return WEIR_EBADF;
    if (listener->count == 0)
        return WEIR_EAGAIN;
    const int rc = wi_sim_fault(WI_SIM_ACCEPT);
    if (rc != 0)
        return rc;
    struct stream *stream = stream_by_key(pop_waiting(listener));
    if (stream == NULL)
        return WEIR_ECONNABORTED;
    if (peer != NULL)
        *peer = stream->remote;
    return stream->object.fd;
}

int wi_socket_accept(int fd, struct wi_addr *peer)
{
    return (int)wi_sim_note(WI_SIM_ACCEPT, fd, accept_one(fd, peer));
}

int wi_socket_listener_quiesce(int fd)
{
    struct listener *listener = listener_at(fd);
    if (listener == NULL)
        return WEIR_EBADF;
    if (wi_addr_is_unix(&listener->local))
        return WEIR_ENOTSUP;
    listener->quiesced = true;
    return 0;
}

/* Connecting */

/* 0, or why the listener takes nobody now: WEIR_ECONNREFUSED for good, WEIR_EAGAIN for a while. */
static int join_queue(struct stream *client)
{
    struct listener *listener = find_listener(&client->remote);
    if (listener == NULL)
        return WEIR_ECONNREFUSED;
    if (listener->quiesced || listener->count == listener->backlog)
        return WEIR_EAGAIN;
    struct stream *server = stream_open();
    if (server == NULL)
        return WEIR_EAGAIN; /* a server without memory drops the attempt */
    server->local = client->remote;
    server->remote = client->local;
    server->connected = true;
    server->peer = client->object.key;
    client->peer = server->object.key;
    client->connected = true;
    listener->queue[listener->count++] = server->object.key;
    wi_sim_object_changed(&listener->object, WI_POLL_READ);
    return 0;
}

static void attempt_arrives(uint64_t target, uint64_t tries)
{
    struct stream *client = stream_by_key(target);
    if (client == NULL)
        return;
    const int rc = join_queue(client);
    if (rc == 0)
        wi_sim_object_changed(&client->object, WI_POLL_WRITE);
    else if (rc == WEIR_ECONNREFUSED)
        reset_arrives(target, (uint64_t)-WEIR_ECONNREFUSED);
    else if (tries == RETRIES_MAX)
        reset_arrives(target, (uint64_t)-WEIR_EHOSTUNREACH);
    else
        wi_sim_plan(wi_sim_now() + (RETRY_NS << tries), attempt_arrives, target, tries + 1);
}

/* The client's own address: where a listener on any address would answer from, and a port. */
static void give_local(struct stream *client)
{
    client->local = client->remote;
    if (wi_addr_is_unix(&client->remote))
        client->local.bytes = sizeof(sa_family_t); /* unnamed */
    else
        (void)free_port(&client->local);
}

static int start_connect(const struct wi_addr *addr, bool *pending)
{
    struct stream *client = stream_open();
    if (client == NULL)
        return WEIR_EMFILE;
    client->remote = *addr;
    give_local(client);
    *pending = !wi_addr_is_unix(addr);
    if (*pending) {
        wi_sim_plan(wi_sim_arrival(wi_sim_now()), attempt_arrives, client->object.key, 0);
        return client->object.fd;
    }
    const int rc = join_queue(client);
    if (rc == 0)
        return client->object.fd;
    close_stream(client, false);
    return rc;
}

int wi_socket_connect(const struct wi_addr *addr, bool *pending)
{
    wi_sim_enter();
    wi_sim_settle();
    int rc = wi_sim_fault(WI_SIM_CONNECT);
    if (rc == 0)
        rc = start_connect(addr, pending);
    return (int)wi_sim_note(WI_SIM_CONNECT, rc, rc);
}

int wi_socket_pair(int fds[2])
{
    wi_sim_enter();
    struct stream *first = stream_open();
    if (first == NULL)
        return WEIR_EMFILE;
    struct stream *second = stream_open();
    if (second == NULL) {
        close_stream(first, false);
        return WEIR_EMFILE;
    }
    const sa_family_t family = AF_UNIX;
    struct wi_addr unnamed = { .bytes = sizeof(family) };
    memcpy(unnamed.data, &family, sizeof(family));
    first->local = first->remote = second->local = second->remote = unnamed;
    first->peer = second->object.key;
    second->peer = first->object.key;
    first->connected = second->connected = true;
    fds[0] = first->object.fd;
    fds[1] = second->object.fd;
    return 0;
}

/* Moving bytes */

static int take_error(struct stream *stream)
{
    const int error = stream->error;
    stream->error = 0;
    return error;
}

int wi_socket_error(int fd)
{
    struct stream *stream = stream_at(fd);
    return stream == NULL ? WEIR_EBADF : take_error(stream);
}

static void copy_out(struct stream *stream, char *data, size_t bytes)
{
    const size_t cap = wi_sim_options()->buffer_bytes;
    const size_t to_end = cap - stream->start;
    const size_t first = bytes < to_end ? bytes : to_end;
    memcpy(data, stream->ring + stream->start, first);
    memcpy(data + first, stream->ring, bytes - first);
    stream->start = (stream->start + bytes) % cap;
    stream->stored -= bytes;
    stream->arrived -= bytes;
}

static void copy_in(struct stream *stream, const char *data, size_t bytes)
{
    const size_t cap = wi_sim_options()->buffer_bytes;
    const size_t end = (stream->start + stream->stored) % cap;
    const size_t to_end = cap - end;
    const size_t first = bytes < to_end ? bytes : to_end;
    memcpy(stream->ring + end, data, first);
    memcpy(stream->ring, data + first, bytes - first);
    stream->stored += bytes;
}

/* A writer that was cut short hears of it once a third of the buffer is free. */
static void tell_space(const struct stream *reader)
{
    struct stream *writer = stream_by_key(reader->peer);
    if (writer == NULL || !writer->wants_space || !has_third_free(reader))
        return;
    writer->wants_space = false; /* planned once */
    wi_sim_plan(wi_sim_arrival(wi_sim_now()), space_arrives, writer->object.key, 0);
}

/* All but `bytes` of what has arrived comes a little later instead, as an edge of its own. */
static size_t cut_arrived(struct stream *stream, size_t bytes)
{
    if (bytes < 2 || !wi_sim_short())
        return bytes;
    const size_t less = 1 + (size_t)wi_sim_random(bytes - 1);
    const size_t later = stream->arrived - less;
    stream->arrived = less;
    wi_sim_plan(wi_sim_now() + WEIR_NS_PER_US, bytes_arrive, stream->object.key, later);
    return less;
}

static int64_t read_some(struct stream *stream, char *data, size_t bytes)
{
    if (stream == NULL)
        return WEIR_EBADF;
    if (!stream->connected)
        return WEIR_EAGAIN;
    const int rc = wi_sim_fault(WI_SIM_READ);
    if (rc != 0)
        return rc;
    if (bytes == 0)
        return 0;
    if (stream->arrived > 0) {
        const size_t most = stream->arrived < bytes ? stream->arrived : bytes;
        const size_t count = cut_arrived(stream, most);
        copy_out(stream, data, count);
        tell_space(stream);
        return (int64_t)count;
    }
    if (stream->error != 0)
        return take_error(stream);
    return stream->broken || at_end(stream) ? 0 : WEIR_EAGAIN;
}

int64_t wi_socket_read(int fd, void *data, size_t bytes)
{
    return wi_sim_note(WI_SIM_READ, fd, read_some(stream_at(fd), data, bytes));
}

/* How many of `bytes` fit now; what does not fit makes the writer wait for space. */
static size_t room_for(struct stream *stream, const struct stream *peer, size_t bytes)
{
    const size_t space = space_towards(peer);
    size_t count = bytes < space ? bytes : space;
    if (count >= 2 && wi_sim_short()) {
        count = 1 + (size_t)wi_sim_random(count - 1);
        wi_sim_plan(wi_sim_now() + WEIR_NS_PER_US, space_arrives, stream->object.key, 0);
    } else if (count < bytes) {
        stream->wants_space = true;
    }
    return count;
}

/* 0 if the stream takes bytes, else what a writer is told instead. */
static int refuse_write(struct stream *stream)
{
    if (stream == NULL)
        return WEIR_EBADF;
    if (!stream->connected)
        return WEIR_EAGAIN;
    const int rc = wi_sim_fault(WI_SIM_WRITE);
    if (rc != 0)
        return rc;
    if (stream->error != 0)
        return take_error(stream);
    return stream->broken || stream->finished ? WEIR_EPIPE : 0;
}

static int64_t write_slices(struct stream *stream, const struct wi_slice *slices, int count)
{
    const int rc = refuse_write(stream);
    if (rc != 0)
        return rc;
    size_t bytes = 0;
    for (int i = 0; i < count; i++)
        bytes += slices[i].bytes;
    struct stream *peer = stream_by_key(stream->peer);
    if (peer == NULL) {
        /* The peer has closed: these bytes are lost and its answer is a reset. */
        send_reset(stream);
        return (int64_t)bytes;
    }
    const size_t room = room_for(stream, peer, bytes);
    if (room == 0)
        return bytes == 0 ? 0 : WEIR_EAGAIN;
    size_t left = room;
    for (int i = 0; i < count && left > 0; i++) {
        const size_t part = slices[i].bytes < left ? slices[i].bytes : left;
        copy_in(peer, slices[i].data, part);
        left -= part;
    }
    send_to(peer, bytes_arrive, room);
    return (int64_t)room;
}

int64_t wi_socket_write(int fd, const void *data, size_t bytes)
{
    const struct wi_slice slice = { data, bytes };
    return wi_sim_note(WI_SIM_WRITE, fd, write_slices(stream_at(fd), &slice, 1));
}

int64_t wi_socket_write_slices(int fd, const struct wi_slice *slices, int count, bool more)
{
    (void)more;
    wi_bug_unless_cmp(count, >, 0);
    wi_bug_unless_cmp(count, <=, WI_SLICES_MAX);
    return wi_sim_note(WI_SIM_WRITE, fd, write_slices(stream_at(fd), slices, count));
}

int64_t wi_socket_unsent(int fd)
{
    struct stream *stream = stream_at(fd);
    if (stream == NULL)
        return WEIR_EBADF;
    const struct stream *peer = stream_by_key(stream->peer);
    return peer != NULL ? (int64_t)peer->stored : 0;
}

int64_t wi_socket_data_age(int fd)
{
    const struct stream *stream = stream_at(fd);
    if (stream == NULL)
        return WEIR_EBADF;
    return stream->last_data != 0 ? wi_sim_now() - stream->last_data : 0;
}

/* Ending */

enum wi_socket_end wi_socket_peer_end(int fd)
{
    const struct stream *stream = stream_at(fd);
    if (stream == NULL)
        return WI_SOCKET_OPEN;
    if (stream->broken)
        return WI_SOCKET_GONE;
    if (!stream->ended)
        return WI_SOCKET_OPEN;
    return stream->stored > 0 ? WI_SOCKET_BEHIND : WI_SOCKET_ENDED;
}

int wi_socket_finish(int fd)
{
    struct stream *stream = stream_at(fd);
    if (stream == NULL)
        return WEIR_EBADF;
    if (!stream->connected || stream->broken)
        return WEIR_ENOTCONN;
    if (stream->finished)
        return 0;
    stream->finished = true;
    struct stream *peer = stream_by_key(stream->peer);
    if (peer != NULL)
        send_to(peer, end_arrives, 0);
    return 0;
}

void wi_socket_abort(int fd)
{
    struct stream *stream = stream_at(fd);
    wi_bug_unless(stream != NULL);
    close_stream(stream, true);
}

void wi_socket_close(int fd)
{
    struct listener *listener = listener_at(fd);
    if (listener != NULL) {
        close_listener(listener);
        return;
    }
    struct stream *stream = stream_at(fd);
    wi_bug_unless(stream != NULL);
    close_stream(stream, false);
}

int wi_socket_local(int fd, struct wi_addr *out)
{
    const struct listener *listener = listener_at(fd);
    const struct stream *stream = stream_at(fd);
    if (listener == NULL && stream == NULL)
        return WEIR_EBADF;
    *out = listener != NULL ? listener->local : stream->local;
    return 0;
}

void wi_sim_cut(int fd)
{
    struct stream *stream = stream_at(fd);
    wi_bug_unless(stream != NULL);
    struct stream *peer = stream_by_key(stream->peer);
    send_reset(stream);
    if (peer != NULL)
        send_reset(peer);
}

void wi_sim_sockets_reset(void)
{
    next_port = PORT_FIRST;
}
