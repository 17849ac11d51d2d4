/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_COMPARE_JOURNAL_H
#define WEIR_TOOL_COMPARE_JOURNAL_H

/* What has been measured so far, kept in a file as it comes, so that an interrupted comparison goes
 * on where it was.
 *
 * One JSON object a line: first the settings, under which alone the rest means something, then
 * { "key": ..., "result": { ... } } for each measurement.  A last line that was cut off is ignored.
 *
 * Threads: one. */

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include "compare/contestant.h"

struct journal {
    FILE *file;      /* NULL: not open */
    json_t *results; /* by key; owned */
    char path[PATH_BYTES + 32];
    int found; /* results that an earlier run has left */
};

/* Opens it for going on.  If what is there was made with other settings, or `fresh`, it begins
 * anew; `said` then holds a sentence about that, and is empty otherwise.  settings: borrowed.
 * 0, WEIR_ENOMEM, or WEIR_EIO if it cannot be written. */
WEIR_CHECK int journal_open(struct journal *journal, const char *folder, const json_t *settings,
                            bool fresh, char said[REASON_BYTES]);

/* The result under that key, borrowed; NULL: it is still to be measured. */
const json_t *journal_find(const struct journal *journal, const char *key);

/* Keeps a result, borrowed, on disk before it returns.  0, WEIR_ENOMEM or WEIR_EIO. */
WEIR_CHECK int journal_add(struct journal *journal, const char *key, json_t *result);

/* Closes it; the file stays. */
void journal_close(struct journal *journal);

#endif
