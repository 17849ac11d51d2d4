/* SPDX-License-Identifier: MIT */
/* Starts, points and state.  See measure.h; overload.c has what changes over time. */

#include "compare/measure.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "system_probe.h"

#define STARTS_MAX 9
#define READ_BACKS 24
#define BODY_BYTES 512

/* Below this share of the server's cores, a server at its limit waits for something else. */
#define IDLE_SHARE 0.5

#define OWN_CPU_MAX 0.7

/* Parts of a point's time, for the time before it counts. */
#define LEAD_FACTOR 1.5
#define LEAD_LEAST 0.2
#define LEAD_MOST 1.5

/* Of the requests: then it keeps up. */
#define KEPT_UP 0.95

static const struct cores *cores_of(struct meter *m, const struct subject *subject)
{
    return subject->all_cores ? &m->all : &m->one;
}

static int ensure(struct meter *m, const struct subject *subject, char why[REASON_BYTES])
{
    return server_ensure(&m->server, subject->who, subject->workload, cores_of(m, subject), why);
}

int meter_load(struct meter *m, const struct subject *subject, const struct shot_opts *opts,
               struct shot *shot, char why[REASON_BYTES])
{
    const struct generator generator = {
        .executable = m->server.list->executable,
        .log = m->load_log,
        .cores = subject->all_cores ? &m->all : &m->generator,
    };
    int rc = ensure(m, subject, why);
    if (rc == 0)
        rc = server_settle(&m->server, why);
    if (rc == 0)
        rc = generator_run(&generator, &m->server, opts, shot, why);
    if (rc == CONTEST_FAILED)
        server_stop(&m->server); /* the next measurement begins with a new one */
    return rc;
}

static int by_value(const void *a, const void *b)
{
    const double left = *(const double *)a;
    const double right = *(const double *)b;
    return (left > right) - (left < right);
}

double median_of(double *figures, int count)
{
    wi_bug_unless_cmp(count, >, 0);
    qsort(figures, (size_t)count, sizeof figures[0], by_value);
    return figures[count / 2];
}

/* -- start ------------------------------------------------------------------------------------ */

int measure_start(struct meter *m, const struct subject *subject, json_t **out,
                  char why[REASON_BYTES])
{
    double ms[STARTS_MAX];
    const int starts = m->form.starts < STARTS_MAX ? m->form.starts : STARTS_MAX;
    for (int i = 0; i < starts; i++) {
        server_stop(&m->server);
        const int rc = ensure(m, subject, why);
        if (rc < 0)
            return rc;
        ms[i] = m->server.start_ms;
    }
    struct usage usage;
    tree_usage(m->server.child.pid, true, &usage);
    *out = json_pack("{s:f, s:I, s:i, s:i}", "start_ms", median_of(ms, starts), "resident_bytes",
                     (json_int_t)usage.resident_bytes, "processes", usage.processes, "threads",
                     usage.threads);
    return *out != NULL ? 0 : CONTEST_FAILED;
}

/* -- points ----------------------------------------------------------------------------------- */

static double per_second(const struct shot *shot, double count)
{
    return shot->seconds > 0 ? count / shot->seconds : 0;
}

static json_t *point(const struct meter *m, const struct subject *subject, double ok_us,
                     double multiple, const struct shot *shot)
{
    const double refusal_us = shot_refusal_us(shot, ok_us);
    json_t *json =
        json_pack("{s:s, s:f, s:f, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:I}", "cores",
                  subject->all_cores ? "all" : "one", "multiple", multiple, "offered",
                  per_second(shot, shot->requests), "seed", (json_int_t)m->seed, "goodput",
                  shot_goodput(shot), "late", per_second(shot, shot->late), "shed",
                  per_second(shot, shot->shed), "other", per_second(shot, shot->other), "error",
                  per_second(shot, shot->error), "timeout", per_second(shot, shot->timeout),
                  "resident_bytes", (json_int_t)shot->resident_bytes);
    int rc = json == NULL ? -1 : 0;
    if (rc == 0 && shot->ok > 0)
        rc = json_object_set_new(json, "p50_ms", json_real(shot->p50_ms)) |
             json_object_set_new(json, "p99_ms", json_real(shot->p99_ms)) |
             json_object_set_new(json, "cpu_us_per_request", json_real(shot_cpu_us(shot)));
    if (rc == 0 && !isnan(refusal_us))
        rc = json_object_set_new(json, "cpu_us_per_refusal", json_real(refusal_us));
    if (rc == 0 && shot->spoiled[0] != '\0')
        rc = json_object_set_new(json, "void", json_string(shot->spoiled));
    if (rc == 0)
        return json;
    json_decref(json);
    return NULL;
}

/* A library that blocks its thread, in a handler that does not say so: the server cannot keep up,
 * and yet its core is idle.  (One that runs a request at a time in each process is meant to be
 * so.) */
static void note_blocking(const struct subject *subject, const struct shot *shot, json_t *json)
{
    const struct contestant *who = subject->who;
    const double busy = shot->whole_s > 0 ? shot->server_cpu_ns / 1e9 / shot->whole_s : 1;
    const bool kept_up = shot->ok + shot->not_sent >= KEPT_UP * shot->requests;
    if (who->source != SOURCE_APP || kept_up || busy > IDLE_SHARE ||
        strcmp(who->option, "prefork") == 0)
        return;
    char note[REASON_BYTES];
    snprintf(note, sizeof note,
             "it cannot keep up while its core is %.0f %% idle: requests wait for each other, not "
             "for the CPU; if a handler calls a library that blocks its thread, give its route "
             ".blocking",
             (1 - busy) * 100);
    (void)json_object_set_new(json, "note", json_string(note)); /* without memory: no note */
}

