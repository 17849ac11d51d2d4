/* SPDX-License-Identifier: MIT */
/* Streams: read, write, close; include/weir/net.h is the manual.
 *
 * Every operation is the same loop: try the system call; on WEIR_EAGAIN wait on the stream's wi_io
 * until the deadline; try again.  The first try is unconditional, so a deadline that has passed
 * still takes what is there.  Since it waits nowhere else, it runs from tasks and threads under
 * every scheduler.
 *
 * Closing while others wait: the closer marks the wi_io closed, which ends their waits, and drops
 * its reference.  The last reference closes the descriptor and gives the record back, so neither is
 * given out anew while a call still uses it.
 *
 * Fairness: an operation that never has to wait yields after WI_STREAM_STREAK_MAX times. */
#include "net/stream.h"

#include <limits.h>

#include "base/check.h"
#include "loop/stable.h"
#include "os/poll.h"
#include "os/socket.h"
#include "task/runtime.h"
#include "weir/task.h"

enum {
    STREAMS_MAX = 4 * 1024 * 1024
};

static struct wi_stable streams = WI_STABLE_INIT(struct weir_stream, STREAMS_MAX);

int wi_stream_make(weir_stream **out, int fd)
{
    void *record = NULL;
    int rc = wi_runtime_check();
    if (rc != 0)
        goto undo_socket;
    rc = wi_stable_take(&streams, &record);
    if (rc != 0)
        goto undo_socket;

    struct weir_stream *stream = record;
    wi_io_init(&stream->io, fd, wi_io_on_ready);
    wi_store_relaxed(&stream->references, 1);
    stream->abortive = false;
    stream->read_streak = 0;
    stream->write_streak = 0;
    rc = wi_loop_watch(wi_runtime_loop(), &stream->io.watch, WI_POLL_READ | WI_POLL_WRITE);
    if (rc != 0)
        goto undo_record;
    *out = stream;
    return 0;

undo_record:
    wi_stable_give(&streams, stream);
undo_socket:
    wi_socket_close(fd);
    return rc;
}

static void enter(struct weir_stream *stream)
{
    wi_bug_unless(stream != NULL);
    const uint32_t before = wi_add_relaxed(&stream->references, 1);
    wi_bug_unless_cmp(before, >, 0);
}

/* Pairs with itself: what each call did to the stream comes before the last one's close. */
static void leave(struct weir_stream *stream)
{
    if (wi_sub_acq_rel(&stream->references, 1) != 1)
        return;
    const int fd = stream->io.watch.fd;
    if (stream->abortive)
        wi_socket_abort(fd);
    else
        wi_socket_close(fd);
    wi_stable_give(&streams, stream);
}

static int yield_after_streak(uint32_t *streak)
{
    if (++*streak < WI_STREAM_STREAK_MAX)
        return 0;
    *streak = 0;
    return weir_yield();
}

/* Waits and says whether the caller shall try again (0) or give up (a code). */
static int wait_for(struct weir_stream *stream, uint32_t interest, uint32_t *streak,
                    weir_time deadline)
{
    *streak = 0;
    const int rc = wi_io_wait(&stream->io, interest, deadline);
    return rc < 0 ? rc : 0;
}

/* A bit that wi_io kept may be older than the last read, so the descriptor itself is asked. */
static int wait_readable(struct weir_stream *stream, weir_time deadline)
{
    for (;;) {
        const int ready = wi_poll_one(stream->io.watch.fd, WI_POLL_READ, WEIR_DONT_WAIT);
        if (ready >= 0)
            return 0;
        if (ready != WEIR_ETIMEDOUT)
            return ready;
        const int rc = wait_for(stream, WI_POLL_READ, &stream->read_streak, deadline);
        if (rc != 0)
            return rc;
    }
}

static int read_some(struct weir_stream *stream, void *data, size_t bytes, weir_time deadline)
{
    int rc = yield_after_streak(&stream->read_streak);
    while (rc == 0) {
        const int64_t got = wi_socket_read(stream->io.watch.fd, data, bytes);
        if (got > 0)
            return (int)got;
        if (got == 0)
            return WEIR_EEOF;
        if (got != WEIR_EAGAIN)
            return (int)got;
        rc = wait_for(stream, WI_POLL_READ, &stream->read_streak, deadline);
    }
    return rc;
}

int weir_read(weir_stream *stream, void *data, size_t bytes, weir_time deadline)
{
    enter(stream);
    int rc;
    if (bytes == 0)
        rc = wait_readable(stream, deadline);
    else
        rc = read_some(stream, data, bytes < INT_MAX ? bytes : INT_MAX, deadline);
    leave(stream);
    return rc;
}

static int write_all(struct weir_stream *stream, const char *data, size_t bytes, size_t *done,
                     weir_time deadline)
{
    while (*done < bytes) {
        int rc = yield_after_streak(&stream->write_streak);
        if (rc != 0)
            return rc;
        const int64_t put = wi_socket_write(stream->io.watch.fd, data + *done, bytes - *done);
        if (put >= 0) {
            *done += (size_t)put;
            continue;
        }
        if (put != WEIR_EAGAIN)
            return (int)put;
        rc = wait_for(stream, WI_POLL_WRITE, &stream->write_streak, deadline);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int weir_write(weir_stream *stream, const void *data, size_t bytes, size_t *written,
               weir_time deadline)
{
    size_t done = 0;
    enter(stream);
    const int rc = write_all(stream, data, bytes, &done, deadline);
    leave(stream);
    if (written != NULL)
        *written = done;
    return rc;
}

int weir_finish(weir_stream *stream)
{
    enter(stream);
    const int rc = wi_socket_finish(stream->io.watch.fd);
    leave(stream);
    return rc;
}

/* The check comes before anything is touched: after a second close the descriptor's number may be
 * somebody else's. */
static void close_stream(weir_stream *stream, bool abortive)
{
    wi_bug_unless(stream != NULL);
    wi_bug_unless_cmp(wi_load_relaxed(&stream->references), >, 0);
    stream->abortive = abortive;
    wi_loop_unwatch(wi_runtime_loop(), &stream->io.watch);
    wi_io_mark_closed(&stream->io);
    leave(stream);
}

void weir_stream_close(weir_stream *stream)
{
    close_stream(stream, false);
}

void weir_stream_abort(weir_stream *stream)
{
    close_stream(stream, true);
}
