/* SPDX-License-Identifier: MIT */
#ifndef WI_TEST_LOAD_ROWS_H
#define WI_TEST_LOAD_ROWS_H

/* The situations in which an admission law is judged, played in the model: each function is one,
 * and gives back the figures that its name asks for.  Loads are multiples of the usable capacity
 * (model_work.h), goodput is a multiple of it too: answers within 1 s of when they were wanted. */

#include "model.h"

/* Who judges, with which parts left out, on which machine. */
struct row_setting {
    enum model_control control;
    uint32_t without;
    bool rankless;
    bool stall_blind;
    enum model_work work;
    uint64_t seed;
    int workers;   /* 0: 1 */
    int processes; /* 0: 1; more share one core */
    int slots;
    bool threads;     /* a thread for each request, on one core; CPU time is metered */
    double unseen_us; /* of each request, in nobody's account */
};

struct row_steady {
    double refused; /* share of the requests */
    double goodput;
    double p99_ms; /* of those that were answered */
    double late;   /* share of the requests */
};

struct row_steady row_steady(const struct row_setting *setting, double load, double seconds);

/* Half of the capacity, for 3 s `load`, half again. */
struct row_step {
    double goodput;        /* from 0.2 s after the step on */
    double early;          /* the same, the first half second of it */
    double worst_ms;       /* from 0.5 s after it on */
    int64_t refused_after; /* from 1 s after its end on */
    double worst_before_ms, worst_after_ms;
};

struct row_step row_step(const struct row_setting *setting, double load);

/* `load` from the first moment on: goodput of the first 2 s. */
double row_cold(const struct row_setting *setting, double load);

/* 0.7 of the capacity, clients try three times more; for 2 s requests cost ten times as much. */
struct row_storm {
    double recovered; /* answered over offered, from 1 s after the trigger on */
    double attempts;  /* for each request wanted, from 2 s after it on */
};

struct row_storm row_storm(const struct row_setting *setting);

/* Two kinds of clients: share of the requests of the first that was answered. */
struct row_two {
    double first_ok;
    double goodput; /* of all */
};

/* Interactive requests at half of the capacity, batch requests at two and a half times. */
struct row_two row_classes(const struct row_setting *setting);

/* Fifty clients that ask for a hundredth each, and one for five times the capacity. */
struct row_two row_hog(const struct row_setting *setting);

/* The same, but the one has been alone for 2 s when the fifty come: the first 4 s of that. */
struct row_two row_hog_first(const struct row_setting *setting);

/* Cheap requests at a fifth of the capacity beside a route of 200 ms that is asked for `load` times
 * it, all by one client. */
struct row_slow {
    double cheap_ok;     /* share of the cheap ones */
    double slow_goodput; /* of the capacity */
    double slow_late;    /* of those that were answered */
    double p50_ms, p99_ms;
};

struct row_slow row_slow_route(const struct row_setting *setting, double load);

/* Everything stands still for 200 ms every 5 s, at half of the capacity: share refused. */
double row_pause(const struct row_setting *setting);

/* The processors are taken away every other 50 ms, for 4 s, at 0.8 of the capacity. */
struct row_halved {
    double goodput;        /* of half of the capacity, from 1 s on */
    int64_t refused_after; /* from 1 s after its end on */
};

struct row_halved row_halved(const struct row_setting *setting);

/* Three of ten requests carry a deadline of 20 ms: share of what was started that ended after its
 * deadline. */
double row_deadlines(const struct row_setting *setting, double load);

#endif
