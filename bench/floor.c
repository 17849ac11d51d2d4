/* SPDX-License-Identifier: MIT */
/* The floor: the least that a server in C can do for one HTTP request on epoll.
 *
 * One thread, level-triggered: recv, find the empty line, send a fixed answer.  It parses nothing,
 * routes nothing, times nothing out, and holds no state beyond a few bytes of an unfinished head
 * and how much of the answer is out; what a real server costs above it is the price of being one.
 * The answer has the bytes of weir's own to GET /hello/world, Date included, so that both send the
 * same; or those of a body of BODY_BYTES, or of a refusal.  No code of weir is used.
 *
 *     floor [PORT [BODY_BYTES [close | refuse]]]
 *
 * PORT 0 or none takes a free one; BODY_BYTES 0 or none greets; `close` ends each connection after
 * one answer, `refuse` answers 503 as weir does when it is overloaded.  It prints the port and
 * serves until killed.
 *
 * Threads: one. */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 65536
#define EVENTS_MAX 256
#define READ_BYTES 4096
#define HEAD_BYTES_MAX 512
#define BODY_BYTES_MAX (1 << 20)

static const char greeting[] = "Hello, world!\n";
static const char refusal[] = "overloaded\n";

/* By descriptor.  While an answer is not all sent, the connection is watched for room to write
 * and not read. */
static struct connection {
    unsigned char matched; /* bytes of CR LF CR LF at the end of what was read */
    unsigned owed;         /* answers, counting the one that is partly sent */
    size_t sent;           /* bytes of that one */
} connections[CONNECTIONS_MAX];

static char answer[HEAD_BYTES_MAX + BODY_BYTES_MAX];
static size_t answer_bytes;
static time_t answer_second;
static size_t body_bytes;
static bool closes;
static bool refuses;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* The date changes once a second, and so does the answer; its length does not. */
static void refresh_answer(void)
{
    const time_t now = time(NULL);
    if (now == answer_second)
        return;
    answer_second = now;
    char date[64];
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    const char *text = refuses ? refusal : greeting;
    const size_t bytes = body_bytes > 0 ? body_bytes : strlen(text);
    const int head =
        snprintf(answer, HEAD_BYTES_MAX,
                 "HTTP/1.1 %s\r\n"
                 "Content-Length: %zu\r\n"
                 "Date: %s\r\n"
                 "Content-Type: %s\r\n"
                 "%s%s"
                 "\r\n",
                 refuses ? "503 Service Unavailable" : "200 OK", bytes, date,
                 body_bytes > 0 ? "application/octet-stream" : "text/plain; charset=utf-8",
                 refuses ? "Retry-After: 1\r\n" : "", closes ? "Connection: close\r\n" : "");
    if (body_bytes > 0)
        memset(answer + head, 'x', bytes);
    else
        memcpy(answer + head, text, bytes);
    answer_bytes = (size_t)head + bytes;
}

/* Counts the empty lines that end in these bytes, given what came before. */
static unsigned heads_ended(struct connection *connection, const char *data, size_t len)
{
    static const char empty_line[] = "\r\n\r\n";
    unsigned heads = 0;
    unsigned seen = connection->matched;
    for (size_t i = 0; i < len; i++) {
        if (data[i] == empty_line[seen])
            seen++;
        else
            seen = data[i] == '\r' ? 1 : 0;
        if (seen == 4) {
            heads++;
            seen = 0;
        }
    }
    connection->matched = (unsigned char)seen;
    return heads;
}

static void take_connections(int listener, int poller)
{
    for (;;) {
        const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        if (fd >= CONNECTIONS_MAX) {
            close(fd);
            continue;
        }
        const int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connections[fd] = (struct connection){ 0 };
        struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
        if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0)
            close(fd);
    }
}

static void watch(int poller, int fd, unsigned events)
{
    struct epoll_event event = { .events = events, .data.fd = fd };
    if (epoll_ctl(poller, EPOLL_CTL_MOD, fd, &event) != 0)
        die("floor: epoll_ctl");
}

/* Sends what is owed, as far as there is room.  False: the connection is of no more use. */
static bool pay(struct connection *connection, int fd)
{
    while (connection->owed > 0) {
        const ssize_t sent =
            send(fd, answer + connection->sent, answer_bytes - connection->sent, MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN;
        connection->sent += (size_t)sent;
        if (connection->sent < answer_bytes)
            continue;
        connection->sent = 0;
        connection->owed--;
        if (closes)
            return false;
    }
    return true;
}

static void serve(int poller, int fd, unsigned events)
{
    struct connection *connection = &connections[fd];
    const bool was_owing = connection->owed > 0;
    if (!was_owing) {
        char data[READ_BYTES];
        const ssize_t got = recv(fd, data, sizeof data, 0);
        if (got <= 0) {
            if (got == 0 || errno != EAGAIN)
                close(fd);
            return;
        }
        connection->owed = heads_ended(connection, data, (size_t)got);
    }
    if ((events & (EPOLLERR | EPOLLHUP)) != 0 || !pay(connection, fd)) {
        close(fd);
        return;
    }
    const bool owes = connection->owed > 0;
    if (owes != was_owing)
        watch(poller, fd, owes ? EPOLLOUT : EPOLLIN);
}

static int listen_on(int port)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("floor: socket");
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((unsigned short)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("floor: bind");
    if (listen(fd, 4096) != 0)
        die("floor: listen");
    socklen_t len = sizeof address;
    getsockname(fd, (struct sockaddr *)&address, &len);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    body_bytes = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    closes = argc > 3 && strcmp(argv[3], "close") == 0;
    refuses = argc > 3 && strcmp(argv[3], "refuse") == 0;
    if (body_bytes > BODY_BYTES_MAX) {
        fprintf(stderr, "floor: a body has at most %d bytes\n", BODY_BYTES_MAX);
        return 2;
    }
    const int listener = listen_on(argc > 1 ? atoi(argv[1]) : 0);
    const int poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0)
        die("floor: epoll_create1");
    struct epoll_event event = { .events = EPOLLIN, .data.fd = listener };
    if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) != 0)
        die("floor: epoll_ctl");
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        const int count = epoll_wait(poller, events, EVENTS_MAX, -1);
        if (count < 0 && errno != EINTR)
            die("floor: epoll_wait");
        refresh_answer();
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener)
                take_connections(listener, poller);
            else
                serve(poller, events[i].data.fd, events[i].events);
        }
    }
}
