/* SPDX-License-Identifier: MIT */
/* The edge: reads heads into the worker's scratch buffer, judges them, answers what needs no
 * handler, and hands over what does.  No task and no memory exists before admission has said yes.
 *
 * One round of drive(): judge every whole head in the buffer; when the socket is known to be empty
 * keep what is left of a head and give the connection up, else read more and go round again.
 *
 * A refusal is one write of a small answer.  The connection is kept if the client wants that and
 * the refused request's body has arrived whole; otherwise nobody knows when the body ends, so the
 * connection ends with the answer (wi_conn_linger).  If the system's buffer is full at that moment
 * the client does not read: it is closed.
 *
 * Bounds: the edge reads server->edge_bytes at most, a head is at most head_bytes_max, and after
 * ROUND_ANSWERS_MAX refusals other connections come first (wi_conn_later).
 *
 * The scratch buffer is the worker's: nothing here waits, and whatever may let another connection
 * be driven (wi_admit_wait, wi_run_start, wi_admit_end) comes after the buffer's last use.
 *
 * Threads: the owner of the connection. */
#include "serve/edge.h"

#include <string.h>

#include "base/check.h"
#include "http/status.h"
#include "serve/answer.h"
#include "serve/deadline.h"
#include "sync/time.h"
#include "task/runtime.h"

enum {
    ROUND_ANSWERS_MAX = 64,
    DISCARD_BYTES_MAX = 256 * 1024
};

/* What has been read and not yet judged: data[pos .. len). */
struct view {
    char *data;
    size_t pos;
    size_t len;
};

enum step {
    STEP_MORE, /* no whole head is left */
    STEP_NEXT, /* answered; the next head may follow */
    STEP_GONE, /* the connection is another's now, or closed */
};

/* Whether the body of a refused request lies in the buffer whole: *skip says how long it is. */
static bool body_is_here(const struct view *view, const struct wi_http_request *head, size_t *skip)
{
    *skip = 0;
    if (head->head.body == WI_HTTP_BODY_NONE)
        return true;
    if (head->head.body != WI_HTTP_BODY_LENGTH)
        return false;
    const size_t rest = view->len - view->pos - head->head.head_bytes;
    if (head->head.content_length > rest)
        return false;
    *skip = (size_t)head->head.content_length;
    return true;
}

static bool may_keep(struct wi_conn *conn, const struct wi_http_request *head)
{
    struct weir_server *server = wi_conn_server(conn);
    return head->head.keep_alive && wi_server_phase(server) == WI_SERVER_SERVING &&
           conn->requests < server->opts.requests_per_connection_max;
}

/* Answers a request whose head is whole without a handler: refuses it, as a rule. */
static enum step refuse(struct wi_conn *conn, struct view *view, const struct wi_http_request *head,
                        struct wi_answer answer)
{
    size_t skip = 0;
    conn->requests++;
    if (!answer.close)
        answer.close = !may_keep(conn, head) || !body_is_here(view, head, &skip);
    answer.bodiless = head->method == WI_HTTP_HEAD;
    answer.old_client = head->head.version_minor == 0;
    if (!wi_answer_send(conn, &answer)) {
        wi_conn_close(conn, false);
        return STEP_GONE;
    }
    if (answer.close) {
        wi_conn_linger(conn);
        return STEP_GONE;
    }
    conn->phase = WI_CONN_IDLE;
    view->pos += head->head.head_bytes + skip;
    return STEP_NEXT;
}

/* Refuses bytes that are no request.  What follows them cannot be told apart, so it all ends. */
static enum step refuse_bytes(struct wi_conn *conn, int verdict)
{
    char text[128];
    const char *reason = wi_http_verdict_text(verdict);
    const size_t bytes = strlen(reason);
    wi_bug_unless_cmp(bytes, <, sizeof(text) - 1);
    memcpy(text, reason, bytes);
    memcpy(text + bytes, "\n", 2);
    wi_count(wi_conn_server(conn), WI_COUNT_BAD_REQUESTS, 1);
    const struct wi_answer answer = { .status = wi_http_verdict_status(verdict),
                                      .text = text,
                                      .close = true };
    if (wi_answer_send(conn, &answer))
        wi_conn_linger(conn);
    else
        wi_conn_close(conn, false);
    return STEP_GONE;
}

