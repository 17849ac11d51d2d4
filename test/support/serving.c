/* SPDX-License-Identifier: MIT */
/* See serving.h.  The server's thread opens the runtime, runs a task that serves until the stop
 * pipe becomes readable, drains, and closes the runtime. */
#include "support/serving.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "http/body.h"
#include "http/response.h"
#include "serve/server.h"

const char *serving_model(void)
{
    const char *model = getenv("WEIR_TEST_MODEL");
    return model != NULL ? model : "tasks";
}

bool serving_is_single(void)
{
    return strcmp(serving_model(), "prefork") == 0;
}

static bool is_shared(void)
{
    return strcmp(serving_model(), "cluster") == 0 || serving_is_single();
}

static void publish_up(struct serving *serving)
{
    pthread_mutex_lock(&serving->lock);
    serving->up = true;
    pthread_cond_broadcast(&serving->changed);
    pthread_mutex_unlock(&serving->lock);
}

static int port_of(const char *address)
{
    const char *colon = strrchr(address, ':');
    assert_non_null(colon);
    return atoi(colon + 1);
}

static int serve(void *arg)
{
    struct serving *serving = arg;
    const struct wi_server_extra extra = { .shared_listener = is_shared() };
    char address[128];
    assert_int_equal(wi_server_create(&serving->server, &serving->opts, &extra), 0);
    serving->routes(serving->server);
    assert_int_equal(weir_server_listen(serving->server, "127.0.0.1:0"), 0);
    assert_int_equal(weir_server_address(serving->server, 0, address, sizeof(address)), 0);
    serving->port = port_of(address);
    assert_int_equal(weir_server_start(serving->server), 0);
    publish_up(serving);

    assert_true(weir_fd_wait(serving->stop_pipe[0], WEIR_FD_READ, WEIR_NO_DEADLINE) > 0);
    pthread_mutex_lock(&serving->lock);
    const int64_t drain_ms = serving->drain_ms;
    pthread_mutex_unlock(&serving->lock);
    serving->drained = weir_server_drain(serving->server, weir_in_ms(drain_ms));
    const struct weir_server_stats stats = serving_stats(serving);
    assert_int_equal(stats.connections, 0);
    assert_int_equal(stats.running, 0);
    assert_int_equal(stats.waiting, 0);
    weir_server_destroy(serving->server);
    return 0;
}

static void *serving_main(void *arg)
{
    struct serving *serving = arg;
    struct weir_opts opts = { .size = sizeof(opts), .watch_handlers = true };
    if (strcmp(serving->model, "threads") == 0)
        opts.scheduler = WEIR_SCHEDULER_THREADS;
    else if (strcmp(serving->model, "tasks") != 0)
        opts.scheduler = WEIR_SCHEDULER_LOOP;
    int result = -1;
    assert_int_equal(weir_open(&opts), 0);
    assert_int_equal(weir_run(serve, serving, &result), 0);
    assert_int_equal(result, 0);
    assert_int_equal(weir_close(weir_in_ms(PATIENCE_MS)), 0);
    return NULL;
}

void serving_start(struct serving *serving, const struct weir_server_opts *opts,
                   void (*routes)(weir_server *server))
{
    *serving = (struct serving){ .routes = routes, .model = serving_model() };
    if (opts != NULL)
        serving->opts = *opts;
    serving->opts.size = sizeof(serving->opts);
    if (serving_is_single())
        serving->opts.running_max = 1;
    assert_int_equal(pipe(serving->stop_pipe), 0);
    pthread_mutex_init(&serving->lock, NULL);
    pthread_cond_init(&serving->changed, NULL);
    assert_int_equal(pthread_create(&serving->thread, NULL, serving_main, serving), 0);
    pthread_mutex_lock(&serving->lock);
    while (!serving->up)
        pthread_cond_wait(&serving->changed, &serving->lock);
    pthread_mutex_unlock(&serving->lock);
}

void serving_drain(struct serving *serving, int64_t drain_ms)
{
    pthread_mutex_lock(&serving->lock);
    serving->drain_ms = drain_ms;
    pthread_mutex_unlock(&serving->lock);
    assert_int_equal(write(serving->stop_pipe[1], "x", 1), 1);
}

int serving_join(struct serving *serving)
{
    assert_int_equal(pthread_join(serving->thread, NULL), 0);
    close(serving->stop_pipe[0]);
    close(serving->stop_pipe[1]);
    pthread_mutex_destroy(&serving->lock);
    pthread_cond_destroy(&serving->changed);
    return serving->drained;
}

void serving_stop(struct serving *serving)
{
    serving_drain(serving, PATIENCE_MS);
    assert_int_equal(serving_join(serving), 0);
}

struct weir_server_stats serving_stats(struct serving *serving)
{
    struct weir_server_stats stats = { .size = sizeof(stats) };
    weir_server_stats_read(serving->server, &stats);
    return stats;
}

void serving_look_later(void)
{
    const struct timespec moment = { .tv_nsec = 1000000 };
    nanosleep(&moment, NULL);
}

void gate_init(struct gate *gate)
{
    assert_int_equal(pipe(gate->pipe), 0);
}

void gate_open(struct gate *gate)
{
    assert_int_equal(write(gate->pipe[1], "x", 1), 1);
}

