/* SPDX-License-Identifier: MIT */
/* The server's side of the gate; see charge.h. */
#include "serve/charge.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/rng.h"
#include "http/urgency.h"
#include "serve/request.h"
#include "task/runtime.h"
#include "weir/runtime.h"

enum {
    URGENCY_RAISES = 2, /* up to this, where clients are trusted; from the other on, always */
    URGENCY_LOWERS = 5,
    SHARE_TICKS = 100 /* between two looks at what the processes share: half a second of work */
};

/* A hundred years. */
#define PATIENCE_MAX_NS (INT64_C(100) * 365 * 86400 * WEIR_NS_PER_S)

/* -- life ------------------------------------------------------------------------------------- */

static int capacity(void)
{
    if (weir_scheduler_kind() == WEIR_SCHEDULER_THREADS)
        return weir_cores();
    struct weir_runtime_stats stats = { .size = sizeof(stats) };
    weir_runtime_stats_read(&stats);
    return (int)stats.workers;
}

/* The gate's, or the server's own if that is shorter. */
static void set_patience(weir_server *server, int64_t gate_ns)
{
    struct wi_charge *charge = &server->charge;
    const int64_t own_ns = server->opts.waiting_age_max_ns;
    const int64_t ns = own_ns >= 0 && own_ns < gate_ns ? own_ns : gate_ns;
    wi_store_relaxed(&charge->patience_ns, ns);
    const int64_t thread_ns = charge->threads != NULL ? wi_places_patience(charge->threads) : ns;
    wi_store_relaxed(&charge->thread_patience_ns, thread_ns < ns ? thread_ns : ns);
}

int wi_charge_open(weir_server *server)
{
    struct wi_charge *charge = &server->charge;
    *charge = (struct wi_charge){ .costs = server->extra.costs };
    set_patience(server, PATIENCE_MAX_NS);
    if (server->opts.admission_off)
        return 0;
    charge->gate = wi_alloc(sizeof(*charge->gate));
    if (charge->gate == NULL)
        return WEIR_ENOMEM;
    const struct wi_gate_opts opts = { .workers = capacity(),
                                       .slots = server->slots,
                                       .shared = weir_scheduler_kind() == WEIR_SCHEDULER_THREADS };
    wi_gate_init(charge->gate, &opts, weir_now());
    set_patience(server, wi_gate_patience(charge->gate));
    return 0;
}

void wi_charge_close(weir_server *server)
{
    wi_free(server->charge.gate);
    wi_free(server->charge.threads);
    server->charge.gate = NULL;
    server->charge.threads = NULL;
}

/* Whether requests may have to wait for a thread of the pool though they may run.  Under `threads`
 * all have one, and `slots` bounds them. */
static bool may_lack_threads(weir_server *server)
{
    if (weir_scheduler_kind() == WEIR_SCHEDULER_THREADS ||
        (server->slots > 0 && server->slots <= wi_runtime_threads_max()))
        return false;
    bool any = false;
    for (struct wi_list *node = server->routes.next; node != &server->routes; node = node->next)
        any = any || wi_container_of(node, struct wi_route, node)->spawn_flags != 0;
    return any;
}

/* For readers who do not have the routes: the primary. */
static void tell_names(const struct weir_server *server, struct wi_charge_costs *costs)
{
    uint32_t nobody = 0;
    if (!wi_cas_acq_rel(&costs->named, &nobody, 1))
        return;
    for (struct wi_list *node = server->routes.next; node != &server->routes; node = node->next) {
        const struct wi_route *route = wi_container_of(node, struct wi_route, node);
        if (route->index >= WI_CHARGE_NAMES)
            break;
        char *name = costs->names[route->index];
        const int length = snprintf(name, WI_CHARGE_NAME_BYTES, "%s %s",
                                    route->method != NULL ? route->method : "*", route->pattern);
        if (length >= WI_CHARGE_NAME_BYTES)
            name[0] = '\0';
    }
    wi_store_release(&costs->named, 2);
}

