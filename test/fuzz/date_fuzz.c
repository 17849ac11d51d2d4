/* SPDX-License-Identifier: MIT */
/* Goal: any text is a date of the calendar or refused, and a date that is written is read back.
 *
 * Method: the input is parsed as a text under several present times; then its first eight bytes
 * are taken as a time, written, and parsed again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define YEAR_10000_SECONDS 253402300800

static void check_text(const char *text, size_t len, int64_t now)
{
    int64_t seconds = 0;
    const int rc = wi_http_date_parse(text, len, now, &seconds);
    wi_bug_unless(rc == 0 || rc == WEIR_EINVAL);
    if (rc != 0)
        return;
    /* One more for the leap second at the very end. */
    wi_bug_unless_cmp(seconds, <=, YEAR_10000_SECONDS);
    if (seconds < 0 || seconds >= YEAR_10000_SECONDS)
        return;
    char again[WI_HTTP_DATE_BYTES];
    int64_t back = -1;
    wi_http_date_format(seconds, again);
    wi_bug_unless_cmp(wi_http_date_parse(again, sizeof again, 0, &back), ==, 0);
    wi_bug_unless_cmp(back, ==, seconds);
    /* The day of the month is the one that was written, unless a leap second moved it. */
    if (len == WI_HTTP_DATE_BYTES && memcmp(text + 23, "60", 2) != 0)
        wi_bug_unless(memcmp(text + 5, again + 5, 24) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = calloc(1, bytes + (bytes == 0));
    wi_bug_unless(text != NULL);
    if (bytes > 0)
        memcpy(text, data, bytes);
    check_text(text, bytes, 0);
    check_text(text, bytes, 784111777);
    check_text(text, bytes, INT64_C(253402300799));
    free(text);

    int64_t time = 0;
    memcpy(&time, data, bytes < sizeof time ? bytes : sizeof time);
    char written[WI_HTTP_DATE_BYTES];
    int64_t back = -1;
    wi_http_date_format(time, written);
    wi_bug_unless_cmp(wi_http_date_parse(written, sizeof written, 0, &back), ==, 0);
    wi_bug_unless(back == time || time < 0 || time >= YEAR_10000_SECONDS);
    return 0;
}
