/* SPDX-License-Identifier: MIT */
/* A client: its options, the table of destinations, the numbers; include/weir/client.h is the
 * manual.
 *
 * A destination stays in the table after its last call, for what was learned of it; when the table
 * is full, the one that has been without calls for longest makes room.
 *
 * Threads: any; the table is guarded by the client's lock. */
#include "client/client.h"

#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/sized.h"

enum {
    DESTINATIONS = 256,
    CONNECTIONS = 256,
    IDLE = 64,
    WAITING = 1024,
    ATTEMPTS = 3,
    ATTEMPTS_MAX = 10,
    TABLE_MAX = 65536,
};

#define IDLE_NS (30 * WEIR_NS_PER_S)
#define CALL_NS (30 * WEIR_NS_PER_S)

/* 0 becomes the fallback; a negative number what stands for it. */
static void fill(int64_t *option, int64_t fallback, int64_t negative)
{
    if (*option == 0)
        *option = fallback;
    else if (*option < 0)
        *option = negative;
}

static int take_options(struct weir_client_opts *out, const struct weir_client_opts *given)
{
    const int rc = wi_sized_take(out, sizeof(*out), given);
    if (rc != 0)
        return rc;
    fill(&out->destinations_max, DESTINATIONS, TABLE_MAX);
    fill(&out->connections_max, CONNECTIONS, TABLE_MAX);
    fill(&out->idle_max, IDLE, 0);
    fill(&out->idle_ns_max, IDLE_NS, INT64_MAX);
    fill(&out->waiting_max, WAITING, -1);
    fill(&out->call_ns_max, CALL_NS, INT64_MAX);
    fill(&out->attempts_max, ATTEMPTS, ATTEMPTS_MAX);
    fill(&out->body_bytes_max, INT64_MAX, INT64_MAX);
    if (out->connect_ns_max < 0)
        out->connect_ns_max = INT64_MAX;
    if (out->head_bytes_max < 0)
        out->head_bytes_max = WI_HTTP_HEAD_BYTES_MAX;
    if (out->destinations_max > TABLE_MAX || out->connections_max > TABLE_MAX ||
        out->attempts_max > ATTEMPTS_MAX || out->head_bytes_max > WI_HTTP_HEAD_BYTES_MAX)
        return WEIR_EINVAL;
    return 0;
}

int weir_client_create(weir_client **out, const struct weir_client_opts *opts)
{
    wi_bug_unless(out != NULL);
    struct weir_client_opts wanted;
    const int rc = take_options(&wanted, opts);
    if (rc != 0)
        return rc;
    struct weir_client *client = wi_alloc_zeroed(1, sizeof(*client));
    if (client == NULL)
        return WEIR_ENOMEM;
    client->opts = wanted;
    if (wanted.address != NULL) {
        client->opts.address = wi_strdup(wanted.address);
        if (client->opts.address == NULL) {
            wi_free(client);
            return WEIR_ENOMEM;
        }
    }
    client->limits = (struct wi_http_limits){
        .head_bytes_max = (uint32_t)wanted.head_bytes_max,
        .body_bytes_max = (uint64_t)wanted.body_bytes_max,
    };
    wi_http_limits_fill(&client->limits);
    wi_lock_init(&client->lock);
    for (int i = 0; i < WI_CLIENT_BUCKETS; i++)
        wi_list_init(&client->buckets[i]);
    *out = client;
    return 0;
}

static struct wi_destination *destination_of(struct wi_list *node)
{
    return wi_container_of(node, struct wi_destination, node);
}

void weir_client_destroy(weir_client *client)
{
    wi_bug_unless(client != NULL);
    for (int i = 0; i < WI_CLIENT_BUCKETS; i++) {
        struct wi_list *node;
        while ((node = wi_list_pop_front(&client->buckets[i])) != NULL) {
            struct wi_destination *destination = destination_of(node);
            if (destination->references > 0)
                wi_bug_misuse("weir_client_destroy", "calls under way or responses not closed",
                              destination->references);
            wi_destination_destroy(destination);
        }
    }
    wi_free((char *)(uintptr_t)client->opts.address);
    wi_free(client);
}

/* FNV-1a. */
static struct wi_list *bucket_of(weir_client *client, const char *authority)
{
    uint32_t hash = 2166136261u;
    for (const char *at = authority; *at != '\0'; at++)
        hash = (hash ^ (uint8_t)*at) * 16777619u;
    return &client->buckets[(hash ^ (hash >> 16)) % WI_CLIENT_BUCKETS];
}

