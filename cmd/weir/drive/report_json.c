/* SPDX-License-Identifier: MIT */
/* What `weir load` tells programs in the end.
 *
 * Written as it goes, not built as one tree: a series may have a hundred thousand bins.  jansson
 * makes each value; this file sees to it that a member, or an element of a list, is one line.
 *
 * Threads: one. */

#include "drive/report.h"

#include <math.h>

#include <jansson.h>

#include "base/check.h"

/* Enough for a microsecond in a day, and no digits that mean nothing. */
#define VALUE_FLAGS (JSON_ENCODE_ANY | JSON_REAL_PRECISION(12))

struct writer {
    FILE *out;
    bool more; /* something stands before the next member */
};

/* -- values ----------------------------------------------------------------------------------- */

/* Rounded to what is measured, so that 0.1 does not become 0.10000000000000001. */
static json_t *number(double value, double unit)
{
    return json_real(isfinite(value) ? round(value / unit) * unit : 0);
}

static json_t *ms(int64_t ns)
{
    return number((double)ns / 1e6, 1e-6);
}

static json_t *count(uint64_t value)
{
    return json_integer((json_int_t)value);
}

/* An URL's path may name a socket in any bytes. */
static json_t *text(const char *value)
{
    json_t *string = json_string(value);
    return string != NULL ? string : json_string("(not UTF-8)");
}

static void set(json_t *object, const char *name, json_t *value)
{
    /* Out of memory the member is missing; a reader of JSON notices that. */
    (void)json_object_set_new(object, name, value);
}

/* -- lines ------------------------------------------------------------------------------------ */

static void dump(struct writer *w, json_t *value)
{
    if (value == NULL || json_dumpf(value, w->out, VALUE_FLAGS) != 0)
        fputs("null", w->out);
    json_decref(value);
}

static void name_member(struct writer *w, const char *name)
{
    fprintf(w->out, "%s\n  \"%s\": ", w->more ? "," : "{", name);
    w->more = true;
}

static void member(struct writer *w, const char *name, json_t *value)
{
    name_member(w, name);
    dump(w, value);
}

static void list_begin(struct writer *w, const char *name)
{
    name_member(w, name);
    fputc('[', w->out);
    w->more = false;
}

static void element(struct writer *w, json_t *value)
{
    fputs(w->more ? ",\n    " : "\n    ", w->out);
    dump(w, value);
    w->more = true;
}

static void list_end(struct writer *w)
{
    fputs(w->more ? "\n  ]" : "]", w->out);
    w->more = true;
}

static void members_of(struct writer *w, json_t *object)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        member(w, name, json_incref(value));
    }
    json_decref(object);
}

/* -- what several places have in common ------------------------------------------------------- */

static void set_counts(json_t *object, const struct counts *counts)
{
    const uint64_t *of = counts->of;
    set(object, "requests", count(counts_due(counts)));
    set(object, "ok", count(of[OUTCOME_OK]));
    set(object, "shed_503", count(of[OUTCOME_SHED]));
    set(object, "other_status", count(of[OUTCOME_OTHER]));
    set(object, "late", count(of[OUTCOME_LATE]));
    set(object, "timeout", count(of[OUTCOME_TIMEOUT]));
    set(object, "error", count(of[OUTCOME_ERROR]));
    set(object, "abandoned", count(of[OUTCOME_ABANDONED]));
    set(object, "not_sent", count(counts_not_sent(counts)));
}

static void set_attempts(json_t *object, uint64_t attempts, const struct counts *counts)
{
    set(object, "attempts", count(attempts));
    set(object, "attempts_per_request", number(report_attempts_each(attempts, counts), 1e-4));
}

static json_t *attempts_by_outcome(const struct counts *counts)
{
    static const struct {
        const char *name;
        enum outcome outcome;
    } names[] = {
        { "ok", OUTCOME_OK },
        { "shed_503", OUTCOME_SHED },
        { "other_status", OUTCOME_OTHER },
        { "late", OUTCOME_LATE },
        { "timeout", OUTCOME_TIMEOUT },
        { "error", OUTCOME_ERROR },
        { "abandoned", OUTCOME_ABANDONED },
    };
    json_t *object = json_object();
    for (size_t i = 0; i < wi_count_of(names); i++)
        set(object, names[i].name, count(counts->of[names[i].outcome]));
    return object;
}

