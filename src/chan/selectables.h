/* SPDX-License-Identifier: MIT */
#ifndef WI_CHAN_SELECTABLES_H
#define WI_CHAN_SELECTABLES_H

/* The kinds of this floor that select can wait for beside channels; see sync/select.h. */

#include "sync/select.h"

extern const struct wi_selectable wi_event_selectable;     /* event.c */
extern const struct wi_selectable wi_future_selectable;    /* future.c */
extern const struct wi_selectable wi_semaphore_selectable; /* semaphore.c */

#endif
