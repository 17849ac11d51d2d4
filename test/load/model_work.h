/* SPDX-License-Identifier: MIT */
#ifndef WI_TEST_LOAD_MODEL_WORK_H
#define WI_TEST_LOAD_MODEL_WORK_H

/* What the requests of the model do; see model.h for the kinds. */

#include <stdint.h>

#include "base/rng.h"

enum model_work {
    MODEL_W0,     /* 1 ms of CPU, exponentially distributed */
    MODEL_W1,     /* 1 ms of CPU */
    MODEL_W2,     /* 0.1 ms of CPU, 50 ms of sleep, 0.4 ms of CPU */
    MODEL_W3,     /* 90 %: 0.2 ms of CPU; 10 %: 1 ms of CPU, 20 ms of sleep, 4 ms of CPU */
    MODEL_W4,     /* 0.1 ms of CPU, sleep of 500 ms, exponentially distributed, 0.4 ms of CPU */
    MODEL_CPU2,   /* 2 ms of CPU */
    MODEL_WAIT50, /* 0.02 ms of CPU, 50 ms of sleep, 0.03 ms of CPU */
    MODEL_MIXED,  /* as W3, either part with a route of its own */
    MODEL_SLOW,   /* 200 ms of CPU, on a route of its own */
    MODEL_WORKS
};

struct model_stages {
    int64_t first_ns; /* CPU */
    int64_t sleep_ns;
    int64_t second_ns; /* CPU */
    uint32_t route;
};

double model_exponential(struct wi_rng *rng, double mean);

/* One request, whose CPU times are `slower` times what they usually are. */
struct model_stages model_work_draw(enum model_work work, struct wi_rng *rng, double slower);

const char *model_work_name(enum model_work work);

/* Mean CPU time of a request. */
double model_work_cost_ns(enum model_work work);

/* Median latency of a request that is alone. */
double model_work_alone_ms(enum model_work work);

/* The load that one core serves to 99 % of the clients within the objective (ten times the latency
 * alone, or that and 100 ms) as a share of the load that saturates it. */
double model_work_usable(enum model_work work);

#endif
