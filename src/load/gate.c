/* SPDX-License-Identifier: MIT */
/* The gate: verdicts on the hot path, the law at ticks; see the header. */
#include "load/gate.h"

#include "base/check.h"
#include "load/depth.h"

/* Of next_tick while somebody ticks. */
#define NEVER INT64_MAX
/* What the clock may be behind a tick before that is a step of the clock. */
#define STEP_NS WEIR_NS_PER_S
/* Of the mean of what requests took lately, the last 32: twice the mean is hardly chance where one
 * in ten takes 25 times what the others do, and seen at once where all take ten times as much. */
#define LATELY_SHIFT 5
/* What a request costs before any has ended. */
#define UNKNOWN_NS (100 * WEIR_NS_PER_US)
/* Whose deadline is so far is not late unless refused for work anyway: his wait is no longer than a
 * depth, and what he takes himself counts for half of what is left; see is_late(). */
#define FAR_NS ((int64_t)(2 * WI_DEPTH_MAX_S * 1e9))
/* Whose route takes more in the mean is always measured: that costs less than a thousandth of it,
 * and one sample in place of many would tell little of a line of 100 ms. */
#define CHEAP_NS (250 * WEIR_NS_PER_US)
/* At the very most, since so much is charged without a look at the bound. */
#define CHEAP_MAX_NS (100 * WEIR_NS_PER_MS)
/* Who finds as much before him is measured. */
#define LINE_NS (5 * WEIR_NS_PER_MS)
/* A sample stands for others by no more than this: a slice that a pause fell into is nobody's. */
#define SAMPLE_MAX_NS (10 * WEIR_NS_PER_MS)
/* Over which overhead is averaged: ten ticks. */
#define OVERHEAD_TAU_S 0.05

void wi_gate_init(struct wi_gate *gate, const struct wi_gate_opts *opts, weir_time now)
{
    wi_bug_unless_cmp(opts->workers, >=, 1);
    wi_bug_unless_cmp(opts->slots, >=, 0);
    *gate = (struct wi_gate){
        .slots = opts->slots,
        .workers = opts->workers,
        .shared = opts->shared,
        .without = opts->without,
        .plain_end = (opts->without & WI_GATE_WITHOUT_CORRECTION) == 0 && opts->slots == 0,
        .cheap_ns = (opts->without & WI_GATE_WITHOUT_DOUBT) != 0 ? CHEAP_MAX_NS : CHEAP_NS,
        .last_tick = now,
    };
    wi_store_relaxed(&gate->next_tick, now + WI_GATE_TICK_NS);
    wi_store_relaxed(&gate->unknown, UNKNOWN_NS);
    wi_store_relaxed(&gate->capacity_m, (int64_t)opts->workers * 1000);
    wi_store_relaxed(&gate->brake_m, 1000);
    wi_vqueue_init(&gate->work, opts->workers, now);
    wi_vqueue_init(&gate->held, opts->slots > 0 ? (double)opts->slots : 1.0, now);
    wi_fair_init(&gate->fair, 3);
    wi_fair_init(&gate->shares, 1);
    wi_store_relaxed(&gate->plain_ask, gate->slots == 0);
    for (int i = 0; i < WI_GATE_ROUTES; i++) {
        wi_cost_init(&gate->routes[i].work);
        wi_cost_init(&gate->routes[i].held);
    }
}

/* What one of a kind is taken to cost. */
static int64_t estimate(const struct wi_gate *gate, const struct wi_cost *cost)
{
    const int64_t mean = wi_cost_mean(cost);
    return wi_likely(mean >= 0) ? mean : wi_load_relaxed(&gate->unknown);
}

/* Whether it would certainly be late: by those before it, and by what it takes itself.  That is
 * believed for half of the time that is left: were it for all, a route that once was slow would
 * never be tried again by those who carry deadlines. */
static bool is_late(const struct wi_gate *gate, const struct wi_gate_ask *ask, int64_t work_ns)
{
    if (ask->deadline <= ask->now)
        return true;
    const int64_t left = ask->deadline - ask->now;
    const int64_t work_wait = wi_vqueue_backlog(&gate->work, ask->now);
    const bool queued = gate->slots > 0 && !ask->room;
    const int64_t held_wait = queued ? wi_vqueue_backlog(&gate->held, ask->now) : 0;
    const int64_t wait = work_wait > held_wait ? work_wait : held_wait;
    return left - (work_ns < left / 2 ? work_ns : left / 2) < wait;
}

/* Whether the route takes more than its share of the work while there is not enough for all.  Then
 * its requests leave room, or cheap ones would find the queue full whenever they come. */
