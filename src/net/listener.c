/* SPDX-License-Identifier: MIT */
/* Listeners as blocking calls.  The server has its own way to accept (serve/accept.c).
 *
 * Several tasks may accept on one listener.  The watch is edge-triggered, so one event may stand
 * for many connections while it wakes one task; whoever has taken a connection therefore passes the
 * event on, and the next waiter looks for itself.
 *
 * Closing works as for streams: the last reference closes the descriptor. */
#include "base/check.h"
#include "loop/io.h"
#include "loop/stable.h"
#include "net/stream.h"
#include "net/transport.h"
#include "task/runtime.h"
#include "weir/net.h"

enum {
    LISTENERS_MAX = 64 * 1024
};

struct weir_listener {
    struct wi_io io;
    /* atomic: as in struct weir_stream */
    wi_atomic_u32 references;
};

static struct wi_stable listeners = WI_STABLE_INIT(struct weir_listener, LISTENERS_MAX);

int weir_listen(weir_listener **out, const char *address, int backlog)
{
    wi_bug_unless(out != NULL);
    wi_bug_unless(address != NULL);
    int rc = wi_runtime_check();
    if (rc != 0)
        return rc;
    if (backlog < 0)
        return WEIR_EINVAL;
    const int fd = wi_transport_listen(address, backlog == 0 ? WI_TRANSPORT_BACKLOG : backlog);
    if (fd < 0)
        return fd;

    void *record = NULL;
    rc = wi_stable_take(&listeners, &record);
    if (rc != 0)
        goto undo_socket;
    weir_listener *listener = record;
    wi_io_init(&listener->io, fd, wi_io_on_ready);
    wi_store_relaxed(&listener->references, 1);
    rc = wi_loop_watch(wi_runtime_loop(), &listener->io.watch, WI_POLL_READ);
    if (rc != 0)
        goto undo_record;
    *out = listener;
    return 0;

undo_record:
    wi_stable_give(&listeners, listener);
undo_socket:
    wi_transport_unlink(fd);
    wi_transport_close(fd);
    return rc;
}

/* Pairs with itself, as leave() of stream.c. */
static void leave(weir_listener *listener)
{
    if (wi_sub_acq_rel(&listener->references, 1) != 1)
        return;
    wi_transport_unlink(listener->io.watch.fd);
    wi_transport_close(listener->io.watch.fd);
    wi_stable_give(&listeners, listener);
}

/* The descriptor of a new connection or a code. */
static int accept_fd(weir_listener *listener, weir_time deadline)
{
    for (;;) {
        const int fd = wi_transport_accept(listener->io.watch.fd, NULL);
        if (fd >= 0 || (fd != WEIR_EAGAIN && fd != WEIR_ECONNABORTED))
            return fd;
        if (fd == WEIR_ECONNABORTED)
            continue;
        const int rc = wi_io_wait(&listener->io, WI_POLL_READ, deadline);
        if (rc < 0)
            return rc;
    }
}

int weir_accept(weir_listener *listener, weir_stream **out, weir_time deadline)
{
    wi_bug_unless(listener != NULL);
    wi_bug_unless(out != NULL);
    const uint32_t before = wi_add_relaxed(&listener->references, 1);
    wi_bug_unless_cmp(before, >, 0);
    int rc = accept_fd(listener, deadline);
    if (rc >= 0) {
        wi_io_on_ready(&listener->io.watch, WI_POLL_READ);
        rc = wi_stream_make(out, rc);
    }
    leave(listener);
    return rc;
}

int weir_listener_address(weir_listener *listener, char *text, size_t bytes)
{
    wi_bug_unless(listener != NULL);
    wi_bug_unless(text != NULL);
    return wi_transport_local(listener->io.watch.fd, text, bytes);
}

void weir_listener_close(weir_listener *listener)
{
    wi_bug_unless(listener != NULL);
    wi_bug_unless_cmp(wi_load_relaxed(&listener->references), >, 0); /* closed before? */
    wi_loop_unwatch(wi_runtime_loop(), &listener->io.watch);
    wi_io_mark_closed(&listener->io);
    leave(listener);
}
