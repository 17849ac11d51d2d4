/* SPDX-License-Identifier: MIT */
#ifndef WI_APP_LINE_H
#define WI_APP_LINE_H

/* Lines on standard error: those of the log, with time and level, and the few plain ones that a
 * start prints.  Each is one write, so lines of several processes do not mix.
 *
 * Nothing here waits: a line that standard error does not take at once is lost and counted.
 *
 * Threads: any. */

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "weir/err.h"

enum {
    WI_LINE_BYTES = 1024
};

/* "2026-11-23T17:30:25.123Z warn  hello: text\n", cut to fit with its end kept; the bytes written
 * without the NUL.  Pure.  `wall_ns` is Unix time. */
size_t wi_line_format(char *out, size_t bytes, int64_t wall_ns, enum wi_log_level level,
                      const char *name, const char *text);

/* Prints such a line, if `level` passes the threshold. */
void wi_line_print(enum wi_log_level level, const char *name, const char *text);

/* Prints "name: text" without time and level: what the person who started it reads. */
void wi_line_say(const char *name, const char *text);

#endif
