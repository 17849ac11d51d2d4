/* SPDX-License-Identifier: MIT */
/* The number of the attempt that a task works for; see attempt.h. */
#include "task/attempt.h"

#include "base/check.h"
#include "task/extras.h"

int wi_attempt(void)
{
    const struct wi_extras *extras = *wi_extras_place();
    return extras != NULL ? extras->attempt : 0;
}

int wi_attempt_set(int attempt)
{
    wi_bug_unless_cmp(attempt, >=, 0);
    if (attempt == 0 && *wi_extras_place() == NULL)
        return 0;
    struct wi_extras *extras = wi_extras_own();
    if (extras == NULL)
        return WEIR_ENOMEM;
    extras->attempt = attempt < WI_ATTEMPT_MAX ? attempt : WI_ATTEMPT_MAX;
    return 0;
}
