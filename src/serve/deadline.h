/* SPDX-License-Identifier: MIT */
#ifndef WI_SERVE_DEADLINE_H
#define WI_SERVE_DEADLINE_H

/* Until when a request has to be answered: the earliest of its route's bound and of what its client
 * says (http/timeout.h), both counted from the instant at which its head was complete.  It is known
 * before anything exists for the request, so admission may ask whether it can be kept.
 *
 * Threads: pure functions. */

#include "base/check.h"
#include "http/request.h"
#include "serve/pace.h"
#include "serve/server.h"

/* What the client's own word makes of a deadline. */
weir_time wi_deadline_cut(weir_time deadline, const struct wi_http_head *head, const char *text,
                          weir_time now);

/* The deadline of a request for `route` whose head, which lies at `text`, was complete at `now`;
 * `now` itself if its client waits no more. */
static inline weir_time wi_deadline_of_head(const struct wi_route *route,
                                            const struct wi_http_request *head, const char *text,
                                            weir_time now)
{
    const weir_time deadline = wi_after(now, route->opts.deadline_ns);
    if (wi_likely(!head->head.has_timeout))
        return deadline;
    return wi_deadline_cut(deadline, &head->head, text, now);
}

#endif
