/* SPDX-License-Identifier: MIT */
/* When a server wants to be asked again; see retry_after.h. */
#include "http/retry_after.h"

#include "http/date.h"
#include "weir/time.h"

/* A whole number of units in ns, at most INT64_MAX; -1: it is none. */
static int64_t number_of(const char *text, size_t len, int64_t unit_ns)
{
    int64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        const int64_t digit = text[i] - '0';
        value = value > (INT64_MAX - digit) / 10 ? INT64_MAX : value * 10 + digit;
    }
    if (len == 0)
        return -1;
    return value > INT64_MAX / unit_ns ? INT64_MAX : value * unit_ns;
}

int64_t wi_http_retry_after_of_ms(const char *text, size_t len)
{
    return number_of(text, len, WEIR_NS_PER_MS);
}

int64_t wi_http_retry_after_of_s(const char *text, size_t len, int64_t now_seconds)
{
    const int64_t number = number_of(text, len, WEIR_NS_PER_S);
    int64_t then = 0;
    if (number >= 0 || wi_http_date_parse(text, len, now_seconds, &then) != 0)
        return number;
    if (then <= now_seconds)
        return 0;
    /* Dates end with the year 9999, and clocks are not before 1970 by more than that. */
    const int64_t seconds = then - now_seconds;
    return seconds > INT64_MAX / WEIR_NS_PER_S ? INT64_MAX : seconds * WEIR_NS_PER_S;
}

int64_t wi_http_retry_after(const struct wi_http_head *head, const char *buf, int64_t wall_seconds)
{
    const int ms = wi_http_field_find(head, buf, "Retry-After-Ms", 0);
    if (ms >= 0) {
        const struct wi_http_slice value = head->fields[ms].value;
        const int64_t wait_ns = wi_http_retry_after_of_ms(buf + value.offset, value.len);
        if (wait_ns >= 0)
            return wait_ns;
    }
    const int after = wi_http_field_find(head, buf, "Retry-After", 0);
    if (after < 0)
        return -1;
    int64_t now_seconds = wall_seconds;
    const int date = wi_http_field_find(head, buf, "Date", 0);
    if (date >= 0) {
        const struct wi_http_slice said = head->fields[date].value;
        /* What is no date leaves our clock in its place. */
        if (wi_http_date_parse(buf + said.offset, said.len, wall_seconds, &now_seconds) != 0)
            now_seconds = wall_seconds;
    }
    const struct wi_http_slice value = head->fields[after].value;
    return wi_http_retry_after_of_s(buf + value.offset, value.len, now_seconds);
}
