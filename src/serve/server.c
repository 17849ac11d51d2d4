/* SPDX-License-Identifier: MIT */
/* The server's life: options, routes, listeners, start, numbers, end.  server.h is the map.
 *
 * Threads: routes and start belong to one thread before the server serves. */
#include "serve/server.h"

#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/intern.h"
#include "base/sized.h"
#include "loop/stable.h"
#include "net/transport.h"
#include "serve/answer.h"
#include "serve/request.h"
#include "sync/parker.h"
#include "task/runtime.h"

enum {
    SERVERS_MAX = 1024,
    ROUTES_FIRST = 32,
    ROUTES_MAX = 4096,
    NODES_PER_ROUTE = 8,
    RUNNING_DEFAULT = 10000,
    RUNNING_THREADS_DEFAULT = 256,
    WAITING_DEFAULT = 1024,
    RATE_DEFAULT = 1024,
    DESCRIPTORS_KEPT = 64, /* for listeners, the poller, the log, and what handlers open */
};

static struct wi_stable servers = WI_STABLE_INIT(struct weir_server, SERVERS_MAX);

/* -- numbers ---------------------------------------------------------------------------------- */

/* Who counts is told apart by the parker, whose record is some hundred bytes long: a worker takes
 * the record that it used last, so a row mostly stays in one core's cache. */
wi_atomic_i64 *wi_server_row(struct weir_server *server)
{
    const uintptr_t own = (uintptr_t)wi_current_parker() / 256;
    return server->counters->rows[own % WI_COUNTER_SHARDS];
}

void wi_count_reply(wi_atomic_i64 *row, int status)
{
    const int class = status / 100;
    if (class >= 2 && class <= 5)
        (void)wi_add_relaxed(&row[WI_COUNT_REPLIED_2XX + (class - 2)], 1);
}

static int64_t sum_of(struct wi_server_counters *counters, enum wi_counter counter)
{
    int64_t sum = 0;
    for (int i = 0; i < WI_COUNTER_SHARDS; i++)
        sum += wi_load_relaxed(&counters->rows[i][counter]);
    return sum;
}

void wi_server_counters_read(struct wi_server_counters *counters, struct weir_server_stats *out)
{
    struct weir_server_stats all = {
        .accepted = sum_of(counters, WI_COUNT_ACCEPTED),
        .connections = wi_load_relaxed(&counters->connections),
        .requests = sum_of(counters, WI_COUNT_REQUESTS),
        .running = wi_load_relaxed(&counters->running),
        .waiting = wi_load_relaxed(&counters->waiting),
        .replied_2xx = sum_of(counters, WI_COUNT_REPLIED_2XX),
        .replied_3xx = sum_of(counters, WI_COUNT_REPLIED_3XX),
        .replied_4xx = sum_of(counters, WI_COUNT_REPLIED_4XX),
        .replied_5xx = sum_of(counters, WI_COUNT_REPLIED_5XX),
        .shed_running = sum_of(counters, WI_COUNT_SHED_RUNNING),
        .shed_waiting = sum_of(counters, WI_COUNT_SHED_WAITING),
        .shed_age = sum_of(counters, WI_COUNT_SHED_AGE),
        .shed_late = sum_of(counters, WI_COUNT_SHED_LATE),
        .shed_draining = sum_of(counters, WI_COUNT_SHED_DRAINING),
        .shed_work = sum_of(counters, WI_COUNT_SHED_WORK),
        .shed_work_batch = sum_of(counters, WI_COUNT_SHED_WORK_BATCH),
        .shed_slots = sum_of(counters, WI_COUNT_SHED_SLOTS),
        .shed_slots_batch = sum_of(counters, WI_COUNT_SHED_SLOTS_BATCH),
        .bad_requests = sum_of(counters, WI_COUNT_BAD_REQUESTS),
        .timed_out_heads = sum_of(counters, WI_COUNT_TIMED_OUT_HEADS),
        .timed_out_bodies = sum_of(counters, WI_COUNT_TIMED_OUT_BODIES),
        .client_gone = sum_of(counters, WI_COUNT_CLIENT_GONE),
        .late = sum_of(counters, WI_COUNT_LATE),
        .handler_errors = sum_of(counters, WI_COUNT_HANDLER_ERRORS),
        .accept_failures = sum_of(counters, WI_COUNT_ACCEPT_FAILURES),
        .bytes_in = sum_of(counters, WI_COUNT_BYTES_IN),
        .bytes_out = sum_of(counters, WI_COUNT_BYTES_OUT),
    };
    if (weir_now() - wi_load_relaxed(&counters->ticked_at) < WEIR_NS_PER_S) {
        all.load_milli = wi_load_relaxed(&counters->load_milli);
        all.brake_milli = wi_load_relaxed(&counters->brake_milli);
        all.backlog_ns = wi_load_relaxed(&counters->backlog_ns);
        all.depth_ns = wi_load_relaxed(&counters->depth_ns);
        all.depth_batch_ns = wi_load_relaxed(&counters->depth_batch_ns);
        all.cost_ns = wi_load_relaxed(&counters->cost_ns);
        all.capacity_milli = wi_load_relaxed(&counters->capacity_milli);
        all.slots_load_milli = wi_load_relaxed(&counters->slots_load_milli);
        all.slots_backlog_ns = wi_load_relaxed(&counters->slots_backlog_ns);
    }
    const int64_t idle = all.connections - all.running - all.waiting;
    all.idle_connections = idle > 0 ? idle : 0;
    wi_sized_give(out, &all, sizeof(all));
}

