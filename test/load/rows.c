/* SPDX-License-Identifier: MIT */
/* The rows; see the header. */
#include "rows.h"

#include "base/check.h"

/* One at a time: it is large. */
static struct model_outcome outcome;

enum {
    BINS_PER_S = 1000 / MODEL_BIN_MS
};

static struct model_opts options(const struct row_setting *setting, double seconds, double warm_s)
{
    const int workers = setting->workers > 0 ? setting->workers : 1;
    const int cores = setting->processes > 1 || setting->threads ? 1 : workers;
    const double cost_s = (model_work_cost_ns(setting->work) + setting->unseen_us * 1e3) * 1e-9;
    double saturated = cores / cost_s;
    if (setting->slots > 0 && setting->work == MODEL_WAIT50)
        saturated = 0.775 * setting->slots / 0.05; /* usable, at 50 ms: a request more costs more */
    return (struct model_opts){
        .control = setting->control,
        .without = setting->without,
        .rankless = setting->rankless,
        .stall_blind = setting->stall_blind,
        .work = setting->work,
        .seed = setting->seed,
        .seconds = seconds,
        .warm_s = warm_s,
        .capacity = saturated * model_work_usable(setting->work),
        .processes = setting->processes,
        .workers = setting->threads ? 256 : workers,
        .cores = cores,
        .slots = setting->slots,
        .cpu_meter = setting->threads,
        .unseen_us = setting->unseen_us,
    };
}

/* -- reading bins ----------------------------------------------------------------------------- */

static double mean(const double *bins, double from_s, double to_s)
{
    double sum = 0.0;
    int count = 0;
    for (int i = (int)(from_s * BINS_PER_S + 0.5); i < (int)(to_s * BINS_PER_S); i++, count++)
        sum += bins[i];
    wi_bug_unless(count > 0);
    return sum / count;
}

static double worst_ms(double from_s, double to_s)
{
    double worst = 0.0;
    for (int i = (int)(from_s * BINS_PER_S + 0.5); i < (int)(to_s * BINS_PER_S); i++)
        worst = outcome.bin_worst_ms[i] > worst ? outcome.bin_worst_ms[i] : worst;
    return worst;
}

static int64_t refused(double from_s, double to_s)
{
    int64_t sum = 0;
    for (int i = (int)(from_s * BINS_PER_S + 0.5); i < (int)(to_s * BINS_PER_S); i++)
        sum += outcome.bin_refused[i];
    return sum;
}

static double share(int64_t part, int64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0.0;
}

/* -- rows ------------------------------------------------------------------------------------- */

struct row_steady row_steady(const struct row_setting *setting, double load, double seconds)
{
    struct model_opts opts = options(setting, seconds + 2.0, 2.0);
    opts.streams[0].load = load;
    model_run(&opts, &outcome);
    return (struct row_steady){
        .refused = share(outcome.refused, outcome.sent),
        .goodput = outcome.goodput,
        .p99_ms = (double)wi_hist_percentile(&outcome.latency, 99.0) * 1e-6,
        .late = share(outcome.late, outcome.sent),
    };
}

struct row_step row_step(const struct row_setting *setting, double load)
{
    struct model_opts opts = options(setting, 8.0, 0.5);
    opts.streams[0] = (struct model_stream){ .load = 0.5, .load_between = load };
    opts.step_from_s = 2.0;
    opts.step_to_s = 5.0;
    model_run(&opts, &outcome);
    return (struct row_step){
        .goodput = mean(outcome.bin_ok, 2.2, 5.0),
        .early = mean(outcome.bin_ok, 2.2, 2.7),
        .worst_ms = worst_ms(2.5, 5.0),
        .refused_after = refused(6.0, 8.0),
        .worst_before_ms = worst_ms(0.5, 2.0),
        .worst_after_ms = worst_ms(6.0, 7.5),
    };
}

double row_cold(const struct row_setting *setting, double load)
{
    struct model_opts opts = options(setting, 2.05, 0.0);
    opts.streams[0].load = load;
    model_run(&opts, &outcome);
    return mean(outcome.bin_ok, 0.0, 2.0);
}

