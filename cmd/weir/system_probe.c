/* SPDX-License-Identifier: MIT */
/* One request at a time.  See system_probe.h. */

#define _GNU_SOURCE 1

#include "system_probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "weir/time.h"

#define REQUEST_BYTES 2304
#define ANSWER_BYTES ((size_t)65536)

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
}

int port_free(void)
{
    struct sockaddr_in address = loopback(0);
    socklen_t bytes = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int port = 0;
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &bytes) == 0)
        port = ntohs(address.sin_port);
    if (fd >= 0)
        (void)close(fd);
    return port;
}

/* What has come so far. */
struct answer {
    char text[ANSWER_BYTES + 1];
    size_t length;
    bool closed;
};

/* The value of a field of the head, or NULL.  `name` begins with a line end. */
static const char *field(const char *head, const char *body, const char *name)
{
    const char *found = strcasestr(head, name);
    return found != NULL && found < body ? found + strlen(name) : NULL;
}

/* Whether the answer is all there: by its length, by its last chunk, or by the close. */
static bool is_whole(const struct answer *a, const char *body)
{
    if (a->closed || a->length == ANSWER_BYTES)
        return true;
    if (body == NULL)
        return false;
    const char *length = field(a->text, body, "\r\ncontent-length:");
    if (length != NULL)
        return strlen(body) >= strtoul(length, NULL, 10);
    return field(a->text, body, "\r\ntransfer-encoding: chunked") != NULL &&
           strstr(body, "0\r\n\r\n") != NULL;
}

static const char *body_of(const struct answer *a)
{
    const char *end = strstr(a->text, "\r\n\r\n");
    return end == NULL ? NULL : end + 4;
}

/* Milliseconds until then, at least 0. */
static int left_ms(weir_time end)
{
    const weir_time left = end - weir_now();
    return left <= 0 ? 0 : (int)(left / WEIR_NS_PER_MS) + 1;
}

static int read_answer(int fd, struct answer *a, weir_time end)
{
    while (!is_whole(a, body_of(a))) {
        struct pollfd look = { .fd = fd, .events = POLLIN };
        if (poll(&look, 1, left_ms(end)) <= 0) {
            if (weir_now() >= end)
                return WEIR_ETIMEDOUT;
            continue; /* a signal */
        }
        const ssize_t got = recv(fd, a->text + a->length, ANSWER_BYTES - a->length, 0);
        a->closed = got <= 0;
        a->length += got > 0 ? (size_t)got : 0;
        a->text[a->length] = '\0';
    }
    return 0;
}

/* The connect and the sending are bounded by the socket's own time limit. */
static int open_and_ask(int port, const char *request, int wait_ms)
{
    const struct sockaddr_in address = loopback(port);
    const struct timeval limit = { .tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000 };
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return WEIR_EMFILE;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0 &&
        connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request))
        return fd;
    (void)close(fd);
    return WEIR_ECONNREFUSED;
}

/* The data of a chunked body, in place; what is not chunked well stays as it is. */
static void join_chunks(char *body)
{
    char *to = body;
    char *from = body;
    for (;;) {
        char *data;
        const unsigned long size = strtoul(from, &data, 16);
        if (data == from || strncmp(data, "\r\n", 2) != 0 || strlen(data + 2) < size)
            break;
        memmove(to, data + 2, size);
        to += size;
        from = data + 2 + size;
        if (size == 0)
            break;
        from += strncmp(from, "\r\n", 2) == 0 ? 2 : 0;
    }
    if (to != body || from != body)
        *to = '\0';
}

static int take(struct answer *a, char *body, size_t bytes)
{
    int status = 0;
    if (a->length == 0)
        return WEIR_ECLOSED;
    if (sscanf(a->text, "HTTP/1.%*1d %3d", &status) != 1)
        return WEIR_EPROTO;
    char *text = strstr(a->text, "\r\n\r\n");
    if (text == NULL)
        return WEIR_ECLOSED;
    text += 4;
    if (field(a->text, text, "\r\ntransfer-encoding: chunked") != NULL)
        join_chunks(text);
    snprintf(body, bytes, "%s", text);
    return status;
}

int probe(int port, const char *method, const char *path, int wait_ms, char *body, size_t bytes)
{
    char request[REQUEST_BYTES];
    const weir_time end = weir_in_ms(wait_ms);
    const int wanted = snprintf(request, sizeof request,
                                "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 0\r\n"
                                "Connection: close\r\n\r\n",
                                method, path, port);
    body[0] = '\0';
    if (wanted < 0 || (size_t)wanted >= sizeof request)
        return WEIR_EMSGSIZE;
    struct answer *answer = calloc(1, sizeof *answer);
    if (answer == NULL)
        return WEIR_ENOMEM;
    const int fd = open_and_ask(port, request, wait_ms);
    int rc = fd < 0 ? fd : read_answer(fd, answer, end);
    if (rc == 0)
        rc = take(answer, body, bytes);
    if (fd >= 0)
        (void)close(fd);
    free(answer);
    return rc;
}
