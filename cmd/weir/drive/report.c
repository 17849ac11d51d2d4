/* SPDX-License-Identifier: MIT */
/* What `weir load` says in the end.
 *
 * A measurement that its own instrument has spoiled is worse than none, so the last lines always
 * judge the instrument: was every request sent when it was due, and did this program have CPU
 * time to spare?  The thresholds are those of the test protocol: sent later than 1 ms at p99, or
 * more than 70 % of the one core that it uses.
 *
 * Threads: one. */

#include "drive/report.h"

#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "http/status.h"

#define SEND_LATENESS_MAX_NS (INT64_C(1000000))
#define CPU_MAX 0.70

static const double percents[] = { 50, 90, 99, 99.9, 100 };
static const char *const percent_names[] = { "p50", "p90", "p99", "p99.9", "max" };

static uint64_t total(const struct tally *t)
{
    return t->ok + t->shed + t->other + t->late + t->timeout + t->error + t->abandoned + t->over +
           t->behind;
}

static double seconds(const struct tally *t)
{
    return t->elapsed_ns > 0 ? (double)t->elapsed_ns / 1e9 : 1;
}

static double ms(int64_t ns)
{
    return (double)ns / 1e6;
}

static bool sent_late(const struct tally *t)
{
    return wi_hist_percentile(&t->send_ns, 99) > SEND_LATENESS_MAX_NS;
}

/* A closed loop sends whenever it is answered: it has no schedule, and is meant to be busy. */
static bool is_void(const struct plan *plan, const struct tally *t)
{
    return plan->rate > 0 && (sent_late(t) || t->cpu > CPU_MAX || t->over > 0 || t->behind > 0);
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

static void latency_line(FILE *out, const char *name, const struct wi_hist *hist)
{
    if (wi_hist_count(hist) == 0)
        return;
    fprintf(out, "  %-14s", name);
    for (size_t i = 0; i < wi_count_of(percents); i++)
        fprintf(out, " %9.3f", ms(wi_hist_percentile(hist, percents[i])));
    fputc('\n', out);
}

static void latency_table(FILE *out, const struct plan *plan, const struct tally *t)
{
    if (wi_hist_count(&t->ok_ns) + wi_hist_count(&t->shed_ns) + wi_hist_count(&t->send_ns) == 0)
        return;
    fprintf(out, "\n  %-14s", "latency, ms");
    for (size_t i = 0; i < wi_count_of(percents); i++)
        fprintf(out, " %9s", percent_names[i]);
    fprintf(out, "   from %s\n", plan->rate > 0 ? "the intended send time" : "sending");
    latency_line(out, "ok", &t->ok_ns);
    latency_line(out, "503", &t->shed_ns);
    latency_line(out, "sent late by", &t->send_ns);
}

static const char *error_text(int code)
{
    if (code == 0)
        return "other errors";
    return code <= -5001 ? wi_http_verdict_text(code) : weir_err_text(code);
}

static void error_lines(FILE *out, const struct tally *t)
{
    char text[32];
    for (size_t i = 0; i < ERROR_KINDS_MAX && t->errors[i].count > 0; i++)
        fprintf(out, "    %12s x  %s\n", grouped(t->errors[i].count, text),
                error_text(t->errors[i].code));
}

/* Whether the figures may be believed. */
static void judge(FILE *out, const struct plan *plan, const struct tally *t)
{
    char text[32];
    fprintf(out, "\n  this program used %.0f %% of a core", t->cpu * 100);
    if (plan->rate <= 0) {
        fprintf(out, "%s\n",
                t->cpu > CPU_MAX ? ": it may have been the limit, not the service" : "");
        return;
    }
    if (!is_void(plan, t)) {
        fprintf(out, " and kept its schedule\n");
        return;
    }
    fprintf(out, " and could NOT keep its schedule; do not rely on these figures:\n");
    if (sent_late(t))
        fprintf(out, "    1 %% of the requests were sent more than %.1f ms late\n",
                ms(wi_hist_percentile(&t->send_ns, 99)));
    if (t->cpu > CPU_MAX)
        fprintf(out, "    it had less than %.0f %% of its core to spare\n", 100 - CPU_MAX * 100);
    if (t->over > 0)
        fprintf(out,
                "    %s requests were not sent: %" PRId64 " were in flight (--in-flight-max)\n",
                grouped(t->over, text), plan->in_flight_max);
    if (t->behind > 0)
        fprintf(out, "    %s requests were not sent: it was a timeout behind its schedule\n",
                grouped(t->behind, text));
}

static void heading(FILE *out, const char *url, const struct plan *plan, const struct tally *t)
{
    fprintf(out, "%s\n", url);
    if (plan->rate > 0)
        fprintf(out, "open loop, %g requests a second (%s, seed %" PRIu64 "), %.1f s", plan->rate,
                plan->arrivals == ARRIVALS_POISSON ? "Poisson" : "even", plan->seed, seconds(t));
    else
        fprintf(out, "closed loop, %" PRId64 " connections, %.1f s", plan->connections, seconds(t));
    fprintf(out, ", timeout %g s%s\n\n", (double)plan->timeout_ns / 1e9,
            t->interrupted ? "  [interrupted: a partial result]" : "");
}

void report_text(FILE *out, const char *url, const struct plan *plan, const struct tally *t)
{
    char text[32];
    char rate[32];
    const uint64_t all = total(t);
    heading(out, url, plan, t);
    fprintf(out, "  %-14s %12s  %s/s answered ok, %.1f MB in, %.1f MB out\n", "requests",
            grouped(all, text), grouped((uint64_t)((double)t->ok / seconds(t) + 0.5), rate),
            (double)t->bytes_in / 1e6, (double)t->bytes_out / 1e6);
    count_line(out, "ok", t->ok, all, "");
    count_line(out, "503", t->shed, all, "refused at once: overloaded");
    count_line(out, "other status", t->other, all, "400 and above, but not 503");
    count_line(out, "late", t->late, all, "answered after the timeout");
    count_line(out, "timeout", t->timeout, all, "not answered within the timeout");
    count_line(out, "error", t->error, all, "");
    error_lines(out, t);
    if (t->abandoned > 0)
        count_line(out, "abandoned", t->abandoned, all, "in flight when interrupted");
    if (t->over + t->behind > 0)
        count_line(out, "not sent", t->over + t->behind, all, "see below");
    fprintf(out, "  %-14s %12s", "connections", grouped(t->dialed, text));
    if (t->reconnects > 0)
        fprintf(out, "  %s replaced, which the service had closed", grouped(t->reconnects, text));
    fputc('\n', out);
    latency_table(out, plan, t);
    judge(out, plan, t);
}

/* -- JSON ------------------------------------------------------------------------------------- */

static void json_text(FILE *out, const char *name, const char *value)
{
    fprintf(out, "  \"%s\": \"", name);
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\')
            fprintf(out, "\\%c", *at);
        else if ((unsigned char)*at < ' ')
            fprintf(out, "\\u%04x", (unsigned)(unsigned char)*at);
        else
            fputc(*at, out);
    }
    fprintf(out, "\",\n");
}

