/* SPDX-License-Identifier: MIT */
/* `weir compare`: reads the options, has the contest run and judged, shows and keeps the report.
 *
 * Files are written under a temporary name and then renamed, so that whoever looks finds a whole
 * one or none.
 *
 * Threads: one. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "compare/contest.h"
#include "compare/document.h"
#include "compare/report.h"
#include "compare/server.h"
#include "http/uri.h"
#include "options.h"
#include "system.h"
#include "system_machine.h"
#include "system_process.h"
#include "weir/time.h"

#define SECONDS_MAX 3600
#define COMMAND_BYTES 1024
#define URL_BYTES_MAX 2000
#define COLUMNS_DEFAULT 100
#define COLUMNS_MIN 80

static const char help[] =
    "weir compare - the same work under every model, beside Node, Go and Python\n"
    "\n"
    "Usage: weir compare [OPTIONS]\n"
    "       weir compare --app=./mine --url=/path [OPTIONS] [-- ARGUMENTS OF MINE]\n"
    "\n"
    "Starts one service after the other on a core of its own, finds out how much it can do, then\n"
    "offers multiples of that and sees who still answers in time.  Ends in a table and, in a\n"
    "folder, report.json and report.html.\n"
    "\n"
    "How thoroughly:\n"
    "  --short            one workload at 1 and 5 times the capacity; under two minutes\n"
    "  (neither)          all workloads at 0.5, 1, 2 and 5 times\n"
    "  --full             at 0.5 to 10 times, a step from 0.5 to 5 and back, and a retry storm;\n"
    "                     takes hours\n"
    "  --seconds=S        so long for each single measurement, whatever the form says\n"
    "  --seed=N           of the random arrivals; the same seed gives the same schedule [1]\n"
    "  --timeout=TIME     a reply counts within this time of when its request was due [1s;\n"
    "                     500ms in the short form]\n"
    "\n"
    "What is compared:\n"
    "  --workloads=LIST   of api     2 ms of CPU time per request\n"
    "                        wait    50 ms on a backend, the core is free\n"
    "                        mix     mostly greetings, some waits, some CPU time\n"
    "                        block   20 ms inside a library that blocks its thread\n"
    "                        stream  20 chunks, 2 ms apart\n"
    "                        crash   one request in a thousand ends its process\n"
    "                        state   a counter that requests share\n"
    "  --models=LIST      of loop,cluster,tasks,threads,prefork, or none [all]\n"
    "  --peers=LIST       reference servers: all, none, families (go,node,python) or names [all]\n"
    "  --peers-dir=DIR    where peers.json is [beside weir]\n"
    "  --start-timeout=T  for a service to answer its first request [20s]\n"
    "\n"
    "Your own program (one that calls weir_main):\n"
    "  --app=PROGRAM      under every model that its state permits; what follows -- is handed on\n"
    "  --url=/PATH        what it is asked for\n"
    "  --workloads=LIST   put it in the rows of these workloads, beside weir's demo and the peers\n"
    "\n"
    "What is kept:\n"
    "  --out=DIR          the folder of the report [weir-compare]\n"
    "  --fresh            do not go on with what was interrupted there\n"
    "  --render=FILE      judge and show an earlier report.json again; measures nothing\n"
    "\n"
    "Ctrl-C ends every service that was started, and the same command goes on from there later.\n"
    "The exit status is 0 if every row could be measured, 1 if not, 2 for a wrong option.\n"
    "\n"
    "Two minutes:         weir compare --short\n"
    "Your own service:    weir compare --app=./mine --url=/search?q=x --short\n"
    "Only event loops:    weir compare --models=loop,cluster --peers=node --workloads=api,wait\n";

struct command {
    struct options options;
    struct wish wish;
    const char *form;
    const char *render;
    bool help;
    char line[COMMAND_BYTES];
};

/* -- options ---------------------------------------------------------------------------------- */

static void take_form(struct command *c, const char *form)
{
    (void)options_flag(&c->options);
    if (c->form != NULL && c->form != form)
        options_wrong(&c->options, "--short and --full exclude each other");
    c->form = form;
}

static int milliseconds(struct options *o)
{
    return (int)(options_duration(o, WEIR_NS_PER_MS, 600 * WEIR_NS_PER_S) / WEIR_NS_PER_MS);
}