int wi_charge_start(weir_server *server)
{
    struct wi_charge *charge = &server->charge;
    if (charge->gate == NULL)
        return 0;
    if (may_lack_threads(server)) {
        charge->threads = wi_alloc(sizeof(*charge->threads));
        if (charge->threads == NULL)
            return WEIR_ENOMEM;
        wi_places_init(charge->threads, wi_runtime_threads_max(), weir_now());
    }
    if (charge->costs == NULL)
        return 0;
    tell_names(server, charge->costs);
    for (uint32_t route = 0; route < WI_GATE_ROUTES; route++) {
        const int64_t work_ns = wi_load_acquire(&charge->costs->work_ns[route]);
        const int64_t held_ns = wi_load_relaxed(&charge->costs->held_ns[route]);
        if (work_ns > 0)
            wi_gate_route_learn(charge->gate, route, work_ns, held_ns);
        if (held_ns > 0 && charge->threads != NULL)
            wi_places_learn(charge->threads, route, held_ns);
    }
    return 0;
}

/* -- ticks ------------------------------------------------------------------------------------ */

static void share_costs(const struct wi_charge *charge)
{
    for (uint32_t route = 0; route < WI_GATE_ROUTES; route++) {
        const int64_t work_ns = wi_gate_route_cost(charge->gate, route);
        if (work_ns == 0)
            continue;
        int64_t held_ns = wi_gate_route_held(charge->gate, route);
        if (held_ns == 0 && charge->threads != NULL)
            held_ns = wi_places_held(charge->threads, route);
        /* The other way round, who begins meanwhile would learn a held time of 0. */
        wi_store_relaxed(&charge->costs->held_ns[route], held_ns);
        wi_store_release(&charge->costs->work_ns[route], work_ns);
    }
}

/* Of the tighter of the two. */
static void show_slots(weir_server *server, const struct wi_gate_view *view, weir_time now)
{
    const struct wi_places *threads = server->charge.threads;
    struct wi_server_counters *counters = server->counters;
    double load = view->slots_load;
    int64_t backlog_ns = view->slots_backlog_ns;
    if (threads != NULL && wi_places_load(threads) >= load) {
        load = wi_places_load(threads);
        backlog_ns = wi_vqueue_backlog(&threads->queue, now);
    }
    wi_store_relaxed(&counters->slots_load_milli, (int64_t)(load * 1e3));
    wi_store_relaxed(&counters->slots_backlog_ns, backlog_ns);
}

static void show(weir_server *server, weir_time now)
{
    const struct wi_gate *gate = server->charge.gate;
    struct wi_server_counters *counters = server->counters;
    struct wi_gate_view view;
    wi_gate_read(gate, now, &view);
    wi_store_relaxed(&counters->load_milli, (int64_t)(view.load[0] * 1e3));
    wi_store_relaxed(&counters->brake_milli, (int64_t)(view.brake * 1e3));
    wi_store_relaxed(&counters->backlog_ns, view.backlog_ns);
    wi_store_relaxed(&counters->depth_ns, view.depth_ns[WI_RANKS - 1]);
    wi_store_relaxed(&counters->depth_batch_ns, view.depth_ns[1]);
    wi_store_relaxed(&counters->cost_ns, wi_load_relaxed(&gate->unknown));
    wi_store_relaxed(&counters->capacity_milli, (int64_t)(view.capacity * 1e3));
    show_slots(server, &view, now);
    wi_store_relaxed(&counters->ticked_at, now);
}

void wi_charge_tick(struct wi_charge *charge, weir_time now)
{
    weir_server *server = wi_container_of(charge, weir_server, charge);
    struct wi_gate *gate = charge->gate;
    const struct wi_meter_rest before = charge->rest;
    const int64_t rest_ns = wi_meter_rest(&charge->rest, now);
    /* In overload what comes during a stall is too much by itself. */
    if (before.looked != 0 && wi_load_relaxed(&gate->crowded) == 0)
        wi_stall_look(&charge->stall, now, now - before.looked,
                      charge->rest.cpu_ns - before.cpu_ns);
    const bool share = ++charge->ticks % SHARE_TICKS == 0 && charge->costs != NULL;
    if (charge->threads != NULL)
        wi_places_tick(charge->threads, now);
    wi_gate_tick(gate, now, rest_ns); /* the turn is over */
    set_patience(server, wi_gate_patience(gate));
    show(server, now);
    if (share)
        share_costs(charge);
}

