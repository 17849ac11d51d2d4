/* SPDX-License-Identifier: MIT */
/* `weir load`: drives the targets and reports; or merges, or shows the schedule.
 *
 * Threads: the main thread turns a `loop` runtime; nothing else runs. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "drive/command.h"
#include "drive/drive.h"
#include "drive/histfile.h"
#include "drive/report.h"
#include "drive/verdict.h"
#include "system.h"
#include "weir/runtime.h"

/* Descriptors that are not connections: standard ones, the poller's, the files of results. */
#define DESCRIPTORS_KEPT 32

enum status {
    STATUS_DONE = 0,
    STATUS_FAILED = 1,
    STATUS_WRONG = 2,
    STATUS_VOID = 3,
};

static const char help[] =
    "weir load - send requests to an HTTP service and measure how it answers\n"
    "\n"
    "Usage: weir load [OPTIONS] URL...\n"
    "       weir load --merge FILE...\n"
    "  URL is http://HOST[:PORT]/PATH or unix:SOCKET:/PATH\n"
    "\n"
    "How fast?              weir load --connections=64 http://127.0.0.1:8080/hello/world\n"
    "What under overload?   weir load --rate=3000 'http://127.0.0.1:8080/cpu?ms=1'\n"
    "A step up and down:    weir load --rate=200:10s,2000:10s,200:10s --bin=50ms --json=r.json "
    "URL\n"
    "A mix:                 weir load --rate=500 --weight=9 URL --weight=1 URL\n"
    "A retry storm:         weir load --rate=300:5s,3000:2s,300:20s --retries=3 --series URL\n"
    "\n"
    "A closed loop: clients that wait for their answer\n"
    "  --connections=N     N clients, each asks again when it was answered [16].  Shows how fast "
    "the\n"
    "                      service can be; hides how it fails, because a slow service is asked "
    "less.\n"
    "\n"
    "An open loop: requests come, whatever became of the earlier ones\n"
    "  --rate=R            R requests a second.  Shows overload as users meet it: latency counts\n"
    "                      from the time at which the request was due.\n"
    "  --rate=STEPS        R:TIME,... one after the other; FROM..TO:TIME changes evenly, 0:TIME is "
    "a\n"
    "                      pause: 100:10s,100..2000:30s,0:5s.  Each step is reported by itself.\n"
    "  --arrivals=KIND     poisson (at random), even, or bursty (random, at a rate that jumps "
    "between\n"
    "                      two states; the mean stays R) [poisson]\n"
    "  --burst-ratio=K     bursty: the rate in a burst is K times that between two [10]\n"
    "  --burst-for=TIME    bursty: mean length of a burst [100ms]\n"
    "  --burst-every=TIME  bursty: mean time from one burst to the next [1s]\n"
    "  --in-flight-max=N   arrivals beyond are counted, not sent, and the run is void\n"
    "                      [20000, or what the limit of open files permits]\n"
    "  --open-first=N      open N connections before the first request, as clients have that "
    "keep\n"
    "                      theirs [0: each when it is needed]\n"
    "  --schedule          show when which request would be due, and send nothing\n"
    "\n"
    "Both\n"
    "  --for=TIME          how long: 500ms, 5s, 2m [5s]\n"
    "  --seed=N            of all that is random: the same seed gives the same schedule [1]\n"
    "  --timeout=TIME      then the client gives up and resets the connection [1s]\n"
    "  --retries=N         try a request that was refused (503), broke or timed out up to N times "
    "again\n"
    "                      [0]; it stays one request, with the outcome of its last attempt\n"
    "  --backoff=TIME      wait at random up to this before trying again; 0ms: at once [20ms]\n"
    "  --late-max=TIME     so late may 1 % of the requests be sent; beyond, the run is void [1ms]\n"
    "\n"
    "What is sent\n"
    "  --weight=N          of the URL that follows: how often it is chosen [1]\n"
    "  --urls=FILE         more URLs, a line each: [WEIGHT] URL\n"
    "  --method=NAME       [GET; POST with a body]\n"
    "  --header='N: V'     a header; may be repeated.  --headers-file=FILE: a line each\n"
    "  --url-header='N: V' a header of the URL that follows alone\n"
    "  --body-file=FILE    the body.  --body-bytes=N: a body of that many bytes\n"
    "  --deadline-header[=NAME]\n"
    "                      tells the service the milliseconds until --timeout [Weir-Timeout-Ms]\n"
    "  --close             a new connection for every request; else they are kept alive, and a "
    "new\n"
    "                      one is made when none is free\n"
    "\n"
    "What is shown\n"
    "  --json=FILE         write the result as JSON too; - is standard output, instead of text\n"
    "  --series            show the run second by second (JSON always has it)\n"
    "  --bin=TIME          not by second but by this, from 10ms [1s]\n"
    "  --hist=FILE         write the histograms; --merge FILE... adds those of several runs up, "
    "and\n"
    "                      gives percentiles of them all; with --hist and --json as above\n"
    "  --progress          a line each second; on a terminal one line is shown in any case\n"
    "\n"
    "A run is void when the generator itself was the limit: 1 % of the requests sent more than 1 "
    "ms\n"
    "late, more than 70 % of its core used, requests not sent, or no more ports or files.\n"
    "\n"
    "Ctrl-C ends early and shows what there is until then; a second one ends at once.\n"
    "The exit status is 0 if anything was answered, 1 if nothing was or a result could not be\n"
    "written, 2 for a wrong option, 3 if the run is void.\n";