void weir_server_stats_read(weir_server *server, struct weir_server_stats *out)
{
    wi_bug_unless(server != NULL);
    wi_bug_unless(out != NULL);
    wi_server_counters_read(server->counters, out);
}

/* -- options ---------------------------------------------------------------------------------- */

/* 0 is the default, a negative number `none`. */
static void fill(int64_t *value, int64_t fallback, int64_t none)
{
    if (*value == 0)
        *value = fallback;
    else if (*value < 0)
        *value = none;
}

static int64_t connections_default(void)
{
    const int64_t all = wi_transport_descriptors();
    /* Where there are few, half are for connections; the process itself needs about ten, and the
     * admin endpoint must find one when all connections are taken. */
    const int64_t kept = all / 2 < DESCRIPTORS_KEPT ? all / 2 : DESCRIPTORS_KEPT;
    if (all - kept < 1)
        return 1;
    return all - kept < WI_SERVER_CONNECTIONS_MAX ? all - kept : WI_SERVER_CONNECTIONS_MAX;
}

static void fill_opts(struct weir_server_opts *opts)
{
    const bool threads = weir_scheduler_kind() == WEIR_SCHEDULER_THREADS;
    fill(&opts->running_max, threads ? RUNNING_THREADS_DEFAULT : RUNNING_DEFAULT, INT64_MAX);
    fill(&opts->waiting_max, WAITING_DEFAULT, 0);
    fill(&opts->waiting_age_max_ns, WEIR_NS_PER_S, -1);
    fill(&opts->connections_max, connections_default(), WI_SERVER_CONNECTIONS_MAX);
    fill(&opts->requests_per_connection_max, INT64_MAX, INT64_MAX);
    fill(&opts->head_bytes_max, 16 * 1024, WI_HTTP_HEAD_BYTES_MAX);
    fill(&opts->fields_max, WI_HTTP_FIELDS_MAX, WI_HTTP_FIELDS_MAX);
    fill(&opts->body_bytes_max, INT64_MAX, INT64_MAX);
    fill(&opts->head_ns_max, 5 * WEIR_NS_PER_S, -1);
    fill(&opts->body_rate_min, RATE_DEFAULT, 0);
    fill(&opts->send_rate_min, RATE_DEFAULT, 0);
    fill(&opts->idle_ns_max, 60 * WEIR_NS_PER_S, -1);
    fill(&opts->request_ns_max, 30 * WEIR_NS_PER_S, -1);
    fill(&opts->retry_after_s, 1, 1);
    if (opts->connections_max > WI_SERVER_CONNECTIONS_MAX)
        opts->connections_max = WI_SERVER_CONNECTIONS_MAX;
    if (opts->backlog == 0)
        opts->backlog = WI_TRANSPORT_BACKLOG;
}