static void set_percentiles(json_t *object, const char *prefix, const struct wi_hist *hist)
{
    for (int i = 0; i < PERCENTS; i++) {
        char name[40];
        snprintf(name, sizeof name, "%s_%s", prefix, report_percent_names[i]);
        set(object, name, ms(wi_hist_percentile(hist, report_percents[i])));
    }
}

/* -- lists ------------------------------------------------------------------------------------ */

static void error_list(struct writer *w, const struct tally *t)
{
    list_begin(w, "errors");
    for (int i = 0; i < ERROR_KINDS_MAX && t->errors[i].count > 0; i++) {
        json_t *object = json_object();
        set(object, "what", text(report_error_text(t->errors[i].code)));
        set(object, "count", count(t->errors[i].count));
        element(w, object);
    }
    list_end(w);
}

/* A closed loop is one step without a rate. */
static void step_list(struct writer *w, const struct plan *plan, const struct tally *t)
{
    list_begin(w, "steps");
    for (int i = 0; i < t->step_count; i++) {
        const bool open_loop = is_open_loop(plan);
        const struct step step = open_loop ? plan->schedule.steps[i] : (struct step){ 0 };
        /* Cut short, a step ends with the run. */
        const double wall = (double)t->steps[i].wall_ns / 1e9;
        const bool cut = !open_loop || t->interrupted;
        const double seconds = cut ? wall : step.seconds;
        const struct step_tally *of = &t->steps[i];
        const uint64_t ok = of->counts.of[OUTCOME_OK];
        json_t *object = json_object();
        set(object, "index", json_integer(i));
        set(object, "rate_from", number(step.from, 1e-3));
        set(object, "rate_to", number(step.to, 1e-3));
        set(object, "seconds", number(seconds, 1e-6));
        set_counts(object, &of->counts);
        set_attempts(object, of->attempts, &of->counts);
        set(object, "ok_per_second", number(seconds > 0 ? (double)ok / seconds : 0, 1e-3));
        set_percentiles(object, "ok_ms", &t->steps[i].ok_ns);
        set_percentiles(object, "shed_ms", &t->steps[i].shed_ns);
        set_percentiles(object, "send_late_ms", &t->steps[i].send_ns);
        set(object, "own_cpu", number(step_cpu(&t->steps[i]), 1e-4));
        element(w, object);
    }
    list_end(w);
}

static void url_list(struct writer *w, const struct plan *plan, const struct tally *t)
{
    list_begin(w, "urls");
    for (int i = 0; i < t->url_count; i++) {
        const struct url_tally *url = &t->urls[i];
        json_t *object = json_object();
        set(object, "url", text(plan->targets.all[i].url));
        set(object, "weight", json_real(plan->targets.all[i].weight));
        set_counts(object, &url->counts);
        set(object, "ok_ms_p50", ms(wi_hist_percentile(&url->ok_ns, 50)));
        set(object, "ok_ms_p99", ms(wi_hist_percentile(&url->ok_ns, 99)));
        set(object, "ok_ms_max", ms(wi_hist_max(&url->ok_ns)));
        element(w, object);
    }
    list_end(w);
}

static json_t *percentile(int64_t ns)
{
    return ns >= 0 ? ms(ns) : json_null();
}

static void series_list(struct writer *w, const struct series *series)
{
    list_begin(w, "series");
    for (int i = 0; i < series->opened; i++) {
        const struct bin *bin = &series->bins[i];
        const uint64_t *of = bin->counts.of;
        const uint64_t due = counts_due(&bin->counts);
        json_t *object = json_object();
        set(object, "at_ms", ms(series->bin_ns * i));
        set(object, "due", count(due));
        set(object, "sent", count(due - counts_not_sent(&bin->counts)));
        set(object, "ok", count(of[OUTCOME_OK]));
        set(object, "shed", count(of[OUTCOME_SHED]));
        set(object, "other", count(of[OUTCOME_OTHER]));
        set(object, "late", count(of[OUTCOME_LATE]));
        set(object, "timeout", count(of[OUTCOME_TIMEOUT]));
        set(object, "error", count(of[OUTCOME_ERROR]));
        set(object, "attempts", count(bin->attempts));
        set(object, "in_flight", json_integer(bin->in_flight));
        set(object, "p50_ms", percentile(bin->p50_ns));
        set(object, "p99_ms", percentile(bin->p99_ns));
        element(w, object);
    }
    list_end(w);
}

/* -- the whole -------------------------------------------------------------------------------- */

