/* SPDX-License-Identifier: MIT */
/* The floor: the least that a server in C can do for one HTTP request on epoll.
 *
 * One thread, level-triggered: recv, find the empty line, send a fixed answer.  It parses nothing,
 * routes nothing, times nothing out, and holds no state beyond a few bytes of an unfinished head;
 * what a real server costs above it is the price of being one.  The answer has the bytes of weir's
 * own to GET /hello/world, Date included, so that both send the same.  No code of weir is used.
 *
 * Usage: floor [PORT]; 0 or none takes a free one.  It prints the port and serves until killed.
 *
 * Threads: one. */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

static const char body[] = "Hello, world!\n";

/* How many bytes of CR LF CR LF each connection has seen at the end of what it read. */
static unsigned char matched[CONNECTIONS_MAX];

static char answer[512];
static size_t answer_bytes;
static time_t answer_second;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* The date changes once a second, and so does the answer. */
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
    answer_bytes = (size_t)snprintf(answer, sizeof answer,
                                    "HTTP/1.1 200 OK\r\n"
                                    "Content-Length: %zu\r\n"
                                    "Date: %s\r\n"
                                    "Content-Type: text/plain; charset=utf-8\r\n"
                                    "\r\n"
                                    "%s",
                                    sizeof body - 1, date, body);
}

/* Counts the empty lines that end in these bytes, given what came before. */
static int heads_ended(int fd, const char *data, size_t len)
{
    static const char empty_line[] = "\r\n\r\n";
    int heads = 0;
    unsigned seen = matched[fd];
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
    matched[fd] = (unsigned char)seen;
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
        matched[fd] = 0;
        struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
        if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0)
            close(fd);
    }
}

static void serve(int fd)
{
    char data[READ_BYTES];
    const ssize_t got = recv(fd, data, sizeof data, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            close(fd);
        return;
    }
    for (int heads = heads_ended(fd, data, (size_t)got); heads > 0; heads--) {
        /* The answer fits into an empty socket buffer; a peer that does not read is cut off. */
        if (send(fd, answer, answer_bytes, MSG_NOSIGNAL) != (ssize_t)answer_bytes) {
            close(fd);
            return;
        }
    }
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
                serve(events[i].data.fd);
        }
    }
}
