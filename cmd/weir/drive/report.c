/* SPDX-License-Identifier: MIT */
/* What `weir load` tells people in the end.  The last lines always judge the instrument itself.
 *
 * Threads: one. */

#include "drive/report.h"

#include <inttypes.h>

#include "base/check.h"
#include "http/status.h"

const double report_percents[PERCENTS] = { 50, 90, 99, 99.9, 100 };
const char *const report_percent_names[PERCENTS] = { "p50", "p90", "p99", "p99.9", "max" };

static double seconds(const struct tally *t)
{
    return t->elapsed_ns > 0 ? (double)t->elapsed_ns / 1e9 : 1;
}

static double ms(int64_t ns)
{
    return (double)ns / 1e6;
}

const char *report_error_text(int code)
{
    if (code == 0)
        return "other errors";
    if (code == WEIR_EEOF)
        return "closed by the service before its answer was complete";
    return code <= -5001 ? wi_http_verdict_text(code) : weir_err_text(code);
}

/* 1234567 as "1,234,567". */
static const char *grouped(uint64_t number, char text[static 32])
{
    char digits[24];
    const int len = snprintf(digits, sizeof digits, "%" PRIu64, number);
    int out = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            text[out++] = ',';
        text[out++] = digits[i];
    }
    text[out] = '\0';
    return text;
}

static void count_line(FILE *out, const char *name, uint64_t number, uint64_t of, const char *note)
{
    char text[32];
    const double share = of > 0 ? 100.0 * (double)number / (double)of : 0;
    fprintf(out, "  %-14s %12s", name, grouped(number, text));
    if (number > 0)
        fprintf(out, "  %6.2f %%", share);
    if (number > 0 && note[0] != '\0')
        fprintf(out, "  %s", note);
    fputc('\n', out);
}

/* -- latencies -------------------------------------------------------------------------------- */

static void latency_heading(FILE *out, const char *from)
{
    fprintf(out, "\n  %-14s", "latency, ms");
    for (int i = 0; i < PERCENTS; i++)
        fprintf(out, " %9s", report_percent_names[i]);
    fprintf(out, "   from %s\n", from);
}

static void latency_line(FILE *out, const char *name, const struct wi_hist *hist)
{
    if (wi_hist_count(hist) == 0)
        return;
    fprintf(out, "  %-14s", name);
    for (int i = 0; i < PERCENTS; i++)
        fprintf(out, " %9.3f", ms(wi_hist_percentile(hist, report_percents[i])));
    fputc('\n', out);
}

static void latency_table(FILE *out, const struct plan *plan, const struct tally *t)
{
    if (wi_hist_count(&t->ok_ns) + wi_hist_count(&t->shed_ns) + wi_hist_count(&t->send_ns) == 0)
        return;
    latency_heading(out, is_open_loop(plan) ? "the intended send time" : "sending");
    latency_line(out, "ok", &t->ok_ns);
    latency_line(out, "503", &t->shed_ns);
    latency_line(out, "sent late by", &t->send_ns);
}

/* -- attempts --------------------------------------------------------------------------------- */

double report_attempts_each(uint64_t attempts, const struct counts *counts)
{
    const uint64_t sent = counts_due(counts) - counts_not_sent(counts);
    return sent > 0 ? (double)attempts / (double)sent : 0;
}

/* Only where there can be more of them than requests. */
static void attempt_heading(FILE *out, const struct plan *plan)
{
    if (plan->retries > 0)
        fprintf(out, " %9s", "attempts");
}

static void attempt_cell(FILE *out, const struct plan *plan, uint64_t attempts)
{
    if (plan->retries > 0)
        fprintf(out, " %9" PRIu64, attempts);
}

static void attempt_line(FILE *out, const struct plan *plan, const struct tally *t)
{
    char text[32];
    const uint64_t *of = t->attempts.of;
    const uint64_t all = counts_due(&t->attempts);
    if (plan->retries == 0)
        return;
    fprintf(out,
            "  %-14s %12s  %.2f per request: %" PRIu64 " ok, %" PRIu64 " refused with 503, %" PRIu64
            " timed out, %" PRIu64 " broke\n",
            "attempts", grouped(all, text), report_attempts_each(all, &t->all), of[OUTCOME_OK],
            of[OUTCOME_SHED], of[OUTCOME_TIMEOUT] + of[OUTCOME_LATE], of[OUTCOME_ERROR]);
}

/* -- tables: a line for each step, URL, bin --------------------------------------------------- */

