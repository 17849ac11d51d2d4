/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CMD_FAN_H
#define WEIR_CMD_FAN_H

/* GET /fan of the demo service: calls a backend several times at once for each request.
 *
 * Threads: as those of serve.c. */

#include "weir/app.h"

/* Adds GET /fan and GET /fan/numbers.  `backend` is an URL, borrowed until fan_stop().  0 or why
 * they cannot be added; once in a process. */
int fan_start(weir_app *app, const char *backend);

/* After the last request; also where nothing was started. */
void fan_stop(void);

#endif