static enum step refuse_overload(struct wi_conn *conn, struct view *view,
                                 const struct wi_http_request *head, bool close)
{
    return refuse(conn, view, head,
                  (struct wi_answer){ .status = 503,
                                      .text = WI_ANSWER_OVERLOADED,
                                      .canned = &wi_conn_server(conn)->overloaded,
                                      .close = close });
}

static enum step answer_fixed(struct wi_conn *conn, struct view *view,
                              const struct wi_http_request *head, const struct wi_fixed *fixed)
{
    wi_count(wi_conn_server(conn), WI_COUNT_REQUESTS, 1);
    return refuse(
        conn, view, head,
        (struct wi_answer){
            .status = 200, .text = fixed->text, .type = fixed->type, .canned = &fixed->canned });
}

/* The way of an admitted request: memory, then its task, its place in the line, or the caller. */
static enum step begin(struct wi_conn *conn, struct view *view, struct wi_arrival *arrival,
                       const struct wi_route *task_route, struct weir_request **out)
{
    struct weir_server *server = wi_conn_server(conn);
    const struct wi_http_request *head = arrival->head;
    const struct wi_route *route = arrival->match->route->user;
    struct wi_gate_ask ask = { .now = arrival->at,
                               .arrived = wi_charge_arrived(&server->charge, conn->io.watch.fd,
                                                            arrival->at),
                               .deadline = arrival->deadline,
                               .route = route->index,
                               .client = conn->client,
                               .class = route->class };
    if (wi_unlikely(head->head.has_class))
        ask.class = wi_charge_class(route, &head->head, view->data + view->pos);
    const enum wi_verdict verdict = wi_admit(server, route, &ask, &arrival->ticket);
    if (verdict == WI_ADMIT_SHED)
        return refuse_overload(conn, view, head, false);

    struct weir_request *request =
        wi_request_create(conn, arrival, view->data + view->pos, view->len - view->pos);
    if (request == NULL)
        goto undo_admission;
    wi_conn_drop_head(conn);
    conn->phase = WI_CONN_IDLE;
    conn->requests++;
    if (verdict == WI_ADMIT_WAIT) {
        if (wi_admit_wait(request))
            return STEP_GONE;
        goto undo_request;
    }
    if (task_route != NULL && wi_run_goes_on(task_route, request)) {
        *out = request;
        return STEP_GONE;
    }
    if (wi_run_start(request) == 0)
        return STEP_GONE;

undo_request:
    conn->requests--;
    wi_request_destroy(request);
undo_admission:
    wi_charge_drop(server, &arrival->ticket);
    if (verdict == WI_ADMIT_RUN) {
        wi_count(server, WI_COUNT_SHED_RUNNING, 1);
        wi_admit_end(server); /* may use the scratch buffer, so the view is lost: close below */
    }
    return refuse_overload(conn, view, head, true);
}

/* Routes a whole head. */
static enum step route(struct wi_conn *conn, struct view *view, const struct wi_http_request *head,
                       const struct wi_route *task_route, struct weir_request **out)
{
    struct weir_server *server = wi_conn_server(conn);
    const char *text = view->data + view->pos;
    struct wi_answer answer = { .status = 0 };
    if (wi_server_phase(server) >= WI_SERVER_CLOSING) {
        wi_count(server, WI_COUNT_SHED_DRAINING, 1);
        answer = (struct wi_answer){ .status = 503, .text = "going away\n", .close = true };
        return refuse(conn, view, head, answer);
    }
    if (head->target_form == WI_HTTP_TARGET_ASTERISK)
        return refuse(conn, view, head, (struct wi_answer){ .status = 200, .text = "" });

    struct wi_http_match match;
    char allow[WI_HTTP_ALLOW_BYTES_MAX + 1];
    answer.status = wi_http_router_match(&server->router, head->method, text + head->path.offset,
                                         head->path.len, &match);
    if (answer.status == 404)
        answer.text = "not found\n";
    if (answer.status == 405) {
        allow[wi_http_allow_write(match.allow, allow)] = 0;
        answer.allow = allow;
        answer.text = "method not allowed\n";
    }
    if (answer.status == 501)
        answer.text = "method not implemented\n";
    if (answer.status != 200)
        return refuse(conn, view, head, answer);

    const struct wi_route *found = match.route->user;
    if (found->answer != NULL)
        return answer_fixed(conn, view, head, found->answer);
    if (head->head.body == WI_HTTP_BODY_LENGTH &&
        head->head.content_length > (uint64_t)found->opts.body_bytes_max) {
        answer = (struct wi_answer){ .status = 413, .text = "body too large\n" };
        return refuse(conn, view, head, answer);
    }
    const weir_time now = weir_now();
    struct wi_arrival arrival = { .head = head,
                                  .match = &match,
                                  .at = now,
                                  .deadline = wi_deadline_of_head(found, head, text, now) };
    if (wi_unlikely(arrival.deadline <= now)) {
        wi_count(server, WI_COUNT_SHED_LATE, 1);
        return refuse(conn, view, head, (struct wi_answer){ .status = 504, .text = WI_REPLY_LATE });
    }
    return begin(conn, view, &arrival, task_route, out);
}

