/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_DRIVE_REPORT_H
#define WEIR_TOOL_DRIVE_REPORT_H

/* What `weir load` says in the end, for people and for programs.
 *
 * Threads: one. */

#include <stdio.h>

#include "drive/drive.h"

/* The account on one screen. */
void report_text(FILE *out, const char *url, const struct plan *plan, const struct tally *tally);

/* The same as one JSON object, a member a line, times in milliseconds.  0 or WEIR_EIO. */
WEIR_CHECK int report_json(FILE *out, const char *url, const struct plan *plan,
                           const struct tally *tally);

#endif