static uint64_t failed(const struct counts *counts)
{
    return counts->of[OUTCOME_LATE] + counts->of[OUTCOME_TIMEOUT] + counts->of[OUTCOME_ERROR];
}

/* Headings and cells of the same widths. */
static void cell_headings(FILE *out)
{
    fprintf(out, " %9s %9s %8s %8s %8s %8s", "requests", "ok", "503", "other", "failed",
            "not sent");
}

static void cells(FILE *out, const struct counts *counts)
{
    fprintf(out, " %9" PRIu64 " %9" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64,
            counts_due(counts), counts->of[OUTCOME_OK], counts->of[OUTCOME_SHED],
            counts->of[OUTCOME_OTHER], failed(counts), counts_not_sent(counts));
}

static void percentile_cells(FILE *out, const struct wi_hist *hist)
{
    for (int i = 0; i < PERCENTS; i++) {
        if (wi_hist_count(hist) > 0)
            fprintf(out, " %9.3f", ms(wi_hist_percentile(hist, report_percents[i])));
        else
            fprintf(out, " %9s", "-");
    }
    fputc('\n', out);
}

static void percentile_headings(FILE *out)
{
    for (int i = 0; i < PERCENTS; i++)
        fprintf(out, " %9s", report_percent_names[i]);
    fprintf(out, "  ms\n");
}

static void step_table(FILE *out, const struct report *r)
{
    if (r->tally->step_count < 2)
        return;
    fprintf(out, "\n  %4s %17s %7s", "step", "rate", "s");
    cell_headings(out);
    attempt_heading(out, r->plan);
    percentile_headings(out);
    for (int i = 0; i < r->tally->step_count; i++) {
        const struct step *step = &r->plan->schedule.steps[i];
        char rate[48];
        if (step->from != step->to)
            snprintf(rate, sizeof rate, "%g..%g", step->from, step->to);
        else
            snprintf(rate, sizeof rate, "%g", step->from);
        fprintf(out, "  %4d %17s %7g", i + 1, rate, step->seconds);
        cells(out, &r->tally->steps[i].counts);
        attempt_cell(out, r->plan, r->tally->steps[i].attempts);
        percentile_cells(out, &r->tally->steps[i].ok_ns);
    }
}

static void url_table(FILE *out, const struct report *r)
{
    if (r->tally->url_count < 2)
        return;
    fprintf(out, "\n  %7s", "weight");
    cell_headings(out);
    fprintf(out, " %9s %9s  ms\n", "p50", "p99");
    for (int i = 0; i < r->tally->url_count; i++) {
        const struct url_tally *url = &r->tally->urls[i];
        fprintf(out, "  %7g", r->plan->targets.all[i].weight);
        cells(out, &url->counts);
        fprintf(out, " %9.3f %9.3f  %s\n", ms(wi_hist_percentile(&url->ok_ns, 50)),
                ms(wi_hist_percentile(&url->ok_ns, 99)), r->plan->targets.all[i].url);
    }
}

static void series_table(FILE *out, const struct report *r)
{
    const struct series *series = &r->tally->series;
    if (!r->series)
        return;
    fprintf(out, "\n  %8s", "due at s");
    cell_headings(out);
    attempt_heading(out, r->plan);
    fprintf(out, " %9s %9s %9s\n", "in flight", "p50 ms", "p99 ms");
    for (int i = 0; i < series->opened; i++) {
        const struct bin *bin = &series->bins[i];
        fprintf(out, "  %8.2f", (double)(series->bin_ns * i) / 1e9);
        cells(out, &bin->counts);
        attempt_cell(out, r->plan, bin->attempts);
        fprintf(out, " %9" PRId64, bin->in_flight);
        if (bin->p50_ns >= 0)
            fprintf(out, " %9.3f %9.3f\n", ms(bin->p50_ns), ms(bin->p99_ns));
        else
            fprintf(out, " %9s %9s\n", "-", "-");
    }
}

/* -- the whole -------------------------------------------------------------------------------- */

static void error_lines(FILE *out, const struct tally *t)
{
    char text[32];
    for (size_t i = 0; i < ERROR_KINDS_MAX && t->errors[i].count > 0; i++)
        fprintf(out, "    %12s x  %s\n", grouped(t->errors[i].count, text),
                report_error_text(t->errors[i].code));
}

