/* SPDX-License-Identifier: MIT */
/* Overload that comes and goes: the step and the retry storm, as series over time.
 *
 * A step shows how soon a server is itself again when everybody has given up.  In a storm nobody
 * does: each client tries three times again, so a server that works on what was given up keeps
 * its own overload alive long after the burst.  It has recovered from the moment on from which the
 * requests of every second are answered well, nearly all of them; with one that has not within the
 * time that it is watched, nothing says that it ever will.
 *
 * What was due before the end is answered, or tried again, after it.  So the load goes on for that
 * long: a server that is left alone then would seem to recover.
 *
 * Source of the notion: "Metastable Failures in the Wild" (OSDI 2022).  The burst, the retries and
 * the bar are this comparison's own.
 *
 * Threads: one. */

#include "compare/measure.h"

#include <stdio.h>

#define STEP_LOW 0.5
#define STEP_HIGH 5.0

/* A series has so many intervals for each of its parts at least, and so many at most. */
#define INTERVALS_LEAST 5
#define INTERVALS_MOST 300
#define BIN_MS 50
#define BIN_MS_LEAST 10

#define STORM_BASE 0.7
#define STORM_BURST 7.0
#define STORM_RETRIES 3
#define STORM_LEAD_S 3.0

/* Recovered: of each second's requests so many are answered well. */
#define RECOVERED_SHARE 0.95
#define RECOVERED_OVER_S 1.0

/* What is tried again because of the burst itself is over by then. */
#define ATTEMPTS_AFTER_S 2.0

/* -- series ----------------------------------------------------------------------------------- */

static double count_of(const json_t *bin, const char *name)
{
    return json_number_value(json_object_get(bin, name));
}

/* One interval of weir load's series as one of the report's. */
static json_t *interval(const json_t *bin, double bin_ms, bool attempts)
{
    const double per_s = 1000 / bin_ms;
    json_t *json = json_pack("{s:f, s:f, s:f, s:f}", "s",
                             json_number_value(json_object_get(bin, "at_ms")) / 1000, "offered",
                             json_number_value(json_object_get(bin, "due")) * per_s, "goodput",
                             json_number_value(json_object_get(bin, "ok")) * per_s, "shed",
                             json_number_value(json_object_get(bin, "shed")) * per_s);
    json_t *p99 = json_object_get(bin, "p99_ms");
    if (json_is_number(p99) && json_object_set(json, "p99_ms", p99) != 0) {
        json_decref(json);
        return NULL;
    }
    if (attempts &&
        json_object_set_new(json, "attempts", json_real(count_of(bin, "attempts") * per_s)) != 0) {
        json_decref(json);
        return NULL;
    }
    return json;
}

/* The first `count` of weir load's intervals: what follows is the tail. */
static json_t *series_of(const json_t *whole, size_t count, bool attempts)
{
    const double bin_ms = json_number_value(json_object_get(whole, "bin_ms"));
    const json_t *bins = json_object_get(whole, "series");
    json_t *series = json_array();
    for (size_t i = 0; i < count && i < json_array_size(bins); i++) {
        const json_t *bin = json_array_get(bins, i);
        if (bin_ms > 0 && json_array_append_new(series, interval(bin, bin_ms, attempts)) == 0)
            continue;
        json_decref(series);
        return NULL;
    }
    return series;
}

/* So wide that the shortest part has some, and the whole not too many. */
static int bin_ms_of(double part_s, double whole_s)
{
    int ms = BIN_MS;
    if (part_s * 1000 / INTERVALS_LEAST < ms)
        ms = (int)(part_s * 1000 / INTERVALS_LEAST);
    if (whole_s * 1000 / INTERVALS_MOST > ms)
        ms = (int)(whole_s * 1000 / INTERVALS_MOST);
    return ms < BIN_MS_LEAST ? BIN_MS_LEAST : ms;
}

/* -- the step --------------------------------------------------------------------------------- */

int measure_step(struct meter *m, const struct subject *subject, double capacity, json_t **out,
                 char why[REASON_BYTES])
{
    const int part_ms = (int)(m->form.step_s * 1000);
    const int bin_ms = bin_ms_of(m->form.step_s, 3 * m->form.step_s);
    char profile[128];
    snprintf(profile, sizeof profile, "%.3f:%dms,%.3f:%dms,%.3f:%dms", capacity * STEP_LOW, part_ms,
             capacity * STEP_HIGH, part_ms, capacity * STEP_LOW, part_ms + m->timeout_ms);
    json_t *whole = NULL;
    struct shot shot;
    const int rc = meter_load(m, subject,
                              &(struct shot_opts){
                                  .profile = profile,
                                  .seconds = 3 * m->form.step_s + m->timeout_ms / 1000.0,
                                  .bin_ms = bin_ms,
                                  .seed = m->seed,
                                  .timeout_ms = m->timeout_ms,
                                  .late_ms_max = m->form.late_ms_max,
                                  .whole = &whole,
                              },
                              &shot, why);
    if (rc < 0)
        return rc;
    *out = json_pack("{s:o}", "series", series_of(whole, (size_t)(3 * part_ms / bin_ms), false));
    json_decref(whole);
    return *out != NULL ? 0 : CONTEST_FAILED;
}

