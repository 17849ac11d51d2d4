/* SPDX-License-Identifier: MIT */
/* The server's side of the gate; see charge.h. */
#include "serve/charge.h"

#include "base/alloc.h"
#include "base/check.h"
#include "serve/request.h"
#include "weir/runtime.h"

enum {
    SHARE_TICKS = 100 /* between two looks at what the processes share: half a second of work */
};

/* -- life ------------------------------------------------------------------------------------- */

static int capacity(void)
{
    if (weir_scheduler_kind() == WEIR_SCHEDULER_THREADS)
        return weir_cores();
    struct weir_runtime_stats stats = { .size = sizeof(stats) };
    weir_runtime_stats_read(&stats);
    return (int)stats.workers;
}

int wi_charge_open(weir_server *server)
{
    struct wi_charge *charge = &server->charge;
    *charge = (struct wi_charge){ .costs = server->extra.costs };
    wi_store_relaxed(&charge->patience_ns, INT64_MAX);
    if (server->opts.admission_off)
        return 0;
    charge->gate = wi_alloc(sizeof(*charge->gate));
    if (charge->gate == NULL)
        return WEIR_ENOMEM;
    const struct wi_gate_opts opts = { .workers = capacity(), .slots = server->slots };
    wi_gate_init(charge->gate, &opts, weir_now());
    wi_store_relaxed(&charge->patience_ns, wi_gate_patience(charge->gate));
    return 0;
}

void wi_charge_close(weir_server *server)
{
    wi_free(server->charge.gate);
    server->charge.gate = NULL;
}

void wi_charge_start(weir_server *server)
{
    const struct wi_charge *charge = &server->charge;
    if (charge->gate == NULL || charge->costs == NULL)
        return;
    for (uint32_t route = 0; route < WI_GATE_ROUTES; route++) {
        const int64_t work_ns = wi_load_relaxed(&charge->costs->work_ns[route]);
        const int64_t held_ns = wi_load_relaxed(&charge->costs->held_ns[route]);
        if (work_ns > 0)
            wi_gate_route_learn(charge->gate, route, work_ns, held_ns);
    }
}

/* -- ticks ------------------------------------------------------------------------------------ */

static void share_costs(const struct wi_charge *charge)
{
    for (uint32_t route = 0; route < WI_GATE_ROUTES; route++) {
        const int64_t work_ns = wi_gate_route_cost(charge->gate, route);
        if (work_ns == 0)
            continue;
        wi_store_relaxed(&charge->costs->work_ns[route], work_ns);
        wi_store_relaxed(&charge->costs->held_ns[route], wi_gate_route_held(charge->gate, route));
    }
}

/* For who was told that it is due. */
__attribute__((noinline)) static void tick(weir_server *server, weir_time now)
{
    struct wi_charge *charge = &server->charge;
    struct wi_gate *gate = charge->gate;
    const int64_t rest_ns = wi_meter_rest(&charge->rest, now);
    const bool share = ++charge->ticks % SHARE_TICKS == 0 && charge->costs != NULL;
    wi_gate_tick(gate, now, rest_ns); /* the turn is over */
    wi_store_relaxed(&charge->patience_ns, wi_gate_patience(gate));
    if (share)
        share_costs(charge);
}

/* -- requests --------------------------------------------------------------------------------- */

enum wi_gate_verdict wi_charge_ask(weir_server *server, const struct wi_gate_ask *ask,
                                   struct wi_gate_ticket *ticket)
{
    struct wi_gate *gate = server->charge.gate;
    if (gate == NULL)
        return WI_GATE_ADMIT;
    if (wi_unlikely(wi_gate_due(gate, ask->now)))
        tick(server, ask->now);
    return wi_gate_ask(gate, ask, ticket);
}

void wi_charge_drop(weir_server *server, const struct wi_gate_ticket *ticket)
{
    if (server->charge.gate != NULL)
        wi_gate_dropped(server->charge.gate, ticket);
}

void wi_charge_begin(struct weir_request *request, weir_time now)
{
    struct wi_gate *gate = request->server->charge.gate;
    if (gate != NULL)
        wi_gate_started(gate, &request->ticket, now - request->ready);
}

void wi_charge_end(struct weir_request *request)
{
    struct weir_server *server = request->server;
    struct wi_gate *gate = server->charge.gate;
    if (gate == NULL)
        return;
    weir_time now;
    const int64_t work_ns = wi_meter_lap(&now);
    wi_gate_ended(gate, &request->ticket, work_ns, now - request->ready);
    if (wi_unlikely(wi_gate_due(gate, now)))
        tick(server, now);
}
