/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_COMPARE_WORKLOAD_H
#define WEIR_TOOL_COMPARE_WORKLOAD_H

/* The kinds of work that servers are compared by, and how much time a form of the comparison gives
 * to each.
 *
 * Threads: any; everything is constant. */

#include <stdbool.h>

#define WORKLOADS_MAX 8
#define MIX_MAX 4
#define MULTIPLES_MAX 8

enum workload_kind {
    WORKLOAD_LOAD, /* capacity, then multiples of it */
    WORKLOAD_CRASH,
    WORKLOAD_STATE,
};

struct workload {
    const char *name;
    const char *what; /* for the report */
    enum workload_kind kind;
    struct {
        const char *path;
        int weight; /* of all together; 0 ends the list */
    } mix[MIX_MAX];
    const char *method;
    const char *serve_option; /* what `weir serve` must be told; NULL: nothing */
    int connections_min;      /* of the closed loop: where the search for saturation begins */
    int connections_max;      /* and where it ends at the latest */
    bool storm;               /* also with clients that try again, where the form has that */
};

/* The workload of that name, or NULL. */
const struct workload *workload_find(const char *name);

/* All names, separated by ", ". */
const char *workload_names(void);

/* The requests of a user's own program: its one url.  Borrowed until the end. */
const struct workload *workload_of_app(const char *url);

/* How long each measurement takes, and how often.  Short, default and full. */
struct form {
    const char *name;
    const char *workloads;
    double multiples[MULTIPLES_MAX]; /* of capacity; 0 ends the list */
    int timeout_ms;  /* after which an answer is worth nothing, unless the user says otherwise */
    int late_ms_max; /* so late may 1 % of the requests be sent; beyond, the point is void */
    int tries;       /* of a point that the generator spoiled; 0 is 1 */
    bool step;       /* 0.5, 5 and 0.5 times, one after the other */
    int starts;      /* of which the median is the start time */
    double warm_s;
    double search_s; /* of each closed loop that looks for the number of connections; 0: a
                      * number that suffices is taken */
    double probe_s;  /* of each repetition of the best of them */
    int probes;
    int bisections; /* of an open loop between half of that and all of it; 0: none */
    double bisect_s;
    double point_s;
    double step_s;    /* of each of the three parts */
    double storm_s;   /* how long it is looked whether a server recovers from a retry storm; 0: no
                       * storm */
    double trigger_s; /* how long the burst lasts that sets it off */
    double crash_s;
    double state_s;
};

/* "short", "default" or "full". */
const struct form *form_find(const char *name);

/* The same with every duration that long: for trying things out. */
struct form form_of_seconds(const struct form *form, double seconds);

#endif
