/* SPDX-License-Identifier: MIT */
#ifndef WEIR_NET_H
#define WEIR_NET_H

/* Streams: TCP (IPv4, IPv6) and Unix sockets, written as blocking calls.
 *
 * Addresses are text: "127.0.0.1:8080", "[::1]:8080", "localhost:80" (127.0.0.1), ":8080" (every
 * address of this machine), "unix:/run/app.sock", "unix:@name" (abstract).  Port 0 takes a free
 * one.  Other names of hosts, "db.internal:5432", are looked up to be dialed, not to listen on
 * (WEIR_EINVAL).
 *
 * Every call here needs an open runtime; without one it gives WEIR_ENOTOPEN, in a forked child
 * WEIR_EFORKED. */

#include <stddef.h>
#include <stdint.h>

#include "weir/err.h"
#include "weir/time.h"

typedef struct weir_listener weir_listener;
typedef struct weir_stream weir_stream;

/* Listens.  0, WEIR_EINVAL (not an address), WEIR_EADDRINUSE, WEIR_EADDRNOTAVAIL, WEIR_EACCES,
 * WEIR_EMFILE, ...  `backlog` 0: 4,096.  *out is the caller's, until weir_listener_close().
 * Callers: task, thread; never waits. */
WEIR_API WEIR_CHECK int weir_listen(weir_listener **out, const char *address, int backlog);

/* Takes one connection.  0, WEIR_ETIMEDOUT, WEIR_ECANCELED, WEIR_ECLOSED (the listener was closed
 * meanwhile), WEIR_EMFILE and its like (try again later).  *out is the caller's, until
 * weir_stream_close().  Callers: task (parks), thread (blocks). */
WEIR_API WEIR_CHECK int weir_accept(weir_listener *listener, weir_stream **out, weir_time deadline);

/* The address it is bound to, as text that weir_dial() takes; port 0 has become a real one.
 * 0, or WEIR_EMSGSIZE: `bytes` are too few.  Callers: any thread; never waits. */
WEIR_API WEIR_CHECK int weir_listener_address(weir_listener *listener, char *text, size_t bytes);

/* Closes and frees.  Calls that wait on it return WEIR_ECLOSED; none may begin after.
 * Callers: task, thread; never waits. */
WEIR_API void weir_listener_close(weir_listener *listener);

/* Connects.
 *
 *   out       the caller's, until weir_stream_close()
 *   deadline  of the lookup and the connecting together
 *
 *   0
 *   WEIR_EINVAL      not an address, nor a name and a port
 *   WEIR_ENOHOST     there is no host of that name: see its spelling and /etc/hosts
 *   WEIR_ELOOKUP     who would know the name gave no answer: see /etc/resolv.conf, try again later
 *   WEIR_ETIMEDOUT, WEIR_ECANCELED  no connection, or no address, in time
 *   WEIR_ECONNREFUSED, WEIR_EHOSTUNREACH, ...  of a host with several addresses, the last one's
 *   WEIR_EOVERFLOW   64 other names wait to be looked up; or streams
 *   WEIR_EAGAIN      no thread could be started for the lookup; or a Unix listener is busy
 *   WEIR_EMFILE, WEIR_ENOMEM, ...
 *
 * A name is looked up as the system does it (getaddrinfo(): /etc/hosts, DNS, ...), on a thread of a
 * pool for that alone, so only the caller waits, and no longer than its deadline.  What was found
 * counts for 30 s, a failure for one, which the log tells; 256 names are remembered.  Up to eight
 * addresses are tried in their order, each with an even share of the time that is left.
 *
 * Callers: task (parks), thread (blocks). */
WEIR_API WEIR_CHECK int weir_dial(weir_stream **out, const char *address, weir_time deadline);

/* Reads what is there, waiting for at least one byte.
 * > 0 bytes read (at most INT_MAX); WEIR_EEOF the peer has finished; WEIR_ETIMEDOUT,
 * WEIR_ECANCELED nothing was read; WEIR_ECLOSED closed meanwhile; WEIR_ECONNRESET, ...
 * `bytes` 0 waits for readability and gives 0.
 * Callers: task (parks), thread (blocks): one reader at a time. */
WEIR_API WEIR_CHECK int weir_read(weir_stream *stream, void *data, size_t bytes,
                                  weir_time deadline);

/* Writes everything.
 *   written  how many bytes went out, also on failure; may be NULL
 * 0, WEIR_ETIMEDOUT, WEIR_ECANCELED, WEIR_ECLOSED (closed meanwhile), WEIR_EPIPE,
 * WEIR_ECONNRESET, ...
 * Callers: task (parks), thread (blocks): one writer at a time. */
WEIR_API WEIR_CHECK int weir_write(weir_stream *stream, const void *data, size_t bytes,
                                   size_t *written, weir_time deadline);

/* Closes the sending side: the peer reads the end of the stream.  0, or WEIR_ENOTCONN.
 * Callers: task, thread: the writer; never waits. */
WEIR_API int weir_finish(weir_stream *stream);

/* Closes and frees.  Calls of other tasks that wait on it return WEIR_ECLOSED; none may begin
 * after.  Callers: task, thread; never waits. */
WEIR_API void weir_stream_close(weir_stream *stream);

/* As weir_stream_close(), but the peer sees a reset.
 * Callers: task, thread; never waits. */
WEIR_API void weir_stream_abort(weir_stream *stream);

enum {
    WEIR_FD_READ = 1,
    WEIR_FD_WRITE = 2
};

/* Waits until a foreign descriptor is ready.  The descriptor stays the caller's and must stay open
 * during the call.
 *   interest  WEIR_FD_READ, WEIR_FD_WRITE or both; else WEIR_EINVAL
 * The readiness bits, or WEIR_ETIMEDOUT, WEIR_ECANCELED, WEIR_EBADF, WEIR_ENOSPC (the poller takes
 * no more), WEIR_EPERM (a regular file: always ready, or use weir_blocking()).
 * Callers: task (parks), thread (blocks). */
WEIR_API WEIR_CHECK int weir_fd_wait(int fd, int interest, weir_time deadline);

#endif