static void json_count(FILE *out, const char *name, uint64_t value)
{
    fprintf(out, "  \"%s\": %" PRIu64 ",\n", name, value);
}

static void json_hist(FILE *out, const char *prefix, const struct wi_hist *hist)
{
    for (size_t i = 0; i < wi_count_of(percents); i++)
        fprintf(out, "  \"%s_%s\": %.6f,\n", prefix, percent_names[i],
                ms(wi_hist_percentile(hist, percents[i])));
}

int report_json(FILE *out, const char *url, const struct plan *plan, const struct tally *t)
{
    fprintf(out, "{\n");
    json_text(out, "url", url);
    json_text(out, "loop", plan->rate > 0 ? "open" : "closed");
    fprintf(out, "  \"rate\": %.3f,\n", plan->rate);
    json_count(out, "connections", (uint64_t)plan->connections);
    json_count(out, "seed", plan->seed);
    fprintf(out, "  \"seconds\": %.6f,\n", seconds(t));
    fprintf(out, "  \"timeout_ms\": %.3f,\n", ms(plan->timeout_ns));
    fprintf(out, "  \"interrupted\": %s,\n", t->interrupted ? "true" : "false");
    json_count(out, "requests", total(t));
    json_count(out, "ok", t->ok);
    json_count(out, "shed_503", t->shed);
    json_count(out, "other_status", t->other);
    json_count(out, "late", t->late);
    json_count(out, "timeout", t->timeout);
    json_count(out, "error", t->error);
    json_count(out, "abandoned", t->abandoned);
    json_count(out, "not_sent", t->over + t->behind);
    fprintf(out, "  \"ok_per_second\": %.3f,\n", (double)t->ok / seconds(t));
    json_count(out, "bytes_in", t->bytes_in);
    json_count(out, "bytes_out", t->bytes_out);
    json_count(out, "dialed", t->dialed);
    json_count(out, "reconnects", t->reconnects);
    json_count(out, "in_flight_peak", (uint64_t)t->in_flight_peak);
    json_hist(out, "ok_ms", &t->ok_ns);
    json_hist(out, "shed_ms", &t->shed_ns);
    json_hist(out, "send_late_ms", &t->send_ns);
    fprintf(out, "  \"own_cpu\": %.4f,\n", t->cpu);
    fprintf(out, "  \"schedule_kept\": %s\n}\n", is_void(plan, t) ? "false" : "true");
    return ferror(out) ? WEIR_EIO : 0;
}