/* -- files ------------------------------------------------------------------------------------ */

static void cannot_write(const char *path)
{
    fprintf(stderr, "weir load: cannot write '%s': no such folder, not permitted, or disk full\n",
            path);
}

/* Before the run, because after it the result would be lost. */
static bool is_writable(const char *path)
{
    if (path == NULL || strcmp(path, "-") == 0)
        return true;
    FILE *file = fopen(path, "a");
    if (file != NULL)
        (void)fclose(file);
    else
        cannot_write(path);
    return file != NULL;
}

static FILE *open_result(const char *path)
{
    return strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
}

/* False: it could not be written, which was reported. */
static bool close_result(FILE *file, const char *path)
{
    const bool to_stdout = file == stdout;
    bool failed = file == NULL || (to_stdout ? fflush(file) != 0 : ferror(file) != 0);
    if (file != NULL && !to_stdout && fclose(file) != 0)
        failed = true;
    if (failed || (to_stdout && ferror(stdout))) {
        cannot_write(to_stdout ? "standard output" : path);
        return false;
    }
    return true;
}

static bool write_histograms(const char *path, const struct histograms *histograms)
{
    FILE *file = open_result(path);
    if (file != NULL)
        histfile_write(file, histograms);
    return close_result(file, path);
}

/* -- merge and schedule ----------------------------------------------------------------------- */

static int merge_into(const struct load_command *c, struct histograms *merged)
{
    for (int i = 0; i < c->words.count; i++) {
        char why[HISTFILE_WHY_BYTES];
        if (histfile_add(c->words.url[i], merged, why) < 0) {
            fprintf(stderr, "weir load: '%s': %s\n", c->words.url[i], why);
            return STATUS_FAILED;
        }
    }
    if (c->hist != NULL && !write_histograms(c->hist, merged))
        return STATUS_FAILED;
    if (c->json != NULL) {
        FILE *file = open_result(c->json);
        if (file != NULL)
            report_merged_json(file, c->words.count, merged);
        if (!close_result(file, c->json))
            return STATUS_FAILED;
    }
    if (c->json == NULL || strcmp(c->json, "-") != 0)
        report_merged_text(stdout, c->words.count, merged);
    return close_result(stdout, "-") ? STATUS_DONE : STATUS_FAILED;
}

