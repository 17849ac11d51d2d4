/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_DRIVE_TEXT_H
#define WEIR_TOOL_DRIVE_TEXT_H

/* Files that the user names: read whole, taken line by line.
 *
 * Threads: any. */

#include <stdbool.h>
#include <stddef.h>

#include "weir/err.h"

struct text {
    char *bytes; /* owned; a NUL stands behind the last one */
    size_t len;
    size_t at;  /* where the next line begins */
    int number; /* of the line that was taken last */
};

/* Reads a file of at most `bytes_max`.
 * 0; WEIR_EIO it cannot be read; WEIR_EOVERFLOW it is longer; WEIR_ENOMEM. */
WEIR_CHECK int text_read(struct text *text, const char *path, size_t bytes_max);
void text_free(struct text *text);

/* What text_read() returned, in words. */
const char *text_why(int rc);

/* Whether a NUL is among the bytes: then it has no lines. */
bool text_has_nul(const struct text *text);

/* The next line that is neither empty nor a comment (#), without spaces around it; a NUL ends it.
 * NULL at the end. */
char *text_line(struct text *text);

#endif