static struct wi_destination *find_locked(weir_client *client, const char *authority)
{
    struct wi_list *bucket = bucket_of(client, authority);
    for (struct wi_list *node = bucket->next; node != bucket; node = node->next) {
        if (strcmp(destination_of(node)->authority, authority) == 0)
            return destination_of(node);
    }
    return NULL;
}

/* Takes the destination that has been without calls for longest off the table; NULL: each has some.
 * Cost: grows with the table. */
static struct wi_destination *forget_one_locked(weir_client *client)
{
    struct wi_destination *oldest = NULL;
    for (int i = 0; i < WI_CLIENT_BUCKETS; i++) {
        struct wi_list *bucket = &client->buckets[i];
        for (struct wi_list *node = bucket->next; node != bucket; node = node->next) {
            struct wi_destination *one = destination_of(node);
            if (one->references == 0 && (oldest == NULL || one->used < oldest->used))
                oldest = one;
        }
    }
    if (oldest == NULL)
        return NULL;
    wi_list_remove(&oldest->node);
    client->destinations--;
    for (int i = 0; i < WI_CLIENT_COUNTS; i++)
        client->retired[i] += oldest->counts[i];
    return oldest;
}

/* Adds `made`, unless somebody else was faster or there is no room.  The one to use, or NULL;
 * *forgotten is to be destroyed. */
static struct wi_destination *add_locked(weir_client *client, struct wi_destination *made,
                                         struct wi_destination **forgotten)
{
    struct wi_destination *found = find_locked(client, made->authority);
    if (found != NULL)
        return found;
    if (client->destinations >= client->opts.destinations_max) {
        *forgotten = forget_one_locked(client);
        if (*forgotten == NULL)
            return NULL;
    }
    client->destinations++;
    wi_list_push_front(bucket_of(client, made->authority), &made->node);
    return made;
}

int wi_destination_take(weir_client *client, struct wi_destination **out, const char *authority,
                        bool is_local)
{
    wi_lock(&client->lock);
    struct wi_destination *found = find_locked(client, authority);
    if (found != NULL)
        found->references++;
    wi_unlock(&client->lock);
    *out = found;
    if (found != NULL)
        return 0;

    struct wi_destination *made = NULL;
    const int rc = wi_destination_create(&made, client, authority, is_local);
    if (rc != 0)
        return rc;
    struct wi_destination *forgotten = NULL;
    wi_lock(&client->lock);
    found = add_locked(client, made, &forgotten);
    if (found != NULL)
        found->references++;
    wi_unlock(&client->lock);
    if (forgotten != NULL)
        wi_destination_destroy(forgotten);
    if (found != made)
        wi_destination_destroy(made);
    *out = found;
    return found != NULL ? 0 : WEIR_EOVERFLOW;
}

void wi_destination_give(struct wi_destination *destination)
{
    weir_client *client = destination->client;
    const weir_time now = weir_now();
    wi_lock(&client->lock);
    destination->references--;
    destination->used = now;
    wi_unlock(&client->lock);
}

/* Calls fn for every destination, under the lock: so none of them goes meanwhile. */
static void each_destination(weir_client *client,
                             void (*fn)(struct wi_destination *destination, void *arg), void *arg)
{
    wi_lock(&client->lock);
    for (int i = 0; i < WI_CLIENT_BUCKETS; i++) {
        struct wi_list *bucket = &client->buckets[i];
        for (struct wi_list *node = bucket->next; node != bucket; node = node->next)
            fn(destination_of(node), arg);
    }
    wi_unlock(&client->lock);
}

static void move_idle(struct wi_destination *destination, void *arg)
{
    struct wi_list *all = arg;
    struct wi_list *node;
    wi_lock(&destination->lock);
    while ((node = wi_list_pop_front(&destination->idle)) != NULL)
        wi_list_push_back(all, node);
    destination->idle_count = 0;
    wi_unlock(&destination->lock);
}

void weir_client_close_idle(weir_client *client)
{
    wi_bug_unless(client != NULL);
    struct wi_list all;
    struct wi_list *node;
    wi_list_init(&all);
    each_destination(client, move_idle, &all);
    while ((node = wi_list_pop_front(&all)) != NULL)
        wi_link_close(wi_container_of(node, struct wi_link, node));
}

