/* SPDX-License-Identifier: MIT */
#ifndef WI_BASE_LOG_H
#define WI_BASE_LOG_H

/* The log: a bounded ring of lines, off the hot path.  Many threads write, one drainer reads.
 *
 * Writing never waits and never allocates: a full ring drops the line and counts it, and the
 * drainer tells the count at most once a second.  While nobody drains, nothing is written and every
 * line that passes the threshold counts as dropped.  Control characters become '?', so that a line
 * stays a line whatever a client sent.
 *
 * Threads: any thread writes; open, drain, close and reset belong to one drainer at a time.
 * Not for signal handlers: formatting is not async-signal-safe. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "weir/err.h"
#include "weir/time.h"

enum wi_log_level {
    WI_LOG_ERROR,
    WI_LOG_WARN,
    WI_LOG_INFO,
    WI_LOG_DEBUG
};

enum {
    WI_LOG_LINE_BYTES = 512,
    WI_LOG_LINES = 256
}; /* a line with its NUL; lines in the ring */

/* What the drainer is handed; borrowed for the call. */
struct wi_log_line {
    enum wi_log_level level;
    int64_t stamp;    /* what the clock of wi_log_open() said when the line was written, or 0 */
    const char *text; /* ends with NUL, without a newline */
    size_t bytes;
};

typedef void wi_log_sink(const struct wi_log_line *line, void *user);

/* Formats a line and leaves it for the drainer; what exceeds WI_LOG_LINE_BYTES is cut.
 * Callers: any thread or task; never waits. */
void wi_log(enum wi_log_level level, const char *format, ...) WEIR_PRINTF(2, 3);

/* Where a message that may repeat a thousand times a second stands; all-zero to begin with. */
struct wi_log_limit {
    wi_atomic_i64 next;       /* not before */
    wi_atomic_u64 suppressed; /* since the last one that went through */
};

/* As wi_log(), at most once a second for each limit; the line ends with how many were left out. */
void wi_log_limited(struct wi_log_limit *limit, weir_time now, enum wi_log_level level,
                    const char *format, ...) WEIR_PRINTF(4, 5);

/* Lines of a level above the threshold are not even formatted.  At first WI_LOG_INFO. */
void wi_log_threshold_set(enum wi_log_level level);
bool wi_log_enabled(enum wi_log_level level);

/* "error", "warn", "info", "debug". */
const char *wi_log_level_name(enum wi_log_level level);

/* From now on somebody drains.  `clock` stamps the lines; NULL leaves them at 0. */
void wi_log_open(int64_t (*clock)(void));

/* Hands over up to WI_LOG_LINES lines in the order they were begun, and the count of dropped ones.
 * How many lines the sink was called with. */
int wi_log_drain(weir_time now, wi_log_sink *sink, void *user);

/* Drains what is left and stops taking lines. */
void wi_log_close(weir_time now, wi_log_sink *sink, void *user);

/* Empties ring and counts: for a forked child, which has copied its parent's.  The drainer is to be
 * opened again.  No other thread runs. */
void wi_log_reset(void);

/* Lines lost since the start of the process or the last reset. */
uint64_t wi_log_dropped(void);

#endif
