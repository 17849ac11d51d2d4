/* SPDX-License-Identifier: MIT */
/* Counting.  See tally.h.
 *
 * Threads: one owner. */

#include "drive/tally.h"

#include <stdlib.h>

#include "base/check.h"

static int series_init(struct series *series, const struct tally_opts *opts)
{
    const int64_t bins = (opts->length_ns + opts->bin_ns - 1) / opts->bin_ns;
    /* Of a bin that is `timeout` in the past, nobody is answered in time any more. */
    const int64_t within = opts->timeout_ns / opts->bin_ns + 2;
    const int64_t recent = within < bins ? within : bins;
    if (bins > BINS_MAX || (size_t)recent > BIN_HISTS_BYTES_MAX / sizeof(struct wi_hist))
        return WEIR_EOVERFLOW;
    *series = (struct series){
        .bin_ns = opts->bin_ns,
        .bins = calloc((size_t)bins, sizeof series->bins[0]),
        .count = (int)bins,
        .recent = calloc((size_t)recent, sizeof series->recent[0]),
        .recent_count = (int)recent,
    };
    return series->bins == NULL || series->recent == NULL ? WEIR_ENOMEM : 0;
}

static void close_bin(struct series *series)
{
    struct bin *bin = &series->bins[series->closed];
    const struct wi_hist *hist = &series->recent[series->closed % series->recent_count];
    const bool any = wi_hist_count(hist) > 0;
    bin->p50_ns = any ? wi_hist_percentile(hist, 50) : -1;
    bin->p99_ns = any ? wi_hist_percentile(hist, 99) : -1;
    series->closed++;
}

static void open_bin(struct series *series, int64_t in_flight)
{
    if (series->opened - series->closed == series->recent_count)
        close_bin(series);
    wi_hist_init(&series->recent[series->opened % series->recent_count]);
    series->bins[series->opened].in_flight = in_flight;
    series->opened++;
}

int tally_init(struct tally *tally, const struct tally_opts *opts)
{
    *tally = (struct tally){ 0 };
    const int rc = series_init(&tally->series, opts);
    if (rc < 0)
        return rc;
    tally->steps = calloc((size_t)opts->steps, sizeof tally->steps[0]);
    tally->urls = calloc((size_t)opts->urls, sizeof tally->urls[0]);
    if (tally->steps == NULL || tally->urls == NULL)
        return WEIR_ENOMEM;
    tally->step_count = opts->steps;
    tally->url_count = opts->urls;
    for (int i = 0; i < opts->steps; i++) {
        wi_hist_init(&tally->steps[i].ok_ns);
        wi_hist_init(&tally->steps[i].shed_ns);
        wi_hist_init(&tally->steps[i].send_ns);
    }
    for (int i = 0; i < opts->urls; i++)
        wi_hist_init(&tally->urls[i].ok_ns);
    return 0;
}

void tally_fini(struct tally *tally)
{
    free(tally->series.bins);
    free(tally->series.recent);
    free(tally->steps);
    free(tally->urls);
    *tally = (struct tally){ 0 };
}

/* What comes after the end of the schedule counts in the last one. */
static int bin_at(struct tally *tally, int64_t at_ns)
{
    struct series *series = &tally->series;
    const int64_t index = at_ns / series->bin_ns;
    const int bin = index < series->count ? (int)index : series->count - 1;
    while (series->opened <= bin)
        open_bin(series, tally->in_flight);
    return bin;
}

struct mark tally_mark(struct tally *tally, int step, int url, int64_t at_ns)
{
    return (struct mark){ .step = step, .url = url, .bin = bin_at(tally, at_ns) };
}

void tally_launched(struct tally *tally, const struct mark *mark)
{
    struct bin *bin = &tally->series.bins[mark->bin];
    tally->in_flight++;
    if (tally->in_flight > tally->in_flight_peak)
        tally->in_flight_peak = tally->in_flight;
    if (tally->in_flight > bin->in_flight)
        bin->in_flight = tally->in_flight;
}

void tally_sent(struct tally *tally, const struct mark *mark, int64_t late_ns)
{
    wi_hist_record(&tally->steps[mark->step].send_ns, late_ns);
}

