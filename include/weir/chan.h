/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CHAN_H
#define WEIR_CHAN_H

/* Channels: bounded queues of fixed-size messages between tasks and threads.
 *
 * Start at weir_chan_create(); weir_select() in select.h waits on several.
 * A channel belongs to its creator and must outlive every call on it.  Closed, it stays usable:
 * its messages can be received, and every other call says WEIR_ECLOSED.
 * Algorithm and proof sketch: src/chan/chan.c. */

#include <stddef.h>

#include "weir/err.h"
#include "weir/time.h"

#define WEIR_CHAN_ELEM_BYTES_MAX ((size_t)65536)

typedef struct weir_chan weir_chan;

/* All-zero means: empty messages, no buffer (sender and receiver meet). */
struct weir_chan_opts {
    size_t size;       /* sizeof(struct weir_chan_opts); 0 counts as that */
    size_t elem_bytes; /* size of one message; at most WEIR_CHAN_ELEM_BYTES_MAX */
    size_t cap_elems;  /* messages the buffer holds before senders wait */
    /* Not 0, with cap_elems 0: the buffer has no size of its own.  It grows by pieces with what is
     * in it and shrinks again; senders wait once messages of so many bytes are in it, or while the
     * system gives no memory for another piece. */
    size_t grow_bytes_max;
};

/* Makes a channel.
 *
 *   opts  borrowed for the call; NULL: all defaults
 *
 * 0; WEIR_EINVAL (elem_bytes too large; grow_bytes_max below elem_bytes, with cap_elems, or for
 * empty messages; an option of a later version); WEIR_ENOMEM.
 * Callers: any thread; never waits. */
WEIR_API WEIR_CHECK int weir_chan_create(weir_chan **out, const struct weir_chan_opts *opts);

/* Frees it.  Nobody may be in a call on it, except one who was just woken and only returns; while
 * somebody waits on it, it aborts.  Messages that are left are dropped.
 * Callers: any thread; never waits. */
WEIR_API void weir_chan_destroy(weir_chan *ch);

/* Sends one message, waiting while the buffer is full.
 *
 *   ch        borrowed for the call
 *   msg       elem_bytes bytes, copied before return; stays the caller's
 *   deadline  absolute ns of weir_now(); WEIR_DONT_WAIT tries once, WEIR_NO_DEADLINE waits on
 *
 *   0                delivered or buffered
 *   WEIR_ECLOSED     the channel is closed; not sent
 *   WEIR_ETIMEDOUT   the deadline came first; not sent
 *   WEIR_ECANCELED   the calling task was canceled first; not sent
 *
 * Callers: task (parks), thread (blocks).
 * Order:   messages of one sender are received in the order they were sent. */
WEIR_API WEIR_CHECK int weir_chan_send(weir_chan *ch, const void *msg, weir_time deadline);

/* Receives one message, waiting while there is none.
 *
 *   msg  elem_bytes bytes are written; zeroed when the channel is closed and empty
 *
 *   0                received
 *   WEIR_ECLOSED     closed and every message is out
 *   WEIR_ETIMEDOUT, WEIR_ECANCELED  nothing was taken
 *
 * Callers: as weir_chan_send(). */
WEIR_API WEIR_CHECK int weir_chan_recv(weir_chan *ch, void *msg, weir_time deadline);

/* The same, comparing msg_bytes with the channel's elem_bytes: another size aborts with both.
 * weir_chan_send_of(ch, &value, deadline) and weir_chan_recv_of() fill it in.
 * Results as weir_chan_send() and weir_chan_recv().
 * Callers: as weir_chan_send(). */
WEIR_API WEIR_CHECK int weir_chan_send_sized(weir_chan *ch, const void *msg, size_t msg_bytes,
                                             weir_time deadline);
WEIR_API WEIR_CHECK int weir_chan_recv_sized(weir_chan *ch, void *msg, size_t msg_bytes,
                                             weir_time deadline);
#define weir_chan_send_of(ch, msg, deadline)                                                       \
    weir_chan_send_sized((ch), (msg), sizeof(*(msg)), (deadline))
#define weir_chan_recv_of(ch, msg, deadline)                                                       \
    weir_chan_recv_sized((ch), (msg), sizeof(*(msg)), (deadline))

/* Closes: senders get WEIR_ECLOSED, also those that wait; receivers drain what is buffered first.
 * 0, or WEIR_ECLOSED if it was closed.  Callers: any thread; never waits. */
WEIR_API int weir_chan_close(weir_chan *ch);

/* Messages in the buffer now.  Callers: any thread; never waits. */
WEIR_API size_t weir_chan_len(weir_chan *ch);

/* Messages the buffer holds before senders wait; a growing one's: as grow_bytes_max allows.
 * Callers: any thread; never waits. */
WEIR_API size_t weir_chan_cap(weir_chan *ch);

#endif
