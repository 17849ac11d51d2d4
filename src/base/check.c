/* SPDX-License-Identifier: MIT */
/* Where a failed check ends: one line to standard error, then abort(). */
#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void wi_bug(const char *file, int line, const char *condition)
{
    fprintf(stderr, "weir: bug at %s:%d: expected %s\n", file, line, condition);
    abort();
}

void wi_bug_values(const char *file, int line, const char *condition, int64_t left, int64_t right)
{
    fprintf(stderr, "weir: bug at %s:%d: expected %s, have %" PRId64 " and %" PRId64 "\n", file,
            line, condition, left, right);
    abort();
}

void wi_bug_misuse(const char *call, const char *what, int64_t value)
{
    fprintf(stderr, "weir: misuse of %s: %s (%" PRId64 ")\n", call, what, value);
    abort();
}

void wi_bug_misuse_values(const char *call, const char *left_name, int64_t left,
                          const char *right_name, int64_t right)
{
    fprintf(stderr, "weir: misuse of %s: %s %" PRId64 ", %s %" PRId64 "\n", call, left_name, left,
            right_name, right);
    abort();
}
