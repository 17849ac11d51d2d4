/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_DRIVE_DRIVE_H
#define WEIR_TOOL_DRIVE_DRIVE_H

/* Driving a target and counting what comes of it: the engine of `weir load`.
 *
 * Threads: everything here runs on the one thread of a `loop` runtime, so counters, the pool of
 * connections and the histograms need no lock.  Only `interrupted` is set from outside, by a
 * signal handler. */

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/hist.h"
#include "drive/exchange.h"

enum arrivals {
    ARRIVALS_POISSON,
    ARRIVALS_EVEN
};

enum progress {
    PROGRESS_NONE,
    PROGRESS_LINES,
    PROGRESS_LIVE
};

#define IN_FLIGHT_DEFAULT 20000
#define ERROR_KINDS_MAX 6

/* What to do; constant during a run. */
struct plan {
    struct target target;
    double rate;         /* arrivals a second; 0: closed loop */
    int64_t connections; /* closed loop: how many ask in turn */
    int64_t in_flight_max;
    int64_t for_ns;
    int64_t timeout_ns;
    uint64_t seed;
    enum arrivals arrivals;
    enum progress progress;
};

/* What came of it.  Every request that was due is in exactly one of the first nine. */
struct tally {
    uint64_t ok;        /* status below 400, in time */
    uint64_t shed;      /* 503, in time */
    uint64_t other;     /* another status, in time */
    uint64_t late;      /* answered, but after the timeout */
    uint64_t timeout;   /* not answered within the timeout */
    uint64_t error;     /* refused, reset, malformed */
    uint64_t abandoned; /* in flight when the run was interrupted */
    uint64_t over;      /* not sent: in_flight_max were in flight */
    uint64_t behind;    /* not sent: the generator was later than the timeout at the end */

    uint64_t reconnects; /* kept connections that the service had closed meanwhile */
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t dialed;
    int64_t in_flight;
    int64_t in_flight_peak;
    int64_t connections; /* open now */

    struct wi_hist ok_ns;   /* latency: open loop from the intended time, closed from sending */
    struct wi_hist shed_ns; /* the same of 503 */
    struct wi_hist send_ns; /* open loop: how late requests were sent */

    struct {
        int code;
        uint64_t count;
    } errors[ERROR_KINDS_MAX]; /* the last one collects what does not fit */

    int64_t elapsed_ns; /* of the schedule, or to the last answer of a closed loop */
    double cpu;         /* of this program, in cores */
    bool interrupted;
};

/* Set by the signal handler: end early with what there is. */
extern volatile sig_atomic_t interrupted;

/* Runs the plan in an open `loop` runtime.  0, WEIR_EINVAL if the target's address cannot be
 * dialed, or the code of what could not be started. */
WEIR_CHECK int drive(const struct plan *plan, struct tally *tally);

#endif