static int merge(const struct load_command *c)
{
    struct histograms *merged = malloc(sizeof *merged);
    if (merged == NULL) {
        fprintf(stderr, "weir load: out of memory\n");
        return STATUS_FAILED;
    }
    histograms_init(merged);
    const int status = merge_into(c, merged);
    free(merged);
    return status;
}

/* The very times and choices that a run with these options makes. */
static int show_schedule(struct load_command *c)
{
    struct arrivals arrivals;
    struct arrival next;
    arrivals_init(&arrivals, &c->plan.schedule);
    printf("# seconds\tstep\turl\n");
    while (!ferror(stdout) && arrivals_next(&arrivals, &next)) {
        const int url = targets_choose(&c->plan.targets);
        printf("%.9f\t%d\t%s\n", next.at_s, next.step + 1, c->plan.targets.all[url].url);
    }
    return close_result(stdout, "-") ? STATUS_DONE : STATUS_FAILED;
}

/* -- a run ------------------------------------------------------------------------------------ */

static uint64_t answered(const struct tally *t)
{
    const uint64_t *of = t->all.of;
    return of[OUTCOME_OK] + of[OUTCOME_SHED] + of[OUTCOME_OTHER] + of[OUTCOME_LATE];
}

/* One line for the log of a script: that nothing was answered, and mostly why. */
static void say_nothing_answered(const struct plan *plan, const struct tally *t)
{
    const uint64_t *of = t->all.of;
    if (counts_due(&t->all) == 0) {
        fprintf(stderr, "weir load: no request was due in that time; a higher --rate or a longer "
                        "time would have some\n");
        return;
    }
    fprintf(stderr, "weir load: none of %llu requests was answered",
            (unsigned long long)counts_due(&t->all));
    if (of[OUTCOME_TIMEOUT] > of[OUTCOME_ERROR])
        fprintf(stderr, "; most often: no answer within %g s", (double)plan->timeout_ns / 1e9);
    int most = 0;
    for (int i = 1; i < ERROR_KINDS_MAX; i++)
        most = t->errors[i].count > t->errors[most].count ? i : most;
    if (of[OUTCOME_ERROR] >= of[OUTCOME_TIMEOUT] && of[OUTCOME_ERROR] > 0)
        fprintf(stderr, "; most often: %s", report_error_text(t->errors[most].code));
    fputc('\n', stderr);
}

static bool write_results(const struct load_command *c, const struct report *report)
{
    const bool text = c->json == NULL || strcmp(c->json, "-") != 0;
    bool written = true;
    if (text)
        report_text(stdout, report);
    if (c->json != NULL) {
        FILE *file = open_result(c->json);
        if (file != NULL)
            report_json(file, report);
        written = close_result(file, c->json);
    }
    /* Each file is tried: one full disk does not take the other results. */
    if (c->hist != NULL) {
        const struct histograms histograms = { report->tally->ok_ns, report->tally->shed_ns,
                                               report->tally->send_ns };
        written = write_histograms(c->hist, &histograms) && written;
    }
    return (!text || close_result(stdout, "-")) && written;
}

static int report(const struct load_command *c, const struct tally *tally)
{
    struct verdict verdict;
    verdict_of(&verdict, &c->plan, tally);
    const struct report all = {
        .plan = &c->plan,
        .tally = tally,
        .verdict = &verdict,
        .series = c->series,
    };
    if (!write_results(c, &all))
        return STATUS_FAILED;
    if (answered(tally) == 0) {
        say_nothing_answered(&c->plan, tally);
        return STATUS_FAILED;
    }
    return verdict.count > 0 ? STATUS_VOID : STATUS_DONE;
}

static void on_interrupt(int number)
{
    interrupted = 1;
    (void)signal(number, SIG_DFL); /* the next one ends the program */
}

