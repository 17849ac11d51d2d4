/* SPDX-License-Identifier: MIT */
/* `weir load`: reads the options, drives the target, reports.
 *
 * Threads: the main thread turns a `loop` runtime; nothing else runs. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "drive/drive.h"
#include "options.h"
#include "drive/report.h"
#include "system.h"
#include "weir/runtime.h"

#define HOUR_NS (INT64_C(3600) * WEIR_NS_PER_S)
#define BODY_BYTES_MAX (INT64_C(64) << 20)
#define CONNECTIONS_DEFAULT 16

/* Descriptors that are not connections: standard ones, the poller's, the JSON file. */
#define DESCRIPTORS_KEPT 32

static const char help[] =
    "weir load - send requests to an HTTP service and measure how it answers\n"
    "\n"
    "Usage: weir load [OPTIONS] URL\n"
    "  URL is http://HOST[:PORT]/PATH or unix:SOCKET:/PATH\n"
    "\n"
    "How the load arises:\n"
    "  --connections=N     closed loop: N clients, each asks again when it was answered [16].\n"
    "                      Shows how fast the service can be; hides how it fails, because a slow\n"
    "                      service is asked less.\n"
    "  --rate=R            open loop: R requests a second, at random times (Poisson), whatever\n"
    "                      became of the earlier ones.  Shows overload as users meet it: latency\n"
    "                      counts from the time at which the request was due.\n"
    "  --arrivals=KIND     of an open loop: poisson, or even (the same gap each time) [poisson]\n"
    "  --seed=N            of the random times; the same seed gives the same schedule [1]\n"
    "  --in-flight-max=N   of an open loop; arrivals beyond are counted, not sent\n"
    "                      [20000, or what the limit of open files permits]\n"
    "  --for=TIME          how long: 500ms, 5s, 2m [5s]\n"
    "\n"
    "What is sent:\n"
    "  --method=NAME       [GET; POST with a body]\n"
    "  --body-bytes=N      a body of that many bytes [0]\n"
    "  --close             a new connection for every request\n"
    "  --timeout=TIME      then the client gives up and resets the connection [1s]\n"
    "\n"
    "What is shown:\n"
    "  --json=FILE         write the result as JSON too; - is standard output, instead of text\n"
    "  --progress          a line each second; on a terminal one line is shown in any case\n"
    "\n"
    "Ctrl-C ends early and shows what there is until then; a second one ends at once.\n"
    "The exit status is 0 if anything was answered, 1 if nothing was, 2 for a wrong option.\n"
    "\n"
    "How fast?              weir load --connections=64 http://127.0.0.1:8080/hello/world\n"
    "What under overload?   weir load --rate=3000 'http://127.0.0.1:8080/cpu?ms=1'\n";

struct command {
    struct options options;
    struct target_opts target;
    struct plan plan;
    const char *json;
    bool progress;
    bool help;
};

static void take_arrivals(struct command *c)
{
    const char *kind = options_text(&c->options);
    if (strcmp(kind, "even") == 0)
        c->plan.arrivals = ARRIVALS_EVEN;
    else if (strcmp(kind, "poisson") != 0)
        options_wrong(&c->options, "it is poisson or even");
}

static void take_option(struct command *c)
{
    struct options *o = &c->options;
    if (o->name == NULL && c->target.url == NULL)
        c->target.url = o->value;
    else if (o->name == NULL)
        options_wrong(o, "one URL is enough");
    else if (options_is(o, "help") || options_is(o, "h"))
        c->help = options_flag(o);
    else if (options_is(o, "connections"))
        c->plan.connections = options_number(o, 1, 100000);
    else if (options_is(o, "rate"))
        c->plan.rate = options_decimal(o, 0.001, 1e7);
    else if (options_is(o, "arrivals"))
        take_arrivals(c);
    else if (options_is(o, "seed"))
        c->plan.seed = (uint64_t)options_number(o, 0, INT64_MAX - 1);
    else if (options_is(o, "in-flight-max"))
        c->plan.in_flight_max = options_number(o, 1, 1000000);
    else if (options_is(o, "for"))
        c->plan.for_ns = options_duration(o, WEIR_NS_PER_MS, 24 * HOUR_NS);
    else if (options_is(o, "timeout"))
        c->plan.timeout_ns = options_duration(o, WEIR_NS_PER_MS, HOUR_NS);
    else if (options_is(o, "method"))
        c->target.method = options_text(o);
    else if (options_is(o, "body-bytes"))
        c->target.body_bytes = (size_t)options_number(o, 0, BODY_BYTES_MAX);
    else if (options_is(o, "close"))
        c->target.close_each = options_flag(o);
    else if (options_is(o, "json"))
        c->json = options_text(o);
    else if (options_is(o, "progress"))
        c->progress = options_flag(o);
    else
        options_wrong(o, "there is no such option");
}

/* One line about the command as a whole. */
static bool complain(const char *what)
{
    fprintf(stderr, "weir load: %s; try: weir load --help\n", what);
    return false;
}