static bool is_greedy(const struct wi_gate *gate, uint32_t route)
{
    return wi_load_relaxed(&gate->crowded) != 0 && wi_fair_is_heavy(&gate->shares, route + 1);
}

WI_INLINE bool take_work(struct wi_gate *gate, const struct wi_gate_ask *ask, int rank,
                         struct wi_gate_ticket *ticket)
{
    const int64_t work = estimate(gate, &gate->routes[ticket->route].work);
    wi_vqueue_offer(&gate->work, rank, work);
    wi_vqueue_offer_dear(&gate->work, work);
    ticket->work_ns = wi_vqueue_bound(&gate->work, work);
    ticket->wait_ns =
        wi_unlikely(is_greedy(gate, ticket->route))
            ? wi_vqueue_take_sparing(&gate->work, rank, ticket->work_ns, ask->now,
                                     wi_gate_since(ask))
            : wi_vqueue_take(&gate->work, rank, ticket->work_ns, ask->now, wi_gate_since(ask));
    if (wi_likely(ticket->wait_ns >= 0))
        return true;
    if (!ask->idle)
        return false;
    wi_vqueue_charge(&gate->work, ticket->work_ns, wi_gate_since(ask));
    ticket->wait_ns = 0;
    return true;
}

static bool take_slot(struct wi_gate *gate, const struct wi_gate_ask *ask, int rank,
                      struct wi_gate_ticket *ticket)
{
    const int64_t held = estimate(gate, &gate->routes[ticket->route].held);
    wi_vqueue_offer(&gate->held, rank, held);
    ticket->held_ns = wi_vqueue_bound(&gate->held, held);
    if (ask->room) {
        wi_vqueue_charge(&gate->held, ticket->held_ns, wi_gate_since(ask));
        return true;
    }
    if (wi_vqueue_take(&gate->held, rank, ticket->held_ns, ask->now, wi_gate_since(ask)) >= 0)
        return true;
    wi_vqueue_correct(&gate->work, -ticket->work_ns);
    return false;
}

/* Of those of the class who do not take more than their share. */
static int upper_rank(enum wi_gate_class class)
{
    return (int)class * 2 + 1;
}

static int rank_of(const struct wi_gate *gate, const struct wi_gate_ask *ask)
{
    const int rank = upper_rank(ask->class);
    if (wi_load_relaxed(&gate->crowded) == 0 || ask->client == 0)
        return rank;
    return wi_fair_is_heavy(&gate->fair, ask->client) ? rank - 1 : rank;
}

/* What an ask comes to by the queues. */
static enum wi_gate_verdict decide(struct wi_gate *gate, const struct wi_gate_ask *ask,
                                   struct wi_gate_ticket *ticket)
{
    const int rank = rank_of(gate, ask);
    if (ask->deadline != WEIR_NO_DEADLINE &&
        is_late(gate, ask, estimate(gate, &gate->routes[ticket->route].work)))
        return WI_GATE_SHED_LATE;
    if (!take_work(gate, ask, rank, ticket))
        return WI_GATE_SHED_WORK;
    if (gate->slots > 0 && !take_slot(gate, ask, rank, ticket))
        return WI_GATE_SHED_SLOTS;
    return WI_GATE_ADMIT;
}

/* The general case, out of the way of the usual one. */
static __attribute__((noinline)) enum wi_gate_verdict ask_fully(struct wi_gate *gate,
                                                                const struct wi_gate_ask *ask,
                                                                struct wi_gate_ticket *ticket)
{
    const enum wi_gate_verdict verdict = decide(gate, ask, ticket);
    if (wi_load_relaxed(&gate->crowded) == 0)
        return verdict;
    if (verdict == WI_GATE_ADMIT)
        wi_fair_admitted(&gate->shares, ticket->route + 1, ticket->work_ns);
    else
        wi_fair_refused(&gate->shares, ticket->route + 1);
    if (ask->client == 0)
        return verdict;
    if (verdict == WI_GATE_ADMIT)
        wi_fair_admitted(&gate->fair, ask->client, ticket->work_ns);
    else
        wi_fair_refused(&gate->fair, ask->client);
    return verdict;
}

/* The same where only the queue of work matters. */
static __attribute__((noinline)) enum wi_gate_verdict ask_for_work(struct wi_gate *gate,
                                                                   const struct wi_gate_ask *ask,
                                                                   struct wi_gate_ticket *ticket)
{
    return take_work(gate, ask, upper_rank(ask->class), ticket) ? WI_GATE_ADMIT : WI_GATE_SHED_WORK;
}

