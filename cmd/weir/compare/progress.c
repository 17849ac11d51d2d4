/* SPDX-License-Identifier: MIT */
/* Progress for people.  See progress.h. */

#include "compare/progress.h"

#include <stdio.h>

#include "system.h"

const char *minutes(double seconds, char text[static 32])
{
    const int whole = (int)(seconds + 0.5);
    if (whole < 100)
        snprintf(text, 32, "%d s", whole);
    else
        snprintf(text, 32, "%d:%02d min", whole / 60, whole % 60);
    return text;
}

void progress_begin(struct progress *progress, int total, double planned_s)
{
    *progress = (struct progress){
        .live = stderr_is_terminal(),
        .total = total,
        .planned_s = planned_s,
    };
}

/* The plan is believed like so much experience with it. */
#define TRUST_S 10.0

static double left_s(const struct progress *progress)
{
    return progress->planned_s * (progress->taken_s + TRUST_S) / (progress->passed_s + TRUST_S);
}

void progress_start(struct progress *progress, const char *what, double planned_s)
{
    char text[32];
    progress->began = weir_now();
    progress->present_s = planned_s;
    progress->done++;
    if (progress->live)
        fprintf(stderr, "\r\033[K[%*d/%d] %-48s   %s left", progress->total > 99 ? 3 : 2,
                progress->done, progress->total, what, minutes(left_s(progress), text));
}

void progress_end(struct progress *progress, const char *what, const char *came_of_it)
{
    char text[32];
    progress->taken_s += (double)(weir_now() - progress->began) / 1e9;
    progress->passed_s += progress->present_s;
    progress->planned_s -= progress->present_s;
    fprintf(stderr, "%s[%*d/%d] %-48s  %-30s  %s left\n", progress->live ? "\r\033[K" : "",
            progress->total > 99 ? 3 : 2, progress->done, progress->total, what, came_of_it,
            minutes(left_s(progress), text));
}

void progress_skip(struct progress *progress, double planned_s)
{
    progress->done++;
    progress->planned_s -= planned_s;
}