static json_t *arrivals_name(const struct plan *plan)
{
    static const char *const names[] = {
        [ARRIVALS_POISSON] = "poisson",
        [ARRIVALS_EVEN] = "even",
        [ARRIVALS_BURSTY] = "bursty",
    };
    return is_open_loop(plan) ? json_string(names[plan->schedule.kind]) : json_null();
}

/* All reasons as one text, or null. */
static json_t *void_reasons(const struct verdict *verdict)
{
    char all[REASONS_MAX * (VERDICT_REASON_BYTES + 2)];
    size_t used = 0;
    if (verdict->count == 0)
        return json_null();
    for (int i = 0; i < verdict->count; i++)
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", i > 0 ? "; " : "",
                                 verdict->reasons[i]);
    return text(all);
}

static json_t *about_plan(const struct plan *plan)
{
    const struct schedule *schedule = &plan->schedule;
    const bool open_loop = is_open_loop(plan);
    json_t *object = json_object();
    set(object, "url", text(plan->targets.all[0].url));
    set(object, "loop", json_string(open_loop ? "open" : "closed"));
    set(object, "rate", number(open_loop ? schedule_mean_rate(schedule) : 0, 1e-3));
    set(object, "arrivals", arrivals_name(plan));
    if (open_loop && schedule->kind == ARRIVALS_BURSTY) {
        set(object, "burst_ratio", json_real(schedule->burst_ratio));
        set(object, "burst_ms", number(schedule->burst_s * 1e3, 1e-3));
        set(object, "burst_every_ms", number(schedule->burst_every_s * 1e3, 1e-3));
    }
    set(object, "connections", json_integer(plan->connections));
    set(object, "seed", json_integer((json_int_t)schedule->seed));
    set(object, "timeout_ms", ms(plan->timeout_ns));
    set(object, "retries", json_integer(plan->retries));
    set(object, "backoff_ms", ms(plan->backoff_ns));
    return object;
}

static json_t *about_result(const struct report *r)
{
    const struct tally *t = r->tally;
    const double seconds = t->elapsed_ns > 0 ? (double)t->elapsed_ns / 1e9 : 1;
    json_t *object = json_object();
    set(object, "seconds", number(seconds, 1e-6));
    set(object, "interrupted", json_boolean(t->interrupted));
    set_counts(object, &t->all);
    set_attempts(object, counts_due(&t->attempts), &t->all);
    set(object, "attempts_by_outcome", attempts_by_outcome(&t->attempts));
    set(object, "ok_per_second", number((double)t->all.of[OUTCOME_OK] / seconds, 1e-3));
    set(object, "bytes_in", count(t->bytes_in));
    set(object, "bytes_out", count(t->bytes_out));
    set(object, "dialed", count(t->dialed));
    set(object, "reconnects", count(t->reconnects));
    set(object, "in_flight_peak", json_integer(t->in_flight_peak));
    set_percentiles(object, "ok_ms", &t->ok_ns);
    set_percentiles(object, "shed_ms", &t->shed_ns);
    set_percentiles(object, "send_late_ms", &t->send_ns);
    set(object, "own_cpu", number(t->cpu, 1e-4));
    set(object, "schedule_kept", json_boolean(r->verdict->count == 0));
    set(object, "void", void_reasons(r->verdict));
    return object;
}

void report_json(FILE *out, const struct report *report)
{
    struct writer w = { .out = out };
    members_of(&w, about_plan(report->plan));
    members_of(&w, about_result(report));
    error_list(&w, report->tally);
    step_list(&w, report->plan, report->tally);
    url_list(&w, report->plan, report->tally);
    member(&w, "bin_ms", ms(report->tally->series.bin_ns));
    series_list(&w, &report->tally->series);
    fputs("\n}\n", out);
}

void report_merged_json(FILE *out, int files, const struct histograms *merged)
{
    struct writer w = { .out = out };
    json_t *object = json_object();
    set(object, "files", json_integer(files));
    set(object, "ok", count(wi_hist_count(&merged->ok)));
    set(object, "shed_503", count(wi_hist_count(&merged->shed)));
    set(object, "sent", count(wi_hist_count(&merged->send_late)));
    set_percentiles(object, "ok_ms", &merged->ok);
    set_percentiles(object, "shed_ms", &merged->shed);
    set_percentiles(object, "send_late_ms", &merged->send_late);
    members_of(&w, object);
    fputs("\n}\n", out);
}
