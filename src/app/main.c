/* SPDX-License-Identifier: MIT */
/* weir_main(): options, listeners, then one process or a primary with workers.
 *
 * Order of a start: options, plan, signals held, listeners; only then does anything fork or any
 * thread start, so whatever is wrong ends it in one line with nothing half-started. */
#include "weir/app.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/app.h"
#include "app/help.h"
#include "app/line.h"
#include "app/listen.h"
#include "app/options.h"
#include "app/service.h"
#include "app/supervisor.h"
#include "base/check.h"
#include "os/file.h"
#include "os/limits.h"
#include "os/process.h"
#include "os/signal.h"
#include "os/vm.h"

enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    WHY_BYTES = 512,
    DESCRIPTORS_MIN = 32, /* a process's own, up to fourteen, and room for some connections */
};

static const char default_listen[] = "127.0.0.1:8080";

int weir_app_route_with(weir_app *app, const char *method, const char *pattern,
                        weir_handler *handler, void *user, const struct weir_route_opts *opts)
{
    wi_bug_unless(app != NULL);
    wi_bug_unless(app->server != NULL); /* routes are added in spec->start */
    return weir_server_route(app->server, method, pattern, handler, user, opts);
}

int weir_app_route(weir_app *app, const char *method, const char *pattern, weir_handler *handler,
                   void *user)
{
    return weir_app_route_with(app, method, pattern, handler, user, NULL);
}

int weir_app_answer(weir_app *app, const char *pattern, const char *type, const char *text)
{
    wi_bug_unless(app != NULL);
    wi_bug_unless(app->server != NULL); /* routes are added in spec->start */
    return weir_server_answer(app->server, pattern, type, text);
}

void *weir_app_user(const weir_app *app)
{
    wi_bug_unless(app != NULL);
    return app->spec->user;
}

const char *weir_app_model(const weir_app *app)
{
    wi_bug_unless(app != NULL);
    return app->plan->model;
}

/* -- one process ------------------------------------------------------------------------------ */

static void on_ready(void *user)
{
    struct wi_supervisor *start = user;
    wi_listeners_give(start->listeners);
    wi_supervisor_say_ready(start);
}

static void on_failed(void *user, const char *why)
{
    const struct wi_supervisor *start = user;
    wi_line_say(start->spec->name, why);
}

static int run_alone(struct wi_supervisor *start)
{
    /* Threads of a runtime that cannot be closed may look at these until the process ends. */
    static struct wi_service service;
    static struct wi_share share;
    return wi_service_run(&service, &(struct wi_service_opts){
                                        .spec = start->spec,
                                        .plan = start->plan,
                                        .options = start->options,
                                        .listeners = start->listeners,
                                        .share = &share,
                                        .on_ready = on_ready,
                                        .on_failed = on_failed,
                                        .user = start,
                                    });
}

/* -- the start -------------------------------------------------------------------------------- */

static int print_help(const struct weir_app_spec *spec)
{
    static char buffer[WI_HELP_BYTES];
    struct wi_text text;
    wi_text_init(&text, buffer, sizeof(buffer));
    wi_help_write(&text, spec);
    (void)fputs(text.data, stdout);
    return EXIT_OK;
}

static int open_listeners(struct wi_listeners *out, struct wi_options *options,
                          const struct weir_app_spec *spec)
{
    char why_text[WHY_BYTES];
    struct wi_text why;
    wi_text_init(&why, why_text, sizeof(why_text));
    if (options->listen_count == 0)
        options->listen[options->listen_count++] =
            spec->listen != NULL ? spec->listen : default_listen;
    const int rc = wi_listeners_open(out, options->listen, options->listen_count, options->admin,
                                     spec->server.backlog, &why);
    if (rc == 0)
        return EXIT_OK;
    wi_line_say(spec->name, why.data);
    return rc == WEIR_EINVAL ? EXIT_USAGE : EXIT_FAILED;
}

/* Everything that can be wrong without a system call. */
static int read_options(struct wi_options *options, struct wi_plan *plan, int argc, char **argv,
                        const struct weir_app_spec *spec)
{
    char why_text[WHY_BYTES];
    struct wi_text why;
    wi_text_init(&why, why_text, sizeof(why_text));
    int rc = wi_options_parse(options, argc, argv, wi_process_env, &why);
    if (rc == 0 && !options->help && !options->version)
        rc = wi_plan_make(plan, &options->wish, spec->state, wi_limits_cores(), &why);
    if (rc == 0)
        return EXIT_OK;
    wi_line_say(spec->name, why.data);
    return EXIT_USAGE;
}

/* Who has found the listener there may end the service at once, and that is an end like any other:
 * what comes before somebody takes signals (service.c, cluster/primary.c) waits for him. */
static int hold_signals(const struct weir_app_spec *spec)
{
    const int signals[] = { wi_signal_term, wi_signal_int, wi_signal_quit, 0 };
    if (wi_signal_hold(signals) == 0)
        return EXIT_OK;
    wi_line_say(spec->name, "signals cannot be held back");
    return EXIT_FAILED;
}

/* With fewer descriptors it would listen and never accept. */
static int raise_descriptors(const struct weir_app_spec *spec)
{
    const int64_t most = wi_limits_descriptors_raise();
    if (most >= DESCRIPTORS_MIN)
        return EXIT_OK;
    char why[WHY_BYTES];
    (void)snprintf(why, sizeof(why),
                   "at most %d files and connections may be open here, and a service needs %d: "
                   "raise ulimit -n (the hard limit, ulimit -Hn, too)",
                   (int)most, DESCRIPTORS_MIN);
    wi_line_say(spec->name, why);
    return EXIT_FAILED;
}

int weir_main(int argc, char **argv, const struct weir_app_spec *spec)
{
    wi_bug_unless(spec != NULL);
    wi_bug_unless(spec->name != NULL);
    wi_bug_unless(spec->start != NULL);
    static struct wi_options options;
    static struct wi_plan plan;
    static struct wi_listeners listeners;

    int status = read_options(&options, &plan, argc, argv, spec);
    if (status != EXIT_OK)
        return status;
    if (options.help)
        return print_help(spec);
    if (options.version) {
        (void)printf("%s (weir %s)\n", spec->name, weir_version());
        return EXIT_OK;
    }
    if (wi_file_hold_standard() != 0)
        return EXIT_FAILED; /* there may be nowhere to say so */
    status = raise_descriptors(spec);
    if (status == EXIT_OK)
        status = hold_signals(spec);
    if (status == EXIT_OK)
        status = open_listeners(&listeners, &options, spec);
    if (status != EXIT_OK)
        return status;

    wi_os_force_old_kernel(options.old_kernel);
    wi_log_threshold_set(options.log_level);
    wi_signal_ignore_pipe();
    struct wi_supervisor start = {
        .spec = spec,
        .plan = &plan,
        .options = &options,
        .listeners = &listeners,
    };
    status = plan.supervised ? wi_supervisor_run(&start) : run_alone(&start);
    wi_listeners_unlink(&listeners); /* of a start that failed */
    wi_listeners_close(&listeners);
    wi_listeners_close_admin(&listeners);
    wi_listeners_unlink_admin(&listeners);
    return status;
}
