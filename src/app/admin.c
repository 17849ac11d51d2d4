/* SPDX-License-Identifier: MIT */
/* A small HTTP server in loop callbacks.  See admin.h.
 *
 * A connection's life: accepted, then for each request reading, answering; at last closing, which
 * discards what the peer still sends, so that the answer is not lost in a reset.
 * Invariants: fd is -1 or the connection is watched and its timer runs; out_at <= out_end.
 * Connections are slots of one array that lives as long as the loop: late events and timers find
 * memory of the right type, and look at fd and deadline before they believe it. */
#include "app/admin.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "http/request.h"
#include "http/status.h"
#include "os/clock.h"
#include "os/socket.h"

enum {
    NO_FD = -1,
    IN_BYTES = 4096,
    HEAD_ROOM = 512, /* for the head of an answer, in front of its body */
    BODY_BYTES = 81920,
    ACCEPTS_PER_EVENT = 16,
    REQUESTS_PER_EVENT = 16,
};
#define PATIENCE_NS (5 * WEIR_NS_PER_S)
#define CLOSING_NS WEIR_NS_PER_S
#define PAUSE_NS (100 * WEIR_NS_PER_MS) /* after accept failed for want of something */

struct connection {
    struct wi_watch watch; /* fd -1: the slot is free */
    struct wi_timer timer;
    struct wi_admin *admin;
    weir_time deadline;
    int asked;       /* requests taken in this event */
    bool keep_alive; /* after the answer that is being sent */
    bool closing;
    size_t in_bytes;
    size_t out_at, out_end; /* of what is still to be sent */
    char in[IN_BYTES];
    char out[HEAD_ROOM + BODY_BYTES];
};

struct wi_admin {
    /* constant after init */
    struct wi_loop *loop;
    struct wi_admin_opts opts;
    struct wi_http_limits limits;
    /* owner: the loop */
    struct wi_watch listener;
    struct wi_timer resume; /* accepts again after a pause */
    struct connection connections[WI_ADMIN_CONNECTIONS];
};

/* -- connections ------------------------------------------------------------------------------ */

static void close_connection(struct connection *connection)
{
    (void)wi_timer_stop(&connection->timer);
    wi_loop_unwatch(connection->admin->loop, &connection->watch);
    wi_socket_close(connection->watch.fd);
    connection->watch.fd = NO_FD;
}

static void set_patience(struct connection *connection, int64_t ns)
{
    connection->deadline = weir_in_ns(ns);
    (void)wi_timer_stop(&connection->timer);
    (void)wi_timer_start(&connection->timer, &connection->admin->loop->wheel, connection->deadline);
}

static void on_patience(struct wi_timer *timer)
{
    struct connection *connection = wi_container_of(timer, struct connection, timer);
    if (connection->watch.fd != NO_FD && connection->deadline <= wi_clock_now())
        close_connection(connection);
}

/* -- answers ---------------------------------------------------------------------------------- */

struct answer {
    int status;
    const char *type;
    const char *fields; /* more header lines, each with its end */
};

/* Puts the head in front of the body that stands at out + HEAD_ROOM. */
static void begin_answer(struct connection *connection, const struct answer *answer,
                         size_t body_bytes)
{
    char head[HEAD_ROOM];
    const int bytes =
        snprintf(head, sizeof(head),
                 "HTTP/1.1 %d %s\r\n"
                 "Content-Type: %s\r\n"
                 "Content-Length: %zu\r\n"
                 "Cache-Control: no-store\r\n"
                 "Connection: %s\r\n"
                 "%s\r\n",
                 answer->status, wi_http_reason(answer->status), answer->type, body_bytes,
                 connection->keep_alive ? "keep-alive" : "close", answer->fields);
    wi_bug_unless_cmp(bytes, <, HEAD_ROOM);
    connection->out_at = HEAD_ROOM - (size_t)bytes;
    connection->out_end = HEAD_ROOM + body_bytes;
    memcpy(connection->out + connection->out_at, head, (size_t)bytes);
}

static struct wi_text body_of(struct connection *connection)
{
    struct wi_text body;
    wi_text_init(&body, connection->out + HEAD_ROOM, BODY_BYTES);
    return body;
}

static void answer_line(struct connection *connection, int status, const char *fields,
                        const char *line)
{
    struct wi_text body = body_of(connection);
    wi_text_add(&body, "%s\n", line);
    const struct answer answer = { status, "text/plain; charset=utf-8", fields };
    begin_answer(connection, &answer, body.bytes);
}

static void answer_metrics(struct connection *connection)
{
    const struct wi_admin_opts *opts = &connection->admin->opts;
    struct wi_text body = body_of(connection);
    opts->metrics(opts->user, &body);
    if (body.cut) { /* half the numbers would look like a crash to whoever reads them */
        answer_line(connection, 500, "", "the metrics do not fit");
        return;
    }
    const struct answer answer = { 200, "text/plain; version=0.0.4; charset=utf-8", "" };
    begin_answer(connection, &answer, body.bytes);
}

