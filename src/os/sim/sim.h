/* SPDX-License-Identifier: MIT */
#ifndef WI_OS_SIM_SIM_H
#define WI_OS_SIM_SIM_H

/* The simulated system: clock, poll, futex, socket and random of one OS thread, all from a seed.
 *
 * Time is virtual.  It stands still while code runs, but for a small step at each reading of the
 * clock, and jumps to the next thing that happens when everybody waits.  If nothing will ever
 * happen, that is a deadlock: a hook hears of it.  Sockets are streams in memory that behave as
 * Linux TCP does where programs can tell: edges, half-closes, resets, full buffers.  The same
 * options and the same calls give the same run, which wi_sim_trace() sums up in one number.
 *
 * Threads: one.  A second thread that waits or touches a socket here is a bug and aborts. */

#include <stddef.h>
#include <stdint.h>

#include "weir/time.h"

/* All-zero is a perfect network from seed 0. */
struct wi_sim_opts {
    uint64_t seed;
    int64_t latency_ns; /* from a write, close or connect to its effect on the other end */
    int64_t jitter_ns;  /* up to this much more, at random; bytes of a stream stay in order */
    uint32_t
        short_permille;    /* how many of 1000 reads and writes move fewer bytes than they could */
    size_t buffer_bytes;   /* of each direction of a stream; 0: 64 KiB */
    int64_t clock_step_ns; /* by which each reading advances the clock; 0: 20; below 0: none */
    /* Called when a wait can never end; the wait then returns as if woken.  NULL: abort. */
    void (*on_deadlock)(void *user);
    void *user;
};

/* Begins a new world: time starts anew, every descriptor of the old one is gone. */
void wi_sim_reset(const struct wi_sim_opts *opts);

/* Lets time pass as if the caller had computed for so long. */
void wi_sim_advance(int64_t ns);

/* A number that two runs share exactly if they made the same calls with the same results. */
uint64_t wi_sim_trace(void);

/* How often a wait made the clock jump, and how many descriptors are open. */
uint64_t wi_sim_jumps(void);
int wi_sim_open_count(void);

/* The connection breaks: both ends see a reset after the latency. */
void wi_sim_cut(int fd);

/* A signal arrives at the instant; it must be caught then. */
void wi_sim_signal(weir_time at, int signal);

/* The fault script: the n-th call from now (1 is the next) of one kind fails with `code`. */
enum wi_sim_call {
    WI_SIM_LISTEN,
    WI_SIM_ACCEPT,
    WI_SIM_CONNECT,
    WI_SIM_READ,
    WI_SIM_WRITE,
    WI_SIM_POLL_ADD,
    WI_SIM_CALL_COUNT,
};

enum {
    WI_SIM_FAULTS_MAX = 64
};

void wi_sim_fail(enum wi_sim_call call, uint64_t n, int code);

#endif