static void take_text(struct command *c)
{
    struct options *o = &c->options;
    struct choice *choice = &c->wish.choice;
    if (options_is(o, "workloads"))
        c->wish.workloads = options_text(o);
    else if (options_is(o, "models"))
        choice->models = options_text(o);
    else if (options_is(o, "peers"))
        choice->peers = options_text(o);
    else if (options_is(o, "peers-dir"))
        choice->peers_folder = options_text(o);
    else if (options_is(o, "app"))
        choice->app = options_text(o);
    else if (options_is(o, "url"))
        choice->app_url = options_text(o);
    else if (options_is(o, "out"))
        c->wish.out_folder = options_text(o);
    else if (options_is(o, "render"))
        c->render = options_text(o);
    else
        options_wrong(o, "there is no such option");
}

static void take_option(struct command *c)
{
    struct options *o = &c->options;
    if (o->name == NULL)
        options_wrong(o, "it is no option; the program to compare is named by --app");
    else if (options_is(o, "help") || options_is(o, "h"))
        c->help = options_flag(o);
    else if (options_is(o, "short"))
        take_form(c, "short");
    else if (options_is(o, "full"))
        take_form(c, "full");
    else if (options_is(o, "fresh"))
        c->wish.fresh = options_flag(o);
    else if (options_is(o, "seed"))
        c->wish.seed = (uint64_t)options_number(o, 0, INT64_MAX - 1);
    else if (options_is(o, "seconds"))
        c->wish.seconds = options_decimal(o, 0.05, SECONDS_MAX);
    else if (options_is(o, "timeout"))
        c->wish.timeout_ms = milliseconds(o);
    else if (options_is(o, "start-timeout"))
        c->wish.start_timeout_ms = milliseconds(o);
    else
        take_text(c);
}

static bool complain(const char *what)
{
    fprintf(stderr, "weir compare: %s; try: weir compare --help\n", what);
    return false;
}

/* Whether weir load and the services take it for a path, perhaps with a query. */
static bool is_path(const char *url)
{
    struct wi_http_url parts;
    char whole[URL_BYTES_MAX + 16];
    const int bytes = snprintf(whole, sizeof whole, "http://h%s", url);
    return url[0] == '/' && strlen(url) <= URL_BYTES_MAX &&
           wi_http_url_parse(whole, (size_t)bytes, &parts) == 0;
}

static bool check_app(const struct choice *choice)
{
    static const char *const nowhere[] = { NULL };
    char path[PATH_BYTES];
    if (choice->app == NULL && choice->app_url != NULL)
        return complain("--url is for --app");
    if (choice->app == NULL)
        return choice->app_argument_count == 0 || complain("arguments after -- are for --app");
    if (choice->app_url == NULL)
        return complain("--app wants --url, the path that is asked for");
    if (!is_path(choice->app_url))
        return complain("--url is a path that begins with /, without spaces and #; what is no "
                        "ASCII is written as %XX");
    if (!command_find(choice->app, nowhere, path)) {
        fprintf(stderr, "weir compare: --app: %.300s is not a program that can be run\n",
                choice->app);
        return false;
    }
    return true;
}

/* What was typed, for the report. */
static void write_line(struct command *c, int argc, char **argv)
{
    size_t used = (size_t)snprintf(c->line, sizeof c->line, "weir compare");
    for (int i = 1; i < argc && used < sizeof c->line; i++)
        used += (size_t)snprintf(c->line + used, sizeof c->line - used, " %s", argv[i]);
    clean_text(c->line); /* what was typed need not be UTF-8, and may be cut */
    c->wish.command = c->line;
}

/* Cuts off what follows "--", which is not ours to read. */
static int own_arguments(struct command *c, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") != 0)
            continue;
        c->wish.choice.app_arguments = argv + i + 1;
        c->wish.choice.app_argument_count = argc - i - 1;
        return i;
    }
    return argc;
}

static bool read_command(struct command *c, int argc, char **argv)
{
    write_line(c, argc, argv);
    options_init(&c->options, "weir compare", own_arguments(c, argc, argv), argv);
    while (options_next(&c->options))
        take_option(c);
    if (c->options.wrong)
        return false;
    if (c->help || c->render != NULL)
        return true;
    if (!check_app(&c->wish.choice))
        return false;
    c->wish.form = *form_find(c->form != NULL ? c->form : "default");
    if (c->wish.timeout_ms == 0)
        c->wish.timeout_ms = c->wish.form.timeout_ms;
    if (c->wish.seconds > 0)
        c->wish.form = form_of_seconds(&c->wish.form, c->wish.seconds);
    c->wish.choice.with_weir = c->wish.choice.app == NULL || c->wish.workloads != NULL;
    return true;
}