/* Whether the figures may be believed. */
static void judge(FILE *out, const struct report *r)
{
    const bool open_loop = is_open_loop(r->plan);
    const bool busy = r->tally->cpu > CPU_MAX;
    fprintf(out, "\n  this program used %.0f %% of a core", r->tally->cpu * 100);
    if (r->verdict->count == 0 && open_loop)
        fprintf(out, " and kept its schedule\n");
    else if (r->verdict->count == 0)
        fprintf(out, "%s\n", busy ? ": it may have been the limit, not the service" : "");
    else
        fprintf(out, ", and the run is VOID; do not rely on these figures:\n");
    for (int i = 0; i < r->verdict->count; i++)
        fprintf(out, "    %s\n", r->verdict->reasons[i]);
}

static const char *arrivals_name(enum arrivals_kind kind)
{
    switch (kind) {
    case ARRIVALS_EVEN:
        return "even";
    case ARRIVALS_BURSTY:
        return "bursty";
    default:
        return "Poisson";
    }
}

static void heading(FILE *out, const struct plan *plan, const struct tally *t)
{
    if (plan->targets.count == 1)
        fprintf(out, "%s\n", plan->targets.all[0].url);
    else
        fprintf(out, "%d URLs\n", plan->targets.count);
    if (is_open_loop(plan))
        fprintf(out, "open loop, %g requests a second%s (%s, seed %" PRIu64 "), %.1f s",
                schedule_mean_rate(&plan->schedule),
                plan->schedule.step_count > 1 ? " in the mean of all steps" : "",
                arrivals_name(plan->schedule.kind), plan->schedule.seed, seconds(t));
    else
        fprintf(out, "closed loop, %" PRId64 " connections, %.1f s", plan->connections, seconds(t));
    fprintf(out, ", timeout %g s", (double)plan->timeout_ns / 1e9);
    if (plan->retries > 0)
        fprintf(out, ", %d %s after up to %g ms", plan->retries,
                plan->retries == 1 ? "retry" : "retries", ms(plan->backoff_ns));
    fprintf(out, "%s\n\n", t->interrupted ? "  [interrupted: a partial result]" : "");
}

static void summary(FILE *out, const struct plan *plan, const struct tally *t)
{
    char text[32];
    char rate[32];
    const uint64_t *of = t->all.of;
    const uint64_t all = counts_due(&t->all);
    fprintf(out, "  %-14s %12s  %s/s answered ok, %.1f MB in, %.1f MB out\n", "requests",
            grouped(all, text),
            grouped((uint64_t)((double)of[OUTCOME_OK] / seconds(t) + 0.5), rate),
            (double)t->bytes_in / 1e6, (double)t->bytes_out / 1e6);
    attempt_line(out, plan, t);
    count_line(out, "ok", of[OUTCOME_OK], all, "");
    count_line(out, "503", of[OUTCOME_SHED], all, "refused at once: overloaded");
    count_line(out, "other status", of[OUTCOME_OTHER], all, "400 and above, but not 503");
    count_line(out, "late", of[OUTCOME_LATE], all, "answered after the timeout");
    count_line(out, "timeout", of[OUTCOME_TIMEOUT], all, "not answered within the timeout");
    count_line(out, "error", of[OUTCOME_ERROR], all, "");
    error_lines(out, t);
    if (of[OUTCOME_ABANDONED] > 0)
        count_line(out, "abandoned", of[OUTCOME_ABANDONED], all, "in flight when interrupted");
    if (counts_not_sent(&t->all) > 0)
        count_line(out, "not sent", counts_not_sent(&t->all), all, "see below");
    fprintf(out, "  %-14s %12s", "connections", grouped(t->dialed, text));
    if (t->reconnects > 0)
        fprintf(out, "  %s replaced, which the service had closed", grouped(t->reconnects, text));
    fputc('\n', out);
}

void report_text(FILE *out, const struct report *report)
{
    heading(out, report->plan, report->tally);
    summary(out, report->plan, report->tally);
    latency_table(out, report->plan, report->tally);
    step_table(out, report);
    url_table(out, report);
    series_table(out, report);
    judge(out, report);
}

void report_merged_text(FILE *out, int files, const struct histograms *merged)
{
    char text[32];
    fprintf(out, "%d files, %s requests answered ok, ", files,
            grouped(wi_hist_count(&merged->ok), text));
    fprintf(out, "%s with 503\n", grouped(wi_hist_count(&merged->shed), text));
    latency_heading(out, "the intended send time (closed loops: from sending)");
    latency_line(out, "ok", &merged->ok);
    latency_line(out, "503", &merged->shed);
    latency_line(out, "sent late by", &merged->send_late);
}
