/* SPDX-License-Identifier: MIT */
/* A blocking client library and its slow server: see slowdb.h.  Plain sockets and threads, written
 * as if weir did not exist. */

#include "slowdb.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 64

static int listener = -1;
static int delay_ms;
static pthread_t acceptor;
static pthread_t clients[CLIENTS_MAX];
static int client_count;

static void *serve_client(void *arg)
{
    const int fd = (int)(intptr_t)arg;
    int32_t number;
    while (recv(fd, &number, sizeof number, MSG_WAITALL) == (ssize_t)sizeof number) {
        const struct timespec delay = { .tv_sec = delay_ms / 1000,
                                        .tv_nsec = delay_ms % 1000 * 1000000L };
        nanosleep(&delay, NULL);
        const int32_t square = number * number;
        if (send(fd, &square, sizeof square, MSG_NOSIGNAL) != (ssize_t)sizeof square)
            break;
    }
    close(fd);
    return NULL;
}

static void *accept_clients(void *arg)
{
    (void)arg;
    while (client_count < CLIENTS_MAX) {
        const int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            break;
        if (pthread_create(&clients[client_count], NULL, serve_client, (void *)(intptr_t)fd) != 0)
            close(fd);
        else
            client_count++;
    }
    return NULL;
}

int slowdb_server_start(int query_ms)
{
    delay_ms = query_ms;
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0)
        return -1;
    if (bind(listener, (struct sockaddr *)&address, len) != 0 || listen(listener, 64) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &len) != 0 ||
        pthread_create(&acceptor, NULL, accept_clients, NULL) != 0) {
        close(listener);
        return -1;
    }
    return ntohs(address.sin_port);
}

void slowdb_server_stop(void)
{
    shutdown(listener, SHUT_RDWR); /* accept() returns */
    pthread_join(acceptor, NULL);
    close(listener);
    for (int i = 0; i < client_count; i++)
        pthread_join(clients[i], NULL);
}

int slowdb_square(int port, int number, int *square)
{
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons((uint16_t)port),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    const int32_t question = number;
    int32_t answer = 0;
    int rc = -1;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        send(fd, &question, sizeof question, MSG_NOSIGNAL) == (ssize_t)sizeof question &&
        recv(fd, &answer, sizeof answer, MSG_WAITALL) == (ssize_t)sizeof answer) {
        *square = answer;
        rc = 0;
    }
    close(fd);
    return rc;
}