/* Judges the head at the view's position. */
static enum step judge(struct wi_conn *conn, struct view *view, const struct wi_route *task_route,
                       struct weir_request **out)
{
    struct weir_server *server = wi_conn_server(conn);
    struct wi_http_request head;
    const size_t len = view->len - view->pos;
    const int rc =
        wi_http_request_parse(view->data + view->pos, len, conn->scanned, &head, &server->limits);
    if (rc == 0) {
        conn->scanned = (uint32_t)len;
        return STEP_MORE;
    }
    conn->scanned = 0;
    if (rc < 0)
        return refuse_bytes(conn, rc);
    return route(conn, view, &head, task_route, out);
}

/* Judges all that is there.  GONE also when the rest was put off to a later turn. */
static enum step judge_all(struct wi_conn *conn, struct view *view,
                           const struct wi_route *task_route, struct weir_request **out)
{
    for (int answered = 0; view->pos < view->len; answered++) {
        if (answered == ROUND_ANSWERS_MAX) {
            if (wi_conn_keep_head(conn, view->data + view->pos, view->len - view->pos))
                wi_conn_later(conn);
            else
                wi_conn_linger(conn);
            return STEP_GONE;
        }
        const enum step step = judge(conn, view, task_route, out);
        if (step != STEP_NEXT)
            return step;
    }
    return STEP_MORE;
}

/* Reads behind what is there.  False: the connection ended. */
static bool fill(struct wi_conn *conn, struct view *view)
{
    struct weir_server *server = wi_conn_server(conn);
    if (view->pos > 0) {
        memmove(view->data, view->data + view->pos, view->len - view->pos);
        view->len -= view->pos;
        view->pos = 0;
    }
    wi_bug_unless_cmp(view->len, <, server->edge_bytes);
    const int64_t got = wi_conn_read(conn, view->data + view->len, server->edge_bytes - view->len);
    if (got > 0) {
        view->len += (size_t)got;
        return true;
    }
    if (got == WEIR_EAGAIN)
        return true;
    wi_conn_close(conn, false);
    return false;
}

/* Puts the connection into the phase in which it will wait.  False: no memory, it was closed. */
static bool settle(struct wi_conn *conn, const struct view *view)
{
    struct weir_server *server = wi_conn_server(conn);
    const size_t rest = view->len - view->pos;
    if (rest == 0) {
        wi_conn_drop_head(conn);
        conn->phase = WI_CONN_IDLE;
        wi_store_relaxed(&conn->deadline, wi_after(wi_now_coarse(), server->opts.idle_ns_max));
        return true;
    }
    if (!wi_conn_keep_head(conn, view->data + view->pos, rest)) {
        wi_count(server, WI_COUNT_SHED_RUNNING, 1);
        (void)wi_answer_send(
            conn, &(struct wi_answer){ .status = 503, .text = "overloaded\n", .close = true });
        wi_conn_close(conn, false);
        return false;
    }
    if (conn->phase != WI_CONN_HEAD) {
        conn->phase = WI_CONN_HEAD;
        wi_store_relaxed(&conn->deadline, wi_after(weir_now(), server->opts.head_ns_max));
    }
    return true;
}

