/* SPDX-License-Identifier: MIT */
/* The model's world: events, cores, workers, requests and their clients; see the header.
 *
 * A thread of the world is a worker.  It has an activity (a slice of a request, or a look at the
 * sockets) with CPU time left; cores run the threads that have one, in turn where there are fewer
 * cores than threads, QUANTUM_NS at a time. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/rng.h"
#include "load/gate.h"
#include "model_agenda.h"

#define TIMEOUT_NS (1 * WEIR_NS_PER_S)
#define QUANTUM_NS (3 * WEIR_NS_PER_MS)
#define EDGE_BATCH 64
#define FIXED_MAX 64
#define START (1000 * WEIR_NS_PER_S)

enum event_kind {
    EVENT_ARRIVAL, /* index: stream */
    EVENT_CORE,    /* thread: its activity or its quantum is over */
    EVENT_AWAKE,   /* request */
    EVENT_TIMEOUT, /* request: the client gives up */
    EVENT_RETRY,   /* client; turn: stream and number of the attempt */
    EVENT_PAUSE,
    EVENT_RESUME
};

struct request {
    int64_t sent, ready_at, began;
    struct model_stages stages;
    int64_t work;
    struct wi_gate_ticket ticket;
    uint32_t turn; /* tells the requests that had this record apart */
    uint32_t client, next;
    uint8_t stream, process;
    int8_t tries;
    bool started, slept, gone, measured;
};

struct thread {
    int process;
    uint32_t request; /* NONE: at the sockets */
    int64_t left;     /* CPU of the activity */
    int64_t cpu;      /* of the activity, in all */
    int64_t began;
    int64_t core_since;
    int64_t quantum; /* left of its turn on the core */
    uint32_t turn;
    bool active, on_core, looked;
    uint32_t refused[EDGE_BATCH];
    int refused_count;
};

struct process {
    struct wi_gate gate;
    struct fifo inbox, ready, line;
    int running;
    int64_t edge_ns; /* since the last tick */
    /* codel */
    int64_t interval_end, lowest;
    bool overloaded;
    int in_flight;
};

static struct world {
    const struct model_opts *opts;
    struct model_outcome *out;
    struct wi_rng rng;
    int64_t now, end, measure_from;
    struct agenda agenda;
    struct request *requests;
    uint32_t requests_made, requests_room, free_request;
    struct process *processes;
    struct thread *threads;
    int threads_count, processes_count, cores, cores_free;
    struct fifo runnable;
    bool paused;
    double capacity; /* requests per second */
} w;

#define NONE UINT32_MAX

static double seconds_of(int64_t at)
{
    return (double)(at - START) * 1e-9;
}

/* -- what clients send ------------------------------------------------------------------------ */

static void fill(struct request *r)
{
    const double at_s = seconds_of(w.now);
    const bool slow = at_s >= w.opts->slow_from_s && at_s < w.opts->slow_to_s;
    r->stages = model_work_draw(w.opts->work, &w.rng, slow ? w.opts->slow_by : 1.0);
}

static double stream_rate(const struct model_stream *stream)
{
    const double at_s = seconds_of(w.now);
    const bool step = at_s >= w.opts->step_from_s && at_s < w.opts->step_to_s;
    return (step && stream->load_between > 0 ? stream->load_between : stream->load) * w.capacity;
}

