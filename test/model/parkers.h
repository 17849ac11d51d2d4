/* SPDX-License-Identifier: MIT */
#ifndef TEST_MODEL_PARKERS_H
#define TEST_MODEL_PARKERS_H

/* The parkers of a model's threads: those of plain OS threads (sync/parker.c), one each. */

#include "model/explore.h"
#include "sync/cancel.h"
#include "sync/handshake.h"
#include "sync/parker.h"
#include "sync/thread_parker.h"

enum {
    MODEL_PARKERS = 6
};

static struct wi_parker model_parkers[MODEL_PARKERS];

static void model_take_parker(void)
{
    *wi_current_place() = &model_parkers[explore_self()];
}

/* First thing in a scenario. */
static inline void model_parkers_init(void)
{
    wi_handshake_open(false);
    for (int i = 0; i < MODEL_PARKERS; i++)
        wi_parker_init(&model_parkers[i], &wi_thread_parker_ops);
    explore_at_start(model_take_parker);
    model_take_parker();
}

#endif