static struct weir_request *drive(struct wi_conn *conn, size_t left,
                                  const struct wi_route *task_route)
{
    struct weir_request *request = NULL;
    struct view view = { .data = wi_scratch(), .len = left };
    if (left == 0 && conn->head_len > 0) {
        memcpy(view.data, conn->head, conn->head_len);
        view.len = conn->head_len;
    }
    for (;;) {
        if (judge_all(conn, &view, task_route, &request) == STEP_GONE)
            return request;
        if (conn->drained) {
            if (!settle(conn, &view))
                return NULL;
            if (wi_conn_release(conn))
                return NULL;
        }
        if (!fill(conn, &view))
            return NULL;
    }
}

/* After the last answer: what still comes is read and forgotten. */
static void discard(struct wi_conn *conn)
{
    char *data = wi_scratch();
    for (;;) {
        const int64_t got = wi_conn_read(conn, data, WI_SCRATCH_BYTES);
        if (got > 0)
            conn->discarded += (uint32_t)got;
        if ((got <= 0 && got != WEIR_EAGAIN) || conn->discarded > DISCARD_BYTES_MAX) {
            wi_conn_close(conn, false);
            return;
        }
        if (conn->drained && wi_conn_release(conn))
            return;
    }
}

void wi_edge_drive(struct wi_conn *conn)
{
    if (conn->phase == WI_CONN_LINGER) {
        discard(conn);
        return;
    }
    /* Readiness is why we are here, or bytes that were put off: the socket may hold more. */
    conn->drained = false;
    struct weir_request *request = drive(conn, 0, NULL);
    wi_bug_unless(request == NULL);
}

struct weir_request *wi_edge_continue(struct wi_conn *conn, size_t left,
                                      const struct wi_route *route)
{
    return drive(conn, left, route);
}

/* How the connection goes on after the answer to a request that waited in vain. */
enum after {
    AFTER_CLOSE,
    AFTER_LINGER,
    AFTER_NEXT,
};

static enum after answer_waiting(struct weir_request *request, int status, const char *text)
{
    struct wi_conn *conn = request->conn;
    const struct wi_http_request *head = request->head;
    const struct wi_http_head *fields = &head->head;
    size_t skip = 0;
    bool whole = fields->body == WI_HTTP_BODY_NONE;
    if (fields->body == WI_HTTP_BODY_LENGTH && fields->content_length <= request->in_len) {
        whole = true;
        skip = (size_t)fields->content_length;
    }
    struct wi_answer answer = { .status = status,
                                .text = text,
                                .close = !whole || !may_keep(conn, head),
                                .bodiless = head->method == WI_HTTP_HEAD,
                                .old_client = fields->version_minor == 0 };
    const size_t rest = request->in_len - skip;
    if (!answer.close && rest > 0)
        answer.close = !wi_conn_keep_head(conn, request->in + skip, rest);
    if (!wi_answer_send(conn, &answer))
        return AFTER_CLOSE;
    return answer.close ? AFTER_LINGER : AFTER_NEXT;
}

static void go_on(struct wi_conn *conn, enum after after)
{
    if (after == AFTER_CLOSE)
        wi_conn_close(conn, false);
    else if (after == AFTER_LINGER)
        wi_conn_linger(conn);
    else
        wi_conn_later(conn);
}

void wi_edge_refuse(struct weir_request *request, int status, const char *text)
{
    struct wi_conn *conn = request->conn;
    const enum after after = answer_waiting(request, status, text);
    wi_request_destroy(request);
    go_on(conn, after);
}

void wi_edge_refuse_queued(struct weir_request *request, int status, const char *text)
{
    struct wi_conn *conn = request->conn;
    const enum after after = answer_waiting(request, status, text);
    wi_store_release(&request->expired, 1); /* run.c: d */
    go_on(conn, after);
}

void wi_edge_time_out(struct wi_conn *conn)
{
    wi_count(wi_conn_server(conn), WI_COUNT_TIMED_OUT_HEADS, 1);
    (void)wi_answer_send(
        conn,
        &(struct wi_answer){ .status = 408, .text = "the head took too long\n", .close = true });
    wi_conn_close(conn, false);
}

void wi_edge_end_idle(struct wi_conn *conn)
{
    const int64_t got = wi_conn_read(conn, wi_scratch(), wi_conn_server(conn)->edge_bytes);
    if (got <= 0) {
        wi_conn_close(conn, false);
        return;
    }
    struct weir_request *request = drive(conn, (size_t)got, NULL);
    wi_bug_unless(request == NULL);
}