/* -- files ------------------------------------------------------------------------------------ */

static int write_json(FILE *file, const json_t *report)
{
    const int rc = json_dumpf(report, file, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    return rc == 0 && fputc('\n', file) != EOF ? 0 : WEIR_EIO;
}

/* Writes one file of the report through `write`, whole or not at all. */
static int write_file(const char *path, const json_t *report,
                      int (*write)(FILE *file, const json_t *report))
{
    char temporary[PATH_BYTES + 32];
    snprintf(temporary, sizeof temporary, "%s.new", path);
    FILE *file = fopen(temporary, "w");
    int rc = file == NULL ? WEIR_EIO : write(file, report);
    if (file != NULL && fclose(file) != 0)
        rc = WEIR_EIO;
    if (rc == 0 && rename(temporary, path) == 0)
        return 0;
    (void)remove(temporary);
    fprintf(stderr, "weir compare: %s cannot be written (is the disk full?)\n", path);
    return WEIR_EIO;
}

static int write_both(const char *folder, const json_t *report)
{
    char json[PATH_BYTES + 16];
    char html[PATH_BYTES + 16];
    snprintf(json, sizeof json, "%s/report.json", folder);
    snprintf(html, sizeof html, "%s/report.html", folder);
    const int first = write_file(json, report, write_json);
    const int second = write_file(html, report, page_write);
    if (first < 0 || second < 0)
        return WEIR_EIO;
    printf("\nThe report:  %s\n             %s\n", html, json);
    return 0;
}

static int columns(void)
{
    const int wide = terminal_columns(COLUMNS_DEFAULT);
    return wide < COLUMNS_MIN ? COLUMNS_MIN : wide;
}

/* Judges, shows and keeps a report.  0 or 1, an exit status. */
static int present(json_t *report, const char *folder)
{
    if (verdict_add(report) < 0) {
        fprintf(stderr, "weir compare: out of memory\n");
        return 1;
    }
    printf("\n");
    table_print(stdout, report, columns());
    const int rc = write_both(folder, report);
    if (fflush(stdout) != 0) {
        fprintf(stderr, "weir compare: the table cannot be written\n");
        return 1;
    }
    return rc < 0 ? 1 : 0;
}

/* The page is written beside the file that it shows, unless --out says otherwise. */
static int render(const struct command *c)
{
    char why[REASON_BYTES];
    char folder[PATH_BYTES];
    json_t *report = report_load(c->render, why, sizeof why);
    if (report == NULL) {
        fprintf(stderr, "weir compare: %s\n", why);
        return 1;
    }
    snprintf(folder, sizeof folder, "%s", c->render);
    char *slash = strrchr(folder, '/');
    if (slash != NULL)
        slash[slash == folder] = '\0';
    else
        snprintf(folder, sizeof folder, ".");
    if (c->wish.out_folder != NULL)
        snprintf(folder, sizeof folder, "%s", c->wish.out_folder);
    int status = 1;
    const char *reason;
    if (folder_make(folder, &reason))
        status = present(report, folder);
    else
        fprintf(stderr, "weir compare: the folder %s cannot be made: %s\n", folder, reason);
    json_decref(report);
    return status;
}

/* -- the contest ------------------------------------------------------------------------------ */

static void on_signal(int number)
{
    (void)number;
    compare_stopped = 1;
}

static int compare(struct command *c)
{
    struct outcome outcome;
    if (c->wish.out_folder == NULL)
        c->wish.out_folder = "weir-compare";
    catch_ends(on_signal);
    (void)raise_open_files(); /* the generator inherits it */
    adopt_orphans();
    const int rc = contest_run(&c->wish, &outcome);
    if (rc < 0)
        return rc == WEIR_EINVAL ? 2 : 1;
    int status = present(outcome.report, c->wish.out_folder);
    if (status == 0)
        contest_forget(&c->wish);
    if (outcome.failed > 0) {
        printf("\n%d row%s could not be measured; the report says why.\n", outcome.failed,
               outcome.failed == 1 ? "" : "s");
        status = 1;
    }
    json_decref(outcome.report);
    return status;
}

int command_compare(int argc, char **argv)
{
    struct command c = {
        .wish = { .seed = 1, .start_timeout_ms = 20000 },
    };
    if (!read_command(&c, argc, argv))
        return 2;
    if (c.help) {
        fputs(help, stdout);
        return 0;
    }
    return c.render != NULL ? render(&c) : compare(&c);
}