/* A bound that nobody has set is one on memory, and no capacity; but threads are. */
static int64_t slots_of(const struct weir_server_opts *wanted)
{
    if (wanted->running_max > 0)
        return wanted->running_max;
    const bool threads = weir_scheduler_kind() == WEIR_SCHEDULER_THREADS;
    return threads && wanted->running_max == 0 ? RUNNING_THREADS_DEFAULT : 0;
}

static void fill_limits(struct weir_server *server)
{
    const struct weir_server_opts *opts = &server->opts;
    const int64_t most = WI_HTTP_HEAD_BYTES_MAX;
    const int64_t head = opts->head_bytes_max < most ? opts->head_bytes_max : most;
    server->limits = (struct wi_http_limits){
        .head_bytes_max = (uint32_t)head,
        .fields_max =
            opts->fields_max < WI_HTTP_FIELDS_MAX ? (uint32_t)opts->fields_max : WI_HTTP_FIELDS_MAX,
        .body_bytes_max = INT64_MAX, /* the routes' bounds decide, see edge.c and request.c */
    };
    wi_http_limits_fill(&server->limits);
    server->edge_bytes = WI_EDGE_BYTES;
    if (server->limits.head_bytes_max > server->edge_bytes)
        server->edge_bytes = server->limits.head_bytes_max;
}

/* -- life ------------------------------------------------------------------------------------- */

int wi_server_create(weir_server **out, const struct weir_server_opts *opts,
                     const struct wi_server_extra *extra)
{
    wi_bug_unless(out != NULL);
    int rc = wi_runtime_check();
    if (rc != 0)
        return rc;
    struct weir_server_opts wanted;
    rc = wi_sized_take(&wanted, sizeof(wanted), opts);
    if (rc != 0)
        return rc;
    if (wanted.backlog < 0)
        return WEIR_EINVAL;
    weir_scope *scope = NULL;
    rc = wi_scope_create(&scope);
    if (rc != 0)
        return rc;
    void *record = NULL;
    rc = wi_stable_take(&servers, &record);
    if (rc != 0) {
        wi_scope_destroy(scope);
        return rc;
    }
    struct weir_server *server = record;
    memset(server, 0, sizeof(*server));
    server->opts = wanted;
    server->slots = slots_of(&wanted);
    server->one_thread = weir_scheduler_kind() == WEIR_SCHEDULER_LOOP;
    if (extra != NULL)
        server->extra = *extra;
    server->scope = scope;
    server->counters =
        server->extra.counters != NULL ? server->extra.counters : &server->own_counters;
    fill_opts(&server->opts);
    fill_limits(server);
    rc = wi_canned_make(&server->overloaded, 503, WI_ANSWER_TYPE, WI_ANSWER_OVERLOADED,
                        sizeof(WI_ANSWER_OVERLOADED) - 1);
    wi_bug_unless_cmp(rc, ==, 0);
    wi_list_init(&server->routes);
    wi_list_init(&server->waiting);
    wi_sweep_init(server);
    rc = wi_charge_open(server);
    if (rc != 0) {
        wi_scope_destroy(scope);
        wi_stable_give(&servers, server);
        return rc;
    }
    *out = server;
    return 0;
}

int weir_server_create(weir_server **out, const struct weir_server_opts *opts)
{
    return wi_server_create(out, opts, NULL);
}

static void free_routes(struct weir_server *server)
{
    struct wi_list *node;
    while ((node = wi_list_pop_front(&server->routes)) != NULL) {
        struct wi_route *route = wi_container_of(node, struct wi_route, node);
        wi_free(route->answer);
        wi_free(route);
    }
    wi_free(server->router.routes);
    wi_free(server->router.nodes);
    server->router = (struct wi_http_router){ 0 };
}

static int sleep_a_moment(void *arg)
{
    (void)arg;
    return weir_sleep(weir_in_ms(1));
}

void weir_server_destroy(weir_server *server)
{
    wi_bug_unless(server != NULL);
    const enum wi_server_phase phase = wi_server_phase(server);
    wi_bug_unless(phase == WI_SERVER_NEW || phase == WI_SERVER_CLOSING);
    for (int i = 0; i < server->listener_count; i++)
        wi_acceptor_destroy(server->listeners[i]);
    server->listener_count = 0;
    /* A handler that heeds no cancellation still has the server's memory in its hands. */
    while (wi_scope_drain(server->scope, WEIR_NO_DEADLINE) != 0)
        ;
    while (!wi_sweep_over(server)) {
        if (weir_task_id() == 0)
            (void)!sleep_a_moment(NULL);
        else
            (void)weir_shield(sleep_a_moment, NULL, WEIR_NO_DEADLINE);
    }
    wi_scope_destroy(server->scope);
    wi_charge_close(server);
    free_routes(server);
    wi_stable_give(&servers, server);
}

