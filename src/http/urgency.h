/* SPDX-License-Identifier: MIT */
#ifndef WI_HTTP_URGENCY_H
#define WI_HTTP_URGENCY_H

/* How much a client says that a request matters.
 *
 * Priority (RFC 9218) is a list of members, of which `u` is the urgency, from 0, the most urgent,
 * to 7; 3 where it is not said.  X-Attempt counts the repetitions of a request, from 0; of several
 * the largest counts, and if one is no number, none of them says anything.
 *
 * Threads: pure functions on the caller's memory. */

#include "http/head.h"

enum {
    WI_HTTP_URGENCY_DEFAULT = 3,
    WI_HTTP_ATTEMPT_MAX = 99 /* larger ones say no more */
};

/* The urgency; of several the last, what is none counts as not said. */
int wi_http_urgency(const struct wi_http_head *head, const char *buf);

/* How often the request was sent before, as X-Attempt says; 0: it does not, or this is the first
 * time. */
int wi_http_attempt(const struct wi_http_head *head, const char *buf);

#endif