/* One instant in WI_GATE_SAMPLE, also of a clock that tells only every tenth of them. */
WI_INLINE bool is_sample(weir_time now)
{
    return (uint32_t)now * UINT32_C(0x9e3779b1) <= UINT32_MAX / WI_GATE_SAMPLE;
}

enum wi_gate_verdict wi_gate_ask(struct wi_gate *gate, const struct wi_gate_ask *ask,
                                 struct wi_gate_ticket *ticket)
{
    const uint32_t index = wi_gate_route_index(ask->route);
    const weir_time now = ask->now;
    ticket->route = index;
    ticket->measure = WI_GATE_MEASURE;
    if (wi_unlikely(wi_load_relaxed(&gate->plain_ask) == 0 || ask->deadline < now + FAR_NS))
        return ask_fully(gate, ask, ticket);
    const struct wi_cost *cost = &gate->routes[index].work;
    const int64_t work = wi_cost_mean(cost);
    /* Nothing has changed if this fails, so it may be asked anew. */
    if (wi_unlikely(ask->arrived != now) || wi_unlikely(work > gate->cheap_ns) ||
        wi_unlikely(wi_load_relaxed(&cost->samples) != WI_COST_SAMPLES))
        return ask_for_work(gate, ask, ticket);
    const int rank = upper_rank(ask->class);
    const int64_t wait = wi_vqueue_take_at_once(&gate->work, rank, work, now);
    if (wi_unlikely(wait < 0))
        return ask_for_work(gate, ask, ticket);
    wi_vqueue_offer(&gate->work, rank, work);
    wi_vqueue_offer_dear(&gate->work, work);
    ticket->work_ns = work;
    ticket->wait_ns = wait;
    if (wi_likely(wait <= LINE_NS))
        ticket->measure = is_sample(now) ? WI_GATE_MEASURE_SAMPLE : WI_GATE_BELIEVE;
    return WI_GATE_ADMIT;
}

void wi_gate_pass(uint32_t route, struct wi_gate_ticket *ticket)
{
    *ticket =
        (struct wi_gate_ticket){ .route = wi_gate_route_index(route), .measure = WI_GATE_MEASURE };
}

void wi_gate_started(struct wi_gate *gate, const struct wi_gate_ticket *ticket, int64_t waited_ns)
{
    (void)wi_add_relaxed(&gate->starts, wi_tally(waited_ns - ticket->wait_ns));
}

bool wi_gate_is_late_near(const struct wi_gate_ticket *ticket, weir_time now, weir_time arrived,
                          weir_time deadline)
{
    if (deadline <= now)
        return true;
    const int64_t left = deadline - now;
    const int64_t half = arrived < now ? left / 2 + (now - arrived) / 2 : left / 2;
    return left < (ticket->work_ns < half ? ticket->work_ns : half);
}

static int64_t excess(const struct wi_vqueue *queue, int64_t cost_ns, int64_t charged_ns)
{
    return wi_vqueue_bound(queue, cost_ns) - charged_ns;
}

/* What a request that took `ns` is charged in the end.  Where processors are shared the cheap ones
 * of a route end before the dear ones that came with them: were each charged what it took, the
 * queue would give back for the first what it does not know of the others yet, and let more in,
 * which makes the others later still: it swings.  So there each is charged the mean, once that is
 * known and while they do not take much more lately. */
WI_INLINE int64_t final_charge(struct wi_gate *gate, struct wi_gate_route *route, int64_t ns)
{
    if (wi_likely(!gate->shared))
        return ns;
    const int64_t mean = wi_cost_mean(&route->work);
    const int64_t before = wi_load_relaxed(&route->lately);
    const int64_t lately = before + ((ns - before) >> LATELY_SHIFT);
    wi_store_relaxed(&route->lately, lately);
    const int64_t ends = wi_load_relaxed(&route->ends);
    if (wi_unlikely(ends < WI_GATE_ENDS_KNOWN)) {
        wi_store_relaxed(&route->ends, ends + 1);
        return ns;
    }
    return lately > 2 * mean ? ns : mean;
}

/* By what a sample, and those for which it stands, took more than they were charged. */
static int64_t sampled(int64_t excess_ns)
{
    const int64_t all_ns = WI_GATE_SAMPLE * excess_ns;
    const int64_t most_ns = excess_ns > SAMPLE_MAX_NS ? excess_ns : SAMPLE_MAX_NS;
    return all_ns < most_ns ? all_ns : most_ns;
}

