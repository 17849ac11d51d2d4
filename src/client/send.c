/* SPDX-License-Identifier: MIT */
/* A call: its attempts, what becomes of each, and when another is made.
 *
 *   a: the laws are asked: too little time, or most calls are refused: not sent.
 *   b: a permit of the limit, for which it may wait in line.
 *   c: the exchange.
 *   d: the laws hear how it ended; the limit does when the connection is given up.
 *   e: after a failure, the rules of a retry and the budget: it waits and begins at a, or the call
 *      ends with what there is.  An answer is kept meanwhile: if the laws turn the retry away, that
 *      is what the call ends with.
 *
 * Threads: the caller's. */
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/sized.h"
#include "client/client.h"
#include "http/chars.h"
#include "http/uri.h"
#include "http/write.h"
#include "task/attempt.h"
#include "weir/task.h"

/* How the present attempt ended. */
struct outcome {
    int rc;           /* 0: an answer */
    bool turned_away; /* by the laws, before anything was sent: it is not repeated */
    enum wi_retry_failure failure;
    bool failed;            /* so that a retry may help */
    int64_t retry_after_ns; /* of WI_RETRY_REFUSED */
};

/* -- preparation ------------------------------------------------------------------------------ */

static bool is_idempotent(const char *method)
{
    static const char *const idempotent[] = { "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE" };
    for (size_t i = 0; i < wi_count_of(idempotent); i++) {
        if (strcmp(method, idempotent[i]) == 0)
            return true;
    }
    return false;
}

