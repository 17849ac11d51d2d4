/* SPDX-License-Identifier: MIT */
#ifndef WI_HTTP_RETRY_AFTER_H
#define WI_HTTP_RETRY_AFTER_H

/* When a server that refuses wants to be asked again (RFC 9110 section 10.2.3).
 *
 *   Retry-After     whole seconds, or one of the three forms of a date (date.h)
 *   Retry-After-Ms  whole milliseconds: our own, more exact, and it counts before the other
 *
 *   neither number nor date  the field is as if it were not there
 *   a date that has passed   at once
 *   more than fits           as long as fits
 *
 * A date is as far away as the clock that it was made by says.  An answer tells that clock (Date);
 * where it does not, ours has to do.
 *
 * Threads: pure functions on the caller's memory. */

#include <stdint.h>

#include "http/head.h"

/* The ns that the parsed head asks for, from its Date on; -1 if it asks for none.
 *   buf           where the head's bytes are now
 *   wall_seconds  our clock, in seconds since 1970 */
int64_t wi_http_retry_after(const struct wi_http_head *head, const char *buf, int64_t wall_seconds);

/* The values, as above; `now_seconds` is what a date is compared with. */
int64_t wi_http_retry_after_of_s(const char *text, size_t len, int64_t now_seconds);
int64_t wi_http_retry_after_of_ms(const char *text, size_t len);

#endif
