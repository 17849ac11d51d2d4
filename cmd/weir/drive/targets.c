/* SPDX-License-Identifier: MIT */
/* The URLs of a run.  See targets.h.
 *
 * Threads: one owner. */

#include "drive/targets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHOICE_SEED UINT64_C(0x75726c73)

/* Targets of one address have one number. */
static int number_host(struct targets *targets, const struct target *target)
{
    for (int i = 0; i < targets->count; i++) {
        if (strcmp(targets->all[i].address, target->address) == 0)
            return targets->all[i].host;
    }
    return targets->hosts++;
}

/* What all requests share, and the fields of that URL alone.  False: too many. */
static bool join_fields(struct request_opts *own, const struct url_list *urls, int index)
{
    const int begin = index > 0 ? urls->fields_end[index - 1] : 0;
    for (int i = begin; i < urls->fields_end[index]; i++) {
        if (own->field_count == FIELDS_MAX)
            return false;
        own->fields[own->field_count++] = urls->fields[i];
    }
    return true;
}

static int add(struct targets *targets, const struct url_list *urls, int index,
               const struct request_opts *opts, const char **why)
{
    struct target *target = &targets->all[targets->count];
    struct request_opts own = *opts;
    *why = "64 headers are the most";
    if (!join_fields(&own, urls, index))
        return WEIR_EINVAL;
    const int rc = target_init(target, urls->url[index], &own, why);
    if (rc < 0)
        return rc;
    const double weight = urls->weight[index];
    const double before = targets->count > 0 ? targets->up_to[targets->count - 1] : 0;
    target->weight = weight;
    target->host = number_host(targets, target);
    targets->up_to[targets->count++] = before + weight;
    return 0;
}

int targets_init(struct targets *targets, const struct url_list *urls,
                 const struct request_opts *opts, uint64_t seed, char why[REQUEST_WHY_BYTES])
{
    const size_t count = (size_t)urls->count;
    *targets = (struct targets){
        .all = calloc(count, sizeof targets->all[0]),
        .up_to = calloc(count, sizeof targets->up_to[0]),
    };
    wi_rng_init(&targets->rng, seed ^ CHOICE_SEED);
    int rc = targets->all == NULL || targets->up_to == NULL ? WEIR_ENOMEM : 0;
    const char *reason = "the URLs do not fit into memory";
    int i = 0;
    for (; rc == 0 && i < urls->count; i++)
        rc = add(targets, urls, i, opts, &reason);
    if (rc == 0)
        return 0;
    if (urls->count > 1 && i > 0)
        snprintf(why, REQUEST_WHY_BYTES, "URL %d: %s", i, reason);
    else
        snprintf(why, REQUEST_WHY_BYTES, "%s", reason);
    targets_fini(targets);
    return rc;
}

void targets_fini(struct targets *targets)
{
    for (int i = 0; i < targets->count; i++)
        target_fini(&targets->all[i]);
    free(targets->all);
    free(targets->up_to);
    *targets = (struct targets){ 0 };
}

int targets_choose(struct targets *targets)
{
    if (targets->count == 1)
        return 0;
    const double at = wi_rng_unit(&targets->rng) * targets->up_to[targets->count - 1];
    int low = 0;
    int high = targets->count - 1;
    while (low < high) { /* the first whose sum is above `at` */
        const int middle = (low + high) / 2;
        if (targets->up_to[middle] > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}
