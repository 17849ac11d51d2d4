/* SPDX-License-Identifier: MIT */
/* The scripted server; see scripted.h. */
#include "support/scripted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/run.h"

static void leave(struct peer *peer)
{
    struct scripted *scripted = peer->scripted;
    pthread_mutex_lock(&scripted->lock);
    close(peer->fd);
    peer->fd = -1;
    pthread_mutex_unlock(&scripted->lock);
    (void)__atomic_sub_fetch(&scripted->open, 1, __ATOMIC_SEQ_CST);
}

static void *serve(void *arg)
{
    struct peer *peer = arg;
    peer->scripted->script(peer);
    leave(peer);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct scripted *scripted = arg;
    for (;;) {
        const int fd = accept(scripted->listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        const int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        struct peer *peer = calloc(1, sizeof(*peer));
        CHECK(peer != NULL);
        peer->scripted = scripted;
        peer->fd = fd;
        peer->number = bump(&scripted->connections);
        CHECK(peer->number <= SCRIPTED_CONNECTIONS_MAX);
        const int open = bump(&scripted->open);
        if (open > peek(&scripted->most))
            post(&scripted->most, open);
        pthread_mutex_lock(&scripted->lock);
        if (scripted->stopping)
            shutdown(fd, SHUT_RDWR);
        scripted->peers[peer->number - 1] = peer;
        CHECK_EQ(pthread_create(&peer->thread, NULL, serve, peer), 0);
        pthread_mutex_unlock(&scripted->lock);
    }
}

void scripted_start(struct scripted *scripted, script_fn *script, void *user)
{
    memset(scripted, 0, sizeof(*scripted));
    scripted->script = script;
    scripted->user = user;
    pthread_mutex_init(&scripted->lock, NULL);
    scripted->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(scripted->listener >= 0);
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t bytes = sizeof(addr);
    CHECK_EQ(bind(scripted->listener, (struct sockaddr *)&addr, bytes), 0);
    CHECK_EQ(listen(scripted->listener, 1024), 0);
    CHECK_EQ(getsockname(scripted->listener, (struct sockaddr *)&addr, &bytes), 0);
    scripted->port = ntohs(addr.sin_port);
    CHECK_EQ(pthread_create(&scripted->acceptor, NULL, accept_all, scripted), 0);
}

void scripted_stop(struct scripted *scripted)
{
    shutdown(scripted->listener, SHUT_RDWR);
    CHECK_EQ(pthread_join(scripted->acceptor, NULL), 0);
    close(scripted->listener);
    pthread_mutex_lock(&scripted->lock);
    scripted->stopping = true;
    for (int i = 0; i < scripted->connections; i++) {
        if (scripted->peers[i]->fd >= 0)
            shutdown(scripted->peers[i]->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&scripted->lock);
    for (int i = 0; i < scripted->connections; i++) {
        CHECK_EQ(pthread_join(scripted->peers[i]->thread, NULL), 0);
        free(scripted->peers[i]);
    }
    pthread_mutex_destroy(&scripted->lock);
}

const char *scripted_url(const struct scripted *scripted, const char *path, char text[256])
{
    snprintf(text, 256, "http://127.0.0.1:%d%s", scripted->port, path);
    return text;
}

static bool more(struct peer *peer)
{
    CHECK(peer->in_bytes < sizeof(peer->in) - 1);
    const ssize_t got =
        recv(peer->fd, peer->in + peer->in_bytes, sizeof(peer->in) - 1 - peer->in_bytes, 0);
    if (got <= 0)
        return false;
    peer->in_bytes += (size_t)got;
    peer->in[peer->in_bytes] = '\0';
    return true;
}

static void consume(struct peer *peer, size_t bytes)
{
    peer->in_bytes -= bytes;
    memmove(peer->in, peer->in + bytes, peer->in_bytes);
    peer->in[peer->in_bytes] = '\0';
}

bool peer_request(struct peer *peer)
{
    char *end;
    while ((end = strstr(peer->in, "\r\n\r\n")) == NULL) {
        if (!more(peer))
            return false;
    }
    const size_t head_bytes = (size_t)(end - peer->in) + 4;
    memcpy(peer->head, peer->in, head_bytes);
    peer->head[head_bytes] = '\0';
    consume(peer, head_bytes);
    const char *length = strstr(peer->head, "Content-Length: ");
    peer->body_bytes = length != NULL ? (size_t)strtoul(length + 16, NULL, 10) : 0;
    if (strstr(peer->head, "Transfer-Encoding: chunked") != NULL) {
        while ((end = strstr(peer->in, "0\r\n\r\n")) == NULL) {
            if (!more(peer))
                return false;
        }
        peer->body_bytes = (size_t)(end - peer->in) + 5;
    }
    while (peer->in_bytes < peer->body_bytes) {
        if (!more(peer))
            return false;
    }
    memcpy(peer->body, peer->in, peer->body_bytes);
    peer->body[peer->body_bytes] = '\0';
    consume(peer, peer->body_bytes);
    bump(&peer->scripted->requests);
    return true;
}

void peer_say_bytes(struct peer *peer, const void *data, size_t bytes)
{
    const char *at = data;
    while (bytes > 0) {
        const ssize_t put = send(peer->fd, at, bytes, MSG_NOSIGNAL);
        if (put <= 0)
            return;
        at += put;
        bytes -= (size_t)put;
    }
}

void peer_say(struct peer *peer, const char *text)
{
    peer_say_bytes(peer, text, strlen(text));
}

bool peer_has(const struct peer *peer, const char *line)
{
    char with_ends[512];
    snprintf(with_ends, sizeof(with_ends), "\r\n%s\r\n", line);
    return strstr(peer->head, with_ends) != NULL;
}

void peer_await_end(struct peer *peer)
{
    char away[4096];
    while (recv(peer->fd, away, sizeof(away), 0) > 0)
        continue;
}

void peer_reset(struct peer *peer)
{
    const struct linger now = { .l_onoff = 1, .l_linger = 0 };
    setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}
