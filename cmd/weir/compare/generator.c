/* SPDX-License-Identifier: MIT */
/* Running `weir load`.  See generator.h.
 *
 * Looking at the server costs CPU time on the generator's core, and a walk through the memory of a
 * large process takes longer than the generator may be late.  So processes and threads are counted
 * a few times, and memory is looked at once, near the end. */

#include "compare/generator.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "weir/time.h"

#define OUTPUT_BYTES ((size_t)4 << 20)
#define LOOK_MS 5

/* A load may last as long as its last answers, and what starting a process takes here. */
#define OVERTIME_MS 8000

/* The cost of a refusal is a small difference of large figures: there must be so many of them for
 * each good answer, and so few failures for each of them. */
#define REFUSED_LEAST 0.2
#define FAILED_MOST 0.05

/* More than weir load's usual pause before another attempt. */
#define PAUSE_MS 100

#define COUNTS 4
#define MEMORY_AT 0.8

struct run {
    struct server *server;
    const struct shot_opts *opts;
    struct shot *shot;
    struct child child;
    char *output;
    size_t length;
    weir_time began;
    int counted;
    bool weighed;
    int64_t cpu_before_ns;
};

static bool has_lead(const struct shot_opts *opts)
{
    return opts->rate > 0 && opts->lead_s > 0;
}

static double length_s(const struct shot_opts *opts)
{
    return opts->seconds + (has_lead(opts) ? opts->lead_s + opts->tail_s : 0);
}

/* -- the server meanwhile --------------------------------------------------------------------- */

static void look(struct run *run, bool memory)
{
    struct usage usage;
    tree_usage(run->server->child.pid, memory, &usage);
    struct shot *shot = run->shot;
    if (usage.processes > shot->processes)
        shot->processes = usage.processes;
    if (usage.threads > shot->threads)
        shot->threads = usage.threads;
    if (usage.resident_bytes > shot->resident_bytes)
        shot->resident_bytes = usage.resident_bytes;
}

static void look_if_due(struct run *run)
{
    const double part = (double)(weir_now() - run->began) / 1e9 / length_s(run->opts);
    if (run->counted < COUNTS && part > (run->counted + 0.5) / COUNTS) {
        run->counted++;
        look(run, false);
    }
    if (!run->weighed && part > MEMORY_AT) {
        run->weighed = true;
        look(run, true);
    }
}

/* A server that was started again during the load has lost its earlier account. */
static void account_cpu(struct run *run)
{
    struct usage usage;
    tree_usage(run->server->child.pid, !run->weighed, &usage);
    const double used = (double)(usage.cpu_ns - run->cpu_before_ns);
    run->shot->server_cpu_ns = used > 0 ? used : 0;
    if (usage.resident_bytes > run->shot->resident_bytes)
        run->shot->resident_bytes = usage.resident_bytes;
}

/* -- the command ------------------------------------------------------------------------------ */

#define WORDS_MAX 32

struct load_command {
    char text[8192];
    char *words[WORDS_MAX + 1];
    size_t used;
    int count;
};

static void say(struct load_command *command, const char *format, ...) WEIR_PRINTF(2, 3);
static void say(struct load_command *command, const char *format, ...)
{
    const size_t room = sizeof command->text - command->used;
    va_list values;
    va_start(values, format);
    const int bytes = vsnprintf(command->text + command->used, room, format, values);
    va_end(values);
    wi_bug_unless(command->count < WORDS_MAX);
    wi_bug_unless(bytes >= 0 && (size_t)bytes < room); /* --url is bounded */
    command->words[command->count++] = command->text + command->used;
    command->used += (size_t)bytes + 1;
}

static void say_targets(struct load_command *command, const struct server *s)
{
    const char *path;
    int weight;
    int more;
    const bool several = server_path(s, 1, &more) != NULL;
    for (int i = 0; (path = server_path(s, i, &weight)) != NULL; i++) {
        if (several)
            say(command, "--weight=%d", weight);
        say(command, "http://127.0.0.1:%d%s", s->port, path);
    }
}

static void write_command(struct load_command *command, const struct generator *g,
                          const struct server *s, const struct shot_opts *opts)
{
    memset(command, 0, sizeof *command);
    say(command, "%s", g->executable);
    say(command, "load");
    say(command, "--json=-");
    say(command, "--seed=%llu", (unsigned long long)opts->seed);
    say(command, "--timeout=%dms", opts->timeout_ms);
    say(command, "--late-max=%dms", opts->late_ms_max);
    if (opts->retries > 0)
        say(command, "--retries=%d", opts->retries);
    say(command, "--method=%s", s->workload->method);
    if (opts->bin_ms > 0)
        say(command, "--bin=%dms", opts->bin_ms);
    if (opts->profile != NULL)
        say(command, "--rate=%s", opts->profile);
    else if (has_lead(opts) && opts->tail_s > 0)
        say(command, "--rate=%.3f:%.0fms,%.3f:%.0fms,%.3f:%.0fms", opts->rate, opts->lead_s * 1000,
            opts->rate, opts->seconds * 1000, opts->rate, opts->tail_s * 1000);
    else if (has_lead(opts))
        say(command, "--rate=%.3f:%.0fms,%.3f:%.0fms", opts->rate, opts->lead_s * 1000, opts->rate,
            opts->seconds * 1000);
    else if (opts->rate > 0)
        say(command, "--rate=%.3f", opts->rate);
    else
        say(command, "--connections=%d", opts->connections);
    if (opts->profile == NULL && !has_lead(opts))
        say(command, "--for=%.0fms", opts->seconds * 1000);
    say_targets(command, s);
}

