/* SPDX-License-Identifier: MIT */
/* Stream sockets on Linux; addresses as text are in addr.c.
 *
 * A listener carries the options of its connections because Linux copies them to those that it
 * accepts, which saves system calls for each of them: TCP_NODELAY, and a bound on what they hold
 * that has not been sent.  By itself the kernel takes up to 4 MB for one whose peer reads nothing,
 * which is memory, and work for whoever writes it.  What is under way to the peer does not count,
 * so the bound slows nobody who reads.
 *
 * Quiesce: closing a TCP listener resets the connections that wait in its queue, and one that is
 * still shaking hands.  So before, a classic BPF filter on the listener drops every packet that
 * begins a connection (SYN without ACK): handshakes under way end and can be accepted, clients that
 * come later retry on their own and find the next listener or, after the close, a refusal.
 * For TCP the filter sees the segment from the TCP header on; byte 13 holds the flags (RFC 9293,
 * 3.1).  A filter belongs to the socket, so it holds for all processes that share the listener. */
#define _GNU_SOURCE 1
#include "os/socket.h"

#include <linux/filter.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "os/linux/code.h"
#include "weir/time.h"

enum {
    TCP_FLAGS_OFFSET = 13,
    TCP_FLAG_SYN = 0x02,
    TCP_FLAG_ACK = 0x10,
    UNSENT_BYTES_MAX = 128 * 1024, /* two of the largest segments that are handed down at once */
};

static sa_family_t family_of(const struct wi_addr *addr)
{
    sa_family_t family = AF_UNSPEC;
    if (addr->bytes >= sizeof(family))
        memcpy(&family, addr->data, sizeof(family));
    return family;
}

static const struct sockaddr *system_form(const struct wi_addr *addr)
{
    return (const struct sockaddr *)(const void *)addr->data;
}

static int open_stream(sa_family_t family)
{
    const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd >= 0 ? fd : wi_os_code();
}

/* Sets an integer option; returns 0 or a code. */
static int set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) == 0 ? 0 : wi_os_code();
}

static int set_up_listener(int fd, sa_family_t family)
{
    if (family == AF_UNIX)
        return 0;
    int rc = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (rc == 0)
        rc = set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (rc == 0 && family == AF_INET6)
        rc = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    /* A system that does not know it bounds them less well. */
    (void)set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES_MAX);
    return rc;
}

/* Whether the path names a socket that nobody listens on any more.  A server that has bound but
 * does not listen yet looks the same: two that start at once on one path are not told apart.
 * Anything that is no socket is never stale, or a mistyped path would delete a file. */
