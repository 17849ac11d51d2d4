/* SPDX-License-Identifier: MIT */
#ifndef WI_OS_SOCKET_H
#define WI_OS_SOCKET_H

/* Contract: stream sockets, non-blocking and close-on-exec from birth.  Never raises SIGPIPE. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/err.h"

/* An address of any family that weir speaks; the bytes are the system's own form. */
struct wi_addr {
    uint32_t bytes; /* how much of data counts; 0: none */
    _Alignas(8) uint8_t data[128];
};

enum {
    WI_ADDR_TEXT_BYTES = 160
}; /* enough for wi_addr_format() of any address */

/* Parses "1.2.3.4:80", "[::1]:80", "*:80" and ":80" (IPv6 any, both families; IPv4 any where
 * there is no IPv6), "unix:PATH" and "unix:@NAME" (abstract).  No name service: "localhost:80" is
 * 127.0.0.1.  0 or WEIR_EINVAL; *reason says what is wrong with the text. */
WEIR_CHECK int wi_addr_parse(const char *text, struct wi_addr *out, const char **reason);

/* Splits "NAME:PORT", where NAME is one of a host that has to be looked up (os/names.h): labels of
 * letters, digits, '-' and '_' between dots, the last of which is no number, since that would be an
 * address gone wrong.  `host` gets it in lower case, with NUL.  0 or WEIR_EINVAL. */
enum {
    WI_NAME_BYTES = 256
};
WEIR_CHECK int wi_addr_split_name(const char *text, char host[WI_NAME_BYTES], int *port);

/* Of an IPv4 or IPv6 address. */
void wi_addr_set_port(struct wi_addr *addr, int port);

/* Writes the address in the form that wi_addr_parse() reads; always ends with NUL. */
void wi_addr_format(const struct wi_addr *addr, char *text, size_t text_bytes);

bool wi_addr_is_unix(const struct wi_addr *addr);
bool wi_addr_is_abstract(const struct wi_addr *addr);

/* A number that all addresses of one IPv4 host, or of one IPv6 network of 64 bits, have in common,
 * and hardly any others; 0: it is neither, or nobody's. */
uint64_t wi_addr_network(const struct wi_addr *addr);

/* Opens a listener: SO_REUSEADDR, for IPv6 any also IPv4.  A unix PATH that nobody listens on any
 * more is replaced, one that is in use gives WEIR_EADDRINUSE.  The descriptor or a code. */
WEIR_CHECK int wi_socket_listen(const struct wi_addr *addr, int backlog);

/* Takes one connection (TCP_NODELAY set, and a bound on unsent bytes, inherited from
 * wi_socket_listen()).  `peer` may be NULL.
 * The descriptor or a code: WEIR_EAGAIN none waits, WEIR_ECONNABORTED (that one is lost: try on),
 * WEIR_EMFILE, WEIR_ENFILE, WEIR_ENOBUFS, WEIR_ENOMEM. */
WEIR_CHECK int wi_socket_accept(int fd, struct wi_addr *peer);

/* Starts to connect.  The descriptor; *pending says that it becomes writable when done, and
 * wi_socket_error() tells how. */
WEIR_CHECK int wi_socket_connect(const struct wi_addr *addr, bool *pending);

/* Two connected stream sockets. */
WEIR_CHECK int wi_socket_pair(int fds[2]);

/* The pending error of a socket as a code, 0 if none. */
int wi_socket_error(int fd);

/* Bytes moved, 0 at the end of the stream, or a code (WEIR_EAGAIN: not ready). */
WEIR_CHECK int64_t wi_socket_read(int fd, void *data, size_t bytes);
WEIR_CHECK int64_t wi_socket_write(int fd, const void *data, size_t bytes);

struct wi_slice {
    const void *data;
    size_t bytes;
};

/* Gathers up to WI_SLICES_MAX slices; as wi_socket_write().  `more` hints that more follows. */
enum {
    WI_SLICES_MAX = 16
};
WEIR_CHECK int64_t wi_socket_write_slices(int fd, const struct wi_slice *slices, int count,
                                          bool more);

/* Bytes written that the peer has not acknowledged (a Unix peer: not read) yet, or a code. */
WEIR_CHECK int64_t wi_socket_unsent(int fd);

/* How long ago the last bytes of the peer came, to some ms, read or not; or a code, which for Unix
 * sockets is WEIR_ENOTSUP. */
WEIR_CHECK int64_t wi_socket_data_age(int fd);

/* Whether the peer has ended, as far as the system knows; takes nothing from the socket. */
enum wi_socket_end {
    WI_SOCKET_OPEN,   /* it may still send */
    WI_SOCKET_BEHIND, /* it sends no more, but something that it sent has not been read */
    WI_SOCKET_ENDED,  /* it sends no more, and all has been read; it may still read */
    WI_SOCKET_GONE,   /* reset, or closed on both sides */
};
enum wi_socket_end wi_socket_peer_end(int fd);

/* Closes the sending side: the peer reads the end of the stream. */
int wi_socket_finish(int fd);

/* Closes so that the peer sees a reset (SO_LINGER 0). */
void wi_socket_abort(int fd);

/* The address a socket is bound to. */
WEIR_CHECK int wi_socket_local(int fd, struct wi_addr *out);

/* Keeps new connections from starting on a TCP listener, for every process that shares it, while
 * those already under way can still be accepted: before it is closed for good.  0, or
 * WEIR_ENOTSUP where the system has no such filter (then close right after the last accept). */
int wi_socket_listener_quiesce(int fd);

void wi_socket_close(int fd);

#endif
