/* SPDX-License-Identifier: MIT */
#ifndef WI_HTTP_URGENCY_H
#define WI_HTTP_URGENCY_H

/* How much a client says that a request matters.
 *
 * Priority (RFC 9218) is a list of members, of which `u` is the urgency, from 0, the most urgent,
 * to 7; 3 where it is not said.  X-Attempt counts the repetitions of a request, from 0.
 *
 * Threads: pure functions on the caller's memory. */

#include <stdbool.h>

#include "http/head.h"

enum {
    WI_HTTP_URGENCY_DEFAULT = 3
};

/* The urgency; of several the last, what is none counts as not said. */
int wi_http_urgency(const struct wi_http_head *head, const char *buf);

/* Whether an X-Attempt is there that is a number above 0. */
bool wi_http_is_repetition(const struct wi_http_head *head, const char *buf);

#endif