/* -- routes ----------------------------------------------------------------------------------- */

static int add_to(struct wi_http_router *router, struct wi_route *route)
{
    return wi_http_router_add(router, route->method, route->pattern, route);
}

static int make_router(struct wi_http_router *out, size_t routes)
{
    struct wi_http_route *route_array = wi_alloc_zeroed(routes, sizeof(*route_array));
    struct wi_http_route_node *node_array =
        wi_alloc_zeroed(routes * NODES_PER_ROUTE, sizeof(*node_array));
    if (route_array == NULL || node_array == NULL) {
        wi_free(route_array);
        wi_free(node_array);
        return WEIR_ENOMEM;
    }
    wi_http_router_init(out, route_array, (uint16_t)routes, node_array,
                        (uint16_t)(routes * NODES_PER_ROUTE));
    return 0;
}

/* Twice the room; the routes move over. */
static int grow_router(struct weir_server *server)
{
    const size_t had = server->router.route_cap;
    if (had * 2 > ROUTES_MAX)
        return WEIR_EOVERFLOW;
    struct wi_http_router grown = { 0 };
    int rc = make_router(&grown, had == 0 ? ROUTES_FIRST : had * 2);
    if (rc != 0)
        return rc;
    for (struct wi_list *at = server->routes.next; at != &server->routes; at = at->next) {
        rc = add_to(&grown, wi_container_of(at, struct wi_route, node));
        wi_bug_unless_cmp(rc, ==, 0);
    }
    wi_free(server->router.routes);
    wi_free(server->router.nodes);
    server->router = grown;
    return 0;
}

static void fill_route(const struct weir_server *server, struct wi_route *route)
{
    fill(&route->opts.deadline_ns, server->opts.request_ns_max, -1);
    fill(&route->opts.body_bytes_max, server->opts.body_bytes_max, INT64_MAX);
    if (server->opts.ignore_client_abort)
        route->opts.ignore_client_abort = true;
    if (route->opts.blocking)
        route->spawn_flags |= WI_SPAWN_BLOCKING;
    if (route->opts.pinned)
        route->spawn_flags |= WI_SPAWN_PINNED;
}

/* The method as a static text; NULL if the router knows none such. */
static const char *known_method(const char *method)
{
    if (method == NULL || strcmp(method, "*") == 0)
        return "*";
    return wi_http_method_name(wi_http_method_of(method, strlen(method)));
}

static int add_growing(struct weir_server *server, struct wi_route *route)
{
    int rc = server->router.route_cap == 0 ? WEIR_EOVERFLOW : add_to(&server->router, route);
    while (rc == WEIR_EOVERFLOW) {
        rc = grow_router(server);
        if (rc == 0)
            rc = add_to(&server->router, route);
        else
            break;
    }
    return rc;
}

int wi_server_add_route(weir_server *server, const char *pattern, const struct wi_route *wanted)
{
    if (wi_server_phase(server) != WI_SERVER_NEW)
        return WEIR_EALREADY;
    int rc = WEIR_ENOMEM;
    struct wi_route *route = wi_alloc(sizeof(*route));
    if (route == NULL)
        return rc;
    *route = *wanted;
    route->pattern = wi_intern(pattern);
    if (route->pattern == NULL)
        goto undo_route;
    fill_route(server, route);
    rc = add_growing(server, route);
    if (rc != 0)
        goto undo_route;
    route->class = wi_charge_class_of(route->opts.admission);
    route->index = server->route_count++;
    wi_list_push_back(&server->routes, &route->node);
    return 0;

undo_route:
    wi_free(route);
    return rc;
}

