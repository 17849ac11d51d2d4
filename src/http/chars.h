/* SPDX-License-Identifier: MIT */
#ifndef WI_HTTP_CHARS_H
#define WI_HTTP_CHARS_H

/* Character classes of HTTP and comparison without regard to case.  The C library's ctype.h is
 * not used: it depends on a locale.
 *
 * Threads: constant tables and pure functions. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wi_http_class_bit {
    WI_HTTP_TOKEN = 1, /* may stand in a method or a field name */
    WI_HTTP_VALUE = 2, /* may stand in a field value: HTAB, SP, VCHAR, obs-text */
    WI_HTTP_PATH = 4,  /* may stand in the path of a target; see uri.h for what we add */
    WI_HTTP_QUERY = 8, /* may stand in the query of a target */
    WI_HTTP_HOST = 16, /* may stand in a registered name; '%' may not, see uri.h */
    WI_HTTP_MARK = 32, /* '%' and '.': a path that holds one needs a second look */
    WI_HTTP_HEX = 64,  /* a hexadecimal digit */
};

extern const uint8_t wi_http_class[256];

/* Whether c belongs to at least one of the classes. */
static inline bool wi_http_is(char c, unsigned class_bits)
{
    return (wi_http_class[(unsigned char)c] & class_bits) != 0;
}

/* Whether every byte belongs to at least one of the classes; true for no bytes. */
bool wi_http_all_of(const char *text, size_t len, unsigned class_bits);

/* ASCII lower case; every other byte is returned as it is. */
static inline char wi_http_lower(char c)
{
    return (char)((c >= 'A' && c <= 'Z') ? c + ('a' - 'A') : c);
}

/* Whether len bytes are equal when ASCII case is ignored. */
bool wi_http_same_text(const char *left, const char *right, size_t len);

/* 0 to 15, or -1 when c is no hexadecimal digit. */
int wi_http_hex_value(char c);

#endif
