/* SPDX-License-Identifier: MIT */
/* Node's `if (cluster.isPrimary) cluster.fork()` for every core: processes that share one port.
 *
 * The primary opens the port and forks; each worker runs an event loop of its own on its own core
 * and takes connections from the same listener.  No memory is shared.  A worker that dies is
 * replaced by the primary, which does nothing else (weir_main() does that with --model=cluster;
 * here the pieces are used by hand, and the primary also plays the client). */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/weir.h>

#include "account.h"

#define WORKERS_MAX 64
#define REQUESTS 12
#define LIMIT 300000

static _Noreturn void fail(const char *what, int code)
{
    fprintf(stderr, "cluster: %s: %s\n", what, code < 0 ? weir_err_text(code) : "failed");
    exit(1);
}

/* -- a worker --------------------------------------------------------------------------------- */

static int handle(weir_request *request, weir_reply *reply, void *user)
{
    (void)request;
    (void)user;
    const int primes = count_primes(LIMIT);
    return weir_reply_text(reply, 200, "worker %d counted %d\n", weir_worker_index(), primes);
}

struct worker {
    int listener; /* inherited, shared with the siblings */
    int until;    /* the read end of a pipe: readable when the primary says stop */
};

static int serve(void *arg)
{
    const struct worker *worker = arg;
    weir_server *server;
    /* One request per connection spreads the work over the processes in small portions. */
    int rc =
        weir_server_create(&server, &(struct weir_server_opts){ .requests_per_connection_max = 1 });
    if (rc == 0)
        rc = weir_server_route(server, "GET", "/", handle, NULL, NULL);
    if (rc == 0)
        rc = weir_server_adopt(server, worker->listener);
    if (rc == 0)
        rc = weir_server_start(server);
    if (rc == 0)
        rc = weir_fd_wait(worker->until, WEIR_FD_READ, WEIR_NO_DEADLINE);
    if (rc < 0)
        return rc;
    rc = weir_server_drain(server, weir_in_ms(2000));
    weir_server_destroy(server);
    return rc;
}

static int run_worker(struct worker *worker)
{
    int rc = weir_open(&(struct weir_opts){ .scheduler = WEIR_SCHEDULER_LOOP });
    int result = 0;
    if (rc == 0)
        rc = weir_run(serve, worker, &result);
    if (rc == 0)
        rc = weir_close(weir_in_ms(2000));
    if (rc < 0 || result < 0)
        fail("worker", rc < 0 ? rc : result);
    return 0;
}

/* -- the primary ------------------------------------------------------------------------------ */

static int listen_on_loopback(struct sockaddr_in *address)
{
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    *address =
        (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof *address;
    if (fd < 0 || bind(fd, (struct sockaddr *)address, len) != 0 || listen(fd, 64) != 0 ||
        getsockname(fd, (struct sockaddr *)address, &len) != 0)
        fail("listen", 0);
    return fd;
}

static int send_request(const struct sockaddr_in *address)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 ||
        write(fd, request, sizeof request - 1) != (ssize_t)(sizeof request - 1))
        fail("request", 0);
    return fd;
}

/* The number of the worker that answered. */
static int read_answer(int fd)
{
    char text[1024];
    size_t len = 0;
    ssize_t got;
    while (len < sizeof text - 1 && (got = read(fd, text + len, sizeof text - 1 - len)) > 0)
        len += (size_t)got;
    text[len] = '\0';
    (void)close(fd);
    const char *line = strstr(text, "worker ");
    int index;
    if (line == NULL || sscanf(line, "worker %d counted", &index) != 1)
        fail("answer", 0);
    return index;
}

/* Keeps one request for each worker in flight and counts who answers. */
static void drive(const struct sockaddr_in *address, int workers, int *answered)
{
    int flight[WORKERS_MAX];
    int sent = 0;
    for (; sent < workers; sent++)
        flight[sent] = send_request(address);
    for (int i = 0; i < sent; i++) {
        answered[read_answer(flight[i % workers])]++;
        if (sent < REQUESTS * workers) {
            flight[i % workers] = send_request(address);
            sent++;
        }
    }
}

static void join_workers(int workers)
{
    for (int i = 0; i < workers; i++) {
        int status;
        const int pid = weir_cluster_wait(&status, weir_in_ms(10000));
        if (pid < 0)
            fail("wait", pid);
        if (status != 0)
            fail("a worker's end", 0);
    }
}

int main(void)
{
    const int workers = weir_cores() < WORKERS_MAX ? weir_cores() : WORKERS_MAX;
    printf("cluster: Node's cluster.fork() under isPrimary, %d workers on one port\n", workers);
    fflush(stdout);

    const struct account account = account_begin();
    struct sockaddr_in address;
    const int listener = listen_on_loopback(&address);
    int stop[2];
    if (pipe(stop) != 0)
        fail("pipe", 0);
    int pids[WORKERS_MAX];
    for (int i = 0; i < workers; i++) {
        const int pid = weir_cluster_fork();
        if (pid < 0)
            fail("fork", pid);
        if (!weir_is_primary()) {
            (void)close(stop[1]); /* or it would never read the end of the pipe */
            return run_worker(&(struct worker){ .listener = listener, .until = stop[0] });
        }
        pids[i] = pid;
        printf("  the primary forked worker %d, process %d\n", i, pid);
        fflush(stdout);
    }
    (void)close(listener);

    int answered[WORKERS_MAX] = { 0 };
    drive(&address, workers, answered);
    int threads = account_threads(0);
    for (int i = 0; i < workers; i++)
        threads += account_threads(pids[i]);
    (void)close(stop[1]);
    join_workers(workers);
    for (int i = 0; i < workers; i++)
        printf("  worker %d answered %d of %d requests\n", i, answered[i], REQUESTS * workers);
    account_print(&account, 1 + workers, threads);
    return 0;
}
