/* SPDX-License-Identifier: MIT */
/* Dates by arithmetic on days.
 *
 * Days are counted in eras of 400 years (146097 days) that begin on 1 March, so that the leap day
 * is the last day of its year and months need no table.
 * Source: own, after Hinnant, "chrono-Compatible Low-Level Date Algorithms"; RFC 9110 5.6.7. */
#include "http/date.h"

#include <stdbool.h>
#include <string.h>

#include "base/check.h"

#define SECONDS_PER_DAY 86400
#define YEAR_10000_SECONDS 253402300800

static const char day_names[] = "SunMonTueWedThuFriSat";
static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char *const long_days[7] = { "Sunday",   "Monday", "Tuesday", "Wednesday",
                                          "Thursday", "Friday", "Saturday" };

struct civil {
    int year;
    int month; /* 1 to 12 */
    int day;   /* 1 to 31 */
    int hour;
    int minute;
    int second;
};

/* Days since 1970-01-01 of a date in the Gregorian calendar, year >= 0. */
static int64_t days_of(int year, int month, int day)
{
    const int64_t y = year - (month <= 2 ? 1 : 0) + 400; /* one era up: never negative */
    const int64_t era = y / 400;
    const int64_t year_of_era = y - era * 400;
    const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    const int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (era - 1) * 146097 + day_of_era - 719468;
}

/* The inverse, for days >= 0. */
static struct civil civil_of(int64_t days)
{
    const int64_t z = days + 719468;
    const int64_t era = z / 146097;
    const int64_t doe = z - era * 146097;
    const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    const int64_t mp = (5 * doy + 2) / 153;
    struct civil date = { 0 };
    date.day = (int)(doy - (153 * mp + 2) / 5 + 1);
    date.month = (int)(mp < 10 ? mp + 3 : mp - 9);
    date.year = (int)(yoe + era * 400) + (date.month <= 2 ? 1 : 0);
    return date;
}

static char *put_two(char *out, int value)
{
    out[0] = (char)('0' + value / 10);
    out[1] = (char)('0' + value % 10);
    return out + 2;
}

void wi_http_date_format(int64_t seconds, char *out)
{
    if (seconds < 0)
        seconds = 0;
    if (seconds >= YEAR_10000_SECONDS)
        seconds = YEAR_10000_SECONDS - 1;
    const int64_t days = seconds / SECONDS_PER_DAY;
    const int rest = (int)(seconds % SECONDS_PER_DAY);
    const struct civil date = civil_of(days);

    memcpy(out, "Thu, 01 Jan 1970 00:00:00 GMT", WI_HTTP_DATE_BYTES);
    memcpy(out, day_names + (days + 4) % 7 * 3, 3);
    put_two(out + 5, date.day);
    memcpy(out + 8, month_names + (date.month - 1) * 3, 3);
    put_two(put_two(out + 12, date.year / 100), date.year % 100);
    put_two(out + 17, rest / 3600);
    put_two(out + 20, rest / 60 % 60);
    put_two(out + 23, rest % 60);
}

/* Where the number that this letter of a pattern stands for is kept, or NULL. */
static int *pattern_number(char letter, struct civil *date)
{
    switch (letter) {
    case 'd':
    case 'e':
        return &date->day;
    case 'h':
        return &date->hour;
    case 'm':
        return &date->minute;
    case 's':
        return &date->second;
    case 'Y':
        return &date->year;
    default:
        return NULL;
    }
}

/* Which of the three-letter names the text begins with, or -1. */
static int name_index(const char *names, int count, const char *text)
{
    for (int i = 0; i < count; i++) {
        if (memcmp(names + i * 3, text, 3) == 0)
            return i;
    }
    return -1;
}

/* Reads along a pattern: a__ is the name of a day and b__ of a month, d h m s Y are digits of
 * a number, e is a digit of the day or a space, anything else is itself. */
static bool pattern_read(const char *text, size_t len, const char *pattern, struct civil *out)
{
    *out = (struct civil){ 0 };
    if (len != strlen(pattern))
        return false;
    for (size_t i = 0; i < len; i++) {
        int *number = pattern_number(pattern[i], out);
        if (number != NULL) {
            if (pattern[i] == 'e' && text[i] == ' ')
                continue;
            if (text[i] < '0' || text[i] > '9')
                return false;
            *number = *number * 10 + (text[i] - '0');
        } else if (pattern[i] == 'a') {
            if (name_index(day_names, 7, text + i) < 0)
                return false;
            i += 2;
        } else if (pattern[i] == 'b') {
            out->month = name_index(month_names, 12, text + i) + 1;
            i += 2;
        } else if (text[i] != pattern[i]) {
            return false;
        }
    }
    return out->month > 0;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Whether the calendar has it.  A leap second counts as the second after. */
static bool exists(const struct civil *date)
{
    static const int lengths[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    if (date->day < 1 || date->hour > 23 || date->minute > 59 || date->second > 60)
        return false;
    const bool leap_february = date->month == 2 && is_leap(date->year);
    return date->day <= lengths[date->month - 1] + (leap_february ? 1 : 0);
}

static int64_t seconds_of(const struct civil *date)
{
    return days_of(date->year, date->month, date->day) * SECONDS_PER_DAY + date->hour * 3600 +
           date->minute * 60 + date->second;
}

/* The bytes of a long day name and its comma at the start of the text, or 0. */
static size_t long_day_len(const char *text, size_t len)
{
    for (int n = 0; n < 7; n++) {
        const size_t name_len = strlen(long_days[n]);
        if (len > name_len && memcmp(text, long_days[n], name_len) == 0 && text[name_len] == ',')
            return name_len + 1;
    }
    return 0;
}

int wi_http_date_parse(const char *text, size_t len, int64_t now_seconds, int64_t *out)
{
    struct civil date;
    if (pattern_read(text, len, "a__, dd b__ YYYY hh:mm:ss GMT", &date) ||
        pattern_read(text, len, "a__ b__ ed hh:mm:ss YYYY", &date)) {
        if (!exists(&date))
            return WEIR_EINVAL;
        *out = seconds_of(&date);
        return 0;
    }
    const size_t prefix = long_day_len(text, len);
    if (prefix == 0 || !pattern_read(text + prefix, len - prefix, " dd-b__-YY hh:mm:ss GMT", &date))
        return WEIR_EINVAL;
    const int year_now = civil_of(now_seconds < 0 ? 0 : now_seconds / SECONDS_PER_DAY).year;
    date.year += year_now / 100 * 100 + 100;
    while (date.year > year_now + 50 || date.year > 9999)
        date.year -= 100;
    if (!exists(&date))
        return WEIR_EINVAL;
    *out = seconds_of(&date);
    return 0;
}
