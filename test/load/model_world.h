/* SPDX-License-Identifier: MIT */
#ifndef WI_TEST_LOAD_MODEL_WORLD_H
#define WI_TEST_LOAD_MODEL_WORLD_H

/* The model's world, which its three files share: the clients (model_clients.c), who is let in
 * (model_control.c), and everything that works (model.c).
 *
 * A thread of the world is a worker.  It has an activity (a slice of a request, or a look at the
 * sockets) with CPU time left; cores run the threads that have one, in turn where there are fewer
 * cores than threads, QUANTUM_NS at a time. */

#include "base/rng.h"
#include "load/gate.h"
#include "load/stall.h"
#include "model.h"
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
    struct wi_stall stall;
    int64_t ticked;
    int64_t edge_ns, cpu_ns; /* since the last tick */
    /* codel */
    int64_t interval_end, lowest;
    bool overloaded;
    int in_flight;
};

struct world {
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
};

extern struct world w;

#define NONE UINT32_MAX

static inline double seconds_of(int64_t at)
{
    return (double)(at - START) * 1e-9;
}

static inline int bin_of(int64_t at)
{
    const int64_t bin = (at - START) / (MODEL_BIN_MS * WEIR_NS_PER_MS);
    return bin < MODEL_BINS ? (int)bin : MODEL_BINS - 1;
}

/* -- clients ---------------------------------------------------------------------------------- */

/* Requests per second that these clients send now. */
double stream_rate(const struct model_stream *stream);

/* A client of the stream sends, and the next one is planned. */
void arrive(uint32_t stream);
void send_request(int stream, uint32_t client, int tries);

/* The client hears no: comes again while it may. */
void failed(const struct request *r);
void free_request(uint32_t index);

/* -- control ---------------------------------------------------------------------------------- */

void control_tick(struct process *p);
/* It is answered: what it took is told to the gate, unless that believes. */
void control_ended(struct process *p, const struct request *r);
bool is_admitted(struct process *p, struct request *r);

/* Whether the request, whose turn it is, is not worth starting. */
bool is_expired(struct process *p, const struct request *r);

/* -- work ------------------------------------------------------------------------------------- */

/* There may be something to do in this process. */
void work_on(int process);

#endif
