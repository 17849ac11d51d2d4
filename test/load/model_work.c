/* SPDX-License-Identifier: MIT */
/* The workloads; see the header.  The usable shares are measured: `gate_model_test capacity`. */
#include "model_work.h"

#include <math.h>
#include <stdbool.h>

#include "weir/time.h"

static const struct {
    const char *name;
    double cost_us;
    double alone_ms;
    double usable;
} facts[MODEL_WORKS] = {
    [MODEL_W0] = { "w0", 1000, 0.7, 0.96 },       [MODEL_W1] = { "w1", 1000, 1.0, 0.98 },
    [MODEL_W2] = { "w2", 500, 50.5, 0.99 },       [MODEL_W3] = { "w3", 680, 0.2, 0.93 },
    [MODEL_W4] = { "w4", 500, 347, 0.99 },        [MODEL_CPU2] = { "cpu2", 2000, 2.0, 0.97 },
    [MODEL_WAIT50] = { "wait50", 50, 50, 1.0 },   [MODEL_MIXED] = { "mixed", 680, 0.2, 0.93 },
    [MODEL_SLOW] = { "slow", 200000, 200, 0.97 },
};

double model_exponential(struct wi_rng *rng, double mean)
{
    return -mean * log(1.0 - wi_rng_unit(rng));
}

struct model_stages model_work_draw(enum model_work work, struct wi_rng *rng, double slower)
{
    const double us = 1e3 * slower;
    const double ms = (double)WEIR_NS_PER_MS;
    const bool rare = wi_rng_unit(rng) < 0.1;
    double first = 0.0;
    double sleep = 0.0;
    double second = 0.0;
    switch (work) {
    case MODEL_W0:
        first = model_exponential(rng, 1000 * us);
        break;
    case MODEL_W1:
        first = 1000 * us;
        break;
    case MODEL_W2:
    case MODEL_W4:
        first = 100 * us;
        sleep = work == MODEL_W2 ? 50 * ms : model_exponential(rng, 500 * ms);
        second = 400 * us;
        break;
    case MODEL_W3:
    case MODEL_MIXED:
        first = rare ? 1000 * us : 200 * us;
        sleep = rare ? 20 * ms : 0;
        second = rare ? 4000 * us : 0;
        break;
    case MODEL_CPU2:
        first = 2000 * us;
        break;
    case MODEL_WAIT50:
        first = 20 * us;
        sleep = 50 * ms;
        second = 30 * us;
        break;
    case MODEL_SLOW:
        first = 200 * ms * slower;
        break;
    case MODEL_WORKS:
        break;
    }
    return (struct model_stages){
        .first_ns = (int64_t)first,
        .sleep_ns = (int64_t)sleep,
        .second_ns = (int64_t)second,
        .route = work == MODEL_SLOW            ? 2
                 : work == MODEL_MIXED && rare ? 1
                                               : 0,
    };
}

const char *model_work_name(enum model_work work)
{
    return facts[work].name;
}

double model_work_cost_ns(enum model_work work)
{
    return facts[work].cost_us * 1e3;
}

double model_work_alone_ms(enum model_work work)
{
    return facts[work].alone_ms;
}

double model_work_usable(enum model_work work)
{
    return facts[work].usable;
}
