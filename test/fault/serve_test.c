/* SPDX-License-Identifier: MIT */
/* An HTTP server whose n-th system call fails, for every n and every scheduler: a client that tries
 * again after a broken connection is served, the server drains, nothing hangs, nothing is leaked.
 * ctest: timeout=180 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault/every.h"

enum {
    ATTEMPTS_MAX = 6,
    PATIENCE_S = 20
};

/* -- the client: a plain thread on plain sockets ----------------------------------------------- */

struct client {
    int port;
    int done[2];  /* a pipe that it writes to at its end */
    int answered; /* requests that were answered with 200 */
    int broken;   /* connections that broke under it, and answers of 500 and more */
};

static int connect_to(int port)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    const struct timeval patience = { .tv_sec = PATIENCE_S };
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons((uint16_t)port),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    CHECK_EQ(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* The status of one answer that ends with `last`; 0 if the connection broke before. */
static int ask(int fd, const char *request, const char *last)
{
    char text[4096] = "";
    size_t have = 0;
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
        return 0;
    while (strstr(text, last) == NULL) {
        const ssize_t got = recv(fd, text + have, sizeof(text) - 1 - have, 0);
        if (got < 0 && errno == EAGAIN)
            check_failed(__FILE__, __LINE__, "the server answers or closes in time");
        if (got <= 0)
            break;
        have += (size_t)got;
        text[have] = '\0';
    }
    const bool status_line = strncmp(text, "HTTP/1.1 ", 9) == 0;
    const int status = status_line ? (int)strtol(text + 9, NULL, 10) : 0;
    /* An answer that lacks its end is none. */
    return status == 200 && strstr(text, last) == NULL ? 0 : status;
}

struct step {
    const char *request;
    const char *last;
};

static const struct step steps[] = {
    { "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", "hello\n" },
    { "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n", "waited\n" },
    { "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nriver", "\r\n0\r\n\r\n" },
    { "GET /block HTTP/1.1\r\nHost: x\r\n\r\n", "blocked\n" },
    { "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "hello\n" },
};

enum {
    STEPS = sizeof(steps) / sizeof(steps[0])
};

/* All steps on one connection; after a break the rest on the next.  One failing call can break
 * one connection, so a few attempts are enough. */
static void *be_a_client(void *arg)
{
    struct client *client = arg;
    int next = 0;
    for (int attempt = 0; next < STEPS && attempt < ATTEMPTS_MAX; attempt++) {
        const int fd = connect_to(client->port);
        int status = 200;
        while (next < STEPS && status == 200) {
            status = ask(fd, steps[next].request, steps[next].last);
            if (status == 200)
                next++;
            else
                client->broken++;
            CHECK(status == 0 || status == 200 || status >= 500);
        }
        CHECK_EQ(close(fd), 0);
    }
    client->answered = next;
    CHECK_EQ(write(client->done[1], "x", 1), 1);
    return NULL;
}

/* -- the server -------------------------------------------------------------------------------- */

static int say_hello(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    return weir_reply_text(reply, 200, "hello\n");
}

static int wait_a_little(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    const int rc = weir_sleep(weir_in_ns(100000));
    return rc != 0 ? rc : weir_reply_text(reply, 200, "waited\n");
}

static int echo(weir_request *request, weir_reply *reply, void *user)
{
    (void)user;
    char bytes[64];
    int got;
    int rc = weir_reply_begin(reply, 200, "text/plain", -1);
    while (rc == 0 &&
           (got = weir_request_read(request, bytes, sizeof(bytes), WEIR_NO_DEADLINE)) != 0)
        rc = got < 0 ? got : weir_reply_write(reply, bytes, (size_t)got);
    return rc;
}

static int block(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    (void)usleep(1000);
    return weir_reply_text(reply, 200, "blocked\n");
}

static int make_server(weir_server **out, int *port)
{
    char address[64];
    const struct weir_route_opts blocking = { .blocking = true };
    int rc = weir_server_create(out, NULL);
    if (rc != 0)
        return rc;
    CHECK_EQ(weir_server_route(*out, "GET", "/hello", say_hello, NULL, NULL), 0);
    CHECK_EQ(weir_server_route(*out, "GET", "/wait", wait_a_little, NULL, NULL), 0);
    CHECK_EQ(weir_server_route(*out, "POST", "/echo", echo, NULL, NULL), 0);
    CHECK_EQ(weir_server_route(*out, "GET", "/block", block, NULL, &blocking), 0);
    rc = weir_server_listen(*out, "127.0.0.1:0");
    if (rc == 0)
        rc = weir_server_address(*out, 0, address, sizeof(address));
    if (rc == 0)
        rc = weir_server_start(*out);
    if (rc != 0) {
        weir_server_destroy(*out);
        return rc;
    }
    *port = atoi(strrchr(address, ':') + 1);
    return 0;
}

static int serve_a_client(void *arg)
{
    struct client *client = arg;
    weir_server *server;
    pthread_t thread;
    char byte;
    const int made = make_server(&server, &client->port);
    if (made != 0)
        return made;
    CHECK_EQ(pthread_create(&thread, NULL, be_a_client, client), 0);
    int rc;
    while ((rc = weir_fd_wait(client->done[0], WEIR_FD_READ, WEIR_NO_DEADLINE)) < 0)
        CHECK(every_orderly(rc));
    CHECK_EQ(read(client->done[0], &byte, 1), 1);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(client->answered, STEPS);
    const int drained = weir_server_drain(server, weir_in_ms(PATIENCE_S * 1000));
    if (drained != 0)
        fprintf(stderr, "drain: %s\n", weir_err_name(drained));
    CHECK_EQ(drained, 0);
    struct weir_server_stats stats = { .size = sizeof(stats) };
    weir_server_stats_read(server, &stats);
    CHECK_EQ(stats.connections, 0);
    CHECK_EQ(stats.running, 0);
    CHECK_EQ(stats.waiting, 0);
    weir_server_destroy(server);
    return 0;
}

static bool open_serve_and_close(void *arg)
{
    struct client client = { .port = 0 };
    int result = 0;
    if (weir_open(arg) != 0)
        return false;
    CHECK_EQ(pipe(client.done), 0);
    const int rc = weir_run(serve_a_client, &client, &result);
    CHECK(rc == 0 || every_orderly(rc));
    CHECK(result == 0 || every_orderly(result));
    CHECK_EQ(weir_close(WEIR_NO_DEADLINE), 0);
    close(client.done[0]);
    close(client.done[1]);
    return rc == 0 && result == 0 && client.broken == 0;
}

static void try_with(enum weir_scheduler scheduler)
{
    struct weir_opts opts = { .scheduler = scheduler };
    opts.workers = scheduler == WEIR_SCHEDULER_TASKS ? 2 : 0;
    every_call_fails(open_serve_and_close, &opts);
}

static void a_server_survives_under_loop(void **state)
{
    (void)state;
    try_with(WEIR_SCHEDULER_LOOP);
}

static void a_server_survives_under_tasks(void **state)
{
    (void)state;
    try_with(WEIR_SCHEDULER_TASKS);
}

static void a_server_survives_under_threads(void **state)
{
    (void)state;
    try_with(WEIR_SCHEDULER_THREADS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_survives_under_loop),
        cmocka_unit_test(a_server_survives_under_tasks),
        cmocka_unit_test(a_server_survives_under_threads),
    };
    return cmocka_run_group_tests_name("fault/serve", tests, NULL, NULL);
}
