/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_DRIVE_DRIVE_H
#define WEIR_TOOL_DRIVE_DRIVE_H

/* Driving targets and counting what comes of it: the engine of `weir load`.
 *
 * Threads: everything here runs on the one thread of a `loop` runtime, so counters, the pool of
 * connections and the histograms need no lock.  Only `interrupted` is set from outside, by a
 * signal handler. */

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "drive/arrivals.h"
#include "drive/tally.h"
#include "drive/targets.h"
#include "weir/err.h"

enum progress {
    PROGRESS_NONE,
    PROGRESS_LINES,
    PROGRESS_LIVE
};

#define SEND_LATENESS_MAX_NS (INT64_C(1000000))
#define IN_FLIGHT_DEFAULT 20000

/* What to do; constant during a run, but for the choice among the targets. */
struct plan {
    struct targets targets;
    struct schedule schedule; /* open loop; step_count 0: closed loop */
    int64_t connections;      /* closed loop: how many ask in turn */
    int64_t in_flight_max;
    int64_t open_first;      /* connections opened before the first request; <= connections_max */
    int64_t connections_max; /* open at once, idle ones included; at least in_flight_max */
    int64_t for_ns;
    int64_t timeout_ns;  /* of each attempt */
    int retries;         /* further attempts that a request may take */
    int64_t backoff_ns;  /* before each of them a random time up to this */
    int64_t late_ns_max; /* 1 % of the requests sent later than this void the run */
    int64_t bin_ns;
    enum progress progress;
};

static inline bool is_open_loop(const struct plan *plan)
{
    return plan->schedule.step_count > 0;
}

/* How long a request may be under way: its attempts, and the pauses between them. */
static inline int64_t plan_request_ns(const struct plan *plan)
{
    return (plan->timeout_ns + plan->backoff_ns) * plan->retries + plan->timeout_ns;
}

/* Set by the signal handler: end early with what there is. */
extern volatile sig_atomic_t interrupted;

/* Runs the plan in an open `loop` runtime.  The tally is initialized.  0, WEIR_EINVAL if an address
 * cannot be dialed (tally->no_address), or the code of what could not be started. */
WEIR_CHECK int drive(struct plan *plan, struct tally *tally);

#endif
