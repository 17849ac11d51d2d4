/* SPDX-License-Identifier: MIT */
/* The client's timeout; see timeout.h.  Whatever is odd gives one of the ends of the range: bytes
 * of a stranger cannot make a number that overflows. */
#include "http/timeout.h"

#include "base/check.h"
#include "http/chars.h"
#include "weir/time.h"

enum {
    GRPC_DIGITS_MAX = 8
};

/* A whole number, cut to 0 at one end and to INT64_MAX at the other; -1 if the text is none. */
static int64_t number_of(const char *text, size_t len)
{
    const bool negative = len > 0 && text[0] == '-';
    size_t at = negative ? 1 : 0;
    if (at == len)
        return -1;
    int64_t value = 0;
    for (; at < len; at++) {
        if (text[at] < '0' || text[at] > '9')
            return -1;
        const int64_t digit = text[at] - '0';
        value = value > (INT64_MAX - digit) / 10 ? INT64_MAX : value * 10 + digit;
    }
    return negative ? 0 : value;
}

static int64_t times(int64_t number, int64_t unit_ns)
{
    if (number < 0)
        return WI_HTTP_NO_TIMEOUT;
    return number > INT64_MAX / unit_ns ? INT64_MAX : number * unit_ns;
}

int64_t wi_http_timeout_of_ms(const char *text, size_t len)
{
    return times(number_of(text, len), WEIR_NS_PER_MS);
}

/* 0: it is no unit. */
static int64_t grpc_unit_ns(char unit)
{
    switch (unit) {
    case 'H':
        return 3600 * WEIR_NS_PER_S;
    case 'M':
        return 60 * WEIR_NS_PER_S;
    case 'S':
        return WEIR_NS_PER_S;
    case 'm':
        return WEIR_NS_PER_MS;
    case 'u':
        return WEIR_NS_PER_US;
    case 'n':
        return 1;
    default:
        return 0;
    }
}

int64_t wi_http_timeout_of_grpc(const char *text, size_t len)
{
    if (len == 0)
        return WI_HTTP_NO_TIMEOUT;
    const int64_t unit_ns = grpc_unit_ns(text[len - 1]);
    const size_t digits = len - 1 - (text[0] == '-');
    if (unit_ns == 0 || digits > GRPC_DIGITS_MAX)
        return WI_HTTP_NO_TIMEOUT;
    return times(number_of(text, len - 1), unit_ns);
}

struct form {
    const char *name;
    uint16_t name_len;
    int64_t (*of)(const char *text, size_t len);
};

#define FORM(name, of)                                                                             \
    {                                                                                              \
        (name), sizeof(name) - 1, (of)                                                             \
    }

static const struct form forms[] = {
    FORM("weir-timeout-ms", wi_http_timeout_of_ms),
    FORM("grpc-timeout", wi_http_timeout_of_grpc),
    FORM("x-envoy-expected-rq-timeout-ms", wi_http_timeout_of_ms),
};

int64_t wi_http_timeout(const struct wi_http_head *head, const char *buf)
{
    int64_t shortest = WI_HTTP_NO_TIMEOUT;
    for (int i = 0; i < head->field_count; i++) {
        const struct wi_http_slice name = head->fields[i].name;
        const struct wi_http_slice value = head->fields[i].value;
        for (size_t k = 0; k < wi_count_of(forms); k++) {
            if (name.len != forms[k].name_len ||
                !wi_http_same_text(buf + name.offset, forms[k].name, name.len))
                continue;
            const int64_t timeout = forms[k].of(buf + value.offset, value.len);
            if (timeout < shortest)
                shortest = timeout;
        }
    }
    return shortest;
}
