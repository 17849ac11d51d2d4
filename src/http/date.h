/* SPDX-License-Identifier: MIT */
#ifndef WI_HTTP_DATE_H
#define WI_HTTP_DATE_H

/* Dates in HTTP fields (RFC 9110 section 5.6.7), without the C library's time functions: those
 * depend on a locale and a time zone.  Times are seconds since 1970-01-01 00:00:00 UTC.
 *
 * Threads: pure functions. */

#include <stddef.h>
#include <stdint.h>

#include "weir/err.h"

#define WI_HTTP_DATE_BYTES 29 /* "Sun, 06 Nov 1994 08:49:37 GMT" */

/* Writes WI_HTTP_DATE_BYTES bytes, no NUL.  Times outside the years 1970 to 9999 are clamped. */
void wi_http_date_format(int64_t seconds, char *out);

/* Parses IMF-fixdate, the obsolete RFC 850 form or asctime's form.  The day of the week must be
 * a day but is not compared with the date.
 *
 *   now_seconds  decides the century of RFC 850's two-digit years: a date that would lie more
 *                than 50 years ahead is one of the century before
 *   out          the time on success
 *
 *   0             parsed
 *   WEIR_EINVAL   none of the three forms, or no date of the calendar */
WEIR_CHECK int wi_http_date_parse(const char *text, size_t len, int64_t now_seconds, int64_t *out);

#endif