struct row_storm row_storm(const struct row_setting *setting)
{
    struct model_opts opts = options(setting, 12.0, 8.0);
    opts.streams[0].load = 0.7;
    opts.retries = 3;
    opts.slow_from_s = 4.0;
    opts.slow_to_s = 6.0;
    opts.slow_by = 10.0;
    model_run(&opts, &outcome);
    return (struct row_storm){
        .recovered = mean(outcome.bin_ok, 7.0, 12.0) / mean(outcome.bin_logical, 7.0, 12.0),
        .attempts = share(outcome.attempts, outcome.logical),
    };
}

static struct row_two two(struct model_opts *opts)
{
    model_run(opts, &outcome);
    const int64_t decided =
        outcome.stream_ok[0] + outcome.stream_late[0] + outcome.stream_refused[0];
    return (struct row_two){
        .first_ok = share(outcome.stream_ok[0], decided),
        .goodput = outcome.goodput,
    };
}

struct row_two row_classes(const struct row_setting *setting)
{
    struct model_opts opts = options(setting, 10.0, 2.0);
    opts.streams[0].load = 0.5;
    opts.streams[1] = (struct model_stream){ .load = 2.5, .batch = true };
    return two(&opts);
}

struct row_two row_hog(const struct row_setting *setting)
{
    struct model_opts opts = options(setting, 10.0, 2.0);
    opts.streams[0] = (struct model_stream){ .load = 0.5, .clients = 50 };
    opts.streams[1].load = 5.0;
    return two(&opts);
}

struct row_two row_hog_first(const struct row_setting *setting)
{
    struct model_opts opts = options(setting, 6.0, 2.0);
    opts.streams[0] = (struct model_stream){ .load = 0.5, .clients = 50, .from_s = 2.0 };
    opts.streams[1].load = 5.0;
    return two(&opts);
}

struct row_slow row_slow_route(const struct row_setting *setting, double load)
{
    struct model_opts opts = options(setting, 12.0, 2.0);
    const double times = model_work_cost_ns(MODEL_SLOW) / model_work_cost_ns(setting->work);
    opts.rankless = true; /* one client, as all are behind a proxy */
    opts.streams[0].load = 0.2;
    opts.streams[1] = (struct model_stream){ .load = load / times, .slow = true };
    model_run(&opts, &outcome);
    const int64_t decided =
        outcome.stream_ok[0] + outcome.stream_late[0] + outcome.stream_refused[0];
    return (struct row_slow){
        .cheap_ok = share(outcome.stream_ok[0], decided),
        .slow_goodput = (double)outcome.stream_ok[1] * times / 10.0 / opts.capacity,
        .slow_late = share(outcome.stream_late[1], outcome.stream_late[1] + outcome.stream_ok[1]),
        .p50_ms = (double)wi_hist_percentile(&outcome.latency, 50.0) * 1e-6,
        .p99_ms = (double)wi_hist_percentile(&outcome.latency, 99.0) * 1e-6,
    };
}

double row_pause(const struct row_setting *setting)
{
    struct model_opts opts = options(setting, 21.0, 1.0);
    opts.streams[0].load = 0.5;
    opts.pause_every_s = 5.0;
    opts.pause_ms = 200.0;
    model_run(&opts, &outcome);
    return share(outcome.refused, outcome.sent);
}

struct row_halved row_halved(const struct row_setting *setting)
{
    struct model_opts opts = options(setting, 11.0, 1.0);
    opts.streams[0].load = 0.8;
    opts.pause_every_s = 0.1;
    opts.pause_ms = 50.0;
    opts.pause_from_s = 4.0;
    opts.pause_to_s = 8.0;
    model_run(&opts, &outcome);
    return (struct row_halved){
        .goodput = mean(outcome.bin_ok, 5.0, 8.0) / 0.5,
        .refused_after = refused(9.0, 11.0),
    };
}

double row_deadlines(const struct row_setting *setting, double load)
{
    struct model_opts opts = options(setting, 8.0, 2.0);
    opts.streams[0].load = 0.7 * load;
    opts.streams[1] = (struct model_stream){ .load = 0.3 * load, .deadline_ms = 20.0 };
    model_run(&opts, &outcome);
    return share(outcome.useless, outcome.started);
}
