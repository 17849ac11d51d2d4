/* SPDX-License-Identifier: MIT */
/* One destination: connections that are kept, and the laws of load/ fed with what attempts come to.
 *
 * Connections.  The latest that became idle is used first, so those that are not needed grow old
 * and are closed, the oldest first, by whoever comes past.  One that can be read while it is idle
 * has been closed by its server, or says what nobody asked for: it is not used.  A call needs a
 * permit of the limit before it connects and keeps it until its connection is idle or closed, so
 * there are never more than connections_max.
 *
 * Threads: any; guarded by the destination's lock. */
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "client/client.h"
#include "net/dial.h"
#include "net/transport.h"
#include "weir/task.h"

enum {
    BUDGET_RATIO_PERCENT = 10,
    BUDGET_FLOOR_PER_S = 1,
    LIMIT_LEAST = 4,
};

#define BUDGET_KEEP_NS (10 * WEIR_NS_PER_S)
#define CONNECT_LOCAL_NS (250 * WEIR_NS_PER_MS)
#define CONNECT_NS WEIR_NS_PER_S
#define WAY_NS_MIN WEIR_NS_PER_MS

static int make_limit(struct wi_destination *destination, const struct weir_client_opts *opts)
{
    const struct weir_limit_opts limit = {
        .size = sizeof(limit),
        .running_min = opts->connections_max < LIMIT_LEAST ? opts->connections_max : LIMIT_LEAST,
        .running_max = opts->connections_max,
        .waiting_max = opts->waiting_max,
        .fixed = opts->no_limit,
    };
    return weir_limit_create(&destination->limit, &limit);
}

int wi_destination_create(struct wi_destination **out, weir_client *client, const char *authority,
                          bool is_local)
{
    struct wi_destination *destination = wi_alloc_zeroed(1, sizeof(*destination));
    char *key = wi_strdup(authority);
    if (destination == NULL || key == NULL || make_limit(destination, &client->opts) != 0) {
        wi_free(key);
        wi_free(destination);
        return WEIR_ENOMEM;
    }
    const weir_time now = weir_now();
    destination->client = client;
    destination->authority = key;
    destination->address = client->opts.address != NULL ? client->opts.address : key;
    destination->connect_ns_max = client->opts.connect_ns_max;
    if (destination->connect_ns_max == 0)
        destination->connect_ns_max = is_local ? CONNECT_LOCAL_NS : CONNECT_NS;
    wi_list_init(&destination->node);
    wi_lock_init(&destination->lock);
    wi_list_init(&destination->idle);
    wi_budget_init(&destination->budget, BUDGET_RATIO_PERCENT, BUDGET_FLOOR_PER_S, BUDGET_KEEP_NS,
                   now);
    wi_throttle_init(&destination->throttle, now);
    wi_patience_init(&destination->patience, now);
    wi_latency_init(&destination->connects, now);
    destination->way_ns = WAY_NS_MIN;
    wi_rng_init(&destination->rng, wi_transport_seed());
    *out = destination;
    return 0;
}

void wi_destination_destroy(struct wi_destination *destination)
{
    wi_destination_close_idle(destination);
    weir_limit_destroy(destination->limit);
    wi_free((char *)(uintptr_t)destination->authority);
    wi_free(destination);
}

void wi_destination_count(struct wi_destination *destination, enum wi_client_count what)
{
    wi_lock(&destination->lock);
    destination->counts[what]++;
    wi_unlock(&destination->lock);
}

/* -- connections ------------------------------------------------------------------------------ */

void wi_link_close(struct wi_link *link)
{
    weir_stream_close(link->stream);
    wi_free(link);
}

static struct wi_link *link_of(struct wi_list *node)
{
    return wi_container_of(node, struct wi_link, node);
}

static void close_all(struct wi_list *links)
{
    struct wi_list *node;
    while ((node = wi_list_pop_front(links)) != NULL)
        wi_link_close(link_of(node));
}

/* Moves those that are idle for too long, or too many, to `old`. */
static void retire_locked(struct wi_destination *destination, weir_time now, struct wi_list *old)
{
    const struct weir_client_opts *opts = &destination->client->opts;
    while (!wi_list_empty(&destination->idle)) {
        struct wi_link *oldest = link_of(destination->idle.prev);
        const bool aged = now - oldest->since > opts->idle_ns_max;
        if (!aged && destination->idle_count <= opts->idle_max)
            return;
        wi_list_remove(&oldest->node);
        destination->idle_count--;
        wi_list_push_back(old, &oldest->node);
    }
}

