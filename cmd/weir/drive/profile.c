/* SPDX-License-Identifier: MIT */
/* The text of --rate.  See profile.h.
 *
 * Threads: any. */

#include "drive/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "weir/time.h"

#define RATE_MIN 0.001
#define RATE_MAX 1e7
#define STEP_NS_MAX (INT64_C(24) * 3600 * WEIR_NS_PER_S)
#define PIECE_BYTES 64

/* A rate, up to `end`; a pause is a rate of 0. */
static bool read_rate(const char *text, const char *end, double *rate)
{
    char *stop;
    if (text == end || text[0] == ' ' || text[0] == '-' || text[0] == '+')
        return false;
    *rate = strtod(text, &stop);
    return stop == end && *rate <= RATE_MAX && (*rate == 0 || *rate >= RATE_MIN);
}

static const char *read_piece(char *piece, struct step *step)
{
    char *colon = strchr(piece, ':');
    if (colon == NULL)
        return "a step wants a time, as in 500:10s";
    *colon = '\0';
    char *dots = strstr(piece, "..");
    const char *from_end = dots != NULL ? dots : colon;
    const char *to = dots != NULL ? dots + 2 : piece;
    /* The dots end the first number: "5..9" would else begin with "5.". */
    if (dots != NULL)
        *dots = '\0';
    if (!read_rate(piece, from_end, &step->from) || !read_rate(to, colon, &step->to))
        return "a rate is 0 (a pause) or a number from 0.001 to 10000000, or two: FROM..TO";
    int64_t ns;
    if (!options_parse_duration(colon + 1, &ns) || ns < WEIR_NS_PER_MS || ns > STEP_NS_MAX)
        return "a time is one such as 250ms, 10s or 2m, at least 1ms and at most a day";
    step->seconds = (double)ns / 1e9;
    return NULL;
}

static int wrong_piece(int index, const char *piece, int len, const char *what,
                       char why[PROFILE_WHY_BYTES])
{
    snprintf(why, PROFILE_WHY_BYTES, "step %d, '%.*s': %s", index + 1,
             len > PIECE_BYTES ? PIECE_BYTES : len, piece, what);
    return WEIR_EINVAL;
}

static int read_steps(const char *text, struct step steps[STEPS_MAX], char why[PROFILE_WHY_BYTES])
{
    int count = 0;
    double most = 0;
    for (const char *at = text; at != NULL; count++) {
        const char *comma = strchr(at, ',');
        const size_t len = comma == NULL ? strlen(at) : (size_t)(comma - at);
        char piece[PIECE_BYTES];
        if (count == STEPS_MAX)
            return wrong_piece(count, at, (int)len, "200 steps are the most", why);
        if (len >= sizeof piece)
            return wrong_piece(count, at, PIECE_BYTES, "it is too long", why);
        memcpy(piece, at, len);
        piece[len] = '\0';
        const char *wrong = read_piece(piece, &steps[count]);
        if (wrong != NULL)
            return wrong_piece(count, at, (int)len, wrong, why);
        most = steps[count].from > most ? steps[count].from : most;
        most = steps[count].to > most ? steps[count].to : most;
        at = comma == NULL ? NULL : comma + 1;
    }
    if (most > 0)
        return count;
    snprintf(why, PROFILE_WHY_BYTES, "all its steps are pauses");
    return WEIR_EINVAL;
}

int profile_parse(const char *text, struct step steps[STEPS_MAX], char why[PROFILE_WHY_BYTES])
{
    if (strpbrk(text, ":,") != NULL)
        return read_steps(text, steps, why);
    double rate;
    if (!read_rate(text, text + strlen(text), &rate) || rate <= 0) {
        snprintf(why, PROFILE_WHY_BYTES,
                 "'%.60s' is neither a number from 0.001 to 10000000 nor steps such as "
                 "100:10s,100..500:30s",
                 text);
        return WEIR_EINVAL;
    }
    steps[0] = (struct step){ .from = rate, .to = rate };
    return 1;
}
