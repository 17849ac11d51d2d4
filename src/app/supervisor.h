/* SPDX-License-Identifier: MIT */
#ifndef WI_APP_SUPERVISOR_H
#define WI_APP_SUPERVISOR_H

/* The service as processes: the primary with the admin endpoint, and a service in each worker.
 *
 * Threads: the primary has one. */

#include "app/admin.h"
#include "app/listen.h"
#include "app/models.h"
#include "app/options.h"
#include "cluster/primary.h"
#include "weir/app.h"

/* A start of a service, supervised or not: what was decided before anything ran. */
struct wi_supervisor {
    /* constant after init */
    const struct weir_app_spec *spec;
    const struct wi_plan *plan;
    const struct wi_options *options;
    struct wi_listeners *listeners;
    /* owner: the primary; NULL elsewhere */
    struct wi_cluster *cluster;
    struct wi_admin *admin;
    weir_time started_at;
};

/* Runs primary and workers until all have ended; the exit status.  Does not return in a worker. */
int wi_supervisor_run(struct wi_supervisor *supervisor);

/* Prints "hello: tasks on 2 cores, listening on ...". */
void wi_supervisor_say_ready(const struct wi_supervisor *supervisor);

#endif
