/* SPDX-License-Identifier: MIT */
/* Clients of the model: they send at times of their own, and try again where they may. */
#include "base/check.h"
#include "model_world.h"

static void fill(struct request *r)
{
    const double at_s = seconds_of(w.now);
    const bool slow = at_s >= w.opts->slow_from_s && at_s < w.opts->slow_to_s;
    const enum model_work work = w.opts->streams[r->stream].slow ? MODEL_SLOW : w.opts->work;
    r->stages = model_work_draw(work, &w.rng, slow ? w.opts->slow_by : 1.0);
}

double stream_rate(const struct model_stream *stream)
{
    const double at_s = seconds_of(w.now);
    const bool step = at_s >= w.opts->step_from_s && at_s < w.opts->step_to_s;
    return (step && stream->load_between > 0 ? stream->load_between : stream->load) * w.capacity;
}

static uint32_t new_request(void)
{
    uint32_t index = w.free_request;
    if (index != NONE) {
        w.free_request = w.requests[index].next;
    } else {
        if (w.requests_made == w.requests_room) {
            w.requests_room = w.requests_room == 0 ? 1024 : w.requests_room * 2;
            w.requests = model_grow(w.requests, w.requests_room, sizeof(*w.requests));
        }
        index = w.requests_made++;
        w.requests[index].turn = 0;
    }
    const uint32_t turn = w.requests[index].turn + 1;
    w.requests[index] = (struct request){ .turn = turn };
    return index;
}

void free_request(uint32_t index)
{
    struct request *r = &w.requests[index];
    r->turn++;
    r->next = w.free_request;
    w.free_request = index;
}

void send_request(int stream, uint32_t client, int tries)
{
    const uint32_t index = new_request();
    struct request *r = &w.requests[index];
    r->sent = w.now;
    r->stream = (uint8_t)stream;
    r->client = client;
    r->tries = (int8_t)tries;
    r->process = (uint8_t)wi_rng_below(&w.rng, (uint32_t)w.processes_count);
    r->measured = w.now >= w.measure_from;
    fill(r);
    if (r->measured) {
        w.out->attempts++;
        w.out->logical += tries == 0;
        w.out->sent++;
    }
    if (tries == 0)
        w.out->bin_logical[bin_of(w.now)] += 1.0;
    if (w.opts->retries > 0)
        agenda_add(&w.agenda, w.now + TIMEOUT_NS, EVENT_TIMEOUT, index, r->turn);
    const int process = r->process;
    fifo_push(&w.processes[process].inbox, index);
    work_on(process);
}

void arrive(uint32_t stream)
{
    const struct model_stream *s = &w.opts->streams[stream];
    const uint32_t clients = s->clients > 0 ? (uint32_t)s->clients : 1;
    const uint32_t client = (stream + 1) * 100000 + wi_rng_below(&w.rng, clients);
    uint64_t mix = client;
    agenda_add(&w.agenda, w.now + 1 + (int64_t)model_exponential(&w.rng, 1e9 / stream_rate(s)),
               EVENT_ARRIVAL, stream, 0);
    send_request((int)stream, (uint32_t)wi_rng_split(&mix) | 1, 0);
}

void failed(const struct request *r)
{
    if (r->tries < w.opts->retries) {
        const double wait = 20e6 * (0.5 + wi_rng_unit(&w.rng));
        agenda_add(&w.agenda, w.now + (int64_t)wait, EVENT_RETRY, r->client,
                   (uint32_t)r->stream << 8 | (uint32_t)(r->tries + 1));
    }
}