/* "host:port", in lower case, with brackets around an IPv6 address. */
static int authority_of(const struct wi_http_url *url, char text[WI_CLIENT_ADDRESS_BYTES])
{
    char port[20];
    const size_t port_len = wi_http_decimal_write(port, (uint64_t)url->port);
    const bool v6 = memchr(url->host, ':', url->host_len) != NULL;
    if (url->host_len + port_len + 4 > WI_CLIENT_ADDRESS_BYTES)
        return WEIR_EINVAL;
    size_t at = 0;
    if (v6)
        text[at++] = '[';
    for (size_t i = 0; i < url->host_len; i++)
        text[at++] = wi_http_lower(url->host[i]);
    if (v6)
        text[at++] = ']';
    text[at++] = ':';
    memcpy(text + at, port, port_len);
    text[at + port_len] = '\0';
    return 0;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool is_local(const weir_client *client, const char *authority)
{
    const char *address = client->opts.address != NULL ? client->opts.address : authority;
    return begins(address, "127.") || begins(address, "[::1]:") || begins(address, "localhost:") ||
           begins(address, "unix:");
}

static weir_time earlier(weir_time one, weir_time other)
{
    return one < other ? one : other;
}

/* Path and query are one piece of the text, unless the path is only meant.  0 or WEIR_ENOMEM. */
static int read_target(struct wi_call *call, const struct wi_http_url *url)
{
    call->target = url->path;
    call->target_len = url->path_len;
    if (url->query == NULL)
        return 0;
    call->target_len = (size_t)(url->query + url->query_len - url->path);
    if (url->path_len > 0)
        return 0;
    call->own_target = wi_alloc(url->query_len + 2);
    if (call->own_target == NULL)
        return WEIR_ENOMEM;
    memcpy(call->own_target, "/?", 2);
    memcpy(call->own_target + 2, url->query, url->query_len);
    call->target = call->own_target;
    call->target_len = url->query_len + 2;
    return 0;
}

/* The URL's parts into the call and authority; 0, WEIR_EINVAL, WEIR_ENOTSUP, WEIR_ENOMEM. */
static int read_url(struct wi_call *call, const weir_client *client, const char *text,
                    char authority[WI_CLIENT_ADDRESS_BYTES])
{
    struct wi_http_url url;
    const int rc = wi_http_url_parse(text, strlen(text), &url);
    if (rc != 0)
        return rc;
    if (url.https)
        return WEIR_ENOTSUP;
    if (authority_of(&url, authority) != 0)
        return WEIR_EINVAL;
    /* To weir_dial() a host of this name would be the path of a socket. */
    if (client->opts.address == NULL && begins(authority, "unix:"))
        return WEIR_EINVAL;
    return read_target(call, &url);
}

static int read_request(struct wi_call *call, const char *method,
                        const struct weir_client_request *request)
{
    if (request->header_count > WI_CLIENT_FIELDS_MAX)
        return WEIR_EOVERFLOW;
    if (request->body_bytes > 0 && (request->read != NULL || request->body == NULL))
        return WEIR_EINVAL;
    if (request->header_count > 0 && request->headers == NULL)
        return WEIR_EINVAL;
    if (strcmp(method, "CONNECT") == 0)
        return WEIR_EINVAL;
    for (size_t i = 0; i < request->header_count; i++) {
        if (request->headers[i].name == NULL || request->headers[i].value == NULL)
            return WEIR_EINVAL;
    }
    call->method = method;
    call->request = request;
    call->idempotent = request->idempotent || is_idempotent(method);
    call->repeatable = !request->once && request->read == NULL;
    call->to_head = strcmp(method, "HEAD") == 0;
    return 0;
}

/* -- an attempt ------------------------------------------------------------------------------- */

static bool is_unreached(int rc)
{
    return rc == WEIR_ECONNREFUSED || rc == WEIR_ETIMEDOUT || rc == WEIR_ENETUNREACH ||
           rc == WEIR_EHOSTUNREACH || rc == WEIR_ECONNRESET || rc == WEIR_ECONNABORTED ||
           rc == WEIR_ENOENT || rc == WEIR_EAGAIN || rc == WEIR_ELOOKUP;
}

/* A call whose task was canceled by its own deadline has waited as well as one that was given a
 * deadline. */
static bool ran_out_of_time(int rc)
{
    return rc == WEIR_ETIMEDOUT || (rc == WEIR_ECANCELED && weir_cancel_cause() == WEIR_ETIMEDOUT);
}

/* An attempt whose time was up. */
static enum wi_attempt_end judge_timeout(weir_response *response, struct outcome *outcome,
                                         bool unreached, int64_t took_ns, int64_t timeout_ns)
{
    /* Who was canceled is not helped by another attempt. */
    outcome->failed = outcome->rc == WEIR_ETIMEDOUT;
    if (unreached)
        return outcome->failed ? WI_ATTEMPT_LATE : WI_ATTEMPT_UNKNOWN;
    outcome->failure = WI_RETRY_TIMEOUT;
    if (took_ns >= timeout_ns)
        return WI_ATTEMPT_RAN_OUT;
    const bool enough = wi_destination_waited_enough(response->destination, took_ns);
    return enough ? WI_ATTEMPT_LATE : WI_ATTEMPT_UNKNOWN;
}

static enum wi_attempt_end judge_failure(weir_response *response, const struct wi_call *call,
                                         struct outcome *outcome, bool unreached, int64_t took_ns,
                                         int64_t timeout_ns)
{
    const int rc = outcome->rc;
    const bool here = unreached && !is_unreached(rc) && rc != WEIR_ECANCELED;
    if (here || call->given_up)
        return WI_ATTEMPT_UNKNOWN;
    outcome->failure = unreached ? WI_RETRY_UNREACHED : WI_RETRY_BROKEN;
    if (ran_out_of_time(rc))
        return judge_timeout(response, outcome, unreached, took_ns, timeout_ns);
    outcome->failed =
        (unreached && rc != WEIR_ECANCELED) || rc == WEIR_ECONNRESET || rc == WEIR_EPIPE;
    if (rc == WEIR_EPROTO || rc == WEIR_EMSGSIZE)
        wi_destination_count(response->destination, WI_CLIENT_BAD_ANSWERS);
    return outcome->failed ? WI_ATTEMPT_BROKEN : WI_ATTEMPT_UNKNOWN;
}

static enum wi_attempt_end judge_answer(const weir_response *response, struct outcome *outcome)
{
    const int status = response->head.status;
    outcome->failed = status == 502 || status == 503 || status == 504;
    outcome->failure = WI_RETRY_BROKEN;
    if (status != 503)
        return WI_ATTEMPT_GOOD;
    outcome->retry_after_ns = wi_response_retry_after_ns(response);
    if (outcome->retry_after_ns >= 0)
        outcome->failure = WI_RETRY_REFUSED;
    return WI_ATTEMPT_REFUSED;
}

static enum weir_limit_end limit_end_of(enum wi_attempt_end end)
{
    switch (end) {
    case WI_ATTEMPT_GOOD:
        return WEIR_LIMIT_GOOD;
    case WI_ATTEMPT_REFUSED:
    case WI_ATTEMPT_RAN_OUT:
    case WI_ATTEMPT_LATE:
        return WEIR_LIMIT_OVERLOAD;
    default:
        return WEIR_LIMIT_UNKNOWN;
    }
}

/* d */
static void conclude(weir_response *response, const struct wi_call *call, struct outcome *outcome,
                     bool unreached, int64_t timeout_ns)
{
    const int64_t took_ns = weir_now() - response->began;
    const bool answered = outcome->rc == 0;
    const enum wi_attempt_end end =
        answered ? judge_answer(response, outcome)
                 : judge_failure(response, call, outcome, unreached, took_ns, timeout_ns);
    wi_destination_learn(response->destination, call, end, took_ns);
    response->took_ns = took_ns;
    response->end_of_attempt = limit_end_of(end);
    if (!answered) {
        wi_response_settle(response);
        return;
    }
    wi_destination_count(response->destination, WI_CLIENT_ANSWERS);
    const struct wi_http_body *body = &response->body;
    response->done =
        body->kind == WI_HTTP_BODY_NONE || (body->kind == WI_HTTP_BODY_LENGTH && body->left == 0);
    if (response->done)
        wi_response_settle(response);
}

/* a and b.  0: the permit is held. */
static int enter(weir_response *response, const struct wi_call *call, int64_t *timeout_ns,
                 int64_t *left_ns)
{
    struct wi_destination *destination = response->destination;
    int rc = wi_destination_admit(destination, call, timeout_ns, left_ns);
    if (rc != 0)
        return rc;
    const weir_time asked = weir_now();
    rc = weir_limit_acquire(destination->limit, call->end);
    if (rc == WEIR_ESHED)
        wi_destination_count(destination, WI_CLIENT_SHED_LIMIT);
    if (rc != 0)
        return rc;
    response->permit = true;
    response->end_of_attempt = WEIR_LIMIT_UNKNOWN;
    response->took_ns = -1;
    /* What is left is what the wait in line has left. */
    if (*left_ns >= 0) {
        *left_ns -= weir_now() - asked;
        if (*left_ns < WEIR_NS_PER_MS) {
            wi_destination_count(destination, WI_CLIENT_REFUSED_DEADLINE);
            wi_response_settle(response);
            return WEIR_ETIMEDOUT;
        }
    }
    return 0;
}

static struct outcome attempt(weir_response *response, struct wi_call *call)
{
    struct outcome outcome = { .rc = 0 };
    int64_t timeout_ns = INT64_MAX;
    int64_t left_ns = -1;
    outcome.rc = enter(response, call, &timeout_ns, &left_ns);
    if (outcome.rc != 0) {
        outcome.turned_away = true;
        return outcome;
    }
    wi_response_forget(response);
    wi_destination_count(response->destination, WI_CLIENT_ATTEMPTS);
    if (call->attempt > 1)
        wi_destination_count(response->destination, WI_CLIENT_RETRIES);
    response->attempts = call->attempt;
    bool unreached = false;
    outcome.rc = wi_exchange(response, call, timeout_ns, left_ns, &unreached);
    conclude(response, call, &outcome, unreached, timeout_ns);
    return outcome;
}

/* -- the call --------------------------------------------------------------------------------- */

/* e: waits, and takes the body of an answer that came meanwhile.  0 or WEIR_ECANCELED. */
static int wait_for_retry(weir_response *response, bool answered, int64_t wait_ns)
{
    const weir_time end = weir_in_ns(wait_ns);
    const int rc = answered ? wi_response_hold(response, end) : 0;
    return rc != 0 ? rc : weir_sleep(end);
}

static int run(weir_response *response, struct wi_call *call)
{
    int last = 0; /* what the attempt before gave, whose answer is still in the response */
    for (call->attempt = 1;; call->attempt++) {
        const struct outcome outcome = attempt(response, call);
        if (outcome.turned_away)
            return call->attempt == 1 || outcome.rc == WEIR_ECANCELED ? outcome.rc : last;
        if (!outcome.failed)
            return outcome.rc;
        const int64_t after_ns = outcome.failure == WI_RETRY_REFUSED ? outcome.retry_after_ns : 0;
        const int64_t wait_ns =
            wi_destination_retry(response->destination, call, outcome.failure, after_ns);
        if (wait_ns < 0)
            return outcome.rc;
        const int rc = wait_for_retry(response, outcome.rc == 0, wait_ns);
        if (rc != 0)
            return rc;
        last = outcome.rc;
    }
}

static int begin(weir_client *client, weir_response **out, struct wi_call *call,
                 const char *authority)
{
    const size_t head_max = client->limits.head_bytes_max;
    size_t cap = head_max + WI_CLIENT_BODY_BYTES;
    if (cap < WI_CLIENT_REQUEST_HEAD_BYTES)
        cap = WI_CLIENT_REQUEST_HEAD_BYTES;
    weir_response *response = wi_alloc(sizeof(*response) + cap);
    if (response == NULL)
        return WEIR_ENOMEM;
    memset(response, 0, offsetof(struct weir_response, head));
    response->whole = NULL;
    response->whole_len = 0;
    response->whole_cap = 0;
    response->held = NULL;
    response->held_at = 0;
    response->held_len = 0;
    response->at = 0;
    response->end = 0;
    response->cap = cap;
    int rc =
        wi_destination_take(client, &response->destination, authority, is_local(client, authority));
    if (rc != 0) {
        wi_free(response);
        return rc;
    }
    wi_destination_count(response->destination, WI_CLIENT_CALLS);
    rc = run(response, call);
    if (rc != 0) {
        response->head.head.body = WI_HTTP_BODY_NONE;
        weir_response_close(response);
        return rc;
    }
    *out = response;
    return 0;
}

int weir_client_send(weir_client *client, weir_response **out, const char *method, const char *url,
                     const struct weir_client_request *request, weir_time deadline)
{
    wi_bug_unless(client != NULL);
    wi_bug_unless(out != NULL);
    wi_bug_unless(method != NULL);
    wi_bug_unless(url != NULL);
    static const struct weir_client_request plain = { .size = sizeof(plain) };
    struct weir_client_request copy;
    const struct weir_client_request *wanted =
        wi_sized_view(&copy, sizeof(copy), request != NULL ? request : &plain);
    if (wanted == NULL)
        return WEIR_EINVAL;
    struct wi_call call = { .attempt = 0 };
    char authority[WI_CLIENT_ADDRESS_BYTES];
    int rc = read_request(&call, method, wanted);
    if (rc == 0)
        rc = read_url(&call, client, url, authority);
    if (rc != 0)
        return rc;
    const int64_t most_ns = client->opts.call_ns_max;
    call.told = earlier(deadline, weir_deadline());
    call.end = earlier(deadline, most_ns == INT64_MAX ? WEIR_NO_DEADLINE : weir_in_ns(most_ns));
    call.inherited = wi_attempt();
    rc = begin(client, out, &call, authority);
    wi_free(call.own_target);
    return rc;
}

int weir_client_get(weir_client *client, weir_response **out, const char *url, weir_time deadline)
{
    return weir_client_send(client, out, "GET", url, NULL, deadline);
}