static void record_ok(struct tally *tally, const struct mark *mark, int64_t latency_ns)
{
    wi_hist_record(&tally->steps[mark->step].ok_ns, latency_ns);
    if (tally->url_count > 1)
        wi_hist_record(&tally->urls[mark->url].ok_ns, latency_ns);
    struct series *series = &tally->series;
    if (mark->bin >= series->closed)
        wi_hist_record(&series->recent[mark->bin % series->recent_count], latency_ns);
}

void tally_ended(struct tally *tally, const struct mark *mark, enum outcome outcome,
                 int64_t latency_ns)
{
    tally->all.of[outcome]++;
    tally->steps[mark->step].counts.of[outcome]++;
    tally->urls[mark->url].counts.of[outcome]++;
    tally->series.bins[mark->bin].counts.of[outcome]++;
    if (outcome == OUTCOME_OK)
        record_ok(tally, mark, latency_ns);
    else if (outcome == OUTCOME_SHED)
        wi_hist_record(&tally->steps[mark->step].shed_ns, latency_ns);
}

static bool is_exhaustion(int code)
{
    return code == WEIR_EMFILE || code == WEIR_ENFILE || code == WEIR_EADDRNOTAVAIL ||
           code == WEIR_ENOBUFS || code == WEIR_ENOMEM || code == WEIR_EOVERFLOW;
}

void tally_tried(struct tally *tally, const struct mark *mark, int64_t at_ns, enum outcome outcome,
                 int code)
{
    tally->attempts.of[outcome]++;
    tally->steps[mark->step].attempts++;
    tally->series.bins[bin_at(tally, at_ns)].attempts++;
    if (outcome == OUTCOME_ERROR && is_exhaustion(code))
        tally->exhausted++;
}

void tally_error_kind(struct tally *tally, int code)
{
    int i = 0;
    while (i < ERROR_KINDS_MAX - 1 && tally->errors[i].count > 0 && tally->errors[i].code != code)
        i++;
    tally->errors[i].code = tally->errors[i].count > 0 && tally->errors[i].code != code ? 0 : code;
    tally->errors[i].count++;
}

void tally_finish(struct tally *tally)
{
    struct series *series = &tally->series;
    while (series->closed < series->opened)
        close_bin(series);
    wi_hist_init(&tally->ok_ns);
    wi_hist_init(&tally->shed_ns);
    wi_hist_init(&tally->send_ns);
    for (int i = 0; i < tally->step_count; i++) {
        wi_hist_merge(&tally->ok_ns, &tally->steps[i].ok_ns);
        wi_hist_merge(&tally->shed_ns, &tally->steps[i].shed_ns);
        wi_hist_merge(&tally->send_ns, &tally->steps[i].send_ns);
    }
    if (tally->url_count == 1)
        tally->urls[0].ok_ns = tally->ok_ns;
    wi_bug_unless(tally_valid(tally));
}

uint64_t counts_due(const struct counts *counts)
{
    uint64_t due = 0;
    for (int i = 0; i < OUTCOMES; i++)
        due += counts->of[i];
    return due;
}

uint64_t counts_not_sent(const struct counts *counts)
{
    return counts->of[OUTCOME_OVER] + counts->of[OUTCOME_BEHIND];
}

static bool attempts_valid(const struct tally *tally)
{
    uint64_t steps = 0;
    uint64_t bins = 0;
    for (int i = 0; i < tally->step_count; i++)
        steps += tally->steps[i].attempts;
    for (int i = 0; i < tally->series.count; i++)
        bins += tally->series.bins[i].attempts;
    const uint64_t all = counts_due(&tally->attempts);
    return steps == all && bins == all;
}

bool tally_valid(const struct tally *tally)
{
    for (int outcome = 0; outcome < OUTCOMES; outcome++) {
        uint64_t steps = 0;
        uint64_t urls = 0;
        uint64_t bins = 0;
        for (int i = 0; i < tally->step_count; i++)
            steps += tally->steps[i].counts.of[outcome];
        for (int i = 0; i < tally->url_count; i++)
            urls += tally->urls[i].counts.of[outcome];
        for (int i = 0; i < tally->series.count; i++)
            bins += tally->series.bins[i].counts.of[outcome];
        const uint64_t all = tally->all.of[outcome];
        if (steps != all || urls != all || bins != all)
            return false;
    }
    return attempts_valid(tally);
}
