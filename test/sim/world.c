/* SPDX-License-Identifier: MIT */
/* See world.h. */
#include "sim/world.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char seed_text[64]; /* written before each run, read by the handler */

static void tell_seed(int signal_number)
{
    const ssize_t put = write(STDERR_FILENO, seed_text, strlen(seed_text));
    (void)put;
    (void)signal(signal_number, SIG_DFL);
}

struct wi_sim_opts world_calm(uint64_t seed)
{
    return (struct wi_sim_opts){ .seed = seed };
}

struct wi_sim_opts world_rough(uint64_t seed)
{
    return (struct wi_sim_opts){
        .seed = seed,
        .latency_ns = 200 * WEIR_NS_PER_US,
        .jitter_ns = 3 * WEIR_NS_PER_MS,
        .short_permille = 300,
        .buffer_bytes = 2048,
    };
}

uint64_t world_run(const struct wi_sim_opts *opts, weir_task_fn *body, void *arg)
{
    const struct weir_opts runtime = { .size = sizeof(runtime), .scheduler = WEIR_SCHEDULER_LOOP };
    (void)snprintf(seed_text, sizeof(seed_text), "in the world of WEIR_TEST_SEED=%llu\n",
                   (unsigned long long)opts->seed);
    (void)signal(SIGABRT, tell_seed);
    wi_sim_reset(opts);
    run_body_with(&runtime, body, arg);
    CHECK_EQ(wi_sim_open_count(), 0);
    /* The trace is of sockets; what only slept shows in the clock and its jumps. */
    uint64_t mixed = wi_sim_trace() ^ (uint64_t)weir_now() ^ (wi_sim_jumps() << 48);
    return draw(&mixed);
}

static uint64_t run_seed(struct wi_sim_opts (*make)(uint64_t seed), weir_task_fn *body,
                         uint64_t seed)
{
    const struct wi_sim_opts opts = make(seed);
    uint64_t random = seed;
    return world_run(&opts, body, &random);
}

void world_each_seed(struct wi_sim_opts (*make)(uint64_t seed), weir_task_fn *body)
{
    const char *only = getenv("WEIR_TEST_SEED");
    if (only != NULL) {
        (void)run_seed(make, body, strtoull(only, NULL, 0));
        return;
    }
    for (uint64_t seed = 1; seed <= WORLD_SEEDS; seed++)
        (void)run_seed(make, body, seed);
}

void world_replays(struct wi_sim_opts (*make)(uint64_t seed), weir_task_fn *body)
{
    uint64_t before = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        const uint64_t first = run_seed(make, body, seed);
        const uint64_t second = run_seed(make, body, seed);
        if (first != second)
            fail_msg("seed %llu gave two different runs", (unsigned long long)seed);
        if (first == before)
            fail_msg("seeds %llu and %llu gave the same run", (unsigned long long)seed - 1,
                     (unsigned long long)seed);
        before = first;
    }
}

int64_t world_real_ns(void)
{
    struct timespec now;
    CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (int64_t)now.tv_sec * WEIR_NS_PER_S + now.tv_nsec;
}

void world_pair(weir_stream **near, weir_stream **far)
{
    weir_listener *listener;
    char address[64];
    CHECK_EQ(weir_listen(&listener, "127.0.0.1:0", 0), 0);
    CHECK_EQ(weir_listener_address(listener, address, sizeof(address)), 0);
    CHECK_EQ(weir_dial(near, address, WEIR_NO_DEADLINE), 0);
    CHECK_EQ(weir_accept(listener, far, WEIR_NO_DEADLINE), 0);
    weir_listener_close(listener);
}
