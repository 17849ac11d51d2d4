/* SPDX-License-Identifier: MIT */
#ifndef WI_NET_TRANSPORT_H
#define WI_NET_TRANSPORT_H

/* What the floors above net/ do with sockets: they see no operating system, only this.
 *
 * None of these calls waits; WEIR_EAGAIN says that the caller has to (loop/io.h).  A transport that
 * is more than a plain socket stands behind the same calls.
 *
 * Threads: any. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/socket.h"
#include "weir/err.h"

/* The backlog of a listener that asks for none: connections that the kernel may hold ready.  As
 * much as Linux permits by default (net.core.somaxconn). */
enum {
    WI_TRANSPORT_BACKLOG = 4096
};

/* Opens a listener on an address as text.  The descriptor or a code as weir_listen(). */
WEIR_CHECK int wi_transport_listen(const char *address, int backlog);

/* Makes an adopted listening descriptor fit for wi_transport_accept(). 0 or a code. */
WEIR_CHECK int wi_transport_adopt(int fd);

/* As wi_socket_accept(). */
WEIR_CHECK int wi_transport_accept(int fd, struct wi_addr *peer);

/* The text of the address that a listener is bound to.  0, WEIR_EMSGSIZE or a code. */
WEIR_CHECK int wi_transport_local(int fd, char *text, size_t bytes);

/* Removes the file of a listener that is bound to a path of the file system, before the owner
 * closes it for good; nothing for other listeners. */
void wi_transport_unlink(int fd);

/* The text of a peer's address; "unix" for Unix sockets. */
void wi_transport_peer(const struct wi_addr *peer, char *text, size_t bytes);

/* A hash of the host, or for IPv6 the network of 64 bits, that the address belongs to; 0: it is of
 * neither kind. */
uint32_t wi_transport_client(const struct wi_addr *peer);

/* As the calls of os/socket.h that they are named after. */
WEIR_CHECK int64_t wi_transport_read(int fd, void *data, size_t bytes);
WEIR_CHECK int64_t wi_transport_write(int fd, const void *data, size_t bytes);
WEIR_CHECK int64_t wi_transport_write_slices(int fd, const struct wi_slice *slices, int count,
                                             bool more);
WEIR_CHECK int64_t wi_transport_unsent(int fd);
WEIR_CHECK int64_t wi_transport_data_age(int fd);
enum wi_socket_end wi_transport_peer_end(int fd);
int wi_transport_finish(int fd);
int wi_transport_quiesce(int fd);
void wi_transport_close(int fd);
void wi_transport_abort(int fd);

/* The most descriptors that this process may have, the wall clock in ns, and what a random sequence
 * may begin with. */
int64_t wi_transport_descriptors(void);
int64_t wi_transport_wall(void);
uint64_t wi_transport_seed(void);

#endif
