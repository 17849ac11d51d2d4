/* SPDX-License-Identifier: MIT */
#ifndef WI_APP_SHARE_H
#define WI_APP_SHARE_H

/* What a serving process lets others see: the server counts straight into it, the rest is
 * published ten times a second.  It may lie in memory shared with the primary. */

#include "app/numbers.h"
#include "serve/server.h"

struct wi_share {
    struct wi_server_counters serve; /* atomic; the server's threads */
    struct wi_numbers numbers;       /* atomic; the monitor; what the server counts is not in it */
    struct wi_charge_costs costs;    /* atomic; of the total: what all processes have learned */
};

/* Adds what a living process shows, gauges too. */
void wi_share_add(struct wi_numbers *sum, struct wi_share *process);

/* Adds the counters of a dead process; both are struct wi_share (slots.h wants it so). */
void wi_share_fold(void *total, const void *dead);

#endif