/* Reads and completes the command.  False: the mistake was reported. */
static bool read_command(struct command *c, int argc, char **argv)
{
    options_init(&c->options, "weir load", argc, argv);
    while (options_next(&c->options))
        take_option(c);
    if (c->options.wrong)
        return false;
    if (c->help)
        return true;
    if (c->target.url == NULL)
        return complain("it wants an URL");
    if (c->plan.rate > 0 && c->plan.connections > 0)
        return complain("--rate (open loop) and --connections (closed loop) exclude each other");
    if (c->plan.rate <= 0 && c->plan.connections == 0)
        c->plan.connections = CONNECTIONS_DEFAULT;
    if (c->target.method == NULL)
        c->target.method = c->target.body_bytes > 0 ? "POST" : "GET";
    if (stderr_is_terminal())
        c->plan.progress = PROGRESS_LIVE;
    else if (c->progress)
        c->plan.progress = PROGRESS_LINES;

    const char *why = "";
    const int rc = target_init(&c->plan.target, &c->target, &why);
    if (rc < 0)
        return complain(why);
    return true;
}

/* The bound on what is in flight is also one on descriptors; better known before than at the
 * height of the run.  Where the user named none it is what the open files permit. */
static bool check_descriptors(struct plan *plan)
{
    const int64_t room = raise_open_files() - DESCRIPTORS_KEPT;
    if (plan->in_flight_max == 0)
        plan->in_flight_max = room < IN_FLIGHT_DEFAULT ? room : IN_FLIGHT_DEFAULT;
    const int64_t wanted = plan->rate > 0 ? plan->in_flight_max : plan->connections;
    if (wanted <= room)
        return true;
    fprintf(stderr,
            "weir load: %lld connections are more than the open files that this shell permits"
            " (room for %lld; see ulimit -n)\n",
            (long long)wanted, (long long)room);
    return false;
}

static void on_interrupt(int number)
{
    interrupted = 1;
    (void)signal(number, SIG_DFL); /* the next one ends the program */
}

static int write_json(const struct command *c, const struct tally *tally)
{
    const bool to_stdout = strcmp(c->json, "-") == 0;
    FILE *file = to_stdout ? stdout : fopen(c->json, "w");
    int rc = file == NULL ? WEIR_EIO : report_json(file, c->target.url, &c->plan, tally);
    if (file != NULL && !to_stdout && fclose(file) != 0)
        rc = WEIR_EIO;
    if (rc < 0)
        fprintf(stderr, "weir load: cannot write '%s'\n", c->json);
    return rc;
}

static int report(const struct command *c, const struct tally *tally)
{
    if (c->json == NULL || strcmp(c->json, "-") != 0)
        report_text(stdout, c->target.url, &c->plan, tally);
    if (c->json != NULL && write_json(c, tally) < 0)
        return 1;
    if (fflush(stdout) != 0) {
        fprintf(stderr, "weir load: cannot write the result\n");
        return 1;
    }
    return tally->ok + tally->shed + tally->other + tally->late > 0 ? 0 : 1;
}

/* Before the run, because after it the result would be lost. */
static bool json_is_writable(const struct command *c)
{
    if (c->json == NULL || strcmp(c->json, "-") == 0)
        return true;
    FILE *file = fopen(c->json, "a");
    if (file == NULL) {
        fprintf(stderr, "weir load: cannot write '%s'\n", c->json);
        return false;
    }
    (void)fclose(file);
    return true;
}

static int load(const struct command *c, struct tally *tally)
{
    if (!json_is_writable(c))
        return 1;
    int rc = weir_open(&(struct weir_opts){
        .size = sizeof(struct weir_opts),
        .scheduler = WEIR_SCHEDULER_LOOP,
    });
    if (rc == 0) {
        (void)signal(SIGINT, on_interrupt);
        rc = drive(&c->plan, tally);
        (void)signal(SIGINT, SIG_DFL);
        const int closed = weir_close(weir_in_ms(1000));
        rc = rc < 0 ? rc : closed;
    }
    if (rc == WEIR_EINVAL) {
        fprintf(stderr, "weir load: %s cannot be reached: of names only localhost is known\n",
                c->plan.target.address);
        return 1;
    }
    if (rc < 0) {
        fprintf(stderr, "weir load: it cannot start: %s\n", weir_err_text(rc));
        return 1;
    }
    return report(c, tally);
}

int command_load(int argc, char **argv)
{
    struct command c = {
        .plan = { .for_ns = 5 * WEIR_NS_PER_S, .timeout_ns = WEIR_NS_PER_S, .seed = 1 }
    };
    if (!read_command(&c, argc, argv))
        return 2;
    if (c.help) {
        fputs(help, stdout);
        return 0;
    }
    int status = 1;
    struct tally *tally = malloc(sizeof *tally);
    if (tally == NULL)
        fprintf(stderr, "weir load: out of memory\n");
    else if (check_descriptors(&c.plan))
        status = load(&c, tally);
    free(tally);
    target_fini(&c.plan.target);
    return status;
}
