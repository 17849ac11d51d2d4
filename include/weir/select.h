/* SPDX-License-Identifier: MIT */
#ifndef WEIR_SELECT_H
#define WEIR_SELECT_H

/* Waits on several channel operations and does exactly one of them. */

#include "weir/chan.h"
#include "weir/err.h"
#include "weir/time.h"

#define WEIR_SELECT_CASES_MAX 64

enum weir_select_op {
    WEIR_SELECT_SEND,
    WEIR_SELECT_RECV
};

struct weir_select_case {
    enum weir_select_op op;
    weir_chan *ch; /* NULL: never ready, so a case is switched off */
    void *msg;     /* sent from or received into; only read for a send */
    int result;    /* of the case that was done: 0 or WEIR_ECLOSED */
};

/* Does one case that is ready, chosen at random among the ready ones; else waits until one is.
 *
 *   cases  borrowed for the call; at most WEIR_SELECT_CASES_MAX; a channel may appear twice
 *
 *   >= 0             the index of the case that was done; its result field tells how
 *   WEIR_ETIMEDOUT   the deadline came first; no case was done
 *   WEIR_ECANCELED   the calling task was canceled first; no case was done
 *
 * Never matches a send and a receive of the same call.
 * Callers: task (parks), thread (blocks). */
WEIR_API WEIR_CHECK int weir_select(struct weir_select_case *cases, int count, weir_time deadline);

#endif