void wi_destination_keep(struct wi_destination *destination, struct wi_link *link)
{
    struct wi_list old;
    wi_list_init(&old);
    const weir_time now = weir_now();
    wi_lock(&destination->lock);
    link->since = now;
    wi_list_push_front(&destination->idle, &link->node);
    destination->idle_count++;
    retire_locked(destination, now, &old);
    wi_unlock(&destination->lock);
    close_all(&old);
}

void wi_destination_close_idle(struct wi_destination *destination)
{
    struct wi_list all;
    struct wi_list *node;
    wi_list_init(&all);
    wi_lock(&destination->lock);
    while ((node = wi_list_pop_front(&destination->idle)) != NULL)
        wi_list_push_back(&all, node);
    destination->idle_count = 0;
    wi_unlock(&destination->lock);
    close_all(&all);
}

/* The latest that is idle, or NULL. */
static struct wi_link *take_idle(struct wi_destination *destination)
{
    struct wi_list old;
    wi_list_init(&old);
    const weir_time now = weir_now();
    wi_lock(&destination->lock);
    retire_locked(destination, now, &old);
    struct wi_list *node = wi_list_pop_front(&destination->idle);
    if (node != NULL)
        destination->idle_count--;
    wi_unlock(&destination->lock);
    close_all(&old);
    return node != NULL ? link_of(node) : NULL;
}

/* A kept connection that still stands, or NULL.  The loop is bounded by what is idle. */
static struct wi_link *reuse(struct wi_destination *destination)
{
    struct wi_link *link;
    while ((link = take_idle(destination)) != NULL) {
        if (weir_read(link->stream, NULL, 0, WEIR_DONT_WAIT) == WEIR_ETIMEDOUT)
            return link;
        wi_link_close(link);
        wi_destination_count(destination, WI_CLIENT_STALE);
    }
    return NULL;
}

static int dial(struct wi_destination *destination, struct wi_link **out, weir_time deadline)
{
    struct wi_link *link = wi_alloc(sizeof(*link));
    if (link == NULL)
        return WEIR_ENOMEM;
    const weir_time began = weir_now();
    const weir_time patience = weir_in_ns(destination->connect_ns_max);
    int64_t lookup_ns;
    int rc = wi_dial(&link->stream, destination->address, &lookup_ns,
                     patience < deadline ? patience : deadline);
    /* A name service that is slow says nothing of the destination. */
    if (rc == WEIR_ETIMEDOUT && lookup_ns < 0)
        rc = WEIR_ELOOKUP;
    const weir_time now = weir_now();
    wi_lock(&destination->lock);
    destination->counts[rc == 0 ? WI_CLIENT_CONNECTS : WI_CLIENT_CONNECT_FAILURES]++;
    if (rc == 0) {
        wi_latency_note(&destination->connects, now - began - lookup_ns, now);
        const int64_t median_ns = wi_latency_quantile(&destination->connects, 50, now);
        destination->way_ns = median_ns > WAY_NS_MIN ? median_ns : WAY_NS_MIN;
    }
    wi_unlock(&destination->lock);
    if (rc != 0) {
        wi_free(link);
        return rc;
    }
    wi_list_init(&link->node);
    *out = link;
    return 0;
}

int wi_destination_connect(struct wi_destination *destination, bool fresh, struct wi_link **out,
                           bool *reused, weir_time deadline)
{
    *out = fresh ? NULL : reuse(destination);
    *reused = *out != NULL;
    if (*reused) {
        wi_destination_count(destination, WI_CLIENT_REUSED);
        return 0;
    }
    return dial(destination, out, deadline);
}

/* -- the laws --------------------------------------------------------------------------------- */

/* What is left until `end`, which may be any number: 0 if it has passed, INT64_MAX if it never
 * comes. */
static int64_t left_until(weir_time end, weir_time now)
{
    if (end == WEIR_NO_DEADLINE)
        return INT64_MAX;
    return end > now ? end - now : 0;
}

/* The guess that stands for a timeout before one is learned binds only an attempt that another may
 * follow: it must not keep a destination that is slow by nature from answering ever. */