static void answer_ready(struct connection *connection)
{
    const struct wi_admin_opts *opts = &connection->admin->opts;
    const char *why = "not ready";
    if (opts->ready(opts->user, &why))
        answer_line(connection, 200, "", "ready");
    else
        answer_line(connection, 503, "Retry-After: 1\r\n", why);
}

static void answer_tasks(struct connection *connection)
{
    const struct wi_admin_opts *opts = &connection->admin->opts;
    struct wi_text body = body_of(connection);
    opts->tasks(opts->user, &body);
    const struct answer answer = { 200, "text/plain; charset=utf-8", "" };
    begin_answer(connection, &answer, body.bytes);
}

static bool is_path(const struct connection *connection, const struct wi_http_request *request,
                    const char *path)
{
    return request->path.len == strlen(path) &&
           memcmp(connection->in + request->path.offset, path, request->path.len) == 0;
}

static bool has_body(const struct wi_http_head *head)
{
    return head->body == WI_HTTP_BODY_CHUNKED || head->content_length > 0;
}

static void answer_request(struct connection *connection, const struct wi_http_request *request)
{
    const bool health = is_path(connection, request, "/healthz");
    const bool ready = is_path(connection, request, "/readyz");
    const bool metrics = is_path(connection, request, "/metrics");
    const bool tasks = is_path(connection, request, "/tasks");
    /* Nobody asks that often at once in good faith. */
    connection->asked++;
    connection->keep_alive = request->head.keep_alive && !has_body(&request->head) &&
                             connection->asked < REQUESTS_PER_EVENT;
    if (!health && !ready && !metrics && !tasks)
        answer_line(connection, 404, "", "there are /healthz, /readyz, /metrics and /tasks");
    else if (request->method != WI_HTTP_GET)
        answer_line(connection, 405, "Allow: GET\r\n", "only GET");
    else if (has_body(&request->head))
        answer_line(connection, 400, "", "a request without a body is expected");
    else if (health)
        answer_line(connection, 200, "", "ok");
    else if (ready)
        answer_ready(connection);
    else if (tasks)
        answer_tasks(connection);
    else
        answer_metrics(connection);
}

/* -- progress --------------------------------------------------------------------------------- */

enum progress {
    PROGRESS_ON,   /* something was done: look again */
    PROGRESS_WAIT, /* the descriptor is not ready */
    PROGRESS_GONE, /* the connection is closed */
};

static enum progress send_more(struct connection *connection)
{
    const int64_t sent = wi_socket_write(connection->watch.fd, connection->out + connection->out_at,
                                         connection->out_end - connection->out_at);
    if (sent == WEIR_EAGAIN)
        return PROGRESS_WAIT;
    if (sent < 0) {
        close_connection(connection);
        return PROGRESS_GONE;
    }
    connection->out_at += (size_t)sent;
    if (connection->out_at < connection->out_end)
        return PROGRESS_ON;

    connection->closing = !connection->keep_alive;
    if (connection->closing)
        (void)wi_socket_finish(connection->watch.fd);
    set_patience(connection, connection->closing ? CLOSING_NS : PATIENCE_NS);
    return PROGRESS_ON;
}

/* Answers the request at the start of `in`, if it is whole or wrong.  False: it is not. */
static bool take_request(struct connection *connection)
{
    struct wi_http_request request;
    const int rc = wi_http_request_parse(connection->in, connection->in_bytes, 0, &request,
                                         &connection->admin->limits);
    if (rc == 0)
        return false;
    if (rc < 0) {
        connection->keep_alive = false;
        answer_line(connection, wi_http_verdict_status(rc), "", wi_http_verdict_text(rc));
        return true;
    }
    answer_request(connection, &request);
    connection->in_bytes -= (size_t)rc;
    memmove(connection->in, connection->in + rc, connection->in_bytes);
    return true;
}

static enum progress receive_more(struct connection *connection)
{
    if (connection->closing)
        connection->in_bytes = 0; /* discarded */
    const int64_t got = wi_socket_read(connection->watch.fd, connection->in + connection->in_bytes,
                                       sizeof(connection->in) - connection->in_bytes);
    if (got == WEIR_EAGAIN)
        return PROGRESS_WAIT;
    if (got <= 0) {
        close_connection(connection);
        return PROGRESS_GONE;
    }
    connection->in_bytes += (size_t)got;
    return PROGRESS_ON;
}

static void on_connection(struct wi_watch *watch, uint32_t ready)
{
    (void)ready;
    struct connection *connection = wi_container_of(watch, struct connection, watch);
    connection->asked = 0;
    enum progress progress = PROGRESS_ON;
    while (progress == PROGRESS_ON && connection->watch.fd != NO_FD) {
        if (connection->out_at < connection->out_end)
            progress = send_more(connection);
        else if (connection->closing || !take_request(connection))
            progress = receive_more(connection);
    }
}