static bool unix_path_is_stale(const struct wi_addr *addr)
{
    const char *path = (const char *)addr->data + offsetof(struct sockaddr_un, sun_path);
    struct stat status;
    if (wi_addr_is_abstract(addr) || lstat(path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return false;
    const int fd = open_stream(AF_UNIX);
    if (fd < 0)
        return false;
    const bool refused = connect(fd, system_form(addr), addr->bytes) != 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static int bind_listener(int fd, const struct wi_addr *addr)
{
    if (bind(fd, system_form(addr), addr->bytes) == 0)
        return 0;
    const int rc = wi_os_code();
    if (rc != WEIR_EADDRINUSE || !wi_addr_is_unix(addr) || !unix_path_is_stale(addr))
        return rc;
    const char *path = (const char *)addr->data + offsetof(struct sockaddr_un, sun_path);
    if (unlink(path) != 0)
        return wi_os_code();
    return bind(fd, system_form(addr), addr->bytes) == 0 ? 0 : wi_os_code();
}

int wi_socket_listen(const struct wi_addr *addr, int backlog)
{
    wi_bug_unless_cmp(addr->bytes, <=, sizeof(addr->data));
    wi_bug_unless_cmp(backlog, >, 0);
    const sa_family_t family = family_of(addr);
    const int fd = open_stream(family);
    if (fd < 0)
        return fd;

    int rc = set_up_listener(fd, family);
    if (rc != 0)
        goto undo_socket;
    rc = bind_listener(fd, addr);
    if (rc != 0)
        goto undo_socket;
    if (listen(fd, backlog) != 0) {
        rc = wi_os_code();
        goto undo_socket;
    }
    return fd;

undo_socket:
    close(fd);
    return rc;
}

/* accept(2) on Linux also tells network errors that were pending on the new connection: that one
 * is lost, the next may be well. */
static int accept_code(int error)
{
    switch (error) {
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ETIMEDOUT:
    case EPERM:
        return WEIR_ECONNABORTED;
    default:
        return wi_os_code_of(error);
    }
}

int wi_socket_accept(int fd, struct wi_addr *peer)
{
    struct sockaddr *address = NULL;
    socklen_t bytes = 0;
    if (peer != NULL) {
        address = (struct sockaddr *)(void *)peer->data;
        bytes = sizeof(peer->data);
    }
    int connection;
    do {
        connection =
            accept4(fd, address, peer == NULL ? NULL : &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (connection < 0 && errno == EINTR);
    if (connection < 0)
        return accept_code(errno);
    if (peer != NULL)
        peer->bytes = bytes;
    return connection;
}

int wi_socket_connect(const struct wi_addr *addr, bool *pending)
{
    wi_bug_unless_cmp(addr->bytes, <=, sizeof(addr->data));
    const sa_family_t family = family_of(addr);
    const int fd = open_stream(family);
    if (fd < 0)
        return fd;
    if (family != AF_UNIX)
        (void)set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1); /* slower without, not wrong */

    *pending = false;
    if (connect(fd, system_form(addr), addr->bytes) == 0)
        return fd;
    /* An interrupted connect goes on in the background like a pending one. */
    if (errno == EINPROGRESS || errno == EINTR) {
        *pending = true;
        return fd;
    }
    const int rc = wi_os_code();
    close(fd);
    return rc;
}

int wi_socket_pair(int fds[2])
{
    const int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    return socketpair(AF_UNIX, type, 0, fds) == 0 ? 0 : wi_os_code();
}

int wi_socket_error(int fd)
{
    int error = 0;
    socklen_t bytes = sizeof(error);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0)
        return wi_os_code();
    return error == 0 ? 0 : wi_os_code_of(error);
}

int64_t wi_socket_read(int fd, void *data, size_t bytes)
{
    ssize_t got;
    do {
        got = recv(fd, data, bytes, 0);
    } while (got < 0 && errno == EINTR);
    return got >= 0 ? got : wi_os_code();
}

int64_t wi_socket_write(int fd, const void *data, size_t bytes)
{
    ssize_t put;
    do {
        put = send(fd, data, bytes, MSG_NOSIGNAL);
    } while (put < 0 && errno == EINTR);
    return put >= 0 ? put : wi_os_code();
}

int64_t wi_socket_write_slices(int fd, const struct wi_slice *slices, int count, bool more)
{
    wi_bug_unless_cmp(count, >, 0);
    wi_bug_unless_cmp(count, <=, WI_SLICES_MAX);
    struct iovec vectors[WI_SLICES_MAX];
    for (int i = 0; i < count; i++) {
        /* struct iovec serves readers too and so has no const. */
        memcpy(&vectors[i].iov_base, &slices[i].data, sizeof(vectors[i].iov_base));
        vectors[i].iov_len = slices[i].bytes;
    }
    const struct msghdr message = { .msg_iov = vectors, .msg_iovlen = (size_t)count };
    const int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
    ssize_t put;
    do {
        put = sendmsg(fd, &message, flags);
    } while (put < 0 && errno == EINTR);
    return put >= 0 ? put : wi_os_code();
}

int64_t wi_socket_unsent(int fd)
{
    int bytes = 0;
    return ioctl(fd, SIOCOUTQ, &bytes) == 0 ? bytes : wi_os_code();
}

int64_t wi_socket_data_age(int fd)
{
    struct tcp_info info = { 0 };
    socklen_t bytes = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) != 0)
        return wi_os_code();
    return (int64_t)info.tcpi_last_data_recv * WEIR_NS_PER_MS;
}

enum wi_socket_end wi_socket_peer_end(int fd)
{
    struct pollfd look = { .fd = fd, .events = POLLRDHUP };
    if (poll(&look, 1, 0) <= 0)
        return WI_SOCKET_OPEN;
    if ((look.revents & (POLLHUP | POLLERR)) != 0)
        return WI_SOCKET_GONE;
    if ((look.revents & POLLRDHUP) == 0)
        return WI_SOCKET_OPEN;
    int unread = 0;
    return ioctl(fd, SIOCINQ, &unread) == 0 && unread > 0 ? WI_SOCKET_BEHIND : WI_SOCKET_ENDED;
}

int wi_socket_finish(int fd)
{
    return shutdown(fd, SHUT_WR) == 0 ? 0 : wi_os_code();
}

void wi_socket_abort(int fd)
{
    const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    wi_socket_close(fd);
}

int wi_socket_local(int fd, struct wi_addr *out)
{
    socklen_t bytes = sizeof(out->data);
    if (getsockname(fd, (struct sockaddr *)(void *)out->data, &bytes) != 0)
        return wi_os_code();
    out->bytes = bytes;
    return 0;
}

int wi_socket_listener_quiesce(int fd)
{
    struct wi_addr local;
    const int rc = wi_socket_local(fd, &local);
    if (rc != 0)
        return rc;
    const sa_family_t family = family_of(&local);
    if (family != AF_INET && family != AF_INET6)
        return WEIR_ENOTSUP;

    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS_OFFSET),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, TCP_FLAG_SYN | TCP_FLAG_ACK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TCP_FLAG_SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),          /* drop */
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX), /* keep whole */
    };
    const struct sock_fprog program = { .len = wi_count_of(filter), .filter = filter };
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0)
        return 0;
    return errno == EINVAL || errno == EPERM || errno == ENOPROTOOPT ? WEIR_ENOTSUP : wi_os_code();
}

/* close(2) frees the descriptor whatever it reports, so it is never repeated. */
void wi_socket_close(int fd)
{
    const int rc = close(fd);
    wi_bug_unless(rc == 0 || errno != EBADF);
}