static int64_t timeout_locked(struct wi_destination *destination, const struct wi_call *call,
                              weir_time now)
{
    const struct weir_client_opts *opts = &destination->client->opts;
    if (opts->no_attempt_timeout)
        return INT64_MAX;
    const int64_t timeout_ns = wi_patience_ns(&destination->patience, now);
    if (wi_patience_knows(&destination->patience, now))
        return timeout_ns;
    const bool paid =
        opts->no_budget || wi_budget_tokens(&destination->budget, now) >= 2 * WI_BUDGET_TOKEN;
    const bool may_follow = call->attempt < opts->attempts_max && call->repeatable &&
                            call->idempotent && call->inherited == 0 && paid;
    return may_follow ? timeout_ns : INT64_MAX;
}

int wi_destination_admit(struct wi_destination *destination, const struct wi_call *call,
                         int64_t *timeout_ns, int64_t *left_ns)
{
    const weir_time now = weir_now();
    const int64_t remaining_ns = left_until(call->told, now);
    int rc = 0;
    wi_lock(&destination->lock);
    const int64_t quick_ns = wi_patience_quantiles(&destination->patience, now).p10_ns;
    *timeout_ns = timeout_locked(destination, call, now);
    *left_ns = remaining_ns == INT64_MAX ? -1 : remaining_ns - destination->way_ns;
    if (remaining_ns < quick_ns || (remaining_ns != INT64_MAX && *left_ns < WEIR_NS_PER_MS)) {
        destination->counts[WI_CLIENT_REFUSED_DEADLINE]++;
        rc = WEIR_ETIMEDOUT;
    } else if (!destination->client->opts.no_throttle &&
               !wi_throttle_admit(&destination->throttle, wi_rng_unit(&destination->rng), now)) {
        destination->counts[WI_CLIENT_SHED_THROTTLE]++;
        rc = WEIR_ESHED;
    }
    wi_unlock(&destination->lock);
    return rc;
}

void wi_destination_learn(struct wi_destination *destination, const struct wi_call *call,
                          enum wi_attempt_end end, int64_t took_ns)
{
    const weir_time now = weir_now();
    const bool timeout = end == WI_ATTEMPT_RAN_OUT || end == WI_ATTEMPT_LATE;
    const bool overload = timeout || end == WI_ATTEMPT_REFUSED;
    wi_lock(&destination->lock);
    if (end != WI_ATTEMPT_UNKNOWN)
        wi_throttle_end(&destination->throttle, !overload, now);
    if (end == WI_ATTEMPT_GOOD) {
        wi_patience_note(&destination->patience, took_ns, now);
        if (call->attempt == 1)
            wi_budget_deposit(&destination->budget, now);
    }
    if (end == WI_ATTEMPT_RAN_OUT)
        wi_patience_ran_out(&destination->patience, now);
    destination->counts[WI_CLIENT_OVERLOAD] += overload;
    destination->counts[WI_CLIENT_TIMEOUTS] += timeout;
    destination->counts[WI_CLIENT_BROKEN] += end == WI_ATTEMPT_BROKEN;
    wi_unlock(&destination->lock);
}

bool wi_destination_waited_enough(struct wi_destination *destination, int64_t took_ns)
{
    const weir_time now = weir_now();
    wi_lock(&destination->lock);
    const int64_t usual_ns = wi_patience_quantiles(&destination->patience, now).p99_ns;
    wi_unlock(&destination->lock);
    return took_ns >= usual_ns;
}

int64_t wi_destination_retry(struct wi_destination *destination, const struct wi_call *call,
                             enum wi_retry_failure failure, int64_t retry_after_ns)
{
    const struct weir_client_opts *opts = &destination->client->opts;
    const weir_time now = weir_now();
    const weir_time end = call->told < call->end ? call->told : call->end;
    wi_lock(&destination->lock);
    const struct wi_retry retry = {
        .failure = failure,
        .attempt = call->attempt,
        .attempts_max = (int)opts->attempts_max,
        .inherited = call->inherited,
        .repeatable = call->repeatable && !call->read_begun,
        .idempotent = call->idempotent,
        .p50_ns = wi_patience_quantiles(&destination->patience, now).p50_ns,
        .remaining_ns = left_until(end, now),
        .retry_after_ns = retry_after_ns,
        .chance = wi_rng_unit(&destination->rng),
    };
    int64_t wait_ns = wi_retry_wait_ns(&retry);
    if (wait_ns >= 0 && !opts->no_budget &&
        !wi_budget_withdraw(&destination->budget, wi_retry_cost(failure), now)) {
        destination->counts[WI_CLIENT_DENIED_BUDGET]++;
        wait_ns = -1;
    }
    wi_unlock(&destination->lock);
    return wait_ns;
}
