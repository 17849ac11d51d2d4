/* SPDX-License-Identifier: MIT */
#ifndef WI_SYNC_THREAD_PARKER_H
#define WI_SYNC_THREAD_PARKER_H

/* The parker of whatever runs on an OS thread of its own: foreign threads, and tasks whose vehicle
 * is a thread.  Sleeps on the parker's word itself. */

#include "sync/parker.h"

extern const struct wi_parker_ops wi_thread_parker_ops;

void wi_thread_parker_park(struct wi_parker *parker, weir_time deadline);

#endif