/* -- numbers ---------------------------------------------------------------------------------- */

struct sum {
    int64_t counts[WI_CLIENT_COUNTS];
    int64_t destinations, idle, running, waiting;
};

static void add_up(struct wi_destination *destination, void *arg)
{
    struct sum *sum = arg;
    struct weir_limit_stats limit = { .size = sizeof(limit) };
    weir_limit_stats_read(destination->limit, &limit);
    sum->running += limit.running;
    sum->waiting += limit.waiting;
    sum->destinations++;
    wi_lock(&destination->lock);
    sum->idle += destination->idle_count;
    for (int i = 0; i < WI_CLIENT_COUNTS; i++)
        sum->counts[i] += destination->counts[i];
    wi_unlock(&destination->lock);
}

void weir_client_stats_read(weir_client *client, struct weir_client_stats *out)
{
    wi_bug_unless(client != NULL);
    wi_bug_unless(out != NULL);
    struct sum sum = { .idle = 0 };
    each_destination(client, add_up, &sum);
    wi_lock(&client->lock);
    for (int i = 0; i < WI_CLIENT_COUNTS; i++)
        sum.counts[i] += client->retired[i];
    wi_unlock(&client->lock);
    const struct weir_client_stats now = {
        .calls = sum.counts[WI_CLIENT_CALLS],
        .attempts = sum.counts[WI_CLIENT_ATTEMPTS],
        .retries = sum.counts[WI_CLIENT_RETRIES],
        .answers = sum.counts[WI_CLIENT_ANSWERS],
        .overload = sum.counts[WI_CLIENT_OVERLOAD],
        .timeouts = sum.counts[WI_CLIENT_TIMEOUTS],
        .broken = sum.counts[WI_CLIENT_BROKEN],
        .bad_answers = sum.counts[WI_CLIENT_BAD_ANSWERS],
        .shed_throttle = sum.counts[WI_CLIENT_SHED_THROTTLE],
        .shed_limit = sum.counts[WI_CLIENT_SHED_LIMIT],
        .refused_deadline = sum.counts[WI_CLIENT_REFUSED_DEADLINE],
        .denied_budget = sum.counts[WI_CLIENT_DENIED_BUDGET],
        .connects = sum.counts[WI_CLIENT_CONNECTS],
        .connect_failures = sum.counts[WI_CLIENT_CONNECT_FAILURES],
        .reused = sum.counts[WI_CLIENT_REUSED],
        .stale = sum.counts[WI_CLIENT_STALE],
        .destinations = sum.destinations,
        .idle = sum.idle,
        .running = sum.running,
        .waiting = sum.waiting,
    };
    wi_sized_give(out, &now, sizeof(now));
}

static void describe(struct wi_destination *destination, struct weir_client_destination *out)
{
    struct weir_limit_stats limit = { .size = sizeof(limit) };
    weir_limit_stats_read(destination->limit, &limit);
    const weir_time now = weir_now();
    wi_lock(&destination->lock);
    const struct wi_patience_quantiles times = wi_patience_quantiles(&destination->patience, now);
    *out = (struct weir_client_destination){
        .allowed = limit.allowed,
        .running = limit.running,
        .waiting = limit.waiting,
        .idle = destination->idle_count,
        .budget_tokens = wi_budget_tokens(&destination->budget, now) / WI_BUDGET_TOKEN,
        .throttle_permille = (int64_t)(1000 * wi_throttle_probability(&destination->throttle, now)),
        .attempt_ns = wi_patience_ns(&destination->patience, now),
        .p10_ns = times.p10_ns,
        .p50_ns = times.p50_ns,
        .p99_ns = times.p99_ns,
        .connect_ns = wi_latency_quantile(&destination->connects, 50, now),
    };
    wi_unlock(&destination->lock);
}

int weir_client_destination_read(weir_client *client, const char *authority,
                                 struct weir_client_destination *out)
{
    wi_bug_unless(client != NULL);
    wi_bug_unless(authority != NULL);
    wi_bug_unless(out != NULL);
    struct weir_client_destination now;
    wi_lock(&client->lock);
    struct wi_destination *found = find_locked(client, authority);
    if (found != NULL)
        describe(found, &now);
    wi_unlock(&client->lock);
    if (found == NULL)
        return WEIR_ENOENT;
    wi_sized_give(out, &now, sizeof(now));
    return 0;
}
