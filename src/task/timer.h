/* SPDX-License-Identifier: MIT */
#ifndef WI_TASK_TIMER_H
#define WI_TASK_TIMER_H

/* Stocks of timer records, one for each worker; see timer.c. */

#include "base/slab.h"

/* Gives a stock back to the pool; nobody uses it any more. */
void wi_timer_stock_close(struct wi_slab_cache *stock);

#endif
