/* SPDX-License-Identifier: MIT */
#ifndef WI_HTTP_TIMEOUT_H
#define WI_HTTP_TIMEOUT_H

/* How long the client of a request will wait for its answer, if it says so.
 *
 * Three fields say it: two in whole milliseconds, Weir-Timeout-Ms and Envoy's
 * X-Envoy-Expected-Rq-Timeout-Ms; one as gRPC does, grpc-timeout: at most eight digits and a unit,
 * H, M, S, m (milliseconds), u or n.  Blanks around the number are the field section's; within, and
 * for a plus sign, a fraction, an exponent or a list, the text is no number.
 *
 *   no number              the field is as if it were not there
 *   zero, or below         the client waits no more
 *   more than fits         as long as fits
 *   several fields         the shortest counts
 *
 * A client can lie only to its own harm, since whoever uses the number takes the lesser of it and
 * of a bound of his own.
 *
 * Source: gRPC over HTTP/2 ("Timeout"), Envoy's router filter; the sign is our own.
 *
 * Threads: pure functions on the caller's memory. */

#include "http/head.h"

/* What says that nothing bounds. */
#define WI_HTTP_NO_TIMEOUT INT64_MAX

/* The shortest timeout that the parsed head names, in ns, 0 if that has passed; WI_HTTP_NO_TIMEOUT
 * if it names none.  `buf` is where the head's bytes are now.
 * Cost: linear in the fields; head->has_timeout says whether there is one at all. */
int64_t wi_http_timeout(const struct wi_http_head *head, const char *buf);

/* The two forms of a value, as above. */
int64_t wi_http_timeout_of_ms(const char *text, size_t len);
int64_t wi_http_timeout_of_grpc(const char *text, size_t len);

#endif