/* -- the storm -------------------------------------------------------------------------------- */

double storm_lead_s(const struct form *form)
{
    return form->storm_s < STORM_LEAD_S ? form->storm_s : STORM_LEAD_S;
}

/* The parts of a run, in intervals. */
struct storm {
    const json_t *bins;
    double bin_s;
    size_t after; /* the first that begins when the burst is over */
    size_t end;
};

/* Of the intervals [first, end). */
static double sum_of(const struct storm *storm, size_t first, size_t end, const char *name)
{
    double sum = 0;
    for (size_t i = first; i < end; i++)
        sum += count_of(json_array_get(storm->bins, i), name);
    return sum;
}

static bool is_well(const struct storm *storm, size_t first, size_t window)
{
    const size_t end = first + window < storm->end ? first + window : storm->end;
    const double due = sum_of(storm, first, end, "due");
    return sum_of(storm, first, end, "ok") >= RECOVERED_SHARE * due;
}

/* The interval from which on all is well; storm->end: it is not. */
static size_t recovery(const struct storm *storm)
{
    const size_t window = (size_t)(RECOVERED_OVER_S / storm->bin_s + 0.5);
    size_t first = storm->end > storm->after + window ? storm->end - window : storm->after;
    if (first == storm->end || !is_well(storm, first, window))
        return storm->end;
    while (first > storm->after && is_well(storm, first - 1, window))
        first--;
    return first;
}

static double attempts_each(const struct storm *storm)
{
    const size_t end = storm->end;
    size_t first = storm->after + (size_t)(ATTEMPTS_AFTER_S / storm->bin_s + 0.5);
    first = first < end ? first : storm->after;
    const double due = sum_of(storm, first, end, "due");
    return due > 0 ? sum_of(storm, first, end, "attempts") / due : 0;
}

static json_t *storm_members(const struct meter *m, const json_t *whole, const struct shot *shot)
{
    const double burst_end_s = storm_lead_s(&m->form) + m->form.trigger_s;
    struct storm storm = {
        .bins = json_object_get(whole, "series"),
        .bin_s = json_number_value(json_object_get(whole, "bin_ms")) / 1000,
    };
    if (storm.bin_s <= 0)
        return NULL;
    storm.end = (size_t)((burst_end_s + m->form.storm_s) / storm.bin_s + 0.5);
    if (storm.end > json_array_size(storm.bins))
        storm.end = json_array_size(storm.bins);
    storm.after = (size_t)(burst_end_s / storm.bin_s + 0.999);
    storm.after = storm.after < storm.end ? storm.after : storm.end;
    const size_t well = recovery(&storm);
    const bool recovered = well < storm.end;
    json_t *json = json_pack("{s:f, s:f, s:f, s:b, s:f, s:o}", "burst_s", storm_lead_s(&m->form),
                             "burst_end_s", burst_end_s, "watched_s", m->form.storm_s, "recovered",
                             recovered, "attempts_per_request", attempts_each(&storm), "series",
                             series_of(whole, storm.end, true));
    int rc = json == NULL ? -1 : 0;
    if (rc == 0 && recovered)
        rc = json_object_set_new(json, "recover_s",
                                 json_real((double)(well - storm.after) * storm.bin_s));
    if (rc == 0 && shot->spoiled[0] != '\0')
        rc = json_object_set_new(json, "void", json_string(shot->spoiled));
    if (rc == 0)
        return json;
    json_decref(json);
    return NULL;
}

int measure_storm(struct meter *m, const struct subject *subject, double capacity, json_t **out,
                  char why[REASON_BYTES])
{
    const struct form *form = &m->form;
    const double lead_s = storm_lead_s(form);
    const double tail_s = (STORM_RETRIES + 1) * m->timeout_ms / 1000.0;
    const double shown_s = lead_s + form->trigger_s + form->storm_s;
    char profile[128];
    snprintf(profile, sizeof profile, "%.3f:%.0fms,%.3f:%.0fms,%.3f:%.0fms", capacity * STORM_BASE,
             lead_s * 1000, capacity * STORM_BURST, form->trigger_s * 1000, capacity * STORM_BASE,
             (form->storm_s + tail_s) * 1000);
    json_t *whole = NULL;
    struct shot shot;
    const int rc = meter_load(m, subject,
                              &(struct shot_opts){
                                  .profile = profile,
                                  .seconds = shown_s + tail_s,
                                  .bin_ms = bin_ms_of(form->trigger_s, shown_s),
                                  .seed = m->seed,
                                  .timeout_ms = m->timeout_ms,
                                  .retries = STORM_RETRIES,
                                  .late_ms_max = form->late_ms_max,
                                  .whole = &whole,
                              },
                              &shot, why);
    if (rc < 0)
        return rc;
    *out = json_pack("{s:o}", "storm", storm_members(m, whole, &shot));
    json_decref(whole);
    return *out != NULL ? 0 : CONTEST_FAILED;
}
