/* SPDX-License-Identifier: MIT */
#ifndef WI_TEST_LOAD_MODEL_H
#define WI_TEST_LOAD_MODEL_H

/* A discrete-event model of a service on a virtual clock, for judging admission laws in seconds:
 * processes with workers and a first-in-first-out ready queue each, on cores that they may have to
 * share, before clients that send at times of their own (open loop), give up and may try again.
 *
 * What is modelled: a worker looks at its sockets between slices, so requests wait there while it
 * runs; a refusal takes time of the worker (10 us); a slice of a worker that lost its core lasts
 * longer.  What is not: kernel, parsing, caches, stealing.  So it chooses between laws and finds
 * their cycles; what a service achieves is measured on the wire.
 *
 * The same options and seed give the same outcome on every machine. */

#include <stdbool.h>
#include <stdint.h>

#include "base/hist.h"
#include "model_work.h"

enum model_control {
    MODEL_NONE,  /* everything is taken in */
    MODEL_FIXED, /* up to 64 requests in flight */
    MODEL_CODEL, /* refused when their turn comes, by how long they waited: 5 ms over 100 ms */
    MODEL_GATE,  /* load/gate.h */
};

enum {
    MODEL_STREAMS = 3,
    MODEL_BIN_MS = 50,
    MODEL_BINS = 1200,
};

/* Clients that send alike. */
struct model_stream {
    double load;         /* times capacity; 0: no such stream */
    double load_between; /* the same from step_from_s to step_to_s; 0: no change */
    double from_s;       /* before, nobody sends */
    int clients;         /* that share it evenly; at least 1 */
    bool batch;
    bool slow;          /* what they ask for is MODEL_SLOW */
    double deadline_ms; /* told to the server; 0: none */
};

struct model_opts {
    enum model_control control;
    enum model_work work;
    uint32_t without; /* parts of the law that are left out: WI_GATE_WITHOUT_* */
    bool rankless;    /* the gate is told neither class nor client */
    bool stall_blind; /* nobody notices that the process stood still */
    uint64_t seed;
    double seconds;
    double warm_s; /* not counted */
    struct model_stream streams[MODEL_STREAMS];
    double capacity;  /* what loads are multiples of, in requests/s; 0: cores over mean cost */
    int processes;    /* 0: 1 */
    int workers;      /* of each process; 0: 1 */
    int cores;        /* that all have; 0: as many as workers in all */
    int slots;        /* requests at once per process; 0: any number */
    bool cpu_meter;   /* work is CPU time instead of the slices' wall time */
    double reject_us; /* 0: 10 */
    double unseen_us; /* taken by each request that is let in, in nobody's account */
    int retries;
    double step_from_s, step_to_s;
    double slow_from_s, slow_to_s, slow_by; /* costs are times slow_by in between */
    double pause_every_s, pause_ms;         /* everything stops for so long, so often */
    double pause_from_s, pause_to_s;        /* 0, 0: always */
};

struct model_outcome {
    int64_t sent, ok, late, refused, expired; /* of all streams, in the measured time */
    int64_t stream_ok[MODEL_STREAMS], stream_late[MODEL_STREAMS], stream_refused[MODEL_STREAMS];
    int64_t useless; /* started, and answered after the deadline that they carried */
    int64_t started;
    int64_t attempts, logical;      /* sent in all, and those that were no retry */
    struct wi_hist latency;         /* of ok; ns */
    double goodput;                 /* ok per second over capacity */
    double bin_ok[MODEL_BINS];      /* ok per second over capacity, by time of the answer */
    double bin_logical[MODEL_BINS]; /* first attempts sent, the same unit */
    int64_t bin_refused[MODEL_BINS];
    double bin_worst_ms[MODEL_BINS]; /* latency of the worst ok, by time of the answer */
};

void model_run(const struct model_opts *opts, struct model_outcome *out);

#endif