/* -- the run ---------------------------------------------------------------------------------- */

/* Takes what the generator wrote, for a few milliseconds.  True: it has closed its output. */
static bool take_output(struct run *run)
{
    if (run->length == OUTPUT_BYTES)
        return true;
    const int got =
        child_read(&run->child, run->output + run->length, OUTPUT_BYTES - run->length, LOOK_MS);
    if (got > 0)
        run->length += (size_t)got;
    return got == 0;
}

static int attend(struct run *run, char why[REASON_BYTES])
{
    if (compare_stopped)
        return CONTEST_STOPPED;
    if (run->opts->meanwhile != NULL) {
        const int rc = run->opts->meanwhile(run->opts->user, why);
        if (rc < 0)
            return rc;
    } else if (server_ended(run->server, why)) {
        return CONTEST_FAILED;
    }
    look_if_due(run);
    return 0;
}

static int attend_until_done(struct run *run, char why[REASON_BYTES])
{
    const struct shot_opts *opts = run->opts;
    const int answers_ms = opts->timeout_ms + opts->retries * (opts->timeout_ms + PAUSE_MS);
    const weir_time end = weir_in_ms((int64_t)(length_s(opts) * 1000) + answers_ms + OVERTIME_MS);
    while (!take_output(run)) {
        const int rc = attend(run, why);
        if (rc < 0)
            return rc;
        if (weir_now() > end) {
            snprintf(why, REASON_BYTES, "the generator did not end in time");
            return CONTEST_FAILED;
        }
    }
    return 0;
}

/* -- the result ------------------------------------------------------------------------------- */

static double number(const json_t *result, const char *name)
{
    return json_number_value(json_object_get(result, name));
}

static void read_counts(struct shot *shot, const json_t *result)
{
    shot->seconds = number(result, "seconds");
    shot->requests = number(result, "requests");
    shot->ok = number(result, "ok");
    shot->shed = number(result, "shed_503");
    shot->other = number(result, "other_status");
    shot->late = number(result, "late");
    shot->timeout = number(result, "timeout");
    shot->error = number(result, "error");
    shot->not_sent = number(result, "not_sent");
    shot->p50_ms = number(result, "ok_ms_p50");
    shot->p99_ms = number(result, "ok_ms_p99");
}

static int read_result(struct run *run, const struct generator *g, char why[REASON_BYTES])
{
    json_error_t error;
    json_t *result = json_loadb(run->output, run->length, 0, &error);
    if (result == NULL) {
        snprintf(why, REASON_BYTES, "weir load gave no result; see %.200s", g->log);
        return CONTEST_FAILED;
    }
    const json_t *counted = result;
    if (has_lead(run->opts))
        counted = json_array_get(json_object_get(result, "steps"), 1);
    read_counts(run->shot, counted);
    run->shot->whole_ok = number(result, "ok");
    run->shot->whole_shed = number(result, "shed_503");
    run->shot->whole_failed =
        number(result, "late") + number(result, "timeout") + number(result, "error");
    run->shot->whole_s = number(result, "seconds");
    run->shot->own_cpu = number(result, "own_cpu");
    const char *spoiled = json_string_value(json_object_get(result, "void"));
    snprintf(run->shot->spoiled, REASON_BYTES, "%s", spoiled != NULL ? spoiled : "");
    if (run->opts->whole != NULL)
        *run->opts->whole = json_incref(result);
    json_decref(result);
    return 0;
}

static int run_load(struct run *run, const struct generator *g, char why[REASON_BYTES])
{
    struct load_command command;
    struct usage usage;
    write_command(&command, g, run->server, run->opts);
    tree_usage(run->server->child.pid, false, &usage);
    run->cpu_before_ns = usage.cpu_ns;
    run->began = weir_now();
    int rc = child_start(&run->child, &(struct child_opts){
                                          .command = command.words,
                                          .log = g->log,
                                          .piped = true,
                                          .cores = g->cores,
                                      });
    if (rc < 0) {
        describe_no_start("weir load cannot be started", rc, g->log, why);
        return CONTEST_FAILED;
    }
    rc = attend_until_done(run, why);
    child_stop(&run->child, 0);
    if (rc < 0)
        return rc;
    account_cpu(run);
    return read_result(run, g, why);
}

int generator_run(const struct generator *g, struct server *s, const struct shot_opts *opts,
                  struct shot *out, char why[REASON_BYTES])
{
    *out = (struct shot){ 0 };
    struct run run = {
        .server = s,
        .opts = opts,
        .shot = out,
        .child = { .output = -1 },
        .output = malloc(OUTPUT_BYTES),
    };
    if (run.output == NULL) {
        snprintf(why, REASON_BYTES, "out of memory");
        return CONTEST_FAILED;
    }
    const int rc = run_load(&run, g, why);
    free(run.output);
    return rc;
}

double shot_goodput(const struct shot *shot)
{
    return shot->seconds > 0 ? shot->ok / shot->seconds : 0;
}

double shot_cpu_us(const struct shot *shot)
{
    return shot->whole_ok > 0 ? shot->server_cpu_ns / shot->whole_ok / 1000 : 0;
}

double shot_refusal_us(const struct shot *shot, double ok_us)
{
    if (ok_us <= 0 || shot->whole_ok <= 0 || shot->whole_shed < REFUSED_LEAST * shot->whole_ok ||
        shot->whole_failed > FAILED_MOST * shot->whole_shed)
        return (double)NAN;
    const double rest_us = shot->server_cpu_ns / 1000 - shot->whole_ok * ok_us;
    return rest_us > 0 ? rest_us / shot->whole_shed : 0;
}
