/* SPDX-License-Identifier: MIT */
#ifndef WI_APP_SERVICE_H
#define WI_APP_SERVICE_H

/* One process that serves: a runtime, a server on listeners that are open already, and an end in
 * order.  It is the whole program under a model of one process, and a worker under the others.
 *
 * Life: wi_service_run() opens the runtime, starts the app in a task, serves until SIGTERM or
 * SIGINT, drains, and closes.  Signals are watched on the monitor's loop, which no handler runs on.
 *
 * Threads: the opener's, the monitor's and one task's; fields say. */

#include <stdbool.h>
#include <stdint.h>

#include "app/admin.h"
#include "app/app.h"
#include "app/listen.h"
#include "app/options.h"
#include "app/share.h"
#include "app/text.h"
#include "loop/loop.h"
#include "sync/parker.h"
#include "weir/runtime.h"

enum {
    WI_SERVICE_NAME_BYTES = 80
};

enum wi_service_phase {
    WI_SERVICE_STARTING,
    WI_SERVICE_READY,
    WI_SERVICE_DRAINING
};

struct wi_service_opts {
    const struct weir_app_spec *spec;
    const struct wi_plan *plan;
    const struct wi_options *options;
    struct wi_listeners *listeners; /* those of serve are taken by the server */
    struct wi_share *share;         /* all-zero at the start */
    struct wi_charge_costs *costs;  /* that all processes share; NULL: those of `share` */
    bool supervised;                /* a worker: the primary hears signals and has the admin */
    /* Calls from the task that starts and ends the service. */
    void (*on_ready)(void *user);
    void (*on_draining)(void *user);
    void (*on_failed)(void *user, const char *why); /* the start failed */
    void *user;
};

struct wi_service {
    /* constant after init */
    struct wi_service_opts opts;
    struct weir_app app;
    struct wi_loop *monitor;
    struct wi_admin *admin; /* NULL without one */
    weir_time started_at;
    char name[WI_SERVICE_NAME_BYTES]; /* in the log: the app's, and the worker's number */
    /* atomic */
    wi_atomic_int phase;       /* enum wi_service_phase */
    wi_atomic_int stop_signal; /* 0: none yet */
    wi_atomic_ptr main_parker; /* of the task that waits for it */
    /* owner: the monitor's loop */
    struct wi_watch signaled;
    struct wi_timer publish;
    struct wi_timer bound;
    weir_time told_at; /* SIGQUIT was answered last; 0: never */
};

/* Runs the service; the exit status.  `service` lives until the process ends: threads of a runtime
 * that could not be closed may still look at it. */
int wi_service_run(struct wi_service *service, const struct wi_service_opts *opts);

/* What "start" reads in the options of the server. */
struct weir_server_opts wi_service_server_opts(const struct wi_service_opts *opts);

#endif
