/* SPDX-License-Identifier: MIT */
/* The plain transport: each call is one of os/socket. */
#include "net/transport.h"

#include <string.h>

#include "base/check.h"
#include "base/rng.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/limits.h"
#include "os/random.h"

int wi_transport_listen(const char *address, int backlog)
{
    struct wi_addr addr;
    const char *reason = NULL;
    const int rc = wi_addr_parse(address, &addr, &reason);
    if (rc != 0)
        return rc;
    return wi_socket_listen(&addr, backlog);
}

int wi_transport_adopt(int fd)
{
    struct wi_addr local;
    const int rc = wi_socket_local(fd, &local);
    if (rc != 0)
        return rc;
    return wi_fd_nonblocking(fd);
}

int wi_transport_accept(int fd, struct wi_addr *peer)
{
    return wi_socket_accept(fd, peer);
}

uint32_t wi_transport_client(const struct wi_addr *peer)
{
    uint64_t key = wi_addr_network(peer);
    if (key == 0)
        return 0;
    const uint32_t hash = (uint32_t)(wi_rng_split(&key) >> 32);
    return hash != 0 ? hash : 1;
}

int wi_transport_local(int fd, char *text, size_t bytes)
{
    struct wi_addr addr;
    const int rc = wi_socket_local(fd, &addr);
    if (rc != 0)
        return rc;
    char full[WI_ADDR_TEXT_BYTES];
    wi_addr_format(&addr, full, sizeof(full));
    const size_t needed = strlen(full) + 1;
    if (needed > bytes)
        return WEIR_EMSGSIZE;
    memcpy(text, full, needed);
    return 0;
}

void wi_transport_unlink(int fd)
{
    struct wi_addr addr;
    if (wi_socket_local(fd, &addr) != 0 || !wi_addr_is_unix(&addr) || wi_addr_is_abstract(&addr))
        return;
    char text[WI_ADDR_TEXT_BYTES];
    wi_addr_format(&addr, text, sizeof(text));
    static const char prefix[] = "unix:";
    if (strncmp(text, prefix, sizeof(prefix) - 1) == 0)
        (void)wi_file_remove_socket(text + sizeof(prefix) - 1);
}

void wi_transport_peer(const struct wi_addr *peer, char *text, size_t bytes)
{
    static const char name[] = "unix";
    wi_bug_unless_cmp(bytes, >=, sizeof(name));
    if (wi_addr_is_unix(peer))
        memcpy(text, name, sizeof(name));
    else
        wi_addr_format(peer, text, bytes);
}

int64_t wi_transport_read(int fd, void *data, size_t bytes)
{
    return wi_socket_read(fd, data, bytes);
}

int64_t wi_transport_write(int fd, const void *data, size_t bytes)
{
    return wi_socket_write(fd, data, bytes);
}

int64_t wi_transport_write_slices(int fd, const struct wi_slice *slices, int count, bool more)
{
    return wi_socket_write_slices(fd, slices, count, more);
}

int64_t wi_transport_unsent(int fd)
{
    return wi_socket_unsent(fd);
}

int64_t wi_transport_data_age(int fd)
{
    return wi_socket_data_age(fd);
}

enum wi_socket_end wi_transport_peer_end(int fd)
{
    return wi_socket_peer_end(fd);
}

int wi_transport_finish(int fd)
{
    return wi_socket_finish(fd);
}

int wi_transport_quiesce(int fd)
{
    return wi_socket_listener_quiesce(fd);
}

void wi_transport_close(int fd)
{
    wi_socket_close(fd);
}

void wi_transport_abort(int fd)
{
    wi_socket_abort(fd);
}

int64_t wi_transport_descriptors(void)
{
    return wi_limits_descriptors();
}

int64_t wi_transport_wall(void)
{
    return wi_clock_wall();
}

uint64_t wi_transport_seed(void)
{
    return wi_random_seed();
}
