/* SPDX-License-Identifier: MIT */
#ifndef WI_APP_APP_H
#define WI_APP_APP_H

/* The app as its own start function sees it. */

#include "app/models.h"
#include "weir/app.h"

struct weir_app {
    /* constant after init */
    const struct weir_app_spec *spec;
    const struct wi_plan *plan;
    /* owner: the task that starts the service */
    weir_server *server; /* NULL while no routes can be added */
};

#endif