static int run_plan(struct load_command *c, struct tally *tally)
{
    int rc = weir_open(&(struct weir_opts){
        .size = sizeof(struct weir_opts),
        .scheduler = WEIR_SCHEDULER_LOOP,
    });
    if (rc == 0) {
        sharpen_timers();
        (void)signal(SIGINT, on_interrupt);
        rc = drive(&c->plan, tally);
        (void)signal(SIGINT, SIG_DFL);
        const int closed = weir_close(weir_in_ms(1000));
        rc = rc < 0 ? rc : closed;
    }
    if (rc >= 0)
        return report(c, tally);
    if (tally->no_address != NULL)
        fprintf(stderr,
                "weir load: %s cannot be reached: it is no address, nor the name of a host\n",
                tally->no_address);
    else
        fprintf(stderr, "weir load: it cannot start: %s\n", weir_err_text(rc));
    return STATUS_FAILED;
}

/* The bound on what is in flight is also one on descriptors; better known before than at the
 * height of the run.  Where the user named none it is what the open files permit. */
static bool bound_connections(struct plan *plan)
{
    const int64_t room = raise_open_files() - DESCRIPTORS_KEPT;
    if (plan->in_flight_max == 0)
        plan->in_flight_max = room < 1 ? 1 : room < IN_FLIGHT_DEFAULT ? room : IN_FLIGHT_DEFAULT;
    const int64_t wanted = is_open_loop(plan) ? plan->in_flight_max : plan->connections;
    /* Hosts do not share connections, so several are served better by more. */
    plan->connections_max = wanted * plan->targets.hosts;
    if (plan->connections_max > room)
        plan->connections_max = room;
    if (plan->open_first > plan->connections_max)
        return load_command_complain(
            "--open-first is more than may be open at once (--in-flight-max)");
    if (wanted <= room)
        return true;
    fprintf(stderr,
            "weir load: %lld connections are more than the open files that this shell permits"
            " (room for %lld; see ulimit -n)\n",
            (long long)wanted, (long long)(room > 0 ? room : 0));
    return false;
}

/* Results that cannot be had are told before the run. */
static int prepare(struct load_command *c, struct tally *tally)
{
    if (!bound_connections(&c->plan) || !is_writable(c->json) || !is_writable(c->hist))
        return STATUS_FAILED;
    const struct tally_opts opts = {
        .steps = is_open_loop(&c->plan) ? c->plan.schedule.step_count : 1,
        .urls = c->plan.targets.count,
        .bin_ns = c->plan.bin_ns,
        .length_ns = c->plan.for_ns,
        .timeout_ns = plan_request_ns(&c->plan),
    };
    const int rc = tally_init(tally, &opts);
    if (rc == WEIR_EOVERFLOW) {
        (void)load_command_complain(
            "--bin is too narrow: a run has 100000 bins at most, a --timeout about 17000");
        return STATUS_WRONG;
    }
    if (rc < 0)
        fprintf(stderr, "weir load: %s\n", weir_err_text(rc));
    return rc < 0 ? STATUS_FAILED : STATUS_DONE;
}

static int load(struct load_command *c)
{
    struct tally *tally = calloc(1, sizeof *tally);
    if (tally == NULL) {
        fprintf(stderr, "weir load: out of memory\n");
        return STATUS_FAILED;
    }
    int status = prepare(c, tally);
    if (status == STATUS_DONE)
        status = run_plan(c, tally);
    tally_fini(tally);
    free(tally);
    return status;
}

static int run_command(struct load_command *c, int argc, char **argv)
{
    if (!load_command_read(c, argc, argv))
        return STATUS_WRONG;
    if (c->help) {
        fputs(help, stdout);
        return STATUS_DONE;
    }
    if (c->merge)
        return merge(c);
    return c->schedule ? show_schedule(c) : load(c);
}

int command_load(int argc, char **argv)
{
    struct load_command *c = malloc(sizeof *c);
    if (c == NULL) {
        fprintf(stderr, "weir load: out of memory\n");
        return STATUS_FAILED;
    }
    const int status = run_command(c, argc, argv);
    load_command_fini(c);
    free(c);
    return status;
}