/* -- accepting -------------------------------------------------------------------------------- */

/* A free slot; if there is none, the one that has been silent longest gives way. */
static struct connection *free_slot(struct wi_admin *admin)
{
    struct connection *oldest = &admin->connections[0];
    for (int i = 0; i < WI_ADMIN_CONNECTIONS; i++) {
        struct connection *connection = &admin->connections[i];
        if (connection->watch.fd == NO_FD)
            return connection;
        if (connection->deadline < oldest->deadline)
            oldest = connection;
    }
    close_connection(oldest);
    return oldest;
}

static void begin_connection(struct wi_admin *admin, int fd)
{
    struct connection *connection = free_slot(admin);
    connection->in_bytes = 0;
    connection->out_at = 0;
    connection->out_end = 0;
    connection->closing = false;
    connection->watch.fd = fd;
    if (wi_loop_watch(admin->loop, &connection->watch, WI_POLL_READ | WI_POLL_WRITE) != 0) {
        wi_socket_close(fd);
        connection->watch.fd = NO_FD;
        return;
    }
    set_patience(connection, PATIENCE_NS);
}

/* The listener is told of as long as somebody waits; not accepting must not become a busy loop. */
static void pause_accepting(struct wi_admin *admin)
{
    wi_loop_unwatch(admin->loop, &admin->listener);
    (void)wi_timer_start(&admin->resume, &admin->loop->wheel, weir_in_ns(PAUSE_NS));
}

static void on_resume(struct wi_timer *timer)
{
    struct wi_admin *admin = wi_container_of(timer, struct wi_admin, resume);
    if (wi_loop_watch(admin->loop, &admin->listener, WI_POLL_READ | WI_POLL_LEVEL) != 0)
        (void)wi_timer_start(&admin->resume, &admin->loop->wheel, weir_in_ns(PAUSE_NS));
}

static void on_listener(struct wi_watch *watch, uint32_t ready)
{
    (void)ready;
    struct wi_admin *admin = wi_container_of(watch, struct wi_admin, listener);
    for (int i = 0; i < ACCEPTS_PER_EVENT; i++) {
        const int fd = wi_socket_accept(watch->fd, NULL);
        if (fd >= 0) {
            begin_connection(admin, fd);
            continue;
        }
        if (fd == WEIR_ECONNABORTED)
            continue;
        if (fd != WEIR_EAGAIN)
            pause_accepting(admin);
        return;
    }
}

/* -- life ------------------------------------------------------------------------------------- */

int wi_admin_open(struct wi_admin **out, struct wi_loop *loop, int listening_fd,
                  const struct wi_admin_opts *opts)
{
    wi_bug_unless(opts->metrics != NULL);
    wi_bug_unless(opts->ready != NULL);
    wi_bug_unless(opts->tasks != NULL);
    /* Mostly buffers, whose pages exist only once they were used. */
    struct wi_admin *admin = wi_alloc_zeroed(1, sizeof(*admin));
    if (admin == NULL)
        return WEIR_ENOMEM;
    admin->loop = loop;
    admin->opts = *opts;
    admin->limits.head_bytes_max = IN_BYTES;
    wi_http_limits_fill(&admin->limits);
    for (int i = 0; i < WI_ADMIN_CONNECTIONS; i++) {
        struct connection *connection = &admin->connections[i];
        connection->admin = admin;
        connection->watch = (struct wi_watch){ .fd = NO_FD, .on_ready = on_connection };
        wi_timer_init(&connection->timer, on_patience);
    }
    wi_timer_init(&admin->resume, on_resume);
    admin->listener = (struct wi_watch){ .fd = listening_fd, .on_ready = on_listener };
    const int rc = wi_loop_watch(loop, &admin->listener, WI_POLL_READ | WI_POLL_LEVEL);
    if (rc != 0) {
        wi_free(admin);
        return rc;
    }
    *out = admin;
    return 0;
}

void wi_admin_close(struct wi_admin *admin)
{
    for (int i = 0; i < WI_ADMIN_CONNECTIONS; i++) {
        if (admin->connections[i].watch.fd != NO_FD)
            close_connection(&admin->connections[i]);
    }
    (void)wi_timer_stop(&admin->resume);
    wi_loop_unwatch(admin->loop, &admin->listener);
    wi_socket_close(admin->listener.fd);
    wi_free(admin);
}

void wi_admin_abandon(struct wi_admin *admin)
{
    for (int i = 0; i < WI_ADMIN_CONNECTIONS; i++) {
        if (admin->connections[i].watch.fd != NO_FD)
            wi_socket_close(admin->connections[i].watch.fd);
    }
    wi_socket_close(admin->listener.fd);
    wi_free(admin);
}