int weir_server_route(weir_server *server, const char *method, const char *pattern,
                      weir_handler *handler, void *user, const struct weir_route_opts *opts)
{
    wi_bug_unless(server != NULL);
    wi_bug_unless(pattern != NULL);
    wi_bug_unless(handler != NULL);
    struct wi_route route = { .method = known_method(method), .handler = handler, .user = user };
    if (wi_server_phase(server) != WI_SERVER_NEW)
        return WEIR_EALREADY;
    if (route.method == NULL)
        return WEIR_EINVAL;
    const int rc = wi_sized_take(&route.opts, sizeof(route.opts), opts);
    if (rc != 0)
        return rc;
    if ((unsigned)route.opts.admission > WEIR_ADMIT_ALWAYS)
        return WEIR_EINVAL;
    return wi_server_add_route(server, pattern, &route);
}

bool wi_server_has_route(struct weir_server *server, const char *method, const char *path)
{
    struct wi_http_match match;
    return server->router.route_cap > 0 &&
           wi_http_router_match(&server->router, wi_http_method_of(method, strlen(method)), path,
                                strlen(path), &match) == 200;
}

/* -- listeners -------------------------------------------------------------------------------- */

/* Takes the descriptor if it succeeds. */
static int add_listener(weir_server *server, int fd)
{
    struct wi_acceptor *acceptor = NULL;
    int rc = wi_acceptor_create(&acceptor, server, fd);
    if (rc != 0)
        return rc;
    wi_lock(&server->listeners_lock);
    const bool room = server->listener_count < WI_SERVER_LISTENERS_MAX;
    if (room)
        server->listeners[server->listener_count++] = acceptor;
    wi_unlock(&server->listeners_lock);
    if (!room) {
        (void)wi_acceptor_release(acceptor);
        return WEIR_EOVERFLOW;
    }
    if (wi_server_phase(server) != WI_SERVER_SERVING)
        return 0;
    rc = wi_acceptor_start(acceptor);
    if (rc == 0)
        return 0;
    wi_lock(&server->listeners_lock);
    server->listener_count--;
    wi_unlock(&server->listeners_lock);
    (void)wi_acceptor_release(acceptor);
    return rc;
}

int weir_server_listen(weir_server *server, const char *address)
{
    wi_bug_unless(server != NULL);
    wi_bug_unless(address != NULL);
    if (wi_server_phase(server) > WI_SERVER_SERVING)
        return WEIR_ECLOSED;
    const int fd = wi_transport_listen(address, server->opts.backlog);
    if (fd < 0)
        return fd;
    const int rc = add_listener(server, fd);
    if (rc != 0) {
        wi_transport_unlink(fd);
        wi_transport_close(fd);
    }
    return rc;
}

int weir_server_adopt(weir_server *server, int listening_fd)
{
    wi_bug_unless(server != NULL);
    if (wi_server_phase(server) > WI_SERVER_SERVING)
        return WEIR_ECLOSED;
    const int rc = wi_transport_adopt(listening_fd);
    return rc != 0 ? rc : add_listener(server, listening_fd);
}

int weir_server_address(weir_server *server, int index, char *text, size_t bytes)
{
    wi_bug_unless(server != NULL);
    wi_bug_unless(text != NULL);
    wi_lock(&server->listeners_lock);
    struct wi_acceptor *acceptor = NULL;
    if (index >= 0 && index < server->listener_count)
        acceptor = server->listeners[index];
    wi_unlock(&server->listeners_lock);
    if (acceptor == NULL)
        return WEIR_ENOENT;
    return wi_transport_local(wi_acceptor_fd(acceptor), text, bytes);
}

static int start_acceptors(struct weir_server *server)
{
    int rc = wi_charge_start(server);
    if (rc == 0 && server->router.route_cap == 0)
        rc = grow_router(server);
    for (int i = 0; rc == 0 && i < server->listener_count; i++)
        rc = wi_acceptor_start(server->listeners[i]);
    return rc;
}

int weir_server_start(weir_server *server)
{
    wi_bug_unless(server != NULL);
    uint32_t fresh = WI_SERVER_NEW;
    if (!wi_cas_acq_rel(&server->phase, &fresh, WI_SERVER_SERVING))
        return WEIR_EALREADY;
    const int rc = start_acceptors(server);
    /* Nothing stays half started: what accepts already is ended; the server can be destroyed. */
    if (rc != 0)
        (void)!weir_server_drain(server, WEIR_DONT_WAIT);
    return rc;
}
