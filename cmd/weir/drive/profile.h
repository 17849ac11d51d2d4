/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_DRIVE_PROFILE_H
#define WEIR_TOOL_DRIVE_PROFILE_H

/* The text of --rate as steps.
 *
 *   500                                 one rate, for as long as --for says
 *   100:10s,500:10s,100..2000:30s,0:5s  steps RATE:TIME; FROM..TO:TIME changes evenly
 *
 * Threads: any. */

#include "drive/arrivals.h"
#include "weir/err.h"

#define STEPS_MAX 200
#define PROFILE_WHY_BYTES 240

/* Fills `steps`.  The number of steps; one step with `seconds` 0 if the text is one rate.
 * WEIR_EINVAL: `why` names the piece that is wrong, and what would be right. */
WEIR_CHECK int profile_parse(const char *text, struct step steps[STEPS_MAX],
                             char why[PROFILE_WHY_BYTES]);

#endif
