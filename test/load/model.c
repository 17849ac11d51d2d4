/* SPDX-License-Identifier: MIT */
/* The model at work: cores, workers and processes; model_world.h has the words. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "model_world.h"

struct world w;

/* -- ends of requests ------------------------------------------------------------------------- */

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
        control_ended(p, r);
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
    control_tick(p);
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
    control_tick(p);
    while (p->inbox.count > 0 && t->refused_count < EDGE_BATCH) {
        const uint32_t index = fifo_pop(&p->inbox);
        struct request *r = &w.requests[index];
        if (!is_admitted(p, r)) {
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
    if (!r->started && is_expired(p, r)) {
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
        if (w.opts->control == MODEL_GATE && r->ticket.measure != WI_GATE_BELIEVE)
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
    p->cpu_ns += t->cpu;
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

void work_on(int process)
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
        send_request((int)(event->turn >> 8), event->index, (int)(event->turn & 255));
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
                                       .shared = opts->cpu_meter,
                                       .without = opts->without };
    for (int i = 0; i < w.processes_count; i++)
        wi_gate_init(&w.processes[i].gate, &gate, w.processes[i].ticked = START);
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
                       START + 1 + (int64_t)(opts->streams[i].from_s * 1e9) +
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