/* The general case, out of the way of the usual one. */
static __attribute__((noinline)) void end_fully(struct wi_gate *gate,
                                                const struct wi_gate_ticket *ticket,
                                                int64_t work_ns, int64_t held_ns)
{
    struct wi_gate_route *route = &gate->routes[ticket->route];
    const int64_t work = wi_cost_learn(&route->work, work_ns);
    const int64_t held = gate->slots > 0 ? wi_cost_learn(&route->held, held_ns) : 0;
    if ((gate->without & WI_GATE_WITHOUT_CORRECTION) != 0)
        return;
    const int64_t charge = final_charge(gate, route, work);
    wi_vqueue_correct(&gate->work, excess(&gate->work, charge, ticket->work_ns));
    if (gate->slots > 0)
        wi_vqueue_correct(&gate->held, excess(&gate->held, held, ticket->held_ns));
}

void wi_gate_ended(struct wi_gate *gate, const struct wi_gate_ticket *ticket, int64_t work_ns,
                   int64_t held_ns)
{
    struct wi_cost *cost = &gate->routes[ticket->route].work;
    if (wi_unlikely(!gate->plain_end || wi_load_relaxed(&cost->samples) < WI_COST_SAMPLES)) {
        end_fully(gate, ticket, work_ns, held_ns);
        return;
    }
    const int64_t work = wi_cost_learn_settled(cost, work_ns);
    const int64_t charge = final_charge(gate, &gate->routes[ticket->route], work);
    const int64_t by = excess(&gate->work, charge, ticket->work_ns);
    wi_vqueue_correct(&gate->work, ticket->measure == WI_GATE_MEASURE_SAMPLE ? sampled(by) : by);
}

void wi_gate_dropped(struct wi_gate *gate, const struct wi_gate_ticket *ticket)
{
    wi_vqueue_correct(&gate->work, -ticket->work_ns);
    if (gate->slots > 0)
        wi_vqueue_correct(&gate->held, -ticket->held_ns);
}

bool wi_gate_due_now(struct wi_gate *gate, weir_time now)
{
    int64_t next = wi_load_relaxed(&gate->next_tick);
    /* Not due; unless the clock stepped back.  Who was off his processor since he read the clock is
     * no such step: a tick for him would count the same time twice. */
    if (now < next && next - now <= STEP_NS)
        return false;
    return next != NEVER && wi_cas_acq_rel(&gate->next_tick, &next, NEVER);
}

/* Of the tighter queue: the load of all, in thousandths. */
static int64_t load_m(const struct wi_gate *gate)
{
    const int64_t work = wi_load_relaxed(&gate->work.load_m[0]);
    const int64_t held = wi_load_relaxed(&gate->held.load_m[0]);
    return work > held ? work : held;
}

/* Workers that requests get. */
static double capacity(struct wi_gate *gate, double dt_s, int64_t overhead_ns)
{
    const double weight = dt_s / (OVERHEAD_TAU_S + dt_s);
    /* Less than nothing in one tick where more in another: what is believed is known at the end. */
    const int64_t believed_ns = wi_swap_acq_rel(&gate->believed, 0);
    const double overhead = (double)(wi_cost_bound(overhead_ns) - believed_ns) * 1e-9 / dt_s;
    gate->overhead += weight * (overhead - gate->overhead);
    const double workers = (double)gate->workers;
    const double left = gate->overhead > 0.0 ? workers - gate->overhead : workers;
    return left > workers / 2 ? left : workers / 2;
}

static double brake(struct wi_gate *gate, double dt_s)
{
    const struct wi_brake_sample sample = {
        .dt_s = dt_s,
        .starts = wi_swap_acq_rel(&gate->starts, 0),
        .depth_s = (double)wi_load_relaxed(&gate->work.depth[0]) * 1e-9,
    };
    const double by = wi_brake_tick(&gate->brake, &sample);
    /* Where slots are tighter requests wait for them, and that queue is measured by itself. */
    const bool slots_decide = gate->slots > 0 && wi_load_relaxed(&gate->held.load_m[0]) >=
                                                     wi_load_relaxed(&gate->work.load_m[0]);
    return slots_decide || (gate->without & WI_GATE_WITHOUT_BRAKE) != 0 ? 1.0 : by;
}

