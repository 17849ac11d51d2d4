/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_COMPARE_GENERATOR_H
#define WEIR_TOOL_COMPARE_GENERATOR_H

/* One load on the server that runs: `weir load` as a child on its own cores, its result read back,
 * and the server's use of CPU, memory, processes and threads meanwhile.
 *
 * Threads: one. */

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "compare/server.h"
#include "compare/workload.h"

struct shot_opts {
    double rate;     /* open loop, Poisson; 0: closed */
    int connections; /* of the closed loop */
    double seconds;
    double lead_s;       /* open loop: so long before that, and */
    double tail_s;       /* after it, the same load, which is not counted; 0 without a lead */
    const char *profile; /* instead of rate and lead_s: steps, as --rate of `weir load` takes them;
                          * seconds is then their sum */
    int bin_ms;          /* of the time series; 0: seconds */
    json_t **whole;      /* all of weir load's result, a new reference; may be NULL */
    uint64_t seed;
    int timeout_ms;
    int retries;     /* of what was refused, broke or timed out, after weir load's usual pause */
    int late_ms_max; /* as in struct form */
    /* Called every few milliseconds meanwhile; a negative result ends the load.  May be NULL. */
    int (*meanwhile)(void *user, char why[REASON_BYTES]);
    void *user;
};

/* What came of it.  Counts are of requests, as `weir load` defines them.  What is about the server
 * includes lead and tail. */
struct shot {
    double seconds;
    double requests;
    double ok;
    double shed;
    double other;
    double late;
    double timeout;
    double error;
    double not_sent;
    double p50_ms;
    double p99_ms;
    double own_cpu;             /* of the generator's core */
    char spoiled[REASON_BYTES]; /* why the figures do not count; empty if they do */

    double server_cpu_ns;   /* of the whole run, lead, tail and all */
    double whole_ok;        /* the same of what was answered well, */
    double whole_shed;      /* of what was refused, */
    double whole_failed;    /* of what was late, broke or was not answered, */
    double whole_s;         /* and of the time */
    int64_t resident_bytes; /* the most that was seen, of these three */
    int processes;
    int threads;
};

struct generator {
    const char *executable; /* weir itself */
    const char *log;
    const struct cores *cores; /* its own; NULL: all */
};

/* Puts one load on the server.
 * 0; CONTEST_FAILED when the server or the load ended by itself, with the reason in `why`;
 * CONTEST_STOPPED; or what meanwhile() returned. */
WEIR_CHECK int generator_run(const struct generator *g, struct server *s,
                             const struct shot_opts *opts, struct shot *out,
                             char why[REASON_BYTES]);

/* Answered well, per second. */
double shot_goodput(const struct shot *shot);

/* CPU time of the server for each request that it answered well; its other work included. */
double shot_cpu_us(const struct shot *shot);

/* CPU time of the server for each request that it refused: what is left when those that it answered
 * well have taken so much each.  NAN where it refused few, or spent time on others that failed. */
double shot_refusal_us(const struct shot *shot, double ok_us);

#endif