static int bin_of(int64_t at)
{
    const int64_t bin = (at - START) / (MODEL_BIN_MS * WEIR_NS_PER_MS);
    return bin < MODEL_BINS ? (int)bin : MODEL_BINS - 1;
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

static void free_request(uint32_t index)
{
    struct request *r = &w.requests[index];
    r->turn++;
    r->next = w.free_request;
    w.free_request = index;
}

static void work_on(int process);

static void send(int stream, uint32_t client, int tries)
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

static void arrive(uint32_t stream)
{
    const struct model_stream *s = &w.opts->streams[stream];
    const uint32_t clients = s->clients > 0 ? (uint32_t)s->clients : 1;
    const uint32_t client = (stream + 1) * 100000 + wi_rng_below(&w.rng, clients);
    uint64_t mix = client;
    agenda_add(&w.agenda, w.now + 1 + (int64_t)model_exponential(&w.rng, 1e9 / stream_rate(s)),
               EVENT_ARRIVAL, stream, 0);
    send((int)stream, (uint32_t)wi_rng_split(&mix) | 1, 0);
}

/* The client hears no: counts, and comes again while it may. */
static void failed(const struct request *r)
{
    if (r->tries < w.opts->retries) {
        const double wait = 20e6 * (0.5 + wi_rng_unit(&w.rng));
        agenda_add(&w.agenda, w.now + (int64_t)wait, EVENT_RETRY, r->client,
                   (uint32_t)r->stream << 8 | (uint32_t)(r->tries + 1));
    }
}

/* -- verdicts --------------------------------------------------------------------------------- */

static void tick(struct process *p)
{
    if (w.opts->control != MODEL_GATE || !wi_gate_due(&p->gate, w.now))
        return;
    wi_gate_tick(&p->gate, w.now, p->edge_ns);
    p->edge_ns = 0;
}

static bool admit(struct process *p, struct request *r)
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
        .arrived = r->sent,
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

/* Whether the request, whose turn it is, is not worth starting. */
static bool expired(struct process *p, const struct request *r)
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

static void refuse(uint32_t index)
{
    struct request *r = &w.requests[index];
    if (r->measured) {
        w.out->refused++;
        w.out->stream_refused[r->stream]++;
    }
    w.out->bin_refused[bin_of(w.now)]++;
    if (!r->gone)
        failed(r);
    free_request(index);
}

static void finish(uint32_t index)
{
    struct request *r = &w.requests[index];
    struct process *p = &w.processes[r->process];
    p->running--;
    p->in_flight--;
    if (w.opts->control == MODEL_GATE)
        wi_gate_ended(&p->gate, &r->ticket, r->work, w.now - r->began);
    const int64_t latency = w.now - r->sent;
    const double deadline_ms = w.opts->streams[r->stream].deadline_ms;
    const bool useless = deadline_ms > 0 && (double)latency > deadline_ms * 1e6;
    const bool ok = latency <= TIMEOUT_NS && !r->gone && !useless;
    if (ok) {
        const int bin = bin_of(w.now);
        w.out->bin_ok[bin] += 1.0;
        const double ms = (double)latency * 1e-6;
        if (ms > w.out->bin_worst_ms[bin])
            w.out->bin_worst_ms[bin] = ms;
    }
    if (r->measured) {
        w.out->started++;
        w.out->useless += useless;
        w.out->ok += ok;
        w.out->late += !ok;
        w.out->stream_ok[r->stream] += ok;
        w.out->stream_late[r->stream] += !ok;
        if (ok)
            wi_hist_record(&w.out->latency, latency);
    }
    free_request(index);
    tick(p);
}

/* -- workers ---------------------------------------------------------------------------------- */

static void begin(struct thread *t, uint32_t request, int64_t cpu)
{
    t->request = request;
    t->cpu = t->left = cpu;
    t->began = w.now;
    t->active = true;
}

static int64_t refusal_ns(void)
{
    return (int64_t)((w.opts->reject_us > 0 ? w.opts->reject_us : 10.0) * 1e3);
}

static void look_at_sockets(struct thread *t, struct process *p)
{
    int64_t cpu = 0;
    t->refused_count = 0;
    tick(p);
    while (p->inbox.count > 0 && t->refused_count < EDGE_BATCH) {
        const uint32_t index = fifo_pop(&p->inbox);
        struct request *r = &w.requests[index];
        if (!admit(p, r)) {
            t->refused[t->refused_count++] = index;
            cpu += refusal_ns();
            continue;
        }
        p->in_flight++;
        cpu += (int64_t)(w.opts->unseen_us * 1e3);
        r->ready_at = w.now;
        fifo_push(w.opts->slots > 0 ? &p->line : &p->ready, index);
    }
    if (cpu > 0)
        begin(t, NONE, cpu);
}

/* Does the next step of a request that was taken off a queue. */
static void take_up(struct thread *t, struct process *p, uint32_t index)
{
    struct request *r = &w.requests[index];
    if (!r->started && expired(p, r)) {
        if (w.opts->control == MODEL_GATE)
            wi_gate_dropped(&p->gate, &r->ticket);
        p->in_flight--;
        w.out->expired += r->measured;
        t->refused[0] = index;
        t->refused_count = 1;
        begin(t, NONE, refusal_ns());
        return;
    }
    if (!r->started) {
        r->started = true;
        r->began = w.now;
        p->running++;
        if (w.opts->control == MODEL_GATE)
            wi_gate_started(&p->gate, &r->ticket, w.now - r->ready_at);
    }
    begin(t, index, r->slept ? r->stages.second_ns : r->stages.first_ns);
}

/* Gives an idle thread something to do, if there is. */
static void next_activity(struct thread *t)
{
    struct process *p = &w.processes[t->process];
    while (!t->active) {
        /* Sockets and handlers in turn: neither starves the other. */
        if (p->inbox.count > 0 && (!t->looked || p->ready.count == 0)) {
            t->looked = true;
            look_at_sockets(t, p);
            continue;
        }
        t->looked = false;
        if (p->ready.count > 0)
            take_up(t, p, fifo_pop(&p->ready));
        else if (p->line.count > 0 && p->running < w.opts->slots)
            take_up(t, p, fifo_pop(&p->line));
        else
            return;
        t->looked = false;
    }
}

static void activity_done(struct thread *t)
{
    t->active = false;
    struct process *p = &w.processes[t->process];
    if (t->request == NONE) {
        if (t->refused_count > 0)
            p->edge_ns += w.opts->cpu_meter ? t->cpu : w.now - t->began;
        for (int i = 0; i < t->refused_count; i++)
            refuse(t->refused[i]);
        t->refused_count = 0;
        return;
    }
    struct request *r = &w.requests[t->request];
    r->work += w.opts->cpu_meter ? t->cpu : w.now - t->began;
    if (!r->slept && r->stages.second_ns > 0) {
        r->slept = true;
        agenda_add(&w.agenda, w.now + r->stages.sleep_ns, EVENT_AWAKE, t->request, r->turn);
        return;
    }
    finish(t->request);
}

/* -- cores ------------------------------------------------------------------------------------ */

static void put_on_core(uint32_t index)
{
    struct thread *t = &w.threads[index];
    const bool shared = w.cores < w.threads_count;
    const int64_t run = shared && t->left > t->quantum ? t->quantum : t->left;
    t->on_core = true;
    t->core_since = w.now;
    t->turn++;
    w.cores_free--;
    agenda_add(&w.agenda, w.now + run, EVENT_CORE, index, t->turn);
}

static void dispatch(void)
{
    while (!w.paused && w.cores_free > 0 && w.runnable.count > 0) {
        const uint32_t index = fifo_pop(&w.runnable);
        w.threads[index].quantum = QUANTUM_NS;
        put_on_core(index);
    }
}

static void leave_core(struct thread *t)
{
    t->left -= w.now - t->core_since;
    t->quantum -= w.now - t->core_since;
    t->on_core = false;
    t->turn++;
    w.cores_free++;
}

static void core_event(uint32_t index)
{
    struct thread *t = &w.threads[index];
    leave_core(t);
    if (t->left <= 0) {
        activity_done(t);
        next_activity(t);
    }
    if (t->active && t->quantum > 0)
        put_on_core(index); /* its turn is not over */
    else if (t->active)
        fifo_push(&w.runnable, index);
    dispatch();
}

/* There may be something to do in this process. */
static void work_on(int process)
{
    const int each = w.threads_count / w.processes_count;
    for (int i = process * each; i < (process + 1) * each && !w.paused; i++) {
        struct thread *t = &w.threads[i];
        if (t->active)
            continue;
        next_activity(t);
        if (t->active)
            fifo_push(&w.runnable, (uint32_t)i);
        break;
    }
    dispatch();
}

static void pause_all(void)
{
    const double at_s = seconds_of(w.now);
    agenda_add(&w.agenda, w.now + (int64_t)(w.opts->pause_every_s * 1e9), EVENT_PAUSE, 0, 0);
    if (at_s < w.opts->pause_from_s || (w.opts->pause_to_s > 0 && at_s >= w.opts->pause_to_s))
        return;
    w.paused = true;
    agenda_add(&w.agenda, w.now + (int64_t)(w.opts->pause_ms * 1e6), EVENT_RESUME, 0, 0);
    for (int i = 0; i < w.threads_count; i++) {
        if (w.threads[i].on_core) {
            leave_core(&w.threads[i]);
            fifo_push(&w.runnable, (uint32_t)i);
        }
    }
}

static void resume_all(void)
{
    w.paused = false;
    dispatch();
    for (int i = 0; i < w.processes_count; i++)
        for (int j = 0; j < w.threads_count / w.processes_count; j++)
            work_on(i);
}

/* -- the run ---------------------------------------------------------------------------------- */

static void handle(const struct event *event)
{
    struct request *r = &w.requests[event->index];
    switch (event->kind) {
    case EVENT_ARRIVAL:
        arrive(event->index);
        break;
    case EVENT_CORE:
        if (w.threads[event->index].turn == event->turn && w.threads[event->index].on_core)
            core_event(event->index);
        break;
    case EVENT_AWAKE:
        r->ready_at = w.now;
        fifo_push(&w.processes[r->process].ready, event->index);
        work_on(r->process);
        break;
    case EVENT_TIMEOUT:
        if (r->turn == event->turn && !r->gone) {
            r->gone = true;
            failed(r);
        }
        break;
    case EVENT_RETRY:
        send((int)(event->turn >> 8), event->index, (int)(event->turn & 255));
        break;
    case EVENT_PAUSE:
        pause_all();
        break;
    case EVENT_RESUME:
        resume_all();
        break;
    }
}

static void set_up(const struct model_opts *opts, struct model_outcome *out)
{
    memset(out, 0, sizeof(*out));
    wi_hist_init(&out->latency);
    w = (struct world){ .opts = opts, .out = out, .now = START, .free_request = NONE };
    wi_rng_init(&w.rng, opts->seed);
    w.end = START + (int64_t)(opts->seconds * 1e9);
    w.measure_from = START + (int64_t)(opts->warm_s * 1e9);
    w.processes_count = opts->processes > 0 ? opts->processes : 1;
    const int workers = opts->workers > 0 ? opts->workers : 1;
    w.threads_count = w.processes_count * workers;
    w.cores = opts->cores > 0 ? opts->cores : w.threads_count;
    w.cores_free = w.cores;
    const double saturated = w.cores / model_work_cost_ns(opts->work) * 1e9;
    w.capacity = opts->capacity > 0 ? opts->capacity : saturated;
    w.processes = calloc((size_t)w.processes_count, sizeof(*w.processes));
    w.threads = calloc((size_t)w.threads_count, sizeof(*w.threads));
    wi_bug_unless(w.processes != NULL && w.threads != NULL);
    const int gate_workers = workers < w.cores ? workers : w.cores;
    const struct wi_gate_opts gate = { .workers = gate_workers,
                                       .slots = opts->slots,
                                       .without = opts->without };
    for (int i = 0; i < w.processes_count; i++)
        wi_gate_init(&w.processes[i].gate, &gate, START);
    for (int i = 0; i < w.threads_count; i++)
        w.threads[i].process = i / workers;
    w.requests = model_grow(NULL, 1024, sizeof(*w.requests));
    w.requests_room = 1024;
}

static void clean_up(void)
{
    for (int i = 0; i < w.processes_count; i++) {
        free(w.processes[i].inbox.items);
        free(w.processes[i].ready.items);
        free(w.processes[i].line.items);
    }
    free(w.runnable.items);
    free(w.processes);
    free(w.threads);
    free(w.requests);
    free(w.agenda.events);
}

void model_run(const struct model_opts *opts, struct model_outcome *out)
{
    set_up(opts, out);
    for (uint32_t i = 0; i < MODEL_STREAMS; i++)
        if (opts->streams[i].load > 0)
            agenda_add(&w.agenda,
                       START + 1 +
                           (int64_t)model_exponential(&w.rng, 1e9 / stream_rate(&opts->streams[i])),
                       EVENT_ARRIVAL, i, 0);
    if (opts->pause_every_s > 0)
        agenda_add(&w.agenda, START + (int64_t)(opts->pause_every_s * 1e9), EVENT_PAUSE, 0, 0);
    while (w.agenda.count > 0 && w.agenda.events[0].at < w.end) {
        const struct event event = agenda_next(&w.agenda);
        w.now = event.at;
        handle(&event);
    }
    const double bins_per_s = 1e3 / MODEL_BIN_MS;
    for (int i = 0; i < MODEL_BINS; i++) {
        out->bin_ok[i] *= bins_per_s / w.capacity;
        out->bin_logical[i] *= bins_per_s / w.capacity;
    }
    out->goodput = (double)out->ok / (opts->seconds - opts->warm_s) / w.capacity;
    clean_up();
}
