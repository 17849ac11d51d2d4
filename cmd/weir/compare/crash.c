/* SPDX-License-Identifier: MIT */
/* What a crash costs.
 *
 * An open loop at half of the capacity runs through.  Beside it, once in about a thousand of its
 * requests, and at least three times, comes one that ends its process; the seed decides when.
 *
 * A server that does not supervise itself is started again at once, as a service manager would do
 * it.  After each crash a new connection is tried until it is answered: the time without an answer.
 *
 * Lost is what the open loop did not get answered in time; the deadly request itself is not
 * counted, and what was refused with 503 is refused, not lost. */

#include "compare/measure.h"

#include <stdio.h>

#include "base/rng.h"
#include "system_probe.h"
#include "weir/time.h"

#define TRY_AGAIN_NS (50 * WEIR_NS_PER_MS)
#define LOAD_SHARE 0.5
#define CRASHES_LEAST 3.5
#define SECONDS_MAX 8.0
#define ONE_IN 1000.0
#define CRASHES_MAX 256
#define ASK_MS 1000
#define RECOVER_MS_MAX 20000
#define BODY_BYTES 256

struct crashes {
    struct meter *meter;
    struct wi_rng rng;
    double mean_gap_ns;
    int64_t length_ns; /* of the load, in the last tenth of which none comes: the last one must
                        * have time to recover from */
    weir_time next;
    weir_time end; /* 0 until the load has begun */
    int count;
    double recover_ms[CRASHES_MAX];
};

static void plan_next(struct crashes *crashes)
{
    crashes->next += (weir_time)((0.5 + wi_rng_unit(&crashes->rng)) * crashes->mean_gap_ns);
}

/* The server may have had to be started first, so time counts from when the load has begun. */
static void begin(struct crashes *crashes)
{
    crashes->next = weir_now();
    crashes->end = crashes->next + crashes->length_ns / 10 * 9;
    plan_next(crashes);
}

static bool answers(const struct server *s)
{
    char body[BODY_BYTES];
    return probe(s->port, "GET", "/hello/x", ASK_MS, body, sizeof body) == 200;
}

/* Until somebody answers again. */
static int wait_for_recovery(struct server *s, char why[REASON_BYTES])
{
    const weir_time end = weir_in_ms(RECOVER_MS_MAX);
    while (!answers(s)) {
        if (compare_stopped)
            return CONTEST_STOPPED;
        if (weir_now() > end) {
            snprintf(why, REASON_BYTES, "it did not recover from a crash within %d s",
                     RECOVER_MS_MAX / 1000);
            return CONTEST_FAILED;
        }
        if (server_ended(s, why))
            return server_restart(s, why);
        pause_ms(1);
    }
    return 0;
}

/* One request that ends its process.  Refused, or given up, it has ended none: another follows. */
static int crash_once(struct crashes *crashes, char why[REASON_BYTES])
{
    struct server *s = &crashes->meter->server;
    char body[BODY_BYTES];
    const int answer = probe(s->port, "GET", "/crash", ASK_MS, body, sizeof body);
    const weir_time died = weir_now();
    if (answer == 404) {
        snprintf(why, REASON_BYTES, "it has no /crash");
        return CONTEST_FAILED;
    }
    if (answer != WEIR_ECLOSED) {
        crashes->next = died + TRY_AGAIN_NS;
        return 0;
    }
    const int rc = wait_for_recovery(s, why);
    if (rc < 0)
        return rc;
    crashes->recover_ms[crashes->count++] = (double)(weir_now() - died) / 1e6;
    return 0;
}

static int meanwhile(void *user, char why[REASON_BYTES])
{
    struct crashes *crashes = user;
    struct server *s = &crashes->meter->server;
    if (server_ended(s, why))
        return server_restart(s, why);
    if (crashes->end == 0)
        begin(crashes);
    if (weir_now() < crashes->next || crashes->next > crashes->end || crashes->count == CRASHES_MAX)
        return 0;
    plan_next(crashes);
    return crash_once(crashes, why);
}

static json_t *members(struct crashes *crashes, const struct shot *shot)
{
    json_t *json = json_pack("{s:i}", "crashes", crashes->count);
    if (json == NULL || crashes->count == 0)
        return json;
    const double lost = shot->late + shot->timeout + shot->error + shot->other;
    if (json_object_set_new(json, "lost_per_crash", json_real(lost / crashes->count)) == 0 &&
        json_object_set_new(json, "recover_ms",
                            json_real(median_of(crashes->recover_ms, crashes->count))) == 0)
        return json;
    json_decref(json);
    return NULL;
}

/* Long enough for a few crashes of a server of usual speed. */
static double seconds_for(double wanted_s, double rate)
{
    const double few_s = CRASHES_LEAST * ONE_IN / rate;
    const double needed_s = few_s < SECONDS_MAX ? few_s : SECONDS_MAX;
    return wanted_s > needed_s ? wanted_s : needed_s;
}

/* A slow server has more than its share of crashes, so that there is something to be seen. */
static double gap_s(double seconds, double rate)
{
    const double share_s = ONE_IN / rate;
    return share_s < seconds / CRASHES_LEAST ? share_s : seconds / CRASHES_LEAST;
}

/* On all cores the generator has none of its own; when something else took its time too, what it
 * lost may not be the crashes' doing. */
static void note_disturbance(const struct shot *shot, json_t *json)
{
    char note[REASON_BYTES + 64];
    if (shot->spoiled[0] == '\0')
        return;
    snprintf(note, sizeof note, "losses may have other causes than crashes: %s", shot->spoiled);
    (void)json_object_set_new(json, "note", json_string(note)); /* without memory: no note */
}

int measure_crash(struct meter *m, const struct subject *subject, double capacity, json_t **out,
                  char why[REASON_BYTES])
{
    const double rate = capacity * LOAD_SHARE;
    const double seconds = seconds_for(m->form.crash_s, rate);
    struct crashes crashes = {
        .meter = m,
        .mean_gap_ns = gap_s(seconds, rate) * 1e9,
        .length_ns = (int64_t)(seconds * 1e9),
    };
    wi_rng_init(&crashes.rng, m->seed);
    const struct shot_opts opts = {
        .rate = rate,
        .seconds = seconds,
        .seed = m->seed,
        .timeout_ms = m->timeout_ms,
        .late_ms_max = m->form.late_ms_max,
        .meanwhile = meanwhile,
        .user = &crashes,
    };
    struct shot shot;
    const int rc = meter_load(m, subject, &opts, &shot, why);
    if (rc < 0)
        return rc;
    *out = members(&crashes, &shot);
    if (*out == NULL)
        return CONTEST_FAILED;
    note_disturbance(&shot, *out);
    return 0;
}
