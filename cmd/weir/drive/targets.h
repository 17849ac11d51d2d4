/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_DRIVE_TARGETS_H
#define WEIR_TOOL_DRIVE_TARGETS_H

/* The URLs of a run, and which one comes next.
 *
 * Threads: one owner. */

#include "base/rng.h"
#include "drive/request.h"

#define TARGETS_MAX 1000
#define OWN_FIELDS_MAX 256
#define WEIGHT_MIN 0.001
#define WEIGHT_MAX 1e6

struct targets {
    struct target *all; /* owned */
    double *up_to;      /* sum of the weights up to and with each; owned */
    int count;
    int hosts; /* different addresses */
    struct wi_rng rng;
};

/* What the user wrote. */
struct url_list {
    const char *url[TARGETS_MAX]; /* borrowed */
    double weight[TARGETS_MAX];
    int fields_end[TARGETS_MAX]; /* of the own fields, those before it and after the last one's */
    int count;
    const char *fields[OWN_FIELDS_MAX]; /* "Name: value", each of one URL only; borrowed */
    int field_count;
};

/* Makes the requests.  0, or a code with a reason in `why`, which names the URL if there are
 * several. */
WEIR_CHECK int targets_init(struct targets *targets, const struct url_list *urls,
                            const struct request_opts *opts, uint64_t seed,
                            char why[REQUEST_WHY_BYTES]);
void targets_fini(struct targets *targets);

/* The index of the next one: at random by weight, the same sequence for the same seed.  It has a
 * sequence of its own, so the times of arrival do not depend on the URLs. */
int targets_choose(struct targets *targets);

#endif
