/* SPDX-License-Identifier: MIT */
/* How much a server can do.
 *
 * a. Saturation: a closed loop whose connections double until that brings less than 2 % more; the
 *    median of several runs with the best number of them, whose range is the spread.
 * b. Capacity: the largest rate of an open loop (Poisson) at which 99.9 % of the requests are
 *    answered well and p99 stays within the objective, the larger of 10 R0 and R0 + 100 ms, where
 *    R0 is the median latency of one connection alone.  Found by halving the range between half of
 *    the saturation and all of it.  The short form leaves this out and takes a. for it.
 *
 * The multiples of later loads are of each server's own capacity, which is fair to slow ones.
 * Source of the objective's factor: Breakwater (OSDI 2020); the 100 ms are for Linux's noise. */

#include "compare/measure.h"

#include <stdio.h>

#include "base/check.h"

#define GAIN_MIN 1.02
#define OK_MIN 0.999
#define OBJECTIVE_FACTOR 10.0
#define OBJECTIVE_MS 100.0
#define SHORT_FACTOR 2
#define PROBES_MAX 9
#define SEARCHES_MAX 12

struct search {
    struct meter *meter;
    const struct subject *subject;
    int connections; /* that saturate it */
    struct shot best;
    double rates[PROBES_MAX];
    int rate_count;
    double saturation;
    double capacity;
};

static int closed_loop(struct search *search, int connections, double seconds, struct shot *shot,
                       char why[REASON_BYTES])
{
    const struct shot_opts opts = {
        .connections = connections,
        .seconds = seconds,
        .seed = search->meter->seed,
        .timeout_ms = search->meter->timeout_ms,
        .late_ms_max = search->meter->form.late_ms_max,
    };
    return meter_load(search->meter, search->subject, &opts, shot, why);
}

/* Code that is compiled at run time, caches and pools are as they will be. */
static int warm_up(struct search *search, char why[REASON_BYTES])
{
    struct shot shot;
    return closed_loop(search, search->subject->workload->connections_min,
                       search->meter->form.warm_s, &shot, why);
}

static int find_connections(struct search *search, char why[REASON_BYTES])
{
    const struct workload *workload = search->subject->workload;
    double best = 0;
    int connections = workload->connections_min;
    if (search->meter->form.search_s <= 0) {
        search->connections = SHORT_FACTOR * connections;
        return 0;
    }
    for (int i = 0; i < SEARCHES_MAX && connections <= workload->connections_max; i++) {
        struct shot shot;
        const int rc = closed_loop(search, connections, search->meter->form.search_s, &shot, why);
        if (rc < 0)
            return rc;
        const double rate = shot_goodput(&shot);
        if (i > 0 && rate < best * GAIN_MIN)
            break;
        best = rate > best ? rate : best;
        search->connections = connections;
        connections *= 2;
    }
    return 0;
}

static int find_saturation(struct search *search, char why[REASON_BYTES])
{
    const struct form *form = &search->meter->form;
    double best = -1;
    for (int i = 0; i < form->probes && i < PROBES_MAX; i++) {
        struct shot shot;
        const int rc = closed_loop(search, search->connections, form->probe_s, &shot, why);
        if (rc < 0)
            return rc;
        const double rate = shot_goodput(&shot);
        search->rates[search->rate_count++] = rate;
        if (rate > best)
            search->best = shot;
        best = rate > best ? rate : best;
    }
    search->saturation = median_of(search->rates, search->rate_count);
    search->capacity = search->saturation;
    return 0;
}

static bool keeps_up(const struct shot *shot, double objective_ms)
{
    return shot->ok >= OK_MIN * shot->requests && shot->p99_ms <= objective_ms;
}

/* A rate at which the generator itself was late is tried once more before it counts against the
 * server. */
static int try_rate(struct search *search, double rate, double objective_ms, bool *kept,
                    char why[REASON_BYTES])
{
    const struct shot_opts opts = {
        .rate = rate,
        .seconds = search->meter->form.bisect_s,
        .seed = search->meter->seed,
        .timeout_ms = search->meter->timeout_ms,
        .late_ms_max = search->meter->form.late_ms_max,
    };
    *kept = false;
    for (int i = 0; i < 2; i++) {
        struct shot shot;
        const int rc = meter_load(search->meter, search->subject, &opts, &shot, why);
        if (rc < 0)
            return rc;
        *kept = keeps_up(&shot, objective_ms);
        if (*kept || shot.spoiled[0] == '\0')
            return 0;
    }
    return 0;
}

static int bisect(struct search *search, char why[REASON_BYTES])
{
    struct shot alone;
    int rc = closed_loop(search, 1, search->meter->form.search_s, &alone, why);
    if (rc < 0)
        return rc;
    const double objective_ms = alone.p50_ms * OBJECTIVE_FACTOR > alone.p50_ms + OBJECTIVE_MS
                                    ? alone.p50_ms * OBJECTIVE_FACTOR
                                    : alone.p50_ms + OBJECTIVE_MS;
    double low = search->saturation / 2;
    double high = search->saturation;
    for (int i = 0; rc == 0 && i < search->meter->form.bisections; i++) {
        bool kept;
        const double middle = (low + high) / 2;
        rc = try_rate(search, middle, objective_ms, &kept, why);
        if (kept)
            low = middle;
        else
            high = middle;
    }
    search->capacity = low;
    return rc;
}

static json_t *members(const struct search *search)
{
    const struct shot *best = &search->best;
    const double range = search->rates[search->rate_count - 1] - search->rates[0];
    return json_pack("{s:f, s:f, s:f, s:f, s:I, s:i, s:i}", "capacity", search->capacity,
                     "saturation", search->saturation, "spread", range / search->saturation,
                     "cpu_us_per_request", shot_cpu_us(best), "resident_bytes",
                     (json_int_t)best->resident_bytes, "processes", best->processes, "threads",
                     best->threads);
}

int measure_capacity(struct meter *m, const struct subject *subject, json_t **out,
                     char why[REASON_BYTES])
{
    struct search search = {
        .meter = m,
        .subject = subject,
        .connections = subject->workload->connections_min,
    };
    wi_bug_unless(m->form.probes > 0);
    int rc = warm_up(&search, why);
    if (rc == 0)
        rc = find_connections(&search, why);
    if (rc == 0)
        rc = find_saturation(&search, why);
    if (rc < 0)
        return rc;
    if (search.saturation <= 0) {
        snprintf(why, REASON_BYTES, "it answered no request well within %d ms", m->timeout_ms);
        return CONTEST_FAILED;
    }
    if (m->form.bisections > 0 && !subject->all_cores)
        rc = bisect(&search, why);
    if (rc < 0)
        return rc;
    *out = members(&search);
    return *out != NULL ? 0 : CONTEST_FAILED;
}
