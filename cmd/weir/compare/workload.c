/* SPDX-License-Identifier: MIT */
/* Workloads and forms.  See workload.h.
 *
 * The search for saturation begins with few connections and doubles, because a server of one
 * request at a time is drowned by many: it would answer people who have long gone away.
 *
 * The short form has a shorter timeout, because it makes overload show sooner, and repeats nothing:
 * it is to be done within two minutes. */

#include "compare/workload.h"

#include <string.h>

#include "base/check.h"

/* For trying things out a storm is watched so many times as long as a point lasts. */
#define STORM_SECONDS 3

static const struct workload workloads[] = {
    { .name = "api",
      .what = "2 ms of CPU time per request",
      .kind = WORKLOAD_LOAD,
      .mix = { { "/cpu?ms=2", 1 } },
      .method = "GET",
      .connections_min = 8,
      .connections_max = 64,
      .storm = true },
    { .name = "wait",
      .what = "50 ms on a backend; the core is free meanwhile",
      .kind = WORKLOAD_LOAD,
      .mix = { { "/wait?ms=50", 1 } },
      .method = "GET",
      .connections_min = 8,
      .connections_max = 1024 },
    { .name = "mix",
      .what = "70 % greetings, 25 % that wait 20 ms, 5 % that take 2 ms of CPU time",
      .kind = WORKLOAD_LOAD,
      .mix = { { "/hello/world", 70 }, { "/wait?ms=20", 25 }, { "/cpu?ms=2", 5 } },
      .method = "GET",
      .connections_min = 8,
      .connections_max = 512 },
    { .name = "block",
      .what = "20 ms inside a library that blocks its thread",
      .kind = WORKLOAD_LOAD,
      .mix = { { "/block?ms=20", 1 } },
      .method = "GET",
      .connections_min = 4,
      .connections_max = 512 },
    { .name = "stream",
      .what = "20 chunks, 2 ms apart, to each client",
      .kind = WORKLOAD_LOAD,
      .mix = { { "/stream?n=20&ms=2", 1 } },
      .method = "GET",
      .connections_min = 8,
      .connections_max = 512 },
    { .name = "crash",
      .what = "2 ms of CPU time; one request in a thousand ends its process (on all cores, half of "
              "the capacity)",
      .kind = WORKLOAD_CRASH,
      .mix = { { "/cpu?ms=2", 1 } },
      .method = "GET",
      .serve_option = "--crash",
      .connections_min = 8,
      .connections_max = 64 },
    { .name = "state",
      .what = "a counter that requests share: counted up, then read back (on all cores)",
      .kind = WORKLOAD_STATE,
      .mix = { { "/count", 1 } },
      .method = "POST",
      .serve_option = "--state",
      .connections_min = 16,
      .connections_max = 16 },
};

const struct workload *workload_find(const char *name)
{
    for (size_t i = 0; i < wi_count_of(workloads); i++) {
        if (strcmp(workloads[i].name, name) == 0)
            return &workloads[i];
    }
    return NULL;
}

const char *workload_names(void)
{
    return "api, wait, mix, block, stream, crash, state";
}

const struct workload *workload_of_app(const char *url)
{
    static struct workload own = {
        .name = "app",
        .what = "the url of your program",
        .kind = WORKLOAD_LOAD,
        .method = "GET",
        .connections_min = 4,
        .connections_max = 512,
        .storm = true,
    };
    own.mix[0].path = url;
    own.mix[0].weight = 1;
    return &own;
}

static const struct form forms[] = {
    { .name = "short",
      .workloads = "api",
      .multiples = { 1, 5 },
      .timeout_ms = 500,
      .late_ms_max = 5,
      .starts = 1,
      .warm_s = 0.15,
      .probe_s = 0.25,
      .probes = 3,
      .point_s = 0.9,
      .crash_s = 8,
      .state_s = 0.5 },
    { .name = "default",
      .workloads = "api,wait,mix,block,stream,crash,state",
      .multiples = { 0.5, 1, 2, 5 },
      .timeout_ms = 1000,
      .late_ms_max = 5,
      .tries = 2,
      .starts = 3,
      .warm_s = 0.5,
      .search_s = 0.4,
      .probe_s = 0.6,
      .probes = 3,
      .bisections = 3,
      .bisect_s = 1.2,
      .point_s = 2.5,
      .crash_s = 12,
      .state_s = 1 },
    { .name = "full",
      .workloads = "api,wait,mix,block,stream,crash,state",
      .multiples = { 0.5, 0.9, 1, 1.5, 2, 3, 5, 10 },
      .timeout_ms = 1000,
      .late_ms_max = 1,
      .tries = 2,
      .step = true,
      .starts = 5,
      .warm_s = 2,
      .search_s = 1,
      .probe_s = 3,
      .probes = 3,
      .bisections = 5,
      .bisect_s = 6,
      .point_s = 10,
      .step_s = 5,
      .storm_s = 60,
      .trigger_s = 2,
      .crash_s = 40,
      .state_s = 3 },
};

const struct form *form_find(const char *name)
{
    for (size_t i = 0; i < wi_count_of(forms); i++) {
        if (strcmp(forms[i].name, name) == 0)
            return &forms[i];
    }
    return NULL;
}

struct form form_of_seconds(const struct form *form, double seconds)
{
    struct form all = *form;
    all.warm_s = seconds;
    all.search_s = form->search_s > 0 ? seconds : 0;
    all.probe_s = seconds;
    all.bisect_s = seconds;
    all.point_s = seconds;
    all.step_s = seconds;
    all.storm_s = form->storm_s > 0 ? STORM_SECONDS * seconds : 0;
    all.trigger_s = seconds < form->trigger_s ? seconds : form->trigger_s;
    all.crash_s = seconds;
    all.state_s = seconds;
    return all;
}