void wi_gate_tick(struct wi_gate *gate, weir_time now, int64_t overhead_ns)
{
    const double dt_s = (double)(now - gate->last_tick) * 1e-9;
    if (dt_s > 0.0 || dt_s * 1e9 < -(double)STEP_NS)
        gate->last_tick = now;
    if (dt_s > 1e-6 && dt_s < 3600.0) {
        const double workers = capacity(gate, dt_s, overhead_ns);
        const double by = brake(gate, dt_s);
        wi_vqueue_tick(&gate->work, dt_s, workers * by, workers * by);
        if (gate->slots > 0)
            wi_vqueue_tick(&gate->held, dt_s, (double)gate->slots, (double)gate->slots);
        const bool crowded = load_m(gate) > 1000;
        /* Also until the last overload is forgotten, or the next would begin with its verdicts. */
        const bool were_crowded = wi_load_relaxed(&gate->crowded) != 0;
        if (crowded || were_crowded || wi_fair_remembers(&gate->fair))
            wi_fair_tick(&gate->fair, dt_s);
        if (crowded || were_crowded || wi_fair_remembers(&gate->shares))
            wi_fair_tick(&gate->shares, dt_s);
        wi_store_relaxed(&gate->crowded, crowded);
        wi_store_relaxed(&gate->plain_ask, !crowded && by == 1.0 && gate->slots == 0);
        const double cost_s = wi_vqueue_cost_s(&gate->work);
        if (cost_s > 0.0)
            wi_store_relaxed(&gate->unknown, (int64_t)(cost_s * 1e9));
        wi_store_relaxed(&gate->capacity_m, (int64_t)(workers * 1e3));
        wi_store_relaxed(&gate->brake_m, (int64_t)(by * 1e3));
        wi_store_relaxed(&gate->excess, (int64_t)(gate->brake.excess_s * 1e9));
    }
    wi_store_release(&gate->next_tick, now + WI_GATE_TICK_NS);
}

int64_t wi_gate_patience(const struct wi_gate *gate)
{
    if (load_m(gate) <= 1000)
        return WEIR_NS_PER_S;
    const int64_t work = wi_load_relaxed(&gate->work.depth[WI_RANKS - 1]);
    const int64_t held = gate->slots > 0 ? wi_load_relaxed(&gate->held.depth[WI_RANKS - 1]) : 0;
    const int64_t patience = 4 * (work > held ? work : held);
    return patience > 100 * WEIR_NS_PER_MS ? patience : 100 * WEIR_NS_PER_MS;
}

int64_t wi_gate_retry_after(const struct wi_gate *gate, uint64_t random)
{
    int64_t spread_ms = 2 * (load_m(gate) - 1000);
    spread_ms = spread_ms < 0 ? 0 : spread_ms > 8000 ? 8000 : spread_ms;
    const uint64_t jitter_ms = ((random >> 32) * (uint64_t)(spread_ms + 1)) >> 32;
    return WEIR_NS_PER_S + (int64_t)jitter_ms * WEIR_NS_PER_MS;
}

int64_t wi_gate_route_cost(const struct wi_gate *gate, uint32_t route)
{
    const int64_t known = wi_cost_mean(&gate->routes[wi_gate_route_index(route)].work);
    return known > 0 ? known : 0;
}

int64_t wi_gate_route_held(const struct wi_gate *gate, uint32_t route)
{
    const int64_t known = wi_cost_mean(&gate->routes[wi_gate_route_index(route)].held);
    return known > 0 ? known : 0;
}

void wi_gate_route_learn(struct wi_gate *gate, uint32_t route, int64_t work_ns, int64_t held_ns)
{
    struct wi_gate_route *learner = &gate->routes[wi_gate_route_index(route)];
    (void)wi_cost_learn(&learner->work, work_ns);
    (void)wi_cost_learn(&learner->held, held_ns);
}

void wi_gate_read(const struct wi_gate *gate, weir_time now, struct wi_gate_view *out)
{
    *out = (struct wi_gate_view){ 0 };
    for (int rank = 0; rank < WI_RANKS; rank++) {
        out->load[rank] = (double)wi_load_relaxed(&gate->work.load_m[rank]) * 1e-3;
        out->depth_ns[rank] = wi_load_relaxed(&gate->work.depth[rank]);
    }
    out->backlog_ns = wi_vqueue_backlog(&gate->work, now);
    out->capacity = (double)wi_load_relaxed(&gate->capacity_m) * 1e-3;
    out->brake = (double)wi_load_relaxed(&gate->brake_m) * 1e-3;
    out->excess_ns = wi_load_relaxed(&gate->excess);
    if (gate->slots > 0) {
        out->slots_load = (double)wi_load_relaxed(&gate->held.load_m[0]) * 1e-3;
        out->slots_backlog_ns = wi_vqueue_backlog(&gate->held, now);
    }
}
