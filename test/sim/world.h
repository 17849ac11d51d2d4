/* SPDX-License-Identifier: MIT */
#ifndef TEST_SIM_WORLD_H
#define TEST_SIM_WORLD_H

/* A runtime in a simulated world of its own: one thread, a virtual clock, a scripted network, all
 * from a seed.  A test that fails prints the seed; WEIR_TEST_SEED=N runs that one alone. */

#include <stdint.h>

#include "os/sim/sim.h"
#include "support/run.h"

enum {
    WORLD_SEEDS = 200
};

/* The perfect network, and one that is slow, uneven and moves few bytes at a time. */
struct wi_sim_opts world_calm(uint64_t seed);
struct wi_sim_opts world_rough(uint64_t seed);

/* Runs the body as a task of a `loop` runtime in a fresh world, closes it, and checks that no
 * descriptor is left.  The run's trace. */
uint64_t world_run(const struct wi_sim_opts *opts, weir_task_fn *body, void *arg);

/* The body in WORLD_SEEDS worlds that `make` describes.  It gets a uint64_t with the seed, to draw
 * from. */
void world_each_seed(struct wi_sim_opts (*make)(uint64_t seed), weir_task_fn *body);

/* Fails unless a seed repeats its trace, and different seeds differ. */
void world_replays(struct wi_sim_opts (*make)(uint64_t seed), weir_task_fn *body);

/* Real nanoseconds, of the machine's clock. */
int64_t world_real_ns(void);

/* Two streams that are connected to each other. */
void world_pair(weir_stream **near, weir_stream **far);

#endif
