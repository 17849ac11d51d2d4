/* SPDX-License-Identifier: MIT */
/* Lines on standard error.  See line.h.
 *
 * Source of the calendar: H. Hinnant, "chrono-compatible low-level date algorithms" (2013),
 * civil_from_days: a year that begins in March has its leap day at the end. */
#include "app/line.h"

#include <stdio.h>
#include <string.h>

#include "base/atomic.h"
#include "os/clock.h"
#include "os/poll.h"
#include "os/signal.h"
#include "weir/time.h"

enum {
    DAYS_OF_ERA = 146097,
    EPOCH_SHIFT = 719468,
    SECONDS_OF_DAY = 86400
};

struct date {
    int64_t year;
    int month, day;
};

/* `days` since 1970-01-01, not negative. */
static struct date date_of(int64_t days)
{
    const int64_t shifted = days + EPOCH_SHIFT;
    const int64_t era = shifted / DAYS_OF_ERA;
    const int day_of_era = (int)(shifted % DAYS_OF_ERA);
    const int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int month_from_march = (5 * day_of_year + 2) / 153;
    const int month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    return (struct date){
        .year = year_of_era + era * 400 + (month <= 2),
        .month = month,
        .day = day_of_year - (153 * month_from_march + 2) / 5 + 1,
    };
}

size_t wi_line_format(char *out, size_t bytes, int64_t wall_ns, enum wi_log_level level,
                      const char *name, const char *text)
{
    const int64_t ms = (wall_ns > 0 ? wall_ns : 0) / WEIR_NS_PER_MS;
    const int64_t seconds = ms / 1000;
    const int of_day = (int)(seconds % SECONDS_OF_DAY);
    const struct date date = date_of(seconds / SECONDS_OF_DAY);
    const int wanted =
        snprintf(out, bytes, "%04lld-%02d-%02dT%02d:%02d:%02d.%03dZ %-5s %s: %s\n",
                 (long long)date.year, date.month, date.day, of_day / 3600, of_day / 60 % 60,
                 of_day % 60, (int)(ms % 1000), wi_log_level_name(level), name, text);
    if (wanted >= 0 && (size_t)wanted < bytes)
        return (size_t)wanted;
    out[bytes - 2] = '\n';
    return bytes - 1;
}

/* Lines that nobody took; told with the next that is taken. */
static wi_atomic_i64 lost;

/* A line goes out whole or not at all: a pipe that is ready has room for one (PIPE_BUF), and one
 * that nobody reads must not hold up the monitor or the primary. */
static void put(const char *line)
{
    enum {
        STANDARD_ERROR = 2
    };
    if (wi_poll_one(STANDARD_ERROR, WI_POLL_WRITE, WEIR_DONT_WAIT) <= 0) {
        (void)wi_add_relaxed(&lost, 1);
        return;
    }
    wi_signal_write(line);
    const int64_t count = wi_load_relaxed(&lost);
    if (count == 0)
        return;
    (void)wi_sub_relaxed(&lost, count);
    char words[80];
    (void)snprintf(words, sizeof(words),
                   "(%lld lines before this were lost: standard error was "
                   "not read)\n",
                   (long long)count);
    wi_signal_write(words);
}

void wi_line_print(enum wi_log_level level, const char *name, const char *text)
{
    if (!wi_log_enabled(level))
        return;
    char line[WI_LINE_BYTES];
    (void)wi_line_format(line, sizeof(line), wi_clock_wall(), level, name, text);
    put(line);
}

void wi_line_say(const char *name, const char *text)
{
    char line[WI_LINE_BYTES];
    const int wanted = snprintf(line, sizeof(line), "%s: %s\n", name, text);
    if (wanted >= (int)sizeof(line))
        line[sizeof(line) - 2] = '\n';
    put(line);
}
