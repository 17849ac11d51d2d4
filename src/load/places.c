/* SPDX-License-Identifier: MIT */
/* Places that some requests hold; see the header. */
#include "load/places.h"

#include "base/check.h"

/* For how long a place is taken to be held before anybody has given one back. */
#define UNKNOWN_NS WEIR_NS_PER_MS
#define PATIENCE_MIN_NS (100 * WEIR_NS_PER_MS)
#define PATIENCE_MAX_NS WEIR_NS_PER_S

void wi_places_init(struct wi_places *places, int64_t count, weir_time now)
{
    wi_bug_unless_cmp(count, >=, 1);
    *places = (struct wi_places){ .count = count, .last_tick = now };
    wi_vqueue_init(&places->queue, (double)count, now);
    wi_store_relaxed(&places->patience_ns, PATIENCE_MAX_NS);
    for (int i = 0; i < WI_GATE_ROUTES; i++)
        wi_cost_init(&places->held[i]);
}

enum wi_gate_verdict wi_places_ask(struct wi_places *places, const struct wi_gate_ask *ask,
                                   bool free, struct wi_gate_ticket *ticket)
{
    struct wi_vqueue *queue = &places->queue;
    const int rank = (int)ask->class * 2 + 1; /* who is heavy, the gate has judged */
    const int64_t known = wi_cost_mean(&places->held[ticket->route]);
    const int64_t held = known >= 0 ? known : UNKNOWN_NS;
    wi_vqueue_offer(queue, rank, held);
    const int64_t charge = wi_vqueue_bound(queue, held);
    if (free) {
        wi_vqueue_charge(queue, charge, wi_gate_since(ask));
    } else {
        if (ask->deadline != WEIR_NO_DEADLINE &&
            ask->deadline - ask->now < wi_vqueue_backlog(queue, ask->now))
            return WI_GATE_SHED_LATE;
        if (wi_vqueue_take(queue, rank, charge, ask->now, wi_gate_since(ask)) < 0)
            return WI_GATE_SHED_SLOTS;
    }
    ticket->place_ns = charge;
    return WI_GATE_ADMIT;
}

void wi_places_ended(struct wi_places *places, const struct wi_gate_ticket *ticket, int64_t held_ns)
{
    const int64_t held = wi_cost_learn(&places->held[ticket->route], held_ns);
    wi_vqueue_correct(&places->queue, wi_vqueue_bound(&places->queue, held) - ticket->place_ns);
}

void wi_places_dropped(struct wi_places *places, const struct wi_gate_ticket *ticket)
{
    wi_vqueue_correct(&places->queue, -ticket->place_ns);
}

static int64_t patience_of(const struct wi_vqueue *queue)
{
    if (wi_load_relaxed(&queue->load_m[0]) <= 1000)
        return PATIENCE_MAX_NS;
    const int64_t patience = 4 * wi_load_relaxed(&queue->depth[WI_RANKS - 1]);
    return patience > PATIENCE_MIN_NS ? patience : PATIENCE_MIN_NS;
}

void wi_places_tick(struct wi_places *places, weir_time now)
{
    const double dt_s = (double)(now - places->last_tick) * 1e-9;
    places->last_tick = now;
    if (dt_s > 1e-6 && dt_s < 3600.0)
        wi_vqueue_tick(&places->queue, dt_s, (double)places->count, (double)places->count);
    wi_store_relaxed(&places->patience_ns, patience_of(&places->queue));
}

int64_t wi_places_held(const struct wi_places *places, uint32_t route)
{
    const int64_t known = wi_cost_mean(&places->held[wi_gate_route_index(route)]);
    return known > 0 ? known : 0;
}

void wi_places_learn(struct wi_places *places, uint32_t route, int64_t held_ns)
{
    (void)wi_cost_learn(&places->held[wi_gate_route_index(route)], held_ns);
}

double wi_places_load(const struct wi_places *places)
{
    return (double)wi_load_relaxed(&places->queue.load_m[0]) * 1e-3;
}