/* An unbounded queue of a server that is offered `multiple` times its capacity reaches the client's
 * timeout after timeout / (multiple - 1); what was due before was answered in time, and would
 * flatter a short measurement.  So each begins one and a half times as long before it counts. */
static double lead_s(const struct meter *m, double multiple)
{
    const double least = LEAD_LEAST * m->form.point_s;
    if (multiple <= 1)
        return least;
    const double filling = LEAD_FACTOR * m->timeout_ms / 1000.0 / (multiple - 1);
    const double most = LEAD_MOST * m->form.point_s;
    return filling < least ? least : filling > most ? most : filling;
}

/* Who has a queue answers what was due before the end during a whole timeout after it.  Were there
 * no more requests then, it would get that much time as a present. */
static double tail_s(const struct meter *m, double multiple)
{
    return multiple > 1 ? m->timeout_ms / 1000.0 : 0;
}

/* What is too much for the generator will be too much a second time; lateness may be a whim. */
static bool may_improve(const struct shot *shot)
{
    return shot->spoiled[0] != '\0' && shot->not_sent <= 0 && shot->own_cpu < OWN_CPU_MAX;
}

int measure_point(struct meter *m, const struct subject *subject, const struct level *level,
                  double multiple, json_t **out, char why[REASON_BYTES])
{
    const struct shot_opts opts = {
        .rate = level->capacity * multiple,
        .seconds = m->form.point_s,
        .lead_s = lead_s(m, multiple),
        .tail_s = tail_s(m, multiple),
        .seed = m->seed,
        .timeout_ms = m->timeout_ms,
        .late_ms_max = m->form.late_ms_max,
    };
    struct shot shot;
    int rc = meter_load(m, subject, &opts, &shot, why);
    for (int i = 1; i < m->form.tries && rc == 0 && may_improve(&shot); i++)
        rc = meter_load(m, subject, &opts, &shot, why);
    if (rc < 0)
        return rc;
    *out = point(m, subject, level->ok_us, multiple, &shot);
    if (*out == NULL)
        return CONTEST_FAILED;
    note_blocking(subject, &shot, *out);
    return 0;
}

/* -- state ------------------------------------------------------------------------------------ */

/* The first whole number in the text; -1 without one. */
static int64_t number_in(const char *text)
{
    while (*text != '\0' && !isdigit((unsigned char)*text))
        text++;
    return *text == '\0' ? -1 : strtoll(text, NULL, 10);
}

static int read_count(struct meter *m, int64_t *out, char why[REASON_BYTES])
{
    int weight;
    char body[BODY_BYTES];
    const char *path = server_path(&m->server, 0, &weight);
    const int status = probe(m->server.port, "GET", path, m->timeout_ms * 5, body, sizeof body);
    *out = status == 200 ? number_in(body) : -1;
    if (*out >= 0)
        return 0;
    if (status > 0)
        snprintf(why, REASON_BYTES, "GET %.200s answered %d without a number", path, status);
    else
        snprintf(why, REASON_BYTES, "GET %.200s failed: %s", path, weir_err_text(status));
    return CONTEST_FAILED;
}

/* A client reads from whichever process takes its connection, so the reading that is farthest from
 * the truth is the one that counts.  A request that failed may have been counted or not. */
static int read_back(struct meter *m, int64_t surely, int64_t perhaps, int64_t *out,
                     char why[REASON_BYTES])
{
    int64_t worst = -1;
    for (int i = 0; i < READ_BACKS; i++) {
        int64_t seen;
        const int rc = read_count(m, &seen, why);
        if (rc < 0)
            return rc;
        const int64_t off = seen < surely             ? surely - seen
                            : seen > surely + perhaps ? seen - surely - perhaps
                                                      : 0;
        if (off <= worst)
            continue;
        worst = off;
        *out = off == 0 ? surely : seen;
    }
    return 0;
}

int measure_state(struct meter *m, const struct subject *subject, json_t **out,
                  char why[REASON_BYTES])
{
    int64_t before = 0;
    int64_t seen = 0;
    struct shot shot;
    const struct shot_opts opts = {
        .connections = subject->workload->connections_min,
        .seconds = m->form.state_s,
        .seed = m->seed,
        .timeout_ms = m->timeout_ms,
        .late_ms_max = m->form.late_ms_max,
    };
    int rc = ensure(m, subject, why);
    if (rc == 0)
        rc = read_count(m, &before, why);
    if (rc == 0)
        rc = meter_load(m, subject, &opts, &shot, why);
    if (rc < 0)
        return rc;
    const int64_t surely = before + (int64_t)shot.ok;
    rc = read_back(m, surely, (int64_t)(shot.late + shot.timeout + shot.error), &seen, why);
    if (rc < 0)
        return rc;
    *out =
        json_pack("{s:I, s:I, s:I, s:i, s:i}", "state_expected", (json_int_t)surely, "state_seen",
                  (json_int_t)seen, "resident_bytes", (json_int_t)shot.resident_bytes, "processes",
                  shot.processes, "threads", shot.threads);
    return *out != NULL ? 0 : CONTEST_FAILED;
}
