/* SPDX-License-Identifier: MIT */
#ifndef WEIR_APP_H
#define WEIR_APP_H

/* A whole service: options, models, processes, signals, admin endpoint.
 *
 *     int main(int argc, char **argv)
 *     {
 *         return weir_main(argc, argv, &(struct weir_app_spec){
 *             .name = "hello", .state = WEIR_STATE_NONE, .start = start });
 *     }
 *
 * ./hello --help tells the options; every one has an equivalent in the environment. */

#include <stddef.h>

#include "weir/err.h"
#include "weir/serve.h"

typedef struct weir_app weir_app;

/* How the handlers keep state; decides which models may run them. */
enum weir_state {
    WEIR_STATE_UNDECLARED = 0, /* refused: say which */
    WEIR_STATE_NONE,           /* none between requests: every model */
    WEIR_STATE_LOCKED,         /* shared, guarded by weir or pthread locks: models of one process */
    WEIR_STATE_PER_PROCESS, /* a copy per process is right; not guarded: loop, cluster, prefork */
    WEIR_STATE_LOOP_ONLY,   /* relies on one thread in one process: loop */
};

struct weir_app_spec {
    size_t size;         /* sizeof(struct weir_app_spec); 0 counts as that */
    const char *name;    /* of the program, in help and log */
    const char *summary; /* one line for --help; may be NULL */
    enum weir_state state;
    /* Adds routes; runs in each worker process before it serves. A negative result ends the
     * start. */
    int (*start)(weir_app *app);
    /* Runs in each worker process after the last request. May be NULL. */
    void (*stop)(weir_app *app);
    void *user;                     /* for weir_app_user() */
    struct weir_server_opts server; /* defaults that options on the command line override */
    const char *listen;             /* default address; NULL: "127.0.0.1:8080" */
};

/* Runs the service until SIGTERM or SIGINT, then drains.  On SIGQUIT it prints what every task does
 * (weir/dump.h), and ends with status 2 unless --sigquit=stay.
 *
 *   argc, argv  as main() got them; borrowed until it returns
 *   spec        borrowed until it returns
 *
 * The exit status: 0 after a clean end, 1 when it could not start or run, 2 for wrong options,
 * after SIGQUIT, and when its start or stop waits for what can never come (runtime.h, deadlocks).
 *
 * What it changes in the process: SIGPIPE is ignored; SIGTERM, SIGINT and SIGQUIT are blocked and
 * read through a descriptor; SIGSEGV and SIGBUS get a handler that names a stack overflow and hands
 * on; the soft limit of descriptors is raised to the hard one.  It reads the environment (--help
 * says which variables), writes to standard error, and forks under models of several processes.
 * Callers: thread (blocks): that of main(), before there is another. */
WEIR_API int weir_main(int argc, char **argv, const struct weir_app_spec *spec);

/* As weir_server_route() without options: the same results.
 * Callers: task, thread: in spec->start, before it returns; never waits. */
WEIR_API WEIR_CHECK int weir_app_route(weir_app *app, const char *method, const char *pattern,
                                       weir_handler *handler, void *user);
/* The same with options.  Callers: as weir_app_route(). */
WEIR_API WEIR_CHECK int weir_app_route_with(weir_app *app, const char *method, const char *pattern,
                                            weir_handler *handler, void *user,
                                            const struct weir_route_opts *opts);

/* As weir_server_answer(): an answer that needs no handler and is given whatever handlers do.  GET
 * /healthz and GET /livez say "ok" in this way unless the app has routes that take them.
 * Callers: as weir_app_route(). */
WEIR_API WEIR_CHECK int weir_app_answer(weir_app *app, const char *pattern, const char *type,
                                        const char *text);

/* The spec's `user`.  Callers: any; never waits. */
WEIR_API void *weir_app_user(const weir_app *app);

/* The model's name: "loop", "cluster", "tasks", "threads", "prefork" or "custom".
 * Callers: any; never waits. */
WEIR_API const char *weir_app_model(const weir_app *app);

#endif
