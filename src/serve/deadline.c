/* SPDX-License-Identifier: MIT */
/* The deadline of a request; see deadline.h. */
#include "serve/deadline.h"

#include "http/timeout.h"

weir_time wi_deadline_cut(weir_time deadline, const struct wi_http_head *head, const char *text,
                          weir_time now)
{
    const weir_time wanted = wi_after(now, wi_http_timeout(head, text));
    return wanted < deadline ? wanted : deadline;
}
