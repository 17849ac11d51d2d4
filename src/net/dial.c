/* SPDX-License-Identifier: MIT */
/* Connecting: the addresses of a host one after the other, until one takes the connection.
 *
 * Each gets an even share of the time that is left, so one that swallows everything does not keep
 * the rest from being tried.  What says something about this process (no descriptors, no memory)
 * or its task is no reason to try another.
 *
 * Threads: the caller's.
 * Source: own; the shares as in Go's net.Dialer.  Not "Happy Eyeballs" (RFC 8305): two attempts at
 * once are two for a server that is overloaded, too. */
#include "net/dial.h"

#include "base/check.h"
#include "net/names.h"
#include "net/stream.h"
#include "os/poll.h"
#include "os/socket.h"
#include "task/runtime.h"

/* Waits until the connection stands or has failed. */
static int await_connected(struct weir_stream *stream, weir_time deadline)
{
    const int fd = stream->io.watch.fd;
    for (;;) {
        const int ready = wi_poll_one(fd, WI_POLL_WRITE, WEIR_DONT_WAIT);
        if (ready >= 0)
            return wi_socket_error(fd);
        if (ready != WEIR_ETIMEDOUT)
            return ready;
        const int rc = wi_io_wait(&stream->io, WI_POLL_WRITE, deadline);
        if (rc < 0)
            return rc;
    }
}

static int dial_one(weir_stream **out, const struct wi_addr *addr, weir_time deadline)
{
    bool pending = false;
    const int fd = wi_socket_connect(addr, &pending);
    if (fd < 0)
        return fd;
    weir_stream *stream = NULL;
    int rc = wi_stream_make(&stream, fd);
    if (rc != 0)
        return rc;
    if (pending)
        rc = await_connected(stream, deadline);
    if (rc != 0) {
        weir_stream_close(stream);
        return rc;
    }
    *out = stream;
    return 0;
}

static bool may_go_on(int rc, weir_time deadline)
{
    switch (rc) {
    case WEIR_ETIMEDOUT:
        return weir_now() < deadline;
    case WEIR_ECANCELED:
    case WEIR_EMFILE:
    case WEIR_ENFILE:
    case WEIR_ENOBUFS:
    case WEIR_ENOMEM:
    case WEIR_ENOSPC:
    case WEIR_EOVERFLOW:
    case WEIR_ENOTOPEN:
    case WEIR_EFORKED:
        return false;
    default:
        return true;
    }
}

static weir_time share_of(weir_time deadline, int addresses)
{
    if (deadline == WEIR_NO_DEADLINE || deadline == WEIR_DONT_WAIT || addresses == 1)
        return deadline;
    const weir_time now = weir_now();
    return now < deadline ? now + (deadline - now) / addresses : deadline;
}

int wi_dial(weir_stream **out, const char *address, int64_t *lookup_ns, weir_time deadline)
{
    wi_bug_unless(out != NULL);
    wi_bug_unless(address != NULL);
    struct wi_addr addrs[WI_NAMES_ADDRESSES_MAX];
    const char *reason = NULL;
    int count = 1;
    *lookup_ns = 0;
    int rc = wi_runtime_check();
    if (rc != 0)
        return rc;
    if (wi_addr_parse(address, &addrs[0], &reason) != 0) {
        const weir_time asked = weir_now();
        count = wi_names_find(address, addrs, deadline);
        *lookup_ns = count > 0 ? weir_now() - asked : -1;
    }
    rc = count;
    for (int i = 0; i < count; i++) {
        rc = dial_one(out, &addrs[i], share_of(deadline, count - i));
        if (rc == 0 || !may_go_on(rc, deadline))
            break;
    }
    return rc;
}

int weir_dial(weir_stream **out, const char *address, weir_time deadline)
{
    int64_t lookup_ns;
    return wi_dial(out, address, &lookup_ns, deadline);
}
