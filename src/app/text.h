/* SPDX-License-Identifier: MIT */
#ifndef WI_APP_TEXT_H
#define WI_APP_TEXT_H

/* Text that grows in a buffer of the caller's and says when it did not fit.
 *
 * Invariant: bytes < cap, data[bytes] == '\0'.
 * Threads: the owner's. */

#include <stdbool.h>
#include <stddef.h>

#include "weir/err.h"

struct wi_text {
    char *data;
    size_t cap;
    size_t bytes; /* without the NUL */
    bool cut;     /* something did not fit */
};

/* Begins an empty text in `cap` (at least 1) bytes. */
void wi_text_init(struct wi_text *text, char *data, size_t cap);

/* Appends; what does not fit whole is left out and sets `cut`. */
void wi_text_add(struct wi_text *text, const char *format, ...) WEIR_PRINTF(2, 3);

#endif