/* -- requests --------------------------------------------------------------------------------- */

enum wi_gate_class wi_charge_class_of(enum weir_admission admission)
{
    static const enum wi_gate_class classes[] = { [WEIR_ADMIT_INTERACTIVE] = WI_GATE_INTERACTIVE,
                                                  [WEIR_ADMIT_BATCH] = WI_GATE_BATCH,
                                                  [WEIR_ADMIT_ALWAYS] = WI_GATE_CLASSES };
    return classes[admission];
}

enum wi_gate_class wi_charge_class(const struct wi_route *route, const struct wi_http_head *head,
                                   const char *text)
{
    enum wi_gate_class class = wi_charge_class_of(route->opts.admission);
    if (!head->has_class || class == WI_GATE_CLASSES)
        return class;
    const int urgency = wi_http_urgency(head, text);
    if (urgency <= URGENCY_RAISES && route->opts.trust_priority)
        class = WI_GATE_INTERACTIVE;
    if (urgency >= URGENCY_LOWERS || wi_http_attempt(head, text) > 0)
        class = WI_GATE_BATCH;
    return class;
}

weir_time wi_charge_arrived_in_stall(const struct wi_charge *charge, int fd, weir_time now)
{
    const int64_t age_ns = wi_transport_data_age(fd);
    return wi_stall_arrived(&charge->stall, now, age_ns > 0 ? age_ns : 0);
}

enum wi_gate_verdict wi_charge_ask_thread(weir_server *server, const struct wi_gate_ask *ask,
                                          struct wi_gate_ticket *ticket)
{
    const struct wi_charge *charge = &server->charge;
    if (charge->threads == NULL)
        return WI_GATE_ADMIT;
    ticket->measure = WI_GATE_MEASURE; /* for how long a thread is held is told by the clock */
    if (ask->class == WI_GATE_CLASSES)
        return WI_GATE_ADMIT;
    const enum wi_gate_verdict verdict =
        wi_places_ask(charge->threads, ask, wi_runtime_thread_is_free(), ticket);
    if (verdict != WI_GATE_ADMIT)
        wi_gate_dropped(charge->gate, ticket);
    return verdict;
}

int64_t wi_charge_retry_after_s(weir_server *server)
{
    const int64_t least_s = server->opts.retry_after_s;
    if (server->charge.gate == NULL)
        return least_s;
    uint64_t seed = (uint64_t)wi_add_relaxed(&server->charge.refused, 1);
    const int64_t ns = wi_gate_retry_after(server->charge.gate, wi_rng_split(&seed));
    const int64_t spread_s = (ns - WEIR_NS_PER_S / 2) / WEIR_NS_PER_S - 1; /* to the nearest */
    return least_s + (spread_s > 0 ? spread_s : 0);
}

void wi_charge_drop(weir_server *server, const struct wi_gate_ticket *ticket)
{
    if (server->charge.gate != NULL)
        wi_gate_dropped(server->charge.gate, ticket);
    if (server->charge.threads != NULL)
        wi_places_dropped(server->charge.threads, ticket);
}

static bool has_thread_of_pool(const struct weir_request *request)
{
    return request->route->spawn_flags != 0 && request->server->charge.threads != NULL;
}

void wi_charge_begin(struct weir_request *request, weir_time now)
{
    if (wi_unlikely(has_thread_of_pool(request))) {
        /* Its thread is held from here on; and a wait for that says nothing of the workers. */
        request->ready = now;
        return;
    }
    wi_gate_started(request->server->charge.gate, &request->ticket, now - request->ready);
}

void wi_charge_end(struct weir_request *request)
{
    struct weir_server *server = request->server;
    struct wi_gate *gate = server->charge.gate;
    weir_time now;
    const int64_t work_ns = wi_meter_lap(&now);
    wi_gate_ended(gate, &request->ticket, work_ns, now - request->ready);
    if (wi_unlikely(has_thread_of_pool(request)))
        wi_places_ended(server->charge.threads, &request->ticket, now - request->ready);
    if (wi_unlikely(wi_gate_due(gate, now)))
        wi_charge_tick(&server->charge, now);
}
