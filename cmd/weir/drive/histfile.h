/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_DRIVE_HISTFILE_H
#define WEIR_TOOL_DRIVE_HISTFILE_H

/* Histograms in a file, so that those of several runs or machines can be merged: percentiles of
 * percentiles mean nothing.
 *
 *   weir-histograms 1
 *   histogram ok count 3 min 70112 max 91870 sum 239211
 *   69632 71679 1
 *   83968 86015 1
 *   90112 92159 1
 *   histogram 503 count 0 min 0 max 0 sum 0
 *   histogram send_late count 3 min 8021 max 61200 sum 90020
 *   ...
 *   end
 *
 * Times are nanoseconds.  A line of three numbers is a bucket: its lowest and its highest value,
 * and how many were counted.  Empty buckets are left out.  The last line tells a whole file from
 * one that a full disk has cut.
 *
 * Threads: any. */

#include <stdio.h>

#include "base/hist.h"
#include "weir/err.h"

#define HISTFILE_WHY_BYTES 200

struct histograms {
    struct wi_hist ok;
    struct wi_hist shed;
    struct wi_hist send_late;
};

void histograms_init(struct histograms *into);

/* Writes them.  Whether it worked is the file's error flag. */
void histfile_write(FILE *out, const struct histograms *histograms);

/* Adds those of a file.  0, or WEIR_EINVAL, WEIR_EIO, ... with a reason in `why`; then `into` holds
 * a part of them. */
WEIR_CHECK int histfile_add(const char *path, struct histograms *into,
                            char why[HISTFILE_WHY_BYTES]);

#endif
