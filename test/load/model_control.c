/* SPDX-License-Identifier: MIT */
/* Who is let in, and who is started, under each of the laws that the model knows.
 *
 * CoDel is the variant for services: if over 100 ms no wait was below 5 ms, whoever waited
 * 10 ms is refused.  Source: Maurer, "Fail at Scale", 2015. */
#include "model_world.h"

void control_tick(struct process *p)
{
    if (w.opts->control != MODEL_GATE || !wi_gate_due(&p->gate, w.now))
        return;
    if (!w.opts->stall_blind && wi_load_relaxed(&p->gate.crowded) == 0)
        wi_stall_look(&p->stall, w.now, w.now - p->ticked, p->cpu_ns);
    wi_gate_tick(&p->gate, w.now, p->edge_ns);
    p->ticked = w.now;
    p->edge_ns = p->cpu_ns = 0;
}

/* What a server knows of when the request came. */
static int64_t arrived(const struct process *p, const struct request *r)
{
    if (!wi_stall_is_recent(&p->stall, w.now))
        return w.now;
    return wi_stall_arrived(&p->stall, w.now, w.now - r->sent);
}

void control_ended(struct process *p, const struct request *r)
{
    if (r->ticket.measure != WI_GATE_BELIEVE) {
        wi_gate_ended(&p->gate, &r->ticket, r->work, w.now - r->began);
        return;
    }
    wi_gate_believed(&p->gate, &r->ticket);
    p->edge_ns += r->work; /* it is in no slice that was measured */
}

bool is_admitted(struct process *p, struct request *r)
{
    switch (w.opts->control) {
    case MODEL_NONE:
    case MODEL_CODEL:
        return true;
    case MODEL_FIXED:
        return p->in_flight < FIXED_MAX;
    case MODEL_GATE:
        break;
    }
    const struct model_stream *s = &w.opts->streams[r->stream];
    const struct wi_gate_ask ask = {
        .now = w.now,
        .arrived = arrived(p, r),
        .deadline =
            s->deadline_ms > 0 ? r->sent + (int64_t)(s->deadline_ms * 1e6) : WEIR_NO_DEADLINE,
        .route = r->stages.route,
        .room = p->running + (int)p->line.count < w.opts->slots,
        .client = w.opts->rankless ? 0 : r->client,
        .class = s->batch && !w.opts->rankless ? WI_GATE_BATCH : WI_GATE_INTERACTIVE,
    };
    return wi_gate_ask(&p->gate, &ask, &r->ticket) == WI_GATE_ADMIT;
}

static bool codel_refuses(struct process *p, int64_t waited)
{
    if (w.now > p->interval_end) {
        p->overloaded = p->lowest > 5 * WEIR_NS_PER_MS;
        p->lowest = waited;
        p->interval_end = w.now + 100 * WEIR_NS_PER_MS;
    }
    p->lowest = waited < p->lowest ? waited : p->lowest;
    return p->overloaded && waited > 10 * WEIR_NS_PER_MS;
}

bool is_expired(struct process *p, const struct request *r)
{
    const int64_t waited = w.now - r->sent;
    if (w.opts->control == MODEL_CODEL)
        return codel_refuses(p, waited);
    if (w.opts->control != MODEL_GATE)
        return false;
    const double deadline_ms = w.opts->streams[r->stream].deadline_ms;
    return r->gone || waited > wi_gate_patience(&p->gate) ||
           (deadline_ms > 0 &&
            wi_gate_is_late(&r->ticket, w.now, r->sent, r->sent + (int64_t)(deadline_ms * 1e6)));
}