void gate_fini(struct gate *gate)
{
    close(gate->pipe[0]);
    close(gate->pipe[1]);
}

int gate_wait(struct gate *gate)
{
    const int rc = weir_fd_wait(gate->pipe[0], WEIR_FD_READ, WEIR_NO_DEADLINE);
    return rc < 0 ? rc : 0;
}

/* -- the client ------------------------------------------------------------------------------- */

void client_open(struct client *client, const struct serving *serving)
{
    *client = (struct client){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    assert_true(client->fd >= 0);
    const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
    const int one = 1;
    assert_int_equal(setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)),
                     0);
    assert_int_equal(setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)),
                     0);
    assert_int_equal(setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)serving->port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    assert_int_equal(connect(client->fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

void client_close(struct client *client)
{
    close(client->fd);
    free(client->data);
    *client = (struct client){ .fd = -1 };
}

void client_send_bytes(struct client *client, const void *data, size_t bytes)
{
    const char *at = data;
    while (bytes > 0) {
        const ssize_t put = send(client->fd, at, bytes, MSG_NOSIGNAL);
        if (put < 0)
            fail_msg("send: %s", strerror(errno));
        at += put;
        bytes -= (size_t)put;
    }
}

void client_send(struct client *client, const char *text)
{
    client_send_bytes(client, text, strlen(text));
}

bool client_more(struct client *client)
{
    if (client->len == client->cap) {
        client->cap = client->cap == 0 ? 65536 : client->cap * 2;
        client->data = realloc(client->data, client->cap);
        assert_non_null(client->data);
    }
    const ssize_t got = recv(client->fd, client->data + client->len, client->cap - client->len, 0);
    if (got < 0)
        fail_msg("recv: %s", strerror(errno));
    client->len += (size_t)got;
    return got > 0;
}

static void consume(struct client *client, size_t bytes)
{
    memmove(client->data, client->data + bytes, client->len - bytes);
    client->len -= bytes;
}

static void append(struct answer *answer, const char *data, size_t bytes)
{
    answer->body = realloc(answer->body, answer->body_len + bytes + 1);
    assert_non_null(answer->body);
    memcpy(answer->body + answer->body_len, data, bytes);
    answer->body_len += bytes;
    answer->body[answer->body_len] = 0;
}

static void read_body(struct client *client, struct answer *answer, const struct wi_http_head *head,
                      const struct wi_http_limits *limits)
{
    struct wi_http_body body;
    wi_http_body_init(&body, head, limits);
    for (;;) {
        size_t used = 0;
        struct wi_http_piece piece = { 0 };
        const int said = wi_http_body_decode(&body, client->data, client->len, &used, &piece);
        assert_true(said >= 0);
        if (said == WI_HTTP_DECODE_DATA)
            append(answer, piece.data, piece.len);
        consume(client, used);
        if (said == WI_HTTP_DECODE_DONE)
            return;
        if (said == WI_HTTP_DECODE_MORE && !client_more(client)) {
            assert_int_equal(wi_http_body_closed(&body), WI_HTTP_DECODE_DONE);
            return;
        }
    }
}

void client_answer(struct client *client, struct answer *answer, bool to_head)
{
    struct wi_http_limits limits = { 0 };
    struct wi_http_response response;
    wi_http_limits_fill(&limits);
    answer_free(answer);
    for (;;) {
        const int rc =
            wi_http_response_parse(client->data, client->len, 0, to_head, &response, &limits);
        if (rc < 0)
            fail_msg("not an answer: %.*s", (int)client->len, client->data);
        if (rc == 0) {
            if (!client_more(client))
                fail_msg("the server closed instead of answering");
            continue;
        }
        assert_true((size_t)rc < sizeof(answer->head));
        memcpy(answer->head, client->data, (size_t)rc);
        answer->head[rc] = 0;
        consume(client, (size_t)rc);
        if (!response.interim)
            break;
    }
    answer->status = response.status;
    answer->keep_alive = response.head.keep_alive;
    answer->chunked = response.head.body == WI_HTTP_BODY_CHUNKED;
    append(answer, "", 0);
    read_body(client, answer, &response.head, &limits);
}

void client_ask(struct client *client, const char *text, struct answer *answer)
{
    client_send(client, text);
    client_answer(client, answer, strncmp(text, "HEAD ", 5) == 0);
}

void client_expect_end(struct client *client)
{
    while (client_more(client))
        ;
    assert_int_equal(client->len, 0);
}

void answer_free(struct answer *answer)
{
    free(answer->body);
    memset(answer, 0, sizeof(*answer));
}

bool answer_field(const struct answer *answer, const char *name, char *text, size_t bytes)
{
    char wanted[128];
    snprintf(wanted, sizeof(wanted), "\r\n%s: ", name);
    const char *found = strcasestr(answer->head, wanted);
    if (found == NULL)
        return false;
    found += strlen(wanted);
    const size_t len = strcspn(found, "\r");
    assert_true(len < bytes);
    memcpy(text, found, len);
    text[len] = 0;
    return true;
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if !defined(SANITIZED) && (defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__))
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

bool serving_resident_counts(void)
{
    return !SANITIZED;
}

int64_t serving_resident(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d %ld", &pages), 1);
    fclose(file);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}
