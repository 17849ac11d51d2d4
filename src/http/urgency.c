/* SPDX-License-Identifier: MIT */
/* The client's urgency; see urgency.h.  Of the lists of RFC 8941 only what is looked for is read: a
 * member that is not `u=` and one digit up to 7 is passed over, whatever it is. */
#include "http/urgency.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "http/chars.h"

/* The urgency that a member of the list tells, or -1. */
static int urgency_of(const char *text, size_t len)
{
    while (len > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        len--;
    }
    if (len < 3 || text[0] != 'u' || text[1] != '=' || text[2] < '0' || text[2] > '7')
        return -1;
    const bool ends = len == 3 || text[3] == ';' || text[3] == ' ' || text[3] == '\t';
    return ends ? text[2] - '0' : -1;
}

static int last_of_list(const char *text, size_t len, int urgency)
{
    while (len > 0) {
        const char *comma = memchr(text, ',', len);
        const size_t member = comma != NULL ? (size_t)(comma - text) : len;
        const int found = urgency_of(text, member);
        if (found >= 0)
            urgency = found;
        const size_t passed = comma != NULL ? member + 1 : member;
        text += passed;
        len -= passed;
    }
    return urgency;
}

static bool is_named(const char *buf, struct wi_http_slice name, const char *wanted)
{
    return name.len == strlen(wanted) && wi_http_same_text(buf + name.offset, wanted, name.len);
}

int wi_http_urgency(const struct wi_http_head *head, const char *buf)
{
    int urgency = WI_HTTP_URGENCY_DEFAULT;
    for (int i = 0; i < head->field_count; i++) {
        const struct wi_http_slice value = head->fields[i].value;
        if (is_named(buf, head->fields[i].name, "priority"))
            urgency = last_of_list(buf + value.offset, value.len, urgency);
    }
    return urgency;
}

/* A whole number, as far as it is told apart; -1: it is none. */
static int number_of(const char *text, size_t len)
{
    int number = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        number = number * 10 + (text[i] - '0');
        if (number > WI_HTTP_ATTEMPT_MAX)
            number = WI_HTTP_ATTEMPT_MAX;
    }
    return len > 0 ? number : -1;
}

int wi_http_attempt(const struct wi_http_head *head, const char *buf)
{
    int attempt = 0;
    for (int i = 0; i < head->field_count; i++) {
        if (!is_named(buf, head->fields[i].name, "x-attempt"))
            continue;
        const struct wi_http_slice value = head->fields[i].value;
        const int number = number_of(buf + value.offset, value.len);
        if (number < 0)
            return 0;
        if (number > attempt)
            attempt = number;
    }
    return attempt;
}
